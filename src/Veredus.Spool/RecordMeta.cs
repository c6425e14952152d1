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

/// <summary>Meta of an attempt record: format u8 = 1 · count u16 · time u32, Unix seconds · reply code u16 · stage u8.</summary>
internal readonly record struct AttemptMeta(ushort Count, uint Time, ushort Code, byte Stage)
{
    public const int Size = 10;

    public void Write(Span<byte> target)
    {
        var writer = new SpanWriter(target);
        writer.U8(1);
        writer.U16(Count);
        writer.U32(Time);
        writer.U16(Code);
        writer.U8(Stage);
    }

    public static bool TryRead(ReadOnlySpan<byte> source, out AttemptMeta meta)
    {
        var reader = new SpanReader(source);
        var known = reader.U8() == 1;
        meta = new(reader.U16(), reader.U32(), reader.U16(), reader.U8());
        return known && !reader.Failed;
    }
}

/// <summary>Meta of a removal record: format u8 = 1 · number of the segment that held the envelope u32. Readers ignore what follows.</summary>
internal readonly record struct RemovalMeta(uint Segment)
{
    public const int Size = 5;

    public void Write(Span<byte> target)
    {
        var writer = new SpanWriter(target);
        writer.U8(1);
        writer.U32(Segment);
    }

    public static bool TryRead(ReadOnlySpan<byte> source, out RemovalMeta meta)
    {
        var reader = new SpanReader(source);
        var known = reader.U8() == 1;
        meta = new(reader.U32());
        return known && !reader.Failed;
    }
}
