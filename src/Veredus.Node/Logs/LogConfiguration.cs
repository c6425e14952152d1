using Veredus.Configuration;
using Veredus.Logging;

namespace Veredus.Node.Logs;

/// <summary>Reads the loggers and <c>debug_flags</c> of a configuration, and sets the logs accordingly at each reload.</summary>
/// <remarks>Register it last: logs change over in one step that can fail, and nothing may fail behind it.</remarks>
public sealed class LogConfiguration(MailLogs logs, bool toStderr, int verbosity = 0) : IConfigurationParticipant
{
    /// <summary>Opens the logs of the first configuration.</summary>
    /// <exception cref="IOException">A file cannot be opened.</exception>
    public void Start(ConfigurationSnapshot configuration)
    {
        if (!logs.TryConfigure(Loggers(configuration), Panic(configuration, toStderr, verbosity), out var error))
            throw new IOException(error);
        Warn(configuration);
    }

    public ValueTask<IPreparedConfiguration?> PrepareAsync(ConfigurationChange change, PreparationProblems problems, CancellationToken cancellationToken)
    {
        if (problems.Items.Count > 0)
            return default;
        if (!logs.TryConfigure(Loggers(change.New), Panic(change.New, toStderr, verbosity), out var error))
            problems.Add(change.New.Root.Position, "ec_logger", error);
        else
            Warn(change.New);
        return default;
    }

    /// <summary>The loggers that the configuration names. A log that a further logger leaves out is not written by it (<see cref="LoggerStanzas"/>).</summary>
    public static IReadOnlyList<LoggerSettings> Loggers(ConfigurationSnapshot configuration)
    {
        var loggers = new List<LoggerSettings>();
        foreach (var (module, pathOf) in LoggerStanzas.All(configuration, ScopeKinds.EcLogger))
        {
            var logs = new List<LogDestination>();
            foreach (var (kind, path, mode) in ((LogKind, Option<string>, Option<UnixFileMode>)[])
                [
                    (LogKind.Main, Options.Mainlog, Options.MainlogMode), (LogKind.Reject, Options.Rejectlog, Options.RejectlogMode),
                    (LogKind.Panic, Options.Paniclog, Options.PaniclogMode), (LogKind.Account, Options.Acctlog, Options.AcctlogMode),
                ])
            {
                if (pathOf(path) is { } destination)
                    logs.Add(new(kind, destination, module.Get(mode)));
            }
            if (module.Get(Options.Importlog) is { } importlog)
                logs.Add(new(LogKind.Import, importlog, module.Get(Options.ImportlogMode)));
            loggers.Add(new()
            {
                Logs = logs,
                Heartbeat = module.Get(Options.LogHeartbeat),
                Records = LogRecords.All & ~(
                    Unless(module, Options.LogReceptions, LogRecords.Receptions) | Unless(module, Options.LogDeliveries, LogRecords.Deliveries | LogRecords.Handovers)
                    | Unless(module, Options.LogTransientFailures, LogRecords.TransientFailures) | Unless(module, Options.LogPermanentFailures, LogRecords.PermanentFailures)
                    | Unless(module, Options.LogRejections, LogRecords.Rejections) | Unless(module, Options.LogErrors, LogRecords.Errors)),
            });
        }

        foreach (var (module, pathOf) in LoggerStanzas.All(configuration, ScopeKinds.BounceLogger))
        {
            if (pathOf(Options.Bouncelog) is not { } destination)
                continue;
            loggers.Add(new()
            {
                Logs = [new(LogKind.Bounce, destination, module.Get(Options.BouncelogMode))],
                Heartbeat = module.Get(Options.LogHeartbeat),
                Records = LogRecords.All & ~(
                    Unless(module, Options.LogInbandBounces, LogRecords.InbandBounces) | Unless(module, Options.LogOutofbandBounces, LogRecords.OutOfBandBounces)
                    | Unless(module, Options.LogTransientFailures, LogRecords.TransientBounces)),
            });
        }

        loggers.AddRange(configuration.Modules(ScopeKinds.CustomLogger).Select(CustomLogger));
        return loggers;
    }

    private static LoggerSettings CustomLogger(ScopeNode module)
    {
        LogRecords[] records = [LogRecords.Receptions, LogRecords.Deliveries, LogRecords.TransientFailures, LogRecords.PermanentFailures, LogRecords.Rejections, LogRecords.Handovers];
        List<LogDestination> logs = [];
        if (module.Get(Options.CustomMainlog) is { } mainlog)
            logs.Add(new(LogKind.Main, mainlog));
        if (module.Get(Options.CustomPaniclog) is { } paniclog)
            logs.Add(new(LogKind.Panic, paniclog));
        var (stages, written) = (new List<StageLog>(), LogRecords.All);
        foreach (var (number, stage) in Options.CustomLogStages.Index())
        {
            if (!module.Get(stage.Switch))
                written &= ~records[number];
            else if (module.Get(stage.Format) is { } format && module.Get(stage.Logfile) is { } file)
                stages.Add(new((LogStage)number, format, file, module.Get(stage.Mode)) { IsSanitized = module.Get(Options.CustomSanitize) });
        }
        return new() { Logs = logs, Stages = stages, Records = written, Heartbeat = TimeSpan.Zero };
    }

    /// <summary>The paniclog's filter.</summary>
    /// <param name="verbosity">So many levels below error are shown in full: 1 warnings, up to 4 everything.</param>
    public static PanicSettings Panic(ConfigurationSnapshot configuration, bool toStderr, int verbosity = 0) => new()
    {
        Flags = new Dictionary<PanicLevel, PanicSubsystems>
        {
            [PanicLevel.Critical] = Subsystems(configuration, Options.DebugCritical),
            [PanicLevel.Error] = Subsystems(configuration, Options.DebugError),
            [PanicLevel.Warning] = verbosity >= 1 ? PanicSubsystems.All : Subsystems(configuration, Options.DebugWarning),
            [PanicLevel.Notice] = verbosity >= 2 ? PanicSubsystems.All : Subsystems(configuration, Options.DebugNotice),
            [PanicLevel.Info] = verbosity >= 3 ? PanicSubsystems.All : Subsystems(configuration, Options.DebugInfo),
            [PanicLevel.Debug] = verbosity >= 4 ? PanicSubsystems.All : Subsystems(configuration, Options.DebugDebug),
        },
        // Who owns which address, and why, is always told (duravip.md 7).
        ModuleLevels = new Dictionary<string, PanicLevel> { ["duravip"] = PanicLevel.Notice, ["cluster"] = PanicLevel.Notice },
        ToStderr = toStderr,
        TimestampFormat = configuration.Global.Get(Options.Timestampformat),
    };

    private void Warn(ConfigurationSnapshot configuration)
    {
        foreach (var warning in LoggerStanzas.Warnings(configuration))
            logs.Panic(PanicLevel.Error, PanicSubsystems.Log1, "", warning);
    }

    private static LogRecords Unless(ScopeNode module, Option<bool> option, LogRecords records) => module.Get(option) ? LogRecords.None : records;

    private static PanicSubsystems Subsystems(ConfigurationSnapshot configuration, Option<IReadOnlyList<string>> level)
    {
        var subsystems = PanicSubsystems.None;
        foreach (var name in configuration.Get(ScopeKinds.DebugFlags, level))
            subsystems |= Enum.Parse<PanicSubsystems>(name, ignoreCase: true);
        return subsystems;
    }
}
