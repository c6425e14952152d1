namespace Veredus.Cluster;

/// <summary>
/// The members of a group as the bus reports them, less the ghosts: members on hosts that totem's own list does not have. (corosync before its
/// fix of July 2026 keeps one when a node joins and dies during synchronisation.)
/// </summary>
internal sealed class GroupRoster(MemberId self)
{
    private readonly HashSet<MemberId> _ghosts = [];
    private IReadOnlyList<MemberId> _reported = [];
    private IReadOnlyList<MemberId> _members = [];

    /// <summary>Applies a change as the bus reports it; <see langword="null"/> when only ghosts moved.</summary>
    public GroupView? Apply(IReadOnlyList<MemberId> members, IReadOnlyList<MemberId> joined, IReadOnlyList<Departed> left)
    {
        _reported = members;
        _ghosts.ExceptWith(joined);  // really there after all
        var gone = left.Where(departed => !_ghosts.Remove(departed.Member)).ToArray();
        return Change(joined, gone);
    }

    /// <summary>
    /// Compares with the hosts that totem has; the new membership when ghosts were found, or are none any more: where hosts meet one after the other, a list that lacks one
    /// may come after the members of all, and the full list later. A process that is dead all the same says nothing, and is excluded for that.
    /// </summary>
    public GroupView? CheckHosts(IReadOnlyCollection<uint> hosts)
    {
        var found = _members.Where(member => !hosts.Contains(member.NodeId)).ToArray();
        var back = _reported.Where(member => _ghosts.Contains(member) && hosts.Contains(member.NodeId)).ToArray();
        if (found.Length == 0 && back.Length == 0)
            return null;
        _ghosts.UnionWith(found);
        _ghosts.ExceptWith(back);
        return Change(back, [.. found.Select(ghost => new Departed(ghost, Departure.NodeDown))]);
    }

    private GroupView? Change(IReadOnlyList<MemberId> joined, IReadOnlyList<Departed> left)
    {
        MemberId[] members = [.. _reported.Where(member => !_ghosts.Contains(member)).Order()];
        var isFirst = _members.Count == 0;
        if (members.AsSpan().SequenceEqual([.. _members]) && joined.Count == 0 && left.Count == 0)
            return null;
        MemberId[] together = isFirst ? [self] : [.. members.Where(member => _members.Contains(member) && !joined.Contains(member))];
        _members = members;
        return new(members, together, [.. joined.Order()], left);
    }
}
