using System.Globalization;
using System.Text;
using Veredus.Configuration;
using Veredus.Control;
using Veredus.Logging;
using Veredus.LogShipping;
using Veredus.Node;
using Veredus.Node.Http;

namespace Veredus.Manager.Logs;

/// <summary>Log gathering as a part of a manager: the stanza <c>Logs</c>, followed at each reload, and what the console says about it (logging.md 5).</summary>
public sealed class LogCollection : IManagerService, IConfigurationParticipant
{
    private VeredusManager _manager = null!;
    private volatile LogCollector? _collector;

    /// <summary>Every published log of every node as this manager sees it; empty when nothing is gathered.</summary>
    public IReadOnlyList<CollectedLog> Status => _collector?.Status ?? [];

    /// <summary>Nodes that can't be asked, with why.</summary>
    public IReadOnlyList<(string Node, string Why)> Unreachable => _collector?.Unreachable ?? [];

    public IEnumerable<ControlCommand> Commands =>
    [
        new("logs collection", "", "every node's logs: how far they are here, what waits, who else reads", (call, _) => new(_collector is null
            ? ControlAnswer.NotFound("this manager gathers no logs: eccluster.conf has no stanza Logs, or no certificate was made for it ('veredus setup manager')")
            : ControlAnswer.Body(call.Json ? CollectionReport.Json(_manager.Group.NodeName, Status, Unreachable) : CollectionReport.Text(Status, Unreachable, _manager.Time.GetUtcNow())))) { HasJson = true },
        new("logs decommission", "NAME [force]", "removes a manager's subscriber from every published log of every node", DecommissionAsync) { HasJson = true },
    ];

    public void WriteMetrics(StringBuilder text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var logs = Status;
        Metrics.Gauge(text, "veredus_logs_unreachable_nodes", "Nodes that can't be asked for their logs.", Unreachable.Count);
        Row("veredus_logs_behind_seconds", "gauge", "Age of the oldest line of a node that is not stored here.", log => log.BehindSeconds);
        Row("veredus_logs_waiting_bytes", "gauge", "Octets on a node that are not stored here.", log => log.WaitingBytes);
        Row("veredus_logs_lines_total", "counter", "Lines stored since the manager was started.", log => log.Records);
        Row("veredus_logs_bytes_total", "counter", "Octets stored since the manager was started.", log => log.Bytes);
        Row("veredus_logs_up", "gauge", "1 while a log comes without trouble.", log => log.Error is null && log.State is CollectionState.UpToDate or CollectionState.CatchingUp ? 1 : 0);

        void Row(string name, string type, string help, Func<CollectedLog, double> value)
        {
            Metrics.Head(text, name, type, help);
            foreach (var log in logs.Where(log => log.Subscriber.Length > 0))
                text.Append(CultureInfo.InvariantCulture, $"{name}{{node=\"{log.Node}\",log=\"{log.Log}\"}} {value(log)}\n");
        }
    }

    public ValueTask StartAsync(VeredusManager manager, CancellationToken cancellationToken)
    {
        _manager = manager;
        var configuration = manager.Configuration.Current;
        manager.Configuration.Register(this);
        if (LogCollectorSettings.FromConfiguration(configuration, manager.Group.NodeName, out var error) is { } settings)
            Start(settings);
        else if (error is not null)
            throw new StartupException(ExitCode.Configuration, error);
        return default;
    }

    public ValueTask<IPreparedConfiguration?> PrepareAsync(ConfigurationChange change, PreparationProblems problems, CancellationToken cancellationToken)
    {
        var settings = LogCollectorSettings.FromConfiguration(change.New, _manager.Group.NodeName, out var error);
        if (error is not null)
            problems.Add(change.New.Singleton(ScopeKinds.Logs)?.Position ?? change.New.Root.Position, "logs", error);
        return new(settings is null ? null : new Prepared(this, settings));
    }

    public async ValueTask DisposeAsync()
    {
        if (_collector is { } collector)
            await collector.DisposeAsync();
    }

    /// <summary>The positions lie where the files are, so that they are lost or restored together; each manager has its own.</summary>
    private void Start(LogCollectorSettings settings)
    {
        if (_manager.Group.Identity is not { } identity)
        {
            Report("logs: nothing is gathered: this manager has no certificate of the cluster ('veredus setup manager' makes one)");
            return;
        }
        try
        {
            var source = new ClusterLogSource(() => _manager.Group.Membership, identity, _manager.Group.Incarnation, _manager.Time);
            _collector = LogCollector.Start(settings, Path.Join(settings.Logfile.BaseDirectory, $".positions.{settings.ManagerName}"), source, _manager.Time, Report);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Commands go on; a directory that is put right is used at the next reload.
            Report($"logs: nothing is gathered: {e.Message}");
        }
    }

    private void Use(LogCollectorSettings settings)
    {
        if (_collector is { } collector)
        {
            collector.Settings = settings;
            return;
        }
        Start(settings);
    }

    private void Report(string text) => _manager.Logs.Panic(PanicLevel.Error, PanicSubsystems.Log1, "", text);

    private ValueTask<ControlAnswer> DecommissionAsync(ControlCall call, CancellationToken cancellationToken)
    {
        if (call.Arguments is not ([_] or [_, "force"]))
            return new(ControlAnswer.Usage(call.Command));
        if (call.Arguments[0] == _manager.Group.NodeName && _collector is not null)
            return new(ControlAnswer.Error(ControlErrors.Conflict, $"'{call.Arguments[0]}' is this manager, which reads; stop it first and decommission it from another one"));
        var delegating = new Delegating(() => _manager.Group.Delegation, () => null, _manager.Time);
        return delegating.RunAsync(call, Cluster.DelegationTarget.All, $"cluster logs decommission {call.Rest}", Delegating.DefaultWait, cancellationToken);
    }

    private sealed class Prepared(LogCollection logs, LogCollectorSettings settings) : IPreparedConfiguration
    {
        public void Commit() => logs.Use(settings);

        public ValueTask AbortAsync() => default;
    }
}
