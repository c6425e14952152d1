namespace Veredus.Duravip;

/// <summary>What the driver is to do, in the order given.</summary>
public abstract record DuravipEffect;

/// <summary>Multicast these chunks to the group, in order, after everything multicast before.</summary>
/// <param name="Message">What they say, for traces.</param>
/// <param name="Chunks">Each fits one bus message; see <see cref="MessageCodec.MaxChunk"/>.</param>
public sealed record MulticastEffect(DuravipMessage Message, IReadOnlyList<byte[]> Chunks) : DuravipEffect;

/// <summary>Remove every managed address and every leftover from the host, then say <see cref="HostCleanedEvent"/>.</summary>
public sealed record CleanHostEffect : DuravipEffect;

/// <summary>Leave the group.</summary>
public sealed record LeaveGroupEffect : DuravipEffect;

/// <summary>Join the group as a new instance, then say <see cref="JoinedEvent"/>.</summary>
public sealed record JoinGroupEffect : DuravipEffect;

/// <summary>Everything is handed over and the group left: the process may end.</summary>
public sealed record StoppedEffect : DuravipEffect;

/// <summary>Probe, add the address, tell the neighbours; then <see cref="PlumbedEvent"/> or <see cref="PlumbFailedEvent"/> with the operation's number.</summary>
/// <param name="Operation">Number of this operation.</param>
/// <param name="Address">What to add.</param>
/// <param name="Placement">Where.</param>
/// <param name="LeaseMs">Its kernel lifetime, kept up by the guard; 0 = permanent.</param>
/// <param name="Probe">Ask first whether somebody else has it.</param>
/// <param name="Reason">Why.</param>
public sealed record PlumbEffect(ulong Operation, VipAddress Address, Placement Placement, long LeaseMs, bool Probe, ChangeReason Reason) : DuravipEffect;

/// <summary>Remove the address; cancels a plumbing still running. Then <see cref="UnplumbedEvent"/>, and only when it is certain; a removal that fails is tried again.</summary>
/// <param name="Operation">Number of this operation.</param>
/// <param name="Address">What to remove.</param>
/// <param name="Reason">Why.</param>
public sealed record UnplumbEffect(ulong Operation, VipAddress Address, ChangeReason Reason) : DuravipEffect;

/// <summary>Tell the neighbours once more where the address is, which has been here all along: somebody else had told them otherwise.</summary>
public sealed record TellNeighboursEffect(VipAddress Address) : DuravipEffect;

/// <summary>Listeners and bindings on the address start, or are brought in line with the current configuration.</summary>
public sealed record StartServiceEffect(LocalVip Vip) : DuravipEffect;

/// <summary>Listeners and bindings on the address stop; an <see cref="UnplumbEffect"/> for it that follows waits until they have.</summary>
/// <param name="Address">The address.</param>
/// <param name="DrainMs">How long sessions may finish; 0 = reset them at once, also if a longer drain is under way.</param>
public sealed record StopServiceEffect(VipAddress Address, long DrainMs) : DuravipEffect;

/// <summary>Say <see cref="TimerFiredEvent"/> (and then, with the queue empty, <see cref="QueueDrainedEvent"/>) at this time. Replaces the timer set before.</summary>
public sealed record SetTimerEffect(long AtMs) : DuravipEffect;

/// <summary>The node has proved that it takes part: the guard may add addresses and renew leases (never re-add one whose lease ran out) until <see cref="DuravipOptions.AliveWindowMs"/> after <paramref name="EvidenceAtMs"/>, the time the heartbeat that came back was sent.</summary>
public sealed record ConfirmAliveEffect(long EvidenceAtMs) : DuravipEffect;

/// <summary>Compare the kernel's addresses with the managed ones and report each difference.</summary>
public sealed record InspectHostEffect : DuravipEffect;

/// <summary>Sample the kernel's neighbour table.</summary>
public sealed record SampleNeighboursEffect : DuravipEffect;

/// <summary>Keep this placement record (and update the one with the same <see cref="PlacementRecord.Serial"/>).</summary>
public sealed record ExplainEffect(PlacementRecord Record) : DuravipEffect;

/// <summary>The answer to an <see cref="OperatorCommand"/>.</summary>
public sealed record AnswerEffect(bool Ok, string Text) : DuravipEffect;

/// <summary>How loud a log line is.</summary>
public enum LogLevelHint : byte { Trace, Info, Warning, Error }

/// <summary>A line for the log.</summary>
public sealed record LogEffect(LogLevelHint Level, string Text) : DuravipEffect;
