using System.Collections.Immutable;

namespace Veredus.Duravip;

/// <summary>What every message carries.</summary>
/// <param name="View">The view it was sent in; a message of another view is dropped.</param>
/// <param name="Incarnation">The sender's; pids can repeat.</param>
public readonly record struct MessageHeader(ViewId View, ulong Incarnation);

/// <summary>A message of the DuraVIP protocol, as a value. <see cref="MessageCodec"/> knows the bytes.</summary>
public abstract record DuravipMessage;

/// <summary>Opens the header's view for exactly these members.</summary>
public sealed record ViewOpenMessage(ImmutableArray<MemberId> Members) : DuravipMessage;

/// <summary>An operator's pin: the unit stays on <paramref name="Node"/> as long as that is healthy. An empty node is a removed pin, kept so that older pins lose against it.</summary>
/// <param name="Unit">The elected address of the unit.</param>
/// <param name="Node">Node name, or empty.</param>
/// <param name="Sequence">Agreed counter; the higher wins when views meet.</param>
/// <param name="RemainingMs">Time until the pin ends by itself; 0 = it does not.</param>
public sealed record Pin(VipAddress Unit, string Node, ulong Sequence, long RemainingMs);

/// <summary>Everything the others must know of a member to elect. Entries are left out when all others have them already.</summary>
public sealed record StateMessage : DuravipMessage
{
    public required string Node { get; init; }
    public MemberRole Role { get; init; }
    public bool Mature { get; init; }
    public bool Draining { get; init; }
    public int Weight { get; init; } = 1;
    /// <summary>Compared and reported when it differs; the leader's value is what counts.</summary>
    public int BalanceSetSize { get; init; } = 1;
    /// <summary>How long the sender's claim guard still runs; the longest of all counts.</summary>
    public long GuardRemainingMs { get; init; }
    public ulong ConfigurationDigest { get; init; }
    /// <summary><see langword="null"/>: unchanged, see <see cref="ConfigurationDigest"/>.</summary>
    public IReadOnlyList<VipEntry>? Entries { get; init; }
    /// <summary>Every address that is not certainly off the sender's host.</summary>
    public IReadOnlyList<VipAddress> Held { get; init; } = [];
    /// <summary>Addresses the sender could not plumb and stays away from for now.</summary>
    public IReadOnlyList<VipAddress> Failed { get; init; } = [];
    public IReadOnlyList<Pin> Pins { get; init; } = [];
    /// <summary>Members the sender saw excluded and that never left the list since: they will read of it before this view.</summary>
    public ImmutableArray<MemberId> Excluded { get; init; } = [];
}

/// <summary>Members whose STATE did not arrive in time.</summary>
public sealed record ExcludeMessage(ImmutableArray<MemberId> Members) : DuravipMessage;

/// <summary>The cold-start wait is over.</summary>
public sealed record MatureMessage : DuravipMessage;

/// <summary>The sender's configuration, drain flag or failures changed. Also sent unchanged, to re-announce.</summary>
public sealed record AnnounceMessage : DuravipMessage
{
    /// <summary><see cref="Changed"/> is the complete set; what is not in it is gone.</summary>
    public bool Complete { get; init; }
    public IReadOnlyList<VipEntry> Changed { get; init; } = [];
    public IReadOnlyList<VipAddress> Removed { get; init; } = [];
    public IReadOnlyList<VipAddress> Failed { get; init; } = [];
    public bool Draining { get; init; }
    public int Weight { get; init; } = 1;
}

/// <summary>Who ordered a move.</summary>
public enum MoveKind : byte
{
    /// <summary>Back to the preferred (or pinned) node.</summary>
    Preference,
    /// <summary>A balancing round.</summary>
    Balance,
    /// <summary>An operator; the unit is pinned where it goes.</summary>
    Operator,
    /// <summary>The grace of a BROKEN address is over; it goes nowhere.</summary>
    GraceOver,
}

/// <summary>One unit's move.</summary>
/// <param name="Unit">The elected address.</param>
/// <param name="From">Must be the owner, else the entry is ignored.</param>
/// <param name="To">The new owner; <see langword="null"/> only for <see cref="MoveKind.GraceOver"/>.</param>
public readonly record struct UnitMove(VipAddress Unit, MemberId From, MemberId? To);

/// <summary>Ordered moves.</summary>
/// <param name="Kind">Who ordered them.</param>
/// <param name="Round">Number of the sender's round, for the log.</param>
/// <param name="SetSize">The leader's <c>duravip_balance_set_size</c>.</param>
/// <param name="PinMs">Operator moves: how long the pin lasts; 0 = until it is removed.</param>
/// <param name="Moves">The moves; each is valid or ignored on its own.</param>
/// <param name="By">Operator moves: who.</param>
/// <param name="Why">Operator moves: the reason given.</param>
public sealed record MoveMessage(
    MoveKind Kind, uint Round, int SetSize, long PinMs, ImmutableArray<UnitMove> Moves, string By = "", string Why = "") : DuravipMessage;

/// <summary>Removes pins; an empty list removes all.</summary>
public sealed record UnpinMessage(ImmutableArray<VipAddress> Units) : DuravipMessage;

/// <summary>The addresses are certainly not on the sender's host.</summary>
/// <param name="AsOf">The sender's count of ordered messages when it said so: an address that changed its owner since then is not released.</param>
/// <param name="Addresses">The addresses.</param>
public sealed record ReleasedMessage(ulong AsOf, IReadOnlyList<VipAddress> Addresses) : DuravipMessage;

/// <summary>The addresses are plumbed and served.</summary>
public sealed record AcquiredMessage(IReadOnlyList<VipAddress> Addresses) : DuravipMessage;

/// <summary>The sender cannot plumb the address; it is not on its host, and it will not try again before a new ANNOUNCE.</summary>
public sealed record FailMessage(VipAddress Address, string Error) : DuravipMessage;

/// <summary>The member sent no heartbeat for too long and is voted out.</summary>
/// <param name="Member">The member.</param>
/// <param name="Heard">Heartbeats of it that the sender had delivered in this view. If more have come when this is delivered, it is alive after all and this means nothing.</param>
public sealed record SuspectMessage(MemberId Member, uint Heard) : DuravipMessage;

/// <summary>I am alive; the own delivery of it feeds the own lease.</summary>
/// <param name="Counter">Counts this sender's heartbeats.</param>
/// <param name="Number">Ordered messages of the view that the sender had applied.</param>
/// <param name="Digest">Digest of its table at that point; 0 while it has none.</param>
public sealed record HeartbeatMessage(ulong Counter, ulong Number, ulong Digest) : DuravipMessage;

/// <summary>A neighbour that a node's kernel knows.</summary>
/// <param name="Address">Its address.</param>
/// <param name="Mac">Its hardware address, the low 48 bits.</param>
public readonly record struct Neighbour(VipAddress Address, ulong Mac);

/// <summary>A sample of the sender's neighbour table.</summary>
public sealed record NeighbourMessage(IReadOnlyList<Neighbour> Neighbours) : DuravipMessage;
