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

#pragma warning disable CA1823, IDE0052 // registers rows
    private static readonly bool CustomLoggerRows = IgnoreRows(() =>
    {
        string[] stages = ["reception", "delivery", "transient_failure", "permanent_failure", "rejection", "xfer"];
        foreach (var stage in stages)
        {
            Logging.Text(stage + "_format", CustomLogger, $"Format of the {stage} stage.", NotYet);
            Logging.Text(stage + "_logfile", CustomLogger, $"File of the {stage} stage.", NotYet, type: "path or uri");
            Logging.Mode(stage + "_log_mode", CustomLogger, "0644", $"Mode of the file of the {stage} stage.", NotYet);
        }
        foreach (var file in (string[])["mainlog", "paniclog"])
            Logging.Text(file, CustomLogger, "File of the logger.", NotYet, type: "path or uri");
        foreach (var kind in (string[])["log_receptions", "log_deliveries", "log_transient_failures", "log_permanent_failures", "log_rejections", "log_xfers", "sanitize"])
            Logging.Bool(kind, CustomLogger, true, "Switch of a stage.", NotYet);
        Logging.Text("namespace", CustomLogger, "Name space of context variables.", NotYet);
        Logging.Text("thread_pool", CustomLogger, "Worker pool.", NotYet);
        Logging.Int("concurrency", CustomLogger, 1, "Workers.", min: 1, status: NotYet);
    });
}
