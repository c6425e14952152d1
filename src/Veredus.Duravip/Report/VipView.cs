namespace Veredus.Duravip;

/// <summary>One participant of an address as <c>show</c> prints it.</summary>
/// <param name="Node">Its name.</param>
/// <param name="Services">Space-free names of services, in order.</param>
/// <param name="Names">Names of bindings.</param>
/// <param name="Preference">The node it prefers for the address; empty if none.</param>
/// <param name="Eligibility">Whether it can have the address.</param>
/// <param name="IsOwner">It owns the address.</param>
/// <param name="IsHolder">It may have the address on its host.</param>
public sealed record ParticipantView(
    string Node, IReadOnlyList<string> Services, IReadOnlyList<string> Names, string Preference,
    Eligibility Eligibility, bool IsOwner, bool IsHolder);

/// <summary>One address as this node knows it.</summary>
public sealed record VipView
{
    public required VipAddress Address { get; init; }
    /// <summary>The elected address; differs for a follower.</summary>
    public required VipAddress Unit { get; init; }
    public required IReadOnlyList<string> Names { get; init; }
    /// <summary>Services that any participant announces.</summary>
    public required IReadOnlyList<string> Services { get; init; }
    /// <summary>Name of the owner; empty if none.</summary>
    public required string Owner { get; init; }
    /// <summary><c>owned</c>, <c>unowned</c> or <c>moving</c>.</summary>
    public required string Ownership { get; init; }
    /// <summary><c>safe</c>, <c>conflict</c>, <c>UNSAFE</c> or <c>BROKEN</c>.</summary>
    public required string Safety { get; init; }
    /// <summary>Why it is not safe; empty if it is.</summary>
    public required string SafetyReason { get; init; }
    /// <summary>The node it is pinned to; empty if none.</summary>
    public required string Pin { get; init; }
    /// <summary>The agreed preference; empty if none.</summary>
    public required string Preferred { get; init; }
    public required PlacementRule Rule { get; init; }
    public required long ViewStableMs { get; init; }
    public required long ConfigurationStableMs { get; init; }
    public required IReadOnlyList<ParticipantView> Participants { get; init; }
    public required IReadOnlyList<string> Holders { get; init; }
    public required LocalPhase LocalPhase { get; init; }
    public required long LocalLeaseMs { get; init; }
    public required string LocalError { get; init; }
    /// <summary>How and when it got where it is; <see langword="null"/> if nothing has been decided yet.</summary>
    public required PlacementRecord? Placement { get; init; }
    /// <summary>The owner is not the preferred node although that one could have it.</summary>
    public required bool IsOffPreferred { get; init; }
}

/// <summary>One member of the view.</summary>
public sealed record MemberView(
    string Node, MemberId Id, ulong Incarnation, MemberRole Role, int Weight, int Units, bool IsDraining, bool IsExcluded, bool IsLeader);

/// <summary>All that one node can tell of DuraVIP at one moment.</summary>
public sealed record ClusterView(
    string Node, ViewId View, ProtocolPhase Phase, bool IsMature, string Leader, PartitionPolicy Policy, bool IsQuorate,
    bool IsParticipationUniform, bool IsDraining, IReadOnlyList<MemberView> Members, IReadOnlyList<VipView> Vips);

/// <summary>Reads the machine. Nothing here changes it.</summary>
public static class DuravipQueries
{
    /// <summary>Everything, as of <paramref name="nowMs"/>. Without an open view there are no members and no addresses.</summary>
    public static ClusterView Describe(this DuravipMachine machine, long nowMs)
    {
        ArgumentNullException.ThrowIfNull(machine);
        var table = machine.Table;
        var members = new List<MemberView>();
        var vips = new List<VipView>();
        if (table is not null)
        {
            for (var n = 0; n < table.Ids.Count; n++)
                members.Add(DescribeMember(table, n));
            foreach (var row in table.Rows)
                vips.Add(DescribeVip(machine, table, row, nowMs));
        }
        return new(machine.Node, machine.View, machine.Phase, table?.IsMature ?? false, table is null ? "" : table.NameOf(table.Leader),
            machine.Options.PartitionPolicy, machine.IsQuorate, table?.IsParticipationUniform ?? true, machine.IsDraining, members, vips);
    }

    /// <summary>One address; <see langword="null"/> if it is not a VIP of this view.</summary>
    public static VipView? Describe(this DuravipMachine machine, VipAddress address, long nowMs)
    {
        ArgumentNullException.ThrowIfNull(machine);
        return machine.Table is { } table && table.Find(address) is { } row ? DescribeVip(machine, table, row, nowMs) : null;
    }

    private static MemberView DescribeMember(AgreedTable table, int n)
    {
        var member = table.Members[n];
        return new(table.NameOf(n), table.Ids[n], member?.Incarnation ?? 0, member?.Role ?? MemberRole.Node, member?.Weight ?? 0,
            table.Units.Count(unit => unit.Root.Owner == n), member?.IsDraining ?? false, !table.Present.Contains(n), n == table.Leader);
    }

    private static VipView DescribeVip(DuravipMachine machine, AgreedTable table, VipRow row, long nowMs)
    {
        var local = machine.Locals.GetValueOrDefault(row.Address);
        var participants = new List<ParticipantView>();
        var names = new SortedSet<string>(StringComparer.Ordinal);
        var services = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var n in row.Participants)
        {
            var entry = AgreedTable.EntryOf(row, n)!;
            names.UnionWith(entry.Names);
            services.UnionWith(entry.Services);
            participants.Add(new(table.NameOf(n), entry.Services, entry.Names, entry.Preference,
                machine.EligibilityOf(row.Unit, n), n == row.Owner, row.Holders.Contains(n)));
        }
        var holders = new List<string>();
        foreach (var n in row.Holders)
            holders.Add(table.NameOf(n));
        return new()
        {
            Address = row.Address,
            Unit = row.Unit.Address,
            Names = [.. names],
            Services = [.. services],
            Owner = table.NameOf(row.Owner),
            Ownership = AgreedTable.IsMoving(row) ? "moving" : row.Owner < 0 ? "unowned" : "owned",
            Safety = DuravipMachine.SafetyOf(row.Marks),
            SafetyReason = row.MarkReason,
            Pin = row.Unit.Pin?.Node ?? "",
            Preferred = row.Unit.Root.Preference,
            Rule = AgreedTable.RuleOf(row),
            ViewStableMs = nowMs - row.Unit.Root.Memory.ViewStableSince,
            ConfigurationStableMs = nowMs - row.Memory.ConfigurationStableSince,
            Participants = participants,
            Holders = holders,
            LocalPhase = local?.Phase ?? LocalPhase.None,
            LocalLeaseMs = local is { Phase: LocalPhase.Plumbed or LocalPhase.Plumbing } ? machine.Options.EffectiveLeaseMs : 0,
            LocalError = local?.LastError ?? "",
            Placement = row.Memory.Placement,
            IsOffPreferred = row.Owner >= 0 && row.Unit.Preferred >= 0 && row.Owner != row.Unit.Preferred,
        };
    }
}
