using System.Buffers.Binary;

namespace Veredus.Spool;

internal enum RecordType : byte
{
    /// <summary>Octets of a message; meta is <see cref="BodyMeta"/>.</summary>
    Body = 1,

    /// <summary>An envelope; a later one with a higher revision replaces it. Meta is <see cref="EnvelopeMeta"/> and the envelope.</summary>
    Envelope = 2,

    /// <summary>A try that failed; meta is <see cref="AttemptMeta"/>.</summary>
    Attempt = 3,

    /// <summary>The message is gone; meta is <see cref="RemovalMeta"/>.</summary>
    Removal = 4,
}

/// <summary>Begin of every record in a segment: 48 octets, little-endian; meta and payload follow, then zeros up to a multiple of <see cref="Unit"/>.</summary>
/// <remarks>
/// 0 magic "VSR1" u32 · 4 CRC-32C of 8..47 u32 · 8 segment number u32 · 12 own offset in units u32 · 16 type u8 · 17 flags u8, 0 ·
/// 18 reserved u16, 0 · 20 meta length u32 · 24 payload length u32 · 28 meta CRC u32 · 32 payload CRC u32 · 36 synced end in units u32 · 40 ID u64.
/// Number and offset make what an earlier use of the file left, or a misdirected write, no record of this segment.
/// The synced end says up to where the segment was known to be on the disk when this was written: damage below it is damage, above it is a torn write that nobody was promised.
/// </remarks>
internal readonly record struct RecordHeader(
    uint Segment, uint OffsetUnits, RecordType Type, int MetaLength, int PayloadLength, uint MetaCrc, uint PayloadCrc, uint SyncedUnits, ulong Id)
{
    public const int Size = 48;

    /// <summary>Records begin at multiples of this.</summary>
    public const int Unit = 64;

    public const int MaxPayload = 64 << 20;

    private const uint Magic = 0x3152_5356;

    /// <summary>Octets on the disk, padding included.</summary>
    public int TotalLength => Padded(Size + MetaLength + PayloadLength);

    public static int Padded(int length) => (length + Unit - 1) & -Unit;

    /// <summary>The offset that a header claims; <see cref="TryRead"/> says whether there is one.</summary>
    public static int OffsetOf(ReadOnlySpan<byte> source) => (int)(BinaryPrimitives.ReadUInt32LittleEndian(source[12..]) & 0x1FF_FFFF) * Unit;

    public void Write(Span<byte> target)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(target, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(target[8..], Segment);
        BinaryPrimitives.WriteUInt32LittleEndian(target[12..], OffsetUnits);
        target[16] = (byte)Type;
        target[17..20].Clear();
        BinaryPrimitives.WriteInt32LittleEndian(target[20..], MetaLength);
        BinaryPrimitives.WriteInt32LittleEndian(target[24..], PayloadLength);
        BinaryPrimitives.WriteUInt32LittleEndian(target[28..], MetaCrc);
        BinaryPrimitives.WriteUInt32LittleEndian(target[32..], PayloadCrc);
        BinaryPrimitives.WriteUInt32LittleEndian(target[36..], SyncedUnits);
        BinaryPrimitives.WriteUInt64LittleEndian(target[40..], Id);
        BinaryPrimitives.WriteUInt32LittleEndian(target[4..], Crc32C.Compute(target[8..Size]));
    }

    /// <summary>Reads a header of segment <paramref name="segment"/> at <paramref name="offset"/>; <see langword="false"/> for anything else.</summary>
    public static bool TryRead(ReadOnlySpan<byte> source, uint segment, int offset, out RecordHeader header)
    {
        header = default;
        if (source.Length < Size || BinaryPrimitives.ReadUInt32LittleEndian(source) != Magic
            || BinaryPrimitives.ReadUInt32LittleEndian(source[8..]) != segment
            || BinaryPrimitives.ReadUInt32LittleEndian(source[12..]) != (uint)offset / Unit
            || BinaryPrimitives.ReadUInt32LittleEndian(source[4..]) != Crc32C.Compute(source[8..Size]))
            return false;
        header = new(
            segment,
            (uint)offset / Unit,
            (RecordType)source[16],
            BinaryPrimitives.ReadInt32LittleEndian(source[20..]),
            BinaryPrimitives.ReadInt32LittleEndian(source[24..]),
            BinaryPrimitives.ReadUInt32LittleEndian(source[28..]),
            BinaryPrimitives.ReadUInt32LittleEndian(source[32..]),
            BinaryPrimitives.ReadUInt32LittleEndian(source[36..]),
            BinaryPrimitives.ReadUInt64LittleEndian(source[40..]));
        return header.Type is >= RecordType.Body and <= RecordType.Removal && header.MetaLength is >= 0 and <= EnvelopeCodec.MaxBytes + 64 && header.PayloadLength is >= 0 and <= MaxPayload;
    }
}
