using System.Buffers.Binary;

namespace Veredus.Spool;

/// <summary>Begin of a segment file: 64 octets, little-endian; the first record stands at <see cref="FirstRecord"/>.</summary>
/// <remarks>
/// 0 magic "VSEG" u32 · 4 CRC-32C of 8..63 u32 · 8 format u16 · 10 reserved u16 · 12 number u32, 0 for a free file · 16 file size u32 ·
/// 20 last ID slot u32 · 24 previous number u32 · 28 previous end u32 · 32 reserved u64 · 40 spool GUID 16 · 56 reserved u64.
/// "Previous" is the segment that the same writer filled before this one: all of it up to its end is durable, and nothing beyond counts.
/// In a free file it is the highest number given so far, so that no number, and with it no stale record, ever comes to life again.
/// </remarks>
internal readonly record struct SegmentHeader(uint Number, int FileSize, uint LastSlot, uint PreviousNumber, int PreviousEnd, Guid Spool)
{
    public const int Size = 64;

    /// <summary>A page of its own, so that records never share a sector with the header.</summary>
    public const int FirstRecord = 4096;

    private const ushort Format = 1;
    private const uint Magic = 0x4745_5356;

    public void Write(Span<byte> target)
    {
        target[..Size].Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(target, Magic);
        BinaryPrimitives.WriteUInt16LittleEndian(target[8..], Format);
        BinaryPrimitives.WriteUInt32LittleEndian(target[12..], Number);
        BinaryPrimitives.WriteInt32LittleEndian(target[16..], FileSize);
        BinaryPrimitives.WriteUInt32LittleEndian(target[20..], LastSlot);
        BinaryPrimitives.WriteUInt32LittleEndian(target[24..], PreviousNumber);
        BinaryPrimitives.WriteInt32LittleEndian(target[28..], PreviousEnd);
        Spool.TryWriteBytes(target[40..]);
        BinaryPrimitives.WriteUInt32LittleEndian(target[4..], Crc32C.Compute(target[8..Size]));
    }

    /// <exception cref="SpoolFormatException">Written by a newer version.</exception>
    public static bool TryRead(ReadOnlySpan<byte> source, string path, out SegmentHeader header)
    {
        header = default;
        if (source.Length < Size || BinaryPrimitives.ReadUInt32LittleEndian(source) != Magic || BinaryPrimitives.ReadUInt32LittleEndian(source[4..]) != Crc32C.Compute(source[8..Size]))
            return false;
        var format = BinaryPrimitives.ReadUInt16LittleEndian(source[8..]);
        if (format != Format)
            throw new SpoolFormatException($"spool: '{path}' has segment format {format}; this version reads format {Format}. Use the version that wrote it.");
        header = new(
            BinaryPrimitives.ReadUInt32LittleEndian(source[12..]),
            BinaryPrimitives.ReadInt32LittleEndian(source[16..]),
            BinaryPrimitives.ReadUInt32LittleEndian(source[20..]),
            BinaryPrimitives.ReadUInt32LittleEndian(source[24..]),
            BinaryPrimitives.ReadInt32LittleEndian(source[28..]),
            new(source[40..56]));
        return header.FileSize >= FirstRecord;
    }
}
