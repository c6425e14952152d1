namespace Veredus.Logging;

/// <summary>Which records a logger writes.</summary>
[Flags]
public enum LogRecords
{
    None = 0,
    Receptions = 1,
    Deliveries = 1 << 1,
    TransientFailures = 1 << 2,
    PermanentFailures = 1 << 3,
    Rejections = 1 << 4,
    /// <summary>The paniclog.</summary>
    Errors = 1 << 5,
    InbandBounces = 1 << 6,
    OutOfBandBounces = 1 << 7,
    TransientBounces = 1 << 8,
    /// <summary>Hand-overs to other nodes (<c>X</c>).</summary>
    Handovers = 1 << 9,
    All = (1 << 10) - 1,
}

/// <summary>One log of one logger.</summary>
/// <param name="Kind">Which log.</param>
/// <param name="Destination">
/// A path, <c>file:///path</c> or <c>syslog://?facility=F&amp;priority=P</c> (paniclog only). A path that ends in <c>.json</c> or
/// <c>.jsonl</c> gets JSON lines.
/// </param>
/// <param name="Mode">Permissions of a file that is created.</param>
public sealed record LogDestination(LogKind Kind, string Destination, UnixFileMode Mode = LogDestination.DefaultMode)
{
    /// <summary>0644.</summary>
    public const UnixFileMode DefaultMode =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>A file with classic lines, named by <see cref="Path"/>.</summary>
    public bool IsPlain => !IsJson && (!Destination.Contains("://", StringComparison.Ordinal) || Destination.StartsWith("file://", StringComparison.OrdinalIgnoreCase));

    /// <summary>Of a file.</summary>
    public string Path => Destination.StartsWith("file://", StringComparison.OrdinalIgnoreCase) ? Destination["file://".Length..] : Destination;

    internal bool IsJson => Destination.EndsWith(".json", StringComparison.Ordinal) || Destination.EndsWith(".jsonl", StringComparison.Ordinal);
}

/// <summary>One logger instance (<c>ec_logger</c>, <c>bounce_logger</c>, <c>custom_logger</c>): its logs, its heartbeat, its switches.</summary>
public sealed record LoggerSettings
{
    public required IReadOnlyList<LogDestination> Logs { get; init; }

    /// <summary>What it writes in own formats (<c>custom_logger</c>).</summary>
    public IReadOnlyList<StageLog> Stages { get; init; } = [];

    /// <summary>All that it writes to.</summary>
    public IEnumerable<LogDestination> Destinations => [.. Logs, .. Stages.Select(stage => stage.Target)];

    /// <summary>Time between markers in mainlog, bouncelog and rejectlog; zero for none. Default 60 s.</summary>
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromSeconds(60);

    public LogRecords Records { get; init; } = LogRecords.All;
}

/// <summary>What reaches the paniclog, and how it looks on standard error.</summary>
public sealed record PanicSettings
{
    /// <summary><c>debug_flags</c>: the subsystems that are shown at each level. Default: all at error and critical.</summary>
    public IReadOnlyDictionary<PanicLevel, PanicSubsystems> Flags { get; init; } = new Dictionary<PanicLevel, PanicSubsystems>
    {
        [PanicLevel.Error] = PanicSubsystems.All,
        [PanicLevel.Critical] = PanicSubsystems.All,
    };

    /// <summary><c>debug_level</c> of modules: entries of that module are shown from this level on.</summary>
    public IReadOnlyDictionary<string, PanicLevel> ModuleLevels { get; init; } = new Dictionary<string, PanicLevel>();

    /// <summary>Whether entries also go to standard error.</summary>
    public bool ToStderr { get; init; } = true;

    /// <summary><c>timestampformat</c> in strftime's letters, for standard error outside of systemd. Default <c>[%a %d %b %Y %H:%M:%S] </c>.</summary>
    public string TimestampFormat { get; init; } = "[%a %d %b %Y %H:%M:%S] ";

    /// <summary>Under systemd a line on standard error begins with its priority instead of a time (sd-daemon(3)).</summary>
    public bool StderrIsJournal { get; init; } = Environment.GetEnvironmentVariable("JOURNAL_STREAM") is { Length: > 0 };
}
