using System.Collections.Immutable;

namespace Veredus.Duravip;

/// <summary>What happens to a node's DuraVIP machine. Events carry no time: the caller says what time it is.</summary>
public abstract record DuravipEvent;

/// <summary>First event: the process has started. Answered by <see cref="CleanHostEffect"/>.</summary>
public sealed record StartedEvent : DuravipEvent;

/// <summary>No managed address and no leftover is on this host any more (the guard has confirmed it).</summary>
public sealed record HostCleanedEvent : DuravipEvent;

/// <summary>The group was joined as a new instance.</summary>
public sealed record JoinedEvent(MemberId Self, ulong Incarnation) : DuravipEvent;

/// <summary>The connection to the bus is gone.</summary>
public sealed record BusLostEvent : DuravipEvent;

/// <summary>A member that is gone.</summary>
public readonly record struct Departure(MemberId Member, DepartureReason Reason);

/// <summary>The bus's membership callback (the regular view; no transitional view is exposed). Ghosts are already left out.</summary>
public sealed record ViewChangedEvent(
    ImmutableArray<MemberId> Members, ImmutableArray<Departure> Left, ImmutableArray<MemberId> Joined) : DuravipEvent;

/// <summary>The bus delivered one chunk, in order.</summary>
public sealed record DeliveredEvent(MemberId Sender, ReadOnlyMemory<byte> Payload) : DuravipEvent;

/// <summary>The dispatch queue is empty. Only now does the machine act on interfaces and timers.</summary>
public sealed record QueueDrainedEvent : DuravipEvent;

/// <summary>The time of the last <see cref="SetTimerEffect"/> has come. What is due is done at the next <see cref="QueueDrainedEvent"/>.</summary>
public sealed record TimerFiredEvent : DuravipEvent;

/// <summary>votequorum's verdict on this component; told after each join and each change. Nothing told is no quorum.</summary>
public sealed record QuorumChangedEvent(bool IsQuorate) : DuravipEvent;

/// <summary>A reload succeeded (or the options changed at run time).</summary>
public sealed record ReconfiguredEvent(VipSet Vips, DuravipOptions Options) : DuravipEvent;

/// <summary>The address is on the interface and its neighbours have been told.</summary>
public sealed record PlumbedEvent(ulong Operation) : DuravipEvent;

/// <summary>The address could not be added, and is not on the host.</summary>
public sealed record PlumbFailedEvent(ulong Operation, string Error) : DuravipEvent;

/// <summary>The address is certainly not on the host.</summary>
public sealed record UnplumbedEvent(ulong Operation) : DuravipEvent;

/// <summary>A listener on a plumbed address could not start.</summary>
public sealed record ServiceFailedEvent(VipAddress Address, string Error) : DuravipEvent;

/// <summary>The duplicate-address probe was answered; the driver goes on trying.</summary>
public sealed record ProbeAnsweredEvent(VipAddress Address, ulong Mac) : DuravipEvent;

/// <summary>The kernel has the address (netlink event or maintenance cycle).</summary>
public sealed record AddressPresentEvent(VipAddress Address, Placement Placement) : DuravipEvent;

/// <summary>The kernel does not have the address.</summary>
/// <param name="Address">The address.</param>
/// <param name="LeaseExpired">Its own lifetime ran out: this node was stalled.</param>
public sealed record AddressGoneEvent(VipAddress Address, bool LeaseExpired) : DuravipEvent;

/// <summary>An interface's carrier changed.</summary>
public sealed record CarrierChangedEvent(string Interface, bool HasCarrier) : DuravipEvent;

/// <summary>The kernel's neighbour table was sampled.</summary>
public sealed record NeighboursSampledEvent(IReadOnlyList<Neighbour> Neighbours) : DuravipEvent;

/// <summary>The process is to stop: hand everything over, then leave.</summary>
public sealed record StopRequestedEvent : DuravipEvent;

/// <summary>An operator's command. Answered by <see cref="AnswerEffect"/>.</summary>
public abstract record OperatorCommand : DuravipEvent
{
    /// <summary>Who asked, for the placement record; at most 64 characters count.</summary>
    public string By { get; init; } = "";
    /// <summary>The reason given; at most 200 characters count.</summary>
    public string Why { get; init; } = "";
}

/// <summary><c>move &lt;vip|binding&gt; to &lt;node&gt;</c>; pins the unit.</summary>
public sealed record MoveCommand(string Target, string To) : OperatorCommand
{
    /// <summary>How long the pin lasts; 0 = until it is removed.</summary>
    public long PinMs { get; init; }
}

/// <summary><c>move &lt;from&gt; &lt;to&gt;</c>: every unit of one node that the other can hold.</summary>
public sealed record EvacuateCommand(string From, string To) : OperatorCommand;

/// <summary><c>unpin &lt;vip&gt;|all</c>; <see langword="null"/> = all.</summary>
public sealed record UnpinCommand(string? Target) : OperatorCommand;

/// <summary><c>drain</c> / <c>undrain</c>.</summary>
public sealed record DrainCommand(bool Drain) : OperatorCommand;

/// <summary><c>announce view</c>.</summary>
public sealed record AnnounceCommand : OperatorCommand;

/// <summary>A balancing round now, whatever the interval. Only the leader can order one; other nodes say so.</summary>
public sealed record BalanceCommand : OperatorCommand;

/// <summary><c>cluster reset</c>: drop everything, leave, rejoin as a new instance.</summary>
public sealed record ResetCommand : OperatorCommand;

/// <summary><c>debug on|off</c>: every message and transition in the log.</summary>
public sealed record DebugCommand(bool On) : OperatorCommand;
