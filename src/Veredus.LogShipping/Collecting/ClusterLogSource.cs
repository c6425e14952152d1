using System.IO.Pipelines;
using Veredus.Cluster;

namespace Veredus.LogShipping;

/// <summary>The nodes of a cluster over their ECCluster listeners. A node that left is tried at its last known address for ten minutes more.</summary>
/// <param name="membership">The membership at the moment of asking.</param>
/// <param name="identity">The manager's own certificate.</param>
/// <param name="incarnation">The manager's own.</param>
public sealed class ClusterLogSource(Func<ClusterMembership> membership, ClusterIdentity identity, Incarnation incarnation, TimeProvider time) : ILogSource
{
    private static readonly TimeSpan Remembered = TimeSpan.FromMinutes(10);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, (Hello Hello, long Seen)> _known = new(StringComparer.Ordinal);

    public IReadOnlyList<LogNode> Nodes
    {
        get
        {
            lock (_gate)
            {
                var now = time.GetTimestamp();
                foreach (var hello in membership().Members.Select(member => member.Hello))
                {
                    if (hello is { Kind: MemberKind.Veredus, Address.Port: > 0 })
                        _known[hello.NodeName] = (hello, now);
                }
                foreach (var (name, _) in _known.Where(entry => time.GetElapsedTime(entry.Value.Seen, now) > Remembered).ToList())
                    _known.Remove(name);
                return [.. _known.Values.OrderBy(entry => entry.Hello.NodeName, StringComparer.Ordinal).Select(entry => new LogNode(entry.Hello.NodeName, entry.Hello.Subcluster))];
            }
        }
    }

    public async Task<ILogConnection> ConnectAsync(LogNode node, CancellationToken cancellationToken)
    {
        Hello hello;
        lock (_gate)
            hello = _known.TryGetValue(node.Name, out var entry) ? entry.Hello : throw new IOException($"{node.Name} is not in the cluster");
        return new Connection(await ClusterConnection.OpenAsync(hello, LogProtocol.ServiceName, identity, incarnation, cancellationToken));
    }

    private sealed class Connection(ClusterConnection inner) : ILogConnection
    {
        public IDuplexPipe Transport => inner.Transport;

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
