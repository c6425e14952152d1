using System.Diagnostics.CodeAnalysis;

namespace Veredus.Logging;

/// <summary>The logs of one node: every logger, the paniclog, their heartbeats and their background writing.</summary>
/// <remarks>
/// A record is formatted on the caller's thread into a reused buffer and copied to memory that a timer writes out within a second.
/// Nothing is allocated for it, and no caller ever waits for a disk.
/// </remarks>
public sealed class MailLogs : IMailLog, IAsyncDisposable
{
    private static readonly LogKind[] Kinds = Enum.GetValues<LogKind>();
    private static readonly LogStage[] Stages = Enum.GetValues<LogStage>();
    private static readonly LogKind[] WithHeartbeat = [LogKind.Main, LogKind.Bounce, LogKind.Reject];

    [ThreadStatic]
    private static LineBuffer? _line;

    private readonly TimeProvider _time;
    private readonly Func<LogDestination, ILogTarget> _open;
    private readonly LogPump _pump;
    private readonly PanicLog _panic;
    private readonly LogStream _stderr;
    private readonly Lock _changing = new();
    private Routing _routing = new([.. Kinds.Select(_ => Array.Empty<Route>())], [.. Stages.Select(_ => Array.Empty<StageRoute>())]);
    private Dictionary<string, LogStream> _streams = [];
    private List<ITimer> _heartbeats = [];

    /// <param name="time">Time stamps, flush and heartbeat.</param>
    /// <param name="open">Opens a destination; <see cref="LogTargets.Open"/> unless a test or the cluster part says otherwise.</param>
    /// <param name="stderr">Where the operator of a foreground run looks; standard error unless a test says otherwise.</param>
    public MailLogs(TimeProvider time, Func<LogDestination, ILogTarget>? open = null, ILogTarget? stderr = null)
    {
        (_time, _open) = (time, open ?? LogTargets.Open);
        _pump = new(time, Report);
        _panic = new(time, WritePanic);
        _stderr = new(stderr ?? new StderrTarget(), _pump);
        _pump.Streams = [_stderr];
    }

    /// <summary>Lines taken and lines dropped for want of room, for each destination.</summary>
    public IReadOnlyList<LogCounters> Counters => [.. _pump.Streams.Select(stream => new LogCounters(stream.Target.Name, stream.Lines, stream.Dropped))];

    /// <summary>
    /// Makes these the loggers, at start and at each reload. New destinations are opened first; if one can't be, nothing changes.
    /// Destinations that stay keep their open files; lines of those that go are written before they are closed.
    /// </summary>
    /// <param name="loggers">In any order. Loggers that name the same destination share it.</param>
    /// <param name="panic">The paniclog's filter.</param>
    /// <param name="error">Which destination could not be opened, and why.</param>
    public bool TryConfigure(IReadOnlyList<LoggerSettings> loggers, PanicSettings panic, [NotNullWhen(false)] out string? error)
    {
        lock (_changing)
        {
            Dictionary<string, LogStream> streams = [];
            var routes = Kinds.Select(_ => new List<Route>()).ToArray();
            var stages = Stages.Select(_ => new List<StageRoute>()).ToArray();
            foreach (var logger in loggers)
            {
                foreach (var log in logger.Destinations)
                {
                    if (!streams.TryGetValue(log.Destination, out var stream) && !_streams.TryGetValue(log.Destination, out stream))
                    {
                        if (!TryOpen(log, out stream, out error))
                        {
                            foreach (var opened in streams.Where(pair => !_streams.ContainsKey(pair.Key)))
                                opened.Value.Dispose();
                            return false;
                        }
                    }
                    streams[log.Destination] = stream;
                    if (log.Kind is not LogKind.Custom)
                        routes[(int)log.Kind].Add(new(stream, log.IsJson, logger.Records));
                }
                foreach (var stage in logger.Stages)
                    stages[(int)stage.Stage].Add(new(streams[stage.Destination], stage));
            }
            var gone = _streams.Where(pair => !streams.ContainsKey(pair.Key)).Select(pair => pair.Value).ToList();
            Volatile.Write(ref _routing, new([.. routes.Select(list => list.ToArray())], [.. stages.Select(list => list.ToArray())]));
            _pump.Drain();
            _pump.Streams = [_stderr, .. streams.Values];
            gone.ForEach(stream => stream.Dispose());
            _streams = streams;
            _panic.Settings = panic;
            StartHeartbeats(loggers);
            error = null;
            return true;
        }
    }

    public void Write(in ReceptionRecord record)
    {
        Write(LogKind.Main, LogRecords.Receptions, record);
        if (StageRoutes(LogStage.Reception) is { Length: > 0 } routes)
            Write(routes, StageEvent.Of(record));
    }

    public void Write(in DeliveryRecord record)
    {
        var isMove = record.Kind is DeliveryKind.HandedOver;
        Write(LogKind.Main, isMove ? LogRecords.Handovers : LogRecords.Deliveries, record);
        if (StageRoutes(isMove ? LogStage.Xfer : LogStage.Delivery) is { Length: > 0 } routes)
            Write(routes, StageEvent.Of(record));
    }

    public void Write(in FailureRecord record)
    {
        var isPermanent = record.Kind is FailureKind.Permanent;
        Write(LogKind.Main, isPermanent ? LogRecords.PermanentFailures : LogRecords.TransientFailures, record);
        if (StageRoutes(isPermanent ? LogStage.PermanentFailure : LogStage.TransientFailure) is { Length: > 0 } routes)
            Write(routes, StageEvent.Of(record));
    }

    public void Write(in BounceRecord record) => Write(
        LogKind.Bounce,
        record.Kind is FailureKind.Transient ? LogRecords.TransientBounces
            : record.Stage is DeliveryStage.OutOfBandBounce ? LogRecords.OutOfBandBounces : LogRecords.InbandBounces,
        record);

    public void Write(in RejectRecord record)
    {
        Write(LogKind.Reject, LogRecords.Rejections, record);
        if (StageRoutes(LogStage.Rejection) is { Length: > 0 } routes)
            Write(routes, StageEvent.Of(record));
    }

    public void Write(in ImportRecord record) => Write(LogKind.Import, LogRecords.All, record);

    public void Write(in AuthenticationRecord record) => Write(LogKind.Account, LogRecords.All, record);

    public void Write(in AuthorizationRecord record) => Write(LogKind.Account, LogRecords.All, record);

    public void Panic(PanicLevel level, PanicSubsystems subsystem, string module, string text) => _panic.Add(level, subsystem, module, text);

    /// <summary>The last entries of one level, oldest first; also those that the filter keeps out of the paniclog.</summary>
    public IReadOnlyList<PanicEntry> RecentPanics(PanicLevel level) => _panic.Recent(level);

    /// <summary>Writes what waits, closes all files and opens them again, for rotation (<c>reopen logs</c>, SIGUSR1).</summary>
    public void Reopen()
    {
        foreach (var stream in _pump.Streams)
            stream.Reopen(Report);
    }

    /// <summary>Writes what waits now, on the caller's thread. False when a destination failed.</summary>
    public bool Flush() => _pump.Drain();

    public async ValueTask DisposeAsync()
    {
        _heartbeats.ForEach(timer => timer.Dispose());
        _panic.Dispose();
        await _pump.DisposeAsync();
        foreach (var stream in _pump.Streams)
            stream.Dispose();
    }

    private void Write<TRecord>(LogKind kind, LogRecords records, in TRecord record, bool soon = false) where TRecord : struct, ILogRecord
    {
        var routes = Volatile.Read(ref _routing).Logs[(int)kind];
        if (routes.Length == 0)
            return;
        var line = _line ??= new();
        bool? formatted = null;
        foreach (var route in routes)
        {
            if ((route.Records & records) == 0)
                continue;
            if (formatted != route.IsJson)
            {
                line.Clear();
                if (route.IsJson)
                    record.FormatJson(line);
                else
                    record.FormatLine(line);
                formatted = route.IsJson;
            }
            route.Stream.Append(line.Written, soon);
        }
    }

    private StageRoute[] StageRoutes(LogStage stage) => Volatile.Read(ref _routing).Stages[(int)stage];

    private static void Write(StageRoute[] routes, in StageEvent told)
    {
        var line = _line ??= new();
        foreach (var route in routes)
        {
            line.Clear();
            StageWriter.Write(line, route.Log.Format, told, route.Log.IsSanitized);
            route.Stream.Append(line.Written);
        }
    }

    private void WritePanic(PanicLevel level, PanicRecord record)
    {
        var soon = level >= PanicLevel.Error;
        Write(LogKind.Panic, LogRecords.Errors, record, soon);
        if (_panic.Settings is not { ToStderr: true } settings)
            return;
        var line = _line ??= new();
        line.Clear();
        line.Append(settings.StderrIsJournal ? $"<{Priority(level)}>"
            : Strftime.Format(settings.TimestampFormat, DateTimeOffset.FromUnixTimeSeconds(record.Time)));
        line.Append(SafeText.Visible(record.Text.ReplaceLineEndings("\\n")));
        _stderr.Append(line.Written, soon);
    }

    // sd-daemon(3): 2 critical, 3 error, 4 warning, 5 notice, 6 info, 7 debug.
    private static int Priority(PanicLevel level) => 7 - (int)level;

    private void Report(LogTrouble trouble)
    {
        if (trouble.Target == _stderr.Target.Name)
            return;
        if (trouble.IsNotice)
        {
            Panic(PanicLevel.Error, PanicSubsystems.Log1, "logging", $"{trouble.Target}: {trouble.Error}");
            return;
        }
        var text = trouble.Error is not null
            ? $"{trouble.Target}: {trouble.Error}; lines wait in memory (up to {LogStream.MaxPendingBytes >> 20} MiB), mail goes on"
            : $"{trouble.Target}: written again; {trouble.Lost} lines were lost";
        Panic(trouble.Error is not null ? PanicLevel.Critical : PanicLevel.Error, PanicSubsystems.Log1, "logging", text);
    }

    private bool TryOpen(LogDestination log, [NotNullWhen(true)] out LogStream? stream, [NotNullWhen(false)] out string? error)
    {
        try
        {
            (stream, error) = (new(_open(log), _pump), null);
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            (stream, error) = (null, exception.Message);
            return false;
        }
    }

    private void StartHeartbeats(IReadOnlyList<LoggerSettings> loggers)
    {
        _heartbeats.ForEach(timer => timer.Dispose());
        _heartbeats = [];
        foreach (var logger in loggers.Where(logger => logger.Heartbeat > TimeSpan.Zero))
        {
            var targets = logger.Logs.Where(log => WithHeartbeat.Contains(log.Kind))
                .Select(log => (log.Kind, new Route(_streams[log.Destination], log.IsJson, logger.Records))).ToArray();
            if (targets.Length > 0)
                _heartbeats.Add(_time.CreateTimer(_ => Heartbeat(targets), null, logger.Heartbeat, logger.Heartbeat));
        }
    }

    private void Heartbeat((LogKind Kind, Route Route)[] targets)
    {
        var line = _line ??= new();
        foreach (var (kind, route) in targets)
        {
            line.Clear();
            var record = new HeartbeatRecord(kind, _time.GetUtcNow().ToUnixTimeSeconds());
            if (route.IsJson)
                record.FormatJson(line);
            else
                record.FormatLine(line);
            route.Stream.Append(line.Written, soon: true);
        }
    }

    private sealed record Route(LogStream Stream, bool IsJson, LogRecords Records);

    private sealed record StageRoute(LogStream Stream, StageLog Log);

    private sealed record Routing(Route[][] Logs, StageRoute[][] Stages);
}

/// <summary>What one destination took.</summary>
/// <param name="Destination">Path, <c>syslog</c> or <c>stderr</c>.</param>
/// <param name="Lines">Lines taken since the start.</param>
/// <param name="Dropped">Lines that found no room since the start, because the destination failed or stalled.</param>
public sealed record LogCounters(string Destination, long Lines, long Dropped);
