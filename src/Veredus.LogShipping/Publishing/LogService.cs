using System.IO.Pipelines;
using Veredus.Cluster;
using Veredus.Journal;

namespace Veredus.LogShipping;

/// <summary>What a node offers to managers; read anew for each connection, so that a reload counts.</summary>
/// <param name="Logs">The dictionary <c>logs</c>: the name under which a journal is offered, and its directory.</param>
/// <param name="ActiveInterval"><c>log_active_interval</c>: pause after a send that reached the end of the journal.</param>
/// <param name="IdleInterval"><c>log_idle_interval</c>: pause after a look that found nothing.</param>
public sealed record PublishedLogs(IReadOnlyDictionary<string, string> Logs, TimeSpan ActiveInterval, TimeSpan IdleInterval);

/// <summary>A manager that reads one of this node's journals now.</summary>
public sealed record LogReading(string Log, string Subscriber, string Manager, DateTimeOffset Since, long Records, RecordId Acknowledged);

/// <summary>The service <c>logs</c> of the ECCluster listener: replays this node's journals to managers (logging.md 5.1).</summary>
/// <remarks>One connection reads one journal as one subscriber, and nobody else reads as that subscriber meanwhile. Only what is on this node's disk is sent.</remarks>
/// <param name="published">What is offered at the moment of asking.</param>
/// <param name="report">Takes lines for the log.</param>
public sealed class LogService(Func<PublishedLogs> published, TimeProvider time, Action<string> report) : IClusterService
{
    private readonly Lock _gate = new();
    private readonly Dictionary<(string Directory, string Subscriber), LogSession> _readings = [];

    public string Name => LogProtocol.ServiceName;

    /// <summary>Who reads what now.</summary>
    public IReadOnlyList<LogReading> Readings
    {
        get
        {
            lock (_gate)
                return [.. _readings.Values.Select(session => session.Reading!)];
        }
    }

    internal TimeProvider Time => time;

    internal PublishedLogs Published => published();

    public async Task ServeAsync(ClusterPeer peer, IDuplexPipe connection, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(peer);
        ArgumentNullException.ThrowIfNull(connection);
        using var session = new LogSession(this, peer, connection);
        await session.RunAsync(cancellationToken);
    }

    internal void Report(string text) => report(text);

    /// <summary>Makes a session the only reader of a subscriber.</summary>
    /// <returns><see langword="null"/>: done. The session that has it: the same member's own earlier connection is to be ended and waited for; any other member keeps it.</returns>
    internal LogSession? Claim((string, string) key, LogSession session)
    {
        lock (_gate)
            return _readings.TryAdd(key, session) ? null : _readings[key];
    }

    internal void Release((string, string) key, LogSession session)
    {
        lock (_gate)
        {
            if (_readings.GetValueOrDefault(key) == session)
                _readings.Remove(key);
        }
    }
}
