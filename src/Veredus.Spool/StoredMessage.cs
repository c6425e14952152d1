namespace Veredus.Spool;

/// <summary>A message in the spool: what a queue holds of it. Small, and the same object for as long as the process lives, wherever compaction moves the octets.</summary>
/// <remarks>Location and state belong to the spool, under its lock. About 72 bytes, and 56 of <see cref="StoredBody"/> per body.</remarks>
public sealed class StoredMessage
{
    internal StoredMessage(MessageId id, StoredBody body, long receivedMicroseconds)
    {
        Id = id;
        Body = body;
        ReceivedMicroseconds = receivedMicroseconds;
    }

    public MessageId Id { get; }

    /// <summary>Octets of the body, added header lines included.</summary>
    public long Size => Body.Length;

    public DateTimeOffset Received => DateTimeOffset.UnixEpoch.AddMicroseconds(ReceivedMicroseconds);

    /// <summary>Tries noted so far; a crash may forget the last ones.</summary>
    public int Attempts => AttemptCount;

    /// <summary>The last try noted, or <see langword="null"/>.</summary>
    public AttemptRecord? LastAttempt => AttemptCount == 0 ? null : new(AttemptCount, DateTimeOffset.FromUnixTimeSeconds(AttemptTime), AttemptCode, AttemptStage);

    internal StoredBody Body { get; }

    internal long ReceivedMicroseconds { get; }

    internal Segment? Segment { get; set; }

    internal int Offset { get; set; }

    internal int RecordBytes { get; set; }

    internal uint AttemptTime { get; set; }

    internal ushort AttemptCount { get; set; }

    internal ushort AttemptCode { get; set; }

    internal byte AttemptStage { get; set; }

    /// <summary>How often the envelope was replaced.</summary>
    internal ushort Revision { get; set; }

    /// <summary>Found at start but not given to the queues yet.</summary>
    internal bool Unannounced { get; set; }

    internal MessageState State { get; set; }

    public override string ToString() => Id.ToString();
}

internal enum MessageState : byte
{
    /// <summary>Not durable yet.</summary>
    Pending,
    Live,
    Removing,
    Removed,
}

/// <summary>A body in the spool, shared by the messages of one commit.</summary>
internal class StoredBody(ulong id, long length)
{
    /// <summary>Where it was first written: segment number and offset in units of <see cref="RecordHeader.Unit"/>; never given twice.</summary>
    public ulong Id { get; } = id;

    public long Length { get; } = length;

    public Segment? Segment { get; set; }

    public int Offset { get; set; }

    public int RecordBytes { get; set; }

    /// <summary>Messages that still need it.</summary>
    public int References { get; set; }
}

/// <summary>A body whose octets stand in a file of their own.</summary>
internal sealed class LargeStoredBody(ulong id, long length, ulong fileNumber) : StoredBody(id, length)
{
    public ulong FileNumber { get; } = fileNumber;
}
