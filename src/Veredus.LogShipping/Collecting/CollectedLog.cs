using Veredus.Journal;

namespace Veredus.LogShipping;

/// <summary>How it stands with one log of one node.</summary>
public enum CollectionState
{
    /// <summary>No connection yet, or none at the moment.</summary>
    Disconnected,
    /// <summary>Records come in; more wait.</summary>
    CatchingUp,
    /// <summary>Everything that the node has on disk is here.</summary>
    UpToDate,
    /// <summary>None of the configured subscribers exists in that journal, or nothing is to be pulled from that node.</summary>
    NotSubscribed,
}

/// <summary>A subscriber of a node's journal, as the node says.</summary>
/// <param name="WaitingBytes">Octets behind its checkpoint.</param>
/// <param name="OldestWaiting">When the first of them was written; <see langword="null"/> when nothing waits.</param>
public sealed record LogSubscriber(string Name, RecordId Position, long WaitingBytes, DateTimeOffset? OldestWaiting);

/// <summary>One log of one node as a manager sees it.</summary>
/// <param name="Subscriber">As whom it is read; empty when it is not.</param>
/// <param name="CollectedUntil">Time of the last record that is stored here; <see langword="null"/> before the first.</param>
/// <param name="WaitingBytes">Octets on the node that are not stored here yet.</param>
/// <param name="BehindSeconds">Age of the oldest record that waits; 0 when nothing does.</param>
/// <param name="BytesPerSecond">Stored lately, smoothed over about 10 s.</param>
/// <param name="DiskBytes">What the journal takes on the node's disk; -1 when it is not there.</param>
/// <param name="Error">Why nothing comes; <see langword="null"/> when all is well.</param>
public sealed record CollectedLog(
    string Node, string Subcluster, string Log, string Subscriber, CollectionState State, DateTimeOffset? CollectedUntil, long WaitingBytes, double BehindSeconds,
    double BytesPerSecond, long Records, long Bytes, long DiskBytes, IReadOnlyList<LogSubscriber> Subscribers, string? Error);
