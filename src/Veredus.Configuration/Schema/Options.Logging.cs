using static Veredus.Configuration.ScopeKinds;

namespace Veredus.Configuration;

public static partial class Options
{
    private static readonly OptionSection Logging = new(11, "Logging and debugging");

    public static readonly Option<bool> ModuleEnabled = Logging.Bool("enabled", AnyModule, true, "Switches a module off without deleting it.");
    public static readonly Option<DebugLevel> ModuleDebugLevel = Logging.Word("debug_level", AnyModule, "How much a module says; what is shown is set by debug_flags.", NotYet,
        ("error", DebugLevel.Error), ("critical", DebugLevel.Critical), ("warning", DebugLevel.Warning), ("notice", DebugLevel.Notice), ("info", DebugLevel.Info), ("debug", DebugLevel.Debug));

    public static readonly Option<string> Mainlog = Logging.TextOr("mainlog", EcLogger, "/var/log/veredus/mainlog.ec", "Receptions, deliveries and failures.", type: "path or uri");
    public static readonly Option<string> Rejectlog = Logging.TextOr("rejectlog", EcLogger, "/var/log/veredus/rejectlog.ec", "Rejections.", type: "path or uri");
    public static readonly Option<string> Paniclog = Logging.TextOr("paniclog", EcLogger, "/var/log/veredus/paniclog.ec", "What an operator has to know.", type: "path or uri");
    public static readonly Option<string> Acctlog = Logging.TextOr("acctlog", EcLogger, "/var/log/veredus/acctlog.ec", "Connections and console commands.", type: "path or uri");
    public static readonly Option<string?> Importlog = Logging.Text("importlog", EcLogger, "Results of spool imports; unset = off.", type: "path or uri");
    public static readonly Option<UnixFileMode> MainlogMode = Logging.Mode("mainlog_mode", EcLogger, "0644", "Mode of the main log.");
    public static readonly Option<UnixFileMode> RejectlogMode = Logging.Mode("rejectlog_mode", EcLogger, "0644", "Mode of the reject log.");
    public static readonly Option<UnixFileMode> PaniclogMode = Logging.Mode("paniclog_mode", EcLogger, "0644", "Mode of the panic log.");
    public static readonly Option<UnixFileMode> AcctlogMode = Logging.Mode("acctlog_log_mode", EcLogger, "0644", "Mode of the accounting log.");
    public static readonly Option<UnixFileMode> ImportlogMode = Logging.Mode("importlog_mode", EcLogger, "0644", "Mode of the import log.");
    public static readonly Option<TimeSpan> LogHeartbeat = Logging.Seconds("heartbeat", EcLogger | BounceLogger, 60, "Interval of the marker line; 0 = off.");
    public static readonly Option<bool> LogReceptions = Logging.Bool("log_receptions", EcLogger, true, "Writes reception records.");
    public static readonly Option<bool> LogDeliveries = Logging.Bool("log_deliveries", EcLogger, true, "Writes delivery records.");
    public static readonly Option<bool> LogTransientFailures = Logging.Bool("log_transient_failures", EcLogger | BounceLogger, true, "Writes records of transient failures.");
    public static readonly Option<bool> LogPermanentFailures = Logging.Bool("log_permanent_failures", EcLogger, true, "Writes records of permanent failures.");
    public static readonly Option<bool> LogRejections = Logging.Bool("log_rejections", EcLogger, true, "Writes rejections.");
    public static readonly Option<bool> LogErrors = Logging.Bool("log_errors", EcLogger, true, "Writes error records.");
    public static readonly Option<string> Bouncelog = Logging.TextOr("bouncelog", BounceLogger, "/var/log/veredus/bouncelog.ec", "Classified failures.", type: "path or uri");
    public static readonly Option<UnixFileMode> BouncelogMode = Logging.Mode("bouncelog_mode", BounceLogger | CustomBounceLogger, "0644", "Mode of the bounce log.");
    public static readonly Option<bool> LogInbandBounces = Logging.Bool("log_inband_bounces", BounceLogger, true, "Writes failures of our own attempts.");
    public static readonly Option<bool> LogOutofbandBounces = Logging.Bool("log_outofband_bounces", BounceLogger, true, "Writes bounces that came back as mail.");
    public static readonly Option<string?> CustomBouncelog = Logging.Text("bouncelog", CustomBounceLogger, "File of a bounce log with an own last field.", NotYet, type: "path or uri");
    public static readonly Option<string?> UserString = Logging.Text("user_string", CustomBounceLogger, "Template of the last field.", NotYet);
    public static readonly Option<string> Httplog = Logging.TextOr("log", HttpLogger, "file:///var/log/veredus/httplog.ec", "HTTP requests.", NotYet, type: "uri");

    public static readonly Option<UnixFileMode> TraceSmtpMode = Logging.Mode("trace_smtp_mode", G, "0640", "Mode of SMTP trace files; always 0640.", OptionStatus.DefaultOnly, nonDynamic: true);
    public static readonly Option<string> Timestampformat = Logging.TextOr("timestampformat", G, "[%a %d %b %Y %H:%M:%S] ", "strftime format of stamps on stderr in foreground mode.", type: "strftime");
    public static readonly Option<bool> LogRequestsToPaniclog = Logging.Bool("log_requests_to_paniclog", W | L | P | PW | PG, false, "Writes HTTP requests to the panic log.", NotYet);

    public static readonly Option<IReadOnlyList<string>> DebugCritical = DebugLevelOption("critical");
    public static readonly Option<IReadOnlyList<string>> DebugError = DebugLevelOption("error");
    public static readonly Option<IReadOnlyList<string>> DebugWarning = DebugLevelOption("warning");
    public static readonly Option<IReadOnlyList<string>> DebugNotice = DebugLevelOption("notice");
    public static readonly Option<IReadOnlyList<string>> DebugInfo = DebugLevelOption("info");
    public static readonly Option<IReadOnlyList<string>> DebugDebug = DebugLevelOption("debug");

    private const string Subsystems = "ERROR TIME FD SMTP LOG1 DNS DNSDS NET SIG MEM DB LIC SSL MOD START ALL";

    private static Option<IReadOnlyList<string>> DebugLevelOption(string level) => Logging.Other<IReadOnlyList<string>>(
        level, DebugFlags, "list", level is "error" or "critical" ? "( ALL )" : "( )", level is "error" or "critical" ? ["ALL"] : [],
        Readers.List<IReadOnlyList<string>, string>("a list of " + Subsystems, (string text, out string value) =>
        {
            value = text.ToUpperInvariant();
            return Subsystems.Split(' ').Contains(value);
        }, items => items), $"Subsystems that speak at level {level.ToUpperInvariant()}.");

    /// <summary>What a <c>custom_logger</c> can log, in the order of mta.md's stages.</summary>
    public static readonly IReadOnlyList<CustomLogStage> CustomLogStages = CustomStages();

    public static readonly Option<string?> CustomMainlog = Logging.Text("mainlog", CustomLogger, "A main log of its own.", type: "path or uri");
    public static readonly Option<string?> CustomPaniclog = Logging.Text("paniclog", CustomLogger, "A panic log of its own.", type: "path or uri");
    public static readonly Option<bool> CustomSanitize = Logging.Bool("sanitize", CustomLogger, true, "Escapes '@' in values as well, as the other logs do; backslashes and controls always are.");

#pragma warning disable CA1823, IDE0052 // registers rows
    private static readonly bool CustomLoggerRows = IgnoreRows(() =>
    {
        Logging.Text("namespace", CustomLogger, "Name space of context variables.", NotYet);
        Logging.Ignore(CustomLogger, "Worker pools are the runtime's.", "thread_pool", "concurrency");
    });

    private static List<CustomLogStage> CustomStages() => [.. new (string Stage, string Switch)[]
        {
            ("reception", "log_receptions"), ("delivery", "log_deliveries"), ("transient_failure", "log_transient_failures"),
            ("permanent_failure", "log_permanent_failures"), ("rejection", "log_rejections"), ("xfer", "log_xfers"),
        }.Select(row => new CustomLogStage(
        row.Stage,
        Logging.Other<LogFormat?>(row.Stage + "_format", CustomLogger, "format", "", null, ReadLogFormat, $"Format of the {row.Stage} stage: letters such as %t %i %r %R."),
        Logging.Text(row.Stage + "_logfile", CustomLogger, $"File of the {row.Stage} stage.", type: "path or uri"),
        Logging.Mode(row.Stage + "_log_mode", CustomLogger, "0644", $"Mode of the file of the {row.Stage} stage."),
        Logging.Bool(row.Switch, CustomLogger, true, $"Writes the {row.Stage} stage, and its records of this logger's main log.")))];

    private static bool ReadLogFormat(RawValue raw, out LogFormat? value, out ValueError error)
    {
        value = null;
        error = new("CFG-0303", "a text");
        if (raw.Kind != RawKind.Scalar)
            return false;
        var isRead = LogFormat.TryParse(raw.Text, out value, out var expected);
        error = new("CFG-0301", expected);
        return isRead;
    }
}

/// <summary>The options of one stage of a <c>custom_logger</c>.</summary>
/// <param name="Name">As in its options' names, e.g. <c>xfer</c>.</param>
/// <param name="Switch">False: nothing of the stage is written.</param>
public sealed record CustomLogStage(string Name, Option<LogFormat?> Format, Option<string?> Logfile, Option<UnixFileMode> Mode, Option<bool> Switch);
