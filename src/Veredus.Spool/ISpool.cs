namespace Veredus.Spool;

/// <summary>The durable messages of one node. All members are thread-safe unless they say otherwise.</summary>
public interface ISpool : IAsyncDisposable
{
    /// <summary>Highest ID slot that this spool has seen: the start of a <see cref="MessageIdGenerator"/>.</summary>
    uint LastSlot { get; }

    /// <summary>Set once the disk has failed in a way after which nothing can be promised (a failed sync, EIO): every later commit is refused.</summary>
    SpoolFault? Fault { get; }

    /// <summary>Cancelled when <see cref="Fault"/> is set: stop accepting and delivering.</summary>
    CancellationToken Faulted { get; }

    /// <summary>Whether the spool is certainly still this process's. If not, nothing may be accepted, delivered or handed over; on shared storage another node may have it.</summary>
    bool IsHeld => Fault is null;

    SpoolStatistics Statistics { get; }

    /// <summary>A new body to fill; dispose it after the commit, or instead of it.</summary>
    SpoolBody CreateBody();

    /// <summary>Stores one message per envelope, all with <paramref name="body"/>, all or none.</summary>
    /// <remarks>Completes as <see cref="CommitStatus.Durable"/> only when body and envelopes are on the disk: answer 250 then and not before.</remarks>
    /// <param name="body">Of this spool; not used again except for <see cref="SpoolBody.Dispose"/>.</param>
    /// <param name="envelopes">At least one; IDs must be new to this spool.</param>
    ValueTask<CommitResult> CommitAsync(SpoolBody body, IReadOnlyList<Envelope> envelopes);

    /// <summary>Reads the envelope from the disk, usually from the page cache.</summary>
    /// <exception cref="SpoolCorruptException">The record is damaged; it has been set aside and counted.</exception>
    /// <exception cref="InvalidOperationException">The message has been removed.</exception>
    Envelope ReadEnvelope(StoredMessage message);

    /// <summary>Opens the body for one delivery. It stays readable until the reader is disposed, even if the message is removed meanwhile.</summary>
    /// <exception cref="InvalidOperationException">The message has been removed.</exception>
    SpoolBodyReader OpenBody(StoredMessage message);

    /// <summary>Notes a try that left the message in the queue. Not synced by itself: it goes to the disk with the next sync, within <see cref="SpoolOptions.FlushInterval"/>.</summary>
    void RecordAttempt(StoredMessage message, AttemptRecord attempt);

    /// <summary>Forgets a message. Returns once the removal is on its way to the disk; waits while too many removals are.</summary>
    /// <remarks>It is written at once (a killed process does not bring the message back) and synced within <see cref="SpoolOptions.FlushInterval"/> (a power cut may).</remarks>
    ValueTask RemoveAsync(StoredMessage message);

    /// <summary>Notes that a message is about to be handed to another host whole: should this process be killed now, <see cref="RecoveredMessage.InDoubtSince"/> says so at the next start. Costs a few stores to memory.</summary>
    /// <remarks>Ends with <see cref="EndHandOver"/>, or by itself when the removal of the message is written.</remarks>
    void BeginHandOver(StoredMessage message);

    /// <summary>The other host has not taken it, or what is in doubt is on record elsewhere.</summary>
    void EndHandOver(StoredMessage message);

    /// <summary>Replaces the envelope (rebind, reroute); completes when the new one is durable. ID and body stay.</summary>
    /// <returns><see langword="false"/> when the disk refused: the old envelope holds.</returns>
    ValueTask<bool> UpdateAsync(StoredMessage message, Envelope envelope);

    /// <summary>Gives every message that an earlier process left, roughly oldest first, once; new mail may be committed meanwhile.</summary>
    IAsyncEnumerable<RecoveredMessage> RecoverAsync(CancellationToken cancellationToken = default);

    /// <summary>Finds a message by its ID. Before <see cref="RecoverAsync"/> has ended it may be too early for a message to be known.</summary>
    bool TryFind(MessageId id, out StoredMessage message);

    /// <summary>Whether the file system keeps enough free space after <paramref name="bytes"/> more; if not, answer 452 4.3.1.</summary>
    /// <remarks>Looks at the file system at most once a second.</remarks>
    bool HasRoomFor(long bytes);
}

/// <summary>What became of a commit.</summary>
public enum CommitStatus
{
    /// <summary>On the disk: the messages are ours now.</summary>
    Durable,

    /// <summary>The file system is full; nothing was stored: 452 4.3.1.</summary>
    NoSpace,

    /// <summary>The disk failed, or the spool is closing; nothing was promised: 451 4.3.0.</summary>
    Failed,
}

/// <summary>The answer to <see cref="ISpool.CommitAsync"/>.</summary>
/// <param name="Status">Decides the reply to the client.</param>
/// <param name="Messages">In the order of the envelopes; empty unless durable.</param>
/// <param name="Reason">For the log, never for the client; <see langword="null"/> when durable.</param>
public readonly record struct CommitResult(CommitStatus Status, StoredMessage[] Messages, string? Reason);

/// <summary>One try to deliver a message that left it in the queue.</summary>
/// <param name="Count">Tries so far, this one included.</param>
/// <param name="Time">When it ended; kept to the second.</param>
/// <param name="Code">SMTP reply code, or 0.</param>
/// <param name="Stage">Where in the dialogue it ended (stage number of the delivery part).</param>
public readonly record struct AttemptRecord(ushort Count, DateTimeOffset Time, ushort Code, byte Stage);

/// <summary>A message found at start. Its attempts are in <see cref="StoredMessage.LastAttempt"/>.</summary>
public readonly record struct RecoveredMessage(StoredMessage Message, Envelope Envelope)
{
    /// <summary>It was with another host when the process ended, which may have taken it; <see langword="null"/>: it was not. Known until <see cref="ISpool.EndHandOver"/>, also over further restarts.</summary>
    public DateTimeOffset? InDoubtSince { get; init; }
}

/// <summary>Why a spool stopped promising anything.</summary>
public sealed record SpoolFault(string Message, Exception? Cause);

/// <summary>The octets on the disk are not those that were written.</summary>
public sealed class SpoolCorruptException(string message) : IOException(message);

/// <summary>The spool cannot be opened: locked, foreign, newer, or unreadable. The message says what to do.</summary>
public class SpoolOpenException(string message, Exception? inner = null) : IOException(message, inner);

/// <summary>What lies there is of a newer format, damaged, or no spool of ours. The message names the place, what was found and what is wanted.</summary>
public sealed class SpoolFormatException(string message) : SpoolOpenException(message);

/// <summary>What the spool holds and has done since it was opened.</summary>
public sealed record SpoolStatistics
{
    public long Messages { get; init; }

    public long Commits { get; init; }

    public long MessagesCommitted { get; init; }

    public long MessagesRemoved { get; init; }

    public long Attempts { get; init; }

    public long Updates { get; init; }

    /// <summary>fdatasync calls of the log; <see cref="Commits"/> divided by it is the size of a group.</summary>
    public long Syncs { get; init; }

    public long BytesWritten { get; init; }

    /// <summary>Removals written but not yet synced: what a power cut now would deliver twice.</summary>
    public long RemovalsUnsynced { get; init; }

    public long Segments { get; init; }

    public long FreeSegments { get; init; }

    /// <summary>Octets of records in segments that still count.</summary>
    public long LiveBytes { get; init; }

    public long SegmentsCompacted { get; init; }

    public long BytesCompacted { get; init; }

    /// <summary>Damaged places found and set aside.</summary>
    public long Corruptions { get; init; }
}
