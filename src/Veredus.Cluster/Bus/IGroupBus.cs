using System.Threading.Channels;

namespace Veredus.Cluster;

/// <summary>One process in a group. Ordered by node, then process: the order that decides who leads.</summary>
/// <param name="NodeId">Totem node id, from 1; 0 on a bus of one.</param>
/// <param name="ProcessId">Of that process, in its own host; may repeat after a restart in a container.</param>
public readonly record struct MemberId(uint NodeId, uint ProcessId) : IComparable<MemberId>
{
    public int CompareTo(MemberId other) => (NodeId, ProcessId).CompareTo((other.NodeId, other.ProcessId));
    public static bool operator <(MemberId left, MemberId right) => left.CompareTo(right) < 0;
    public static bool operator >(MemberId left, MemberId right) => left.CompareTo(right) > 0;
    public static bool operator <=(MemberId left, MemberId right) => left.CompareTo(right) <= 0;
    public static bool operator >=(MemberId left, MemberId right) => left.CompareTo(right) >= 0;
    public override string ToString() => $"#{NodeId}-{ProcessId}";
}

/// <summary>Why a member is no longer in the group.</summary>
public enum Departure
{
    /// <summary>It said goodbye.</summary>
    Leave,
    /// <summary>Its process ended; its host is alive.</summary>
    ProcessDown,
    /// <summary>Its host is dead or can't be reached: it may still be running on the other side of a cut.</summary>
    NodeDown,
}

/// <summary>One member that left.</summary>
public readonly record struct Departed(MemberId Member, Departure Why);

/// <summary>The membership of a group from one point of the order on.</summary>
/// <param name="Members">Everybody, in <see cref="MemberId"/> order, this process included.</param>
/// <param name="Transitional">Those who came here together with this process from its previous view; they have delivered the same messages in between.</param>
/// <param name="Joined">New since the previous view: fresh, or from the other side of a healed cut.</param>
/// <param name="Left">Gone since the previous view.</param>
/// <remarks>A merge may show as two views back to back, leave first; only the last one before the next message matters.</remarks>
public sealed record GroupView(
    IReadOnlyList<MemberId> Members, IReadOnlyList<MemberId> Transitional, IReadOnlyList<MemberId> Joined, IReadOnlyList<Departed> Left);

/// <summary>What a group delivers, in the one order that all its members see.</summary>
public abstract record GroupEvent
{
    private GroupEvent() { }

    /// <summary>A message, one's own included. <paramref name="Payload"/> belongs to the receiver.</summary>
    public sealed record Message(MemberId Sender, ReadOnlyMemory<byte> Payload) : GroupEvent;

    /// <summary>The membership changed. The first view after start or <see cref="Lost"/> is the join.</summary>
    public sealed record View(GroupView Membership) : GroupEvent;

    /// <summary>The hosts whose bus daemons can reach each other, this one included, with or without a process in the group. Comes right
    /// after the <see cref="View"/> that the same change caused, if it caused one, and before any message that was sent after it.</summary>
    public sealed record Hosts(IReadOnlyCollection<uint> NodeIds) : GroupEvent;

    /// <summary>Everything that had reached this host has been delivered. Not ordered, local: decisions are carried out here
    /// and only here (drain, then act), after a look at <see cref="IGroupBus.IsDrained"/>.</summary>
    public sealed record Drained : GroupEvent
    {
        public static readonly Drained Instance = new();
    }

    /// <summary>The connection to the bus is gone; the bus tries again by itself. Until the next <see cref="View"/> this process is in no group.</summary>
    public sealed record Lost(string Reason) : GroupEvent;
}

/// <summary>What became of a message handed to the bus.</summary>
public enum SendOutcome
{
    /// <summary>Queued. It is delivered to this process too, if it stays in the group.</summary>
    Accepted,
    /// <summary>Not in the group: no connection, not joined yet, or closed.</summary>
    NotJoined,
    /// <summary>More than the allowed backlog waits: the bus is stuck and will be reset.</summary>
    Backlog,
}

/// <summary>
/// A group with extended virtual synchrony: every member sees the same messages and the same membership changes in the same
/// order. Not promised: that a message delivered here reached members that end up on the other side of a cut; and a message may be
/// delivered in a later view than the one it was sent in.
/// </summary>
public interface IGroupBus : IAsyncDisposable
{
    /// <summary>The group's name, 1 to 127 octets.</summary>
    string Group { get; }

    /// <summary>This process in the group; known from the first <see cref="GroupEvent.View"/> on.</summary>
    MemberId Self { get; }

    /// <summary>The order, for exactly one reader. Completes when the bus has been disposed.</summary>
    ChannelReader<GroupEvent> Events { get; }

    /// <summary>Nothing more waits for this process: neither read from the bus and not yet taken from <see cref="Events"/>, nor in the
    /// bus daemon's queue for this process. Asked right before acting, it shows what arrived while the process slept.</summary>
    bool IsDrained { get; }

    /// <summary>Sends to all members, oneself included. Never blocks; the message is copied. Messages of one sender keep their order.</summary>
    /// <param name="message">1 byte to <see cref="BusLimits.MaxMessageBytes"/>; over 60 000 bytes it travels in parts and starts over when the
    /// membership changes on the way, so it arrives whole or, if the sender leaves, not at all.</param>
    SendOutcome Send(ReadOnlySpan<byte> message);

    /// <summary>Leaves and joins again, dropping what waits to be sent (<c>cluster reset</c>).</summary>
    void Reset(string reason);
}

/// <summary>Limits of the bus.</summary>
public static class BusLimits
{
    /// <summary>Largest message, parts together.</summary>
    public const int MaxMessageBytes = 8 * 1024 * 1024;
    /// <summary>Largest part; below what corosync sends without fragments of its own.</summary>
    public const int MaxPartBytes = 60_000;
    /// <summary>Outgoing bytes that may wait; more means that the bus is stuck.</summary>
    public const int MaxBacklogBytes = 16 * 1024 * 1024;
    /// <summary>Entries in a group (corosync's list size).</summary>
    public const int MaxMembers = 128;

    /// <summary>Ends a send that can only be a mistake of the caller.</summary>
    internal static void Check(int messageBytes)
    {
        if (messageBytes is < 1 or > MaxMessageBytes)
            throw new ArgumentOutOfRangeException(nameof(messageBytes), messageBytes, $"A message has 1 to {MaxMessageBytes} octets.");
    }
}
