namespace Veredus.Spool;

/// <summary>Meta of a body record: format u8 = 1 · large u8; if large: file number u64 · length u64 · CRC-32C u32. The octets in the log come first.</summary>
internal readonly record struct BodyMeta(bool IsLarge, ulong FileNumber, long LargeLength, uint LargeCrc)
{
    public const int MaxSize = 22;

    public int Write(Span<byte> target)
    {
        var writer = new SpanWriter(target);
        writer.U8(1);
        writer.U8(IsLarge ? (byte)1 : (byte)0);
        if (IsLarge)
        {
            writer.U64(FileNumber);
            writer.U64((ulong)LargeLength);
            writer.U32(LargeCrc);
        }
        return writer.Length;
    }

    public static bool TryRead(ReadOnlySpan<byte> source, out BodyMeta meta)
    {
        var reader = new SpanReader(source);
        var known = reader.U8() == 1;
        meta = reader.U8() == 1 ? new(true, reader.U64(), (long)reader.U64(), reader.U32()) : default;
        return known && !reader.Failed && meta.LargeLength >= 0;
    }
}

/// <summary>Begin of the meta of an envelope record: format u8 = 1 · revision u32 · body ID u64 · body length u64; the envelope follows.</summary>
/// <remarks>A higher revision of the same message replaces a lower one; equal revisions are copies.</remarks>
internal readonly record struct EnvelopeMeta(uint Revision, ulong BodyId, long BodyLength)
{
    public const int Size = 21;

    public void Write(Span<byte> target)
    {
        var writer = new SpanWriter(target);
        writer.U8(1);
        writer.U32(Revision);
        writer.U64(BodyId);
        writer.U64((ulong)BodyLength);
    }

    public static bool TryRead(ReadOnlySpan<byte> source, out EnvelopeMeta meta)
    {
        var reader = new SpanReader(source);
        var known = reader.U8() == 1;
        meta = new(reader.U32(), reader.U64(), (long)reader.U64());
        return known && !reader.Failed && meta.BodyLength >= 0;
    }
}

/// <summary>Meta of an attempt record: format u8 = 1 · body ID u64 · count u16 · time u32, Unix seconds · reply code u16 · stage u8.</summary>
internal readonly record struct AttemptMeta(ulong BodyId, ushort Count, uint Time, ushort Code, byte Stage) : IRecordMeta
{
    public int EncodedSize => 18;

    public static AttemptMeta Of(StoredMessage message) => new(message.Body.Id, message.AttemptCount, message.AttemptTime, message.AttemptCode, message.AttemptStage);

    public void Write(Span<byte> target)
    {
        var writer = new SpanWriter(target);
        writer.U8(1);
        writer.U64(BodyId);
        writer.U16(Count);
        writer.U32(Time);
        writer.U16(Code);
        writer.U8(Stage);
    }

    public static bool TryRead(ReadOnlySpan<byte> source, out AttemptMeta meta)
    {
        var reader = new SpanReader(source);
        var known = reader.U8() == 1;
        meta = new(reader.U64(), reader.U16(), reader.U32(), reader.U16(), reader.U8());
        return known && !reader.Failed;
    }
}

/// <summary>Meta of a removal record: format u8 = 1 · body ID u64 · count u8 · segment numbers u32 each.</summary>
/// <remarks>
/// Message ID and body ID together are removed: the same ID may come again with another body (a message that was moved away and back).
/// The segments are those that held the envelope or an older copy; once none of them exists, the removal has nothing left to say.
/// </remarks>
internal readonly record struct RemovalMeta(ulong BodyId, uint[] Segments) : IRecordMeta
{
    public const int MaxSegments = byte.MaxValue;

    public int EncodedSize => 10 + 4 * Segments.Length;

    public void Write(Span<byte> target)
    {
        var writer = new SpanWriter(target);
        writer.U8(1);
        writer.U64(BodyId);
        writer.U8((byte)Segments.Length);
        foreach (var segment in Segments)
            writer.U32(segment);
    }

    public static bool TryRead(ReadOnlySpan<byte> source, out RemovalMeta meta)
    {
        var reader = new SpanReader(source);
        var known = reader.U8() == 1;
        var bodyId = reader.U64();
        var segments = new uint[reader.U8()];
        foreach (ref var segment in segments.AsSpan())
            segment = reader.U32();
        meta = new(bodyId, segments);
        return known && !reader.Failed;
    }
}

/// <summary>A meta that is a record by itself.</summary>
internal interface IRecordMeta
{
    int EncodedSize { get; }

    void Write(Span<byte> target);
}
