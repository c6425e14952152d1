namespace Veredus.Duravip;

/// <summary>One node as a candidate for an address.</summary>
/// <param name="Node">Its name.</param>
/// <param name="Eligibility">Whether it can have the address, else why not.</param>
/// <param name="Units">How many units it owned just before.</param>
/// <param name="IsPreferred">The address prefers it.</param>
public readonly record struct Candidate(string Node, Eligibility Eligibility, int Units, bool IsPreferred);

/// <summary>A step of a placement.</summary>
/// <param name="AtMs">When, on this node's monotonic clock.</param>
/// <param name="Text">What.</param>
public readonly record struct PlacementStep(long AtMs, string Text);

/// <summary>Written whenever an owner is decided: why an address is where it is. Every member writes the same, with its own times.</summary>
public sealed record PlacementRecord
{
    /// <summary>Counts this node's records.</summary>
    public required long Serial { get; init; }
    public required VipAddress Address { get; init; }
    /// <summary>The elected address; differs from <see cref="Address"/> for a follower.</summary>
    public required VipAddress Unit { get; init; }
    public required ViewId View { get; init; }
    /// <summary>When, on this node's monotonic clock.</summary>
    public required long AtMs { get; init; }
    public required ChangeReason Trigger { get; init; }
    public required PlacementRule Rule { get; init; }
    /// <summary>The new owner; empty if there is none.</summary>
    public required string Winner { get; init; }
    /// <summary>The owner before; empty if unknown or none.</summary>
    public required string Previous { get; init; }
    /// <summary>The preferred node; empty if none.</summary>
    public required string Preferred { get; init; }
    /// <summary>Units of the winner before this one.</summary>
    public required int WinnerUnits { get; init; }
    public required IReadOnlyList<Candidate> Candidates { get; init; }
    public required IReadOnlyList<PlacementStep> Steps { get; init; }
    /// <summary>Operator moves: who.</summary>
    public string By { get; init; } = "";
    /// <summary>Operator moves: the reason given. For <see cref="PlacementRule.Unmanaged"/>: why.</summary>
    public string Why { get; init; } = "";
}
