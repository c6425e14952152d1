namespace Veredus.Duravip;

/// <summary>Why an address is plumbed or released. One closed vocabulary for log, console, command line, API and UI.</summary>
public enum ChangeReason : byte
{
    /// <summary>First election of a component.</summary>
    Elected,
    /// <summary>Back to the preferred or pinned node.</summary>
    Preference,
    Balance,
    /// <summary>An operator's move.</summary>
    Move,
    /// <summary>The owner left, failed, or was voted out.</summary>
    Failover,
    /// <summary>Several holders met; one keeps it.</summary>
    Merge,
    Reload,
    Drain,
    /// <summary>It was missing on the owner's host and is added again.</summary>
    Repair,
    /// <summary>It is BROKEN and its grace is over.</summary>
    Broken,
    /// <summary>This component has no quorum.</summary>
    Quorum,
    /// <summary>This node was excluded, lost the bus, or was reset: it drops everything.</summary>
    Reset,
    /// <summary>It was on the host though this node does not own it.</summary>
    Foreign,
}

/// <summary>The rule by which an address is where it is.</summary>
public enum PlacementRule : byte
{
    Unowned,
    Preferred,
    Balanced,
    OnlyCandidate,
    Sticky,
    Operator,
    Follows,
    Settling,
    Unmanaged,
}

/// <summary>Why a node can or cannot have an address.</summary>
public enum Eligibility : byte
{
    Eligible,
    NotConfigured,
    NoTopology,
    NoInterface,
    Draining,
    Failed,
    Excluded,
    Absent,
    Manager,
}

/// <summary>The words of the vocabulary.</summary>
public static class ReasonText
{
    public static string Of(ChangeReason reason) => reason switch
    {
        ChangeReason.Elected => "elected",
        ChangeReason.Preference => "preference",
        ChangeReason.Balance => "balance",
        ChangeReason.Move => "move",
        ChangeReason.Failover => "failover",
        ChangeReason.Merge => "merge",
        ChangeReason.Reload => "reload",
        ChangeReason.Drain => "drain",
        ChangeReason.Repair => "repair",
        ChangeReason.Broken => "broken",
        ChangeReason.Quorum => "quorum",
        ChangeReason.Reset => "reset",
        ChangeReason.Foreign => "foreign",
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, null),
    };

    public static string Of(PlacementRule rule) => rule switch
    {
        PlacementRule.Unowned => "unowned",
        PlacementRule.Preferred => "preferred",
        PlacementRule.Balanced => "balanced",
        PlacementRule.OnlyCandidate => "only-candidate",
        PlacementRule.Sticky => "sticky",
        PlacementRule.Operator => "operator",
        PlacementRule.Follows => "follows",
        PlacementRule.Settling => "settling",
        PlacementRule.Unmanaged => "unmanaged",
        _ => throw new ArgumentOutOfRangeException(nameof(rule), rule, null),
    };

    public static string Of(DepartureReason reason) => reason switch
    {
        DepartureReason.Leave => "leave",
        DepartureReason.ProcessDeath => "process death",
        DepartureReason.NodeDown => "node down",
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, null),
    };

    /// <summary>Why <paramref name="eligibility"/> keeps a node from having <paramref name="address"/>; empty if it does not.</summary>
    public static string Of(Eligibility eligibility, VipAddress address) => eligibility switch
    {
        Eligibility.Eligible => "",
        Eligibility.NotConfigured => $"its configuration does not enable {address}",
        Eligibility.NoTopology => $"no Topology entry covers {address}",
        Eligibility.NoInterface => $"its Topology interface for {address} does not exist",
        Eligibility.Draining => "draining",
        Eligibility.Failed => "could not plumb it; tries again later",
        Eligibility.Excluded => "excluded from the view",
        Eligibility.Absent => "not in the view",
        Eligibility.Manager => "a manager carries no addresses",
        _ => throw new ArgumentOutOfRangeException(nameof(eligibility), eligibility, null),
    };
}
