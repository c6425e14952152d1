using Veredus.Cluster;
using Veredus.Duravip;

namespace Veredus.Node;

/// <summary>One node of the cluster as another sees it.</summary>
/// <param name="Kind"><c>node</c> or <c>manager</c>.</param>
/// <param name="State"><c>up</c>, <c>joining</c>, <c>drained</c>, <c>leaving</c> (draining, still has addresses), <c>suspect</c> (voted out), <c>out</c> or <c>unknown</c> (never seen).</param>
/// <param name="Since">Since when it has been in or out of the view; <see langword="null"/> if this node does not know.</param>
/// <param name="Why">Why it is out; empty if it is in.</param>
/// <param name="Addresses">Virtual addresses that it owns, followers included.</param>
/// <param name="IsLeader">It orders balancing and preference moves.</param>
/// <param name="IsHere">It is the node that answers.</param>
public sealed record NodeLine(
    string Node, string Kind, string State, DateTimeOffset? Since, string Why, int Addresses, int Weight, string Version, string Address, bool IsLeader, bool IsHere)
{
    internal static IReadOnlyList<NodeLine> From(
        ClusterView view, ClusterMembership membership, IReadOnlyList<BusPeer> peers, ClusterObserver observer, string here)
    {
        var names = peers.Select(peer => peer.Name).Concat(membership.Members.Select(member => member.Hello?.NodeName).OfType<string>()).Append(here).Distinct().Order(StringComparer.Ordinal);
        return [.. names.Select(name =>
        {
            var hello = membership.Find(name)?.Hello;
            var member = view.Members.FirstOrDefault(member => member.Node == name);
            var known = observer.Member(name);
            var addresses = view.Vips.Count(vip => vip.Owner == name);
            return new NodeLine(name, hello?.Kind == MemberKind.Manager ? "manager" : "node", StateOf(hello, member, known, addresses), known?.Since,
                hello is null ? known?.Why ?? "" : "", addresses, member?.Weight ?? 0, hello?.Version ?? "",
                peers.FirstOrDefault(peer => peer.Name == name)?.Addresses[0].ToString() ?? hello?.Address.Address.ToString() ?? "", member?.IsLeader ?? false, name == here);
        })];
    }

    private static string StateOf(Hello? hello, MemberView? member, (bool IsIn, DateTimeOffset, string)? known, int addresses) =>
        hello is null ? known is null ? "unknown" : "out"
        : hello.Kind == MemberKind.Manager ? "up"
        : member is null ? "joining"
        : member.IsExcluded ? "suspect"
        : !member.IsDraining ? "up"
        : addresses > 0 ? "leaving" : "drained";
}
