using Veredus.Configuration;

namespace Veredus.LogShipping;

/// <summary>The stanza <c>Logs</c> as one manager reads it (logging.md 5).</summary>
public sealed record LogCollectorSettings
{
    private const UnixFileMode Read640 = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;

    /// <summary>This manager's name: the first subscriber that it looks for.</summary>
    public required string ManagerName { get; init; }

    /// <summary><c>Logfile</c>: which file a record goes to.</summary>
    public required LogPattern Logfile { get; init; }

    /// <summary><c>File_Mode</c>, whatever the umask.</summary>
    public UnixFileMode FileMode { get; init; } = Read640;

    /// <summary><c>Dir_Mode</c>, whatever the umask.</summary>
    public UnixFileMode DirectoryMode { get; init; } = Read640 | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    /// <summary><c>Max_Open</c>: most files open at a time, at least 1.</summary>
    public int MaxOpen { get; init; } = 512;

    /// <summary><c>Max_Idle</c>: a file that is not written for so long is closed.</summary>
    public TimeSpan MaxIdle { get; init; } = TimeSpan.FromSeconds(300);

    /// <summary>Subscriber names to try for a node, in order; an empty list: pull nothing from it. Nodes that are not named here get <see cref="DefaultSubscribers"/>.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> NodeSubscribers { get; init; } = new Dictionary<string, IReadOnlyList<string>>();

    /// <summary>The manager's own name, then <c>master</c>.</summary>
    public IReadOnlyList<string> DefaultSubscribers => [ManagerName, "master"];

    /// <summary>Pause after a connection was lost or refused.</summary>
    public TimeSpan RetryInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How often a node is asked what it publishes.</summary>
    public TimeSpan ListInterval { get; init; } = TimeSpan.FromSeconds(10);

    public IReadOnlyList<string> SubscribersFor(string node) => NodeSubscribers.GetValueOrDefault(node) ?? DefaultSubscribers;

    /// <summary>Reads the stanza; what stands in <c>Manager "NAME"</c> counts for the manager of that name alone, and goes before the rest.</summary>
    /// <param name="error">What is wrong with it.</param>
    /// <returns><see langword="null"/> with an error; also without one when the configuration has no <c>Logs</c>.</returns>
    public static LogCollectorSettings? FromConfiguration(ConfigurationSnapshot configuration, string managerName, out string? error)
    {
        error = null;
        if (configuration.Singleton(ScopeKinds.Logs) is not { } logs)
            return null;
        var own = logs.Children.FirstOrDefault(scope => scope.Kind == ScopeKinds.LogsManager && scope.Instance.Equals(managerName, StringComparison.OrdinalIgnoreCase));
        T Get<T>(Option<T> option) => own?.Find(option) is not null ? own.Get(option) : logs.Get(option);
        var zone = TimeZoneInfo.Local;
        if (Get(Options.AggregatedTimezone) is { } zoneName && !TimeZoneInfo.TryFindSystemTimeZoneById(zoneName, out zone!))
        {
            error = $"Logs: timezone = \"{zoneName}\" is not a time zone of this host; write one such as \"UTC\" or \"Europe/Berlin\"";
            return null;
        }
        if (!LogPattern.TryParse(Get(Options.AggregatedLogfile), zone, out var pattern, out var problem))
        {
            error = $"Logs: logfile: {problem}";
            return null;
        }
        var subscribers = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        foreach (var node in logs.Children.Concat(own?.Children ?? []).Where(scope => scope.Kind == ScopeKinds.LogsNode && scope.Find(Options.LogSubscriber) is not null))
            subscribers[node.Instance] = node.Get(Options.LogSubscriber);
        return new()
        {
            ManagerName = managerName,
            Logfile = pattern,
            FileMode = Get(Options.AggregatedFileMode),
            DirectoryMode = Get(Options.AggregatedDirMode),
            MaxOpen = Get(Options.AggregatedMaxOpen),
            MaxIdle = Get(Options.AggregatedMaxIdle),
            NodeSubscribers = subscribers,
        };
    }
}
