using System.Globalization;
using System.Text;

namespace Veredus.Cluster;

/// <summary>One member as far as it is known; <paramref name="Hello"/> is <see langword="null"/> until it has introduced itself.</summary>
public sealed record ClusterMember(MemberId Id, Hello? Hello)
{
    /// <summary><c>#nodeid-pid#nodename</c>.</summary>
    public string PrivateName => $"{Id}#{Hello?.NodeName}";
}

/// <summary>
/// Who is in the cluster: a value made from the ordered events of its group, so every member has the same one at the same point of the order. The caller
/// multicasts its <see cref="Hello"/> after each <see cref="GroupEvent.View"/>.
/// </summary>
/// <param name="Self">This process.</param>
/// <param name="Members">In member order. Empty: not connected.</param>
public sealed record ClusterMembership(MemberId Self, IReadOnlyList<ClusterMember> Members)
{
    public static readonly ClusterMembership Disconnected = new(default, []);

    /// <summary>The first member, of whatever kind; it leads. <see langword="null"/> when not connected.</summary>
    public ClusterMember? Leader => Members.Count > 0 ? Members[0] : null;

    /// <summary>The state after one event of the group. Messages of other channels change nothing.</summary>
    public ClusterMembership Apply(GroupEvent happened, MemberId self) => happened switch
    {
        GroupEvent.Lost => Disconnected,
        GroupEvent.View(var view) => new(self, [.. view.Members.Select(member => new ClusterMember(member, KnownHello(view, member)))]),
        GroupEvent.Message(var sender, var payload) when Hello.TryRead(payload.Span) is { } hello =>
            this with { Members = [.. Members.Select(member => member.Id == sender ? member with { Hello = hello } : member)] },
        _ => this,
    };

    /// <summary>The member with this node name; <see langword="null"/> when none has introduced itself so.</summary>
    public ClusterMember? Find(string nodeName) => Members.FirstOrDefault(member => member.Hello?.NodeName == nodeName);

    /// <summary>Why this process must leave: an earlier incarnation elsewhere has its name. <see langword="null"/>: it may stay.</summary>
    public string? NameConflict()
    {
        if (Members.FirstOrDefault(member => member.Id == Self)?.Hello is not { } own)
            return null;
        var other = Members.FirstOrDefault(member =>
            member.Id != Self && member.Hello is { } hello && hello.NodeName == own.NodeName && hello.Incarnation < own.Incarnation);
        return other is null ? null : $"cluster: node name '{own.NodeName}' is already in use by {(other.Hello!.Address.Address.Equals(System.Net.IPAddress.Any) ? other.PrivateName : other.Hello.Address)}";
    }

    /// <summary>Answer of <c>cluster membership</c>: a block for each member that has introduced itself.</summary>
    public string Render()
    {
        var text = new StringBuilder();
        foreach (var (id, hello) in Members.Select(member => (member.PrivateName, member.Hello)))
        {
            if (hello is null)
                continue;
            text.Append(CultureInfo.InvariantCulture, $"""
                Private Name: {id}
                Node Name: {hello.NodeName}
                Subcluster: {hello.Subcluster}
                Node Type: {hello.Kind}
                Version: {hello.Version}
                Address: {hello.Address}
                Groups: {string.Join(", ", hello.Groups)}


                """);
        }
        return text.ToString();
    }

    /// <summary>Answer of <c>cluster info</c>.</summary>
    /// <param name="daemon">The bus endpoint: <c>corosync</c>, or <c>in-process</c>.</param>
    public string RenderInfo(string daemon, string controlGroup, string clusterGroup, string? logGroup) => string.Create(CultureInfo.InvariantCulture, $"""
        Daemon: {daemon} [{string.Join(" ", Members.Select(member => member.PrivateName))}]
        Control Group: {controlGroup}
        Cluster Group: {clusterGroup} ({Leader?.Hello?.NodeName ?? "nobody"} is leader)
        Logger Group: {logGroup ?? "none"}

        """);

    /// <summary>A member that came along keeps what it said; one that joined has yet to speak.</summary>
    private Hello? KnownHello(GroupView view, MemberId member) =>
        view.Transitional.Contains(member) ? Members.FirstOrDefault(known => known.Id == member)?.Hello : null;
}
