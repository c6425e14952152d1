using System.Buffers;
using System.Threading.Tasks.Sources;

namespace Veredus.Spool;

internal enum RequestKind : byte
{
    Commit,
    Update,

    /// <summary>Nothing to write: completes when all that was asked before is durable.</summary>
    Flush,
}

/// <summary>One caller that waits for the disk, with its records made up except for their place. Reused; lives until its result has been read.</summary>
/// <remarks>
/// The buffer holds the head of the body record, then its padding and the envelope records; the body's octets, which stay where they were
/// received, come in between. So a group of commits goes to the disk in one gathered write, and nothing is copied.
/// </remarks>
internal sealed class WriteRequest : IValueTaskSource<CommitResult>
{
    private static readonly System.Collections.Concurrent.ConcurrentQueue<WriteRequest> Pool = new();

    private readonly List<Part> _parts = [];
    private readonly List<ReadOnlyMemory<byte>> _payload = [];
    private ManualResetValueTaskSourceCore<CommitResult> _result = new() { RunContinuationsAsynchronously = true };
    private byte[] _buffer = [];
    private int _used;
    private int _bodyHead;

    private readonly record struct Part(int BufferAt, int FileAt, RecordHeader Header);

    public RequestKind Kind { get; private set; }

    /// <summary>Octets in the segment.</summary>
    public int Bytes { get; private set; }

    public StoredMessage[] Messages { get; private set; } = [];

    public StoredBody? Body { get; private set; }

    /// <summary>The large body's file, to be kept once the commit is durable.</summary>
    public LargeBodyFile? File { get; private set; }

    public Segment? Segment { get; private set; }

    /// <summary>Where the first record was put.</summary>
    public int Offset { get; private set; }

    public ValueTask<CommitResult> Task => new(this, _result.Version);

    public static WriteRequest ForCommit(SpoolBody body, StoredBody stored, StoredMessage[] messages, IReadOnlyList<Envelope> envelopes)
    {
        var request = Rent(RequestKind.Commit);
        request.Messages = messages;
        request.Body = stored;
        request.File = body.File;
        var payloadCrc = body.AppendInline(request._payload);
        var meta = body.File is { } file ? new BodyMeta(true, file.Number, file.Length, file.Crc) : default;
        request.Reserve(RecordHeader.Size + BodyMeta.MaxSize + RecordHeader.Unit);
        var metaLength = meta.Write(request._buffer.AsSpan(RecordHeader.Size));
        request.AddPart(RecordType.Body, stored.Id, metaLength, body.InlineLength, payloadCrc);
        request._bodyHead = RecordHeader.Size + metaLength;
        request.Pad(stored.RecordBytes = RecordHeader.Padded(request._bodyHead + body.InlineLength), request._bodyHead + body.InlineLength);
        for (var i = 0; i < messages.Length; i++)
            messages[i].RecordBytes = request.AddEnvelope(envelopes[i], new(0, stored.Id, stored.Length));
        return request;
    }

    public static WriteRequest ForUpdate(StoredMessage message, Envelope envelope, uint revision)
    {
        var request = Rent(RequestKind.Update);
        request.Messages = [message];
        request.AddEnvelope(envelope, new(revision, message.Body.Id, message.Body.Length));
        return request;
    }

    public static WriteRequest ForFlush() => Rent(RequestKind.Flush);

    /// <summary>Gives every record its place and adds the octets to <paramref name="target"/>.</summary>
    public void Place(Segment segment, int offset, List<ReadOnlyMemory<byte>> target)
    {
        (Segment, Offset) = (segment, offset);
        foreach (var part in _parts)
        {
            (part.Header with
            {
                Segment = segment.Number,
                OffsetUnits = (uint)(offset + part.FileAt) / RecordHeader.Unit,
                SyncedUnits = (uint)segment.SyncedEnd / RecordHeader.Unit,
            }).Write(_buffer.AsSpan(part.BufferAt));
        }
        if (_bodyHead > 0)
            target.Add(_buffer.AsMemory(0, _bodyHead));
        target.AddRange(_payload);
        target.Add(_buffer.AsMemory(_bodyHead, _used - _bodyHead));
    }

    public void Complete(in CommitResult result) => _result.SetResult(result);

    /// <summary>Gives the request back without a result; it was never queued.</summary>
    public void Abort()
    {
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        (_buffer, _used, _bodyHead, Bytes) = ([], 0, 0, 0);
        (Messages, Body, File, Segment) = ([], null, null, null);
        _parts.Clear();
        _payload.Clear();
        Pool.Enqueue(this);
    }

    public CommitResult GetResult(short token)
    {
        var result = _result.GetResult(token);
        _result.Reset();
        Abort();
        return result;
    }

    public ValueTaskSourceStatus GetStatus(short token) => _result.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _result.OnCompleted(continuation, state, token, flags);

    private static WriteRequest Rent(RequestKind kind)
    {
        if (!Pool.TryDequeue(out var request))
            request = new();
        request.Kind = kind;
        return request;
    }

    private int AddEnvelope(Envelope envelope, in EnvelopeMeta meta)
    {
        var size = EnvelopeCodec.MaxEncodedSize(envelope);
        if (size > EnvelopeCodec.MaxBytes)
            throw new ArgumentException($"The envelope of {envelope.Id} needs up to {size} octets; at most {EnvelopeCodec.MaxBytes} can be stored. Shorten its context.", nameof(envelope));
        Reserve(RecordHeader.Size + EnvelopeMeta.Size + size + RecordHeader.Unit);
        var start = _used;
        meta.Write(_buffer.AsSpan(start + RecordHeader.Size));
        var length = EnvelopeMeta.Size + EnvelopeCodec.Write(envelope, _buffer.AsSpan(start + RecordHeader.Size + EnvelopeMeta.Size));
        AddPart(RecordType.Envelope, envelope.Id.Value, length, 0, 0);
        var total = RecordHeader.Padded(RecordHeader.Size + length);
        Pad(total, RecordHeader.Size + length);
        return total;
    }

    // The head and meta of a record stand at _used; the payload, if any, is elsewhere.
    private void AddPart(RecordType type, ulong id, int metaLength, int payloadLength, uint payloadCrc)
    {
        var metaCrc = Crc32C.Compute(_buffer.AsSpan(_used + RecordHeader.Size, metaLength));
        _parts.Add(new(_used, Bytes, new(0, 0, type, metaLength, payloadLength, metaCrc, payloadCrc, 0, id)));
        _used += RecordHeader.Size + metaLength;
    }

    private void Pad(int total, int length)
    {
        _buffer.AsSpan(_used, total - length).Clear();
        _used += total - length;
        Bytes = checked(Bytes + total);
    }

    private void Reserve(int more)
    {
        if (_buffer.Length - _used >= more)
            return;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(_used + more, 2 * _used));
        _buffer.AsSpan(0, _used).CopyTo(larger);
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}

/// <summary>A record that nobody waits for: an attempt, a removal, or one of these copied forward.</summary>
/// <param name="Message">Set for a removal that a caller asked for: its segments are known when it is written.</param>
internal readonly record struct SideRecord(RecordType Type, MessageId Id, StoredMessage? Message, AttemptMeta Attempt, RemovalMeta Removal);
