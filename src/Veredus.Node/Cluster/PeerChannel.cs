using Veredus.Cluster;

namespace Veredus.Node;

/// <summary>The other members as mail sees them: who is there, and connections to their services.</summary>
internal sealed class PeerChannel(ClusterNetwork network) : IClusterLinkListener
{
    private ControlGroup Group => network.Group ?? throw new InvalidOperationException("The node is in no cluster.");

    public Delegation? Delegation => network.Group?.Delegation;

    public string NodeName => Group.NodeName;

    public ClusterMembership Membership => Group.Membership;

    /// <summary>Whether anything goes from node to node: this one has a certificate and an ECCluster listener.</summary>
    public bool IsOpen => network.Group is { Identity: not null, Listener: not null };

    /// <summary>Raised with the membership whenever it changed; on the link's task, must be quick.</summary>
    public event Action<ClusterMembership>? MembershipChanged;

    /// <summary>Serves the others.</summary>
    public void Offer(IClusterService service) => network.Offer(service);

    /// <summary>Connects to a service of another member.</summary>
    /// <exception cref="ClusterConnectionException">It is no member, there is no connection, or it refuses.</exception>
    public Task<ClusterConnection> OpenAsync(string node, string service, CancellationToken cancellationToken) => Membership.Find(node)?.Hello is { } hello && hello.Address.Port != 0
        ? ClusterConnection.OpenAsync(hello, service, Group.Identity!, Group.Incarnation, cancellationToken)
        : throw new ClusterConnectionException(0, $"{node} is not in the cluster, or takes no connections.");

    void IClusterLinkListener.OnMembership(ClusterMembership membership, bool isView) => MembershipChanged?.Invoke(membership);

    void IClusterLinkListener.OnMessage(MemberId sender, ReadOnlyMemory<byte> payload)
    {
    }
}
