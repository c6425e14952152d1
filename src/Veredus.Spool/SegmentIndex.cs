using System.Buffers.Binary;

namespace Veredus.Spool;

/// <summary>
/// The index of a full segment, in a file beside it: all but the bodies, so that a start reads megabytes, not gigabytes. A convenience: written
/// without sync, and made anew from the segment when it is missing, torn or of another use of the file.
/// </summary>
/// <remarks>0 magic "VIDX" u32 · 4 CRC-32C of 8.. u32 · 8 format u16 = 1 · 10 reserved u16 · 12 segment number u32 · 16 end u32 · 20 synced end u32 · 24 length u32 · 28 reserved u32 · 32 contents.</remarks>
internal static class SegmentIndex
{
    private const int HeaderSize = 32;
    private const uint Magic = 0x5844_4956;

    public static string PathOf(string segmentPath) => Path.ChangeExtension(segmentPath, ".idx");

    public static void Write(IDisk disk, string segmentPath, SegmentContents contents)
    {
        var path = PathOf(segmentPath);
        var unfinished = path + SegmentPool.UnfinishedExtension;
        var octets = new byte[HeaderSize + contents.Octets.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(octets, Magic);
        BinaryPrimitives.WriteUInt16LittleEndian(octets.AsSpan(8), 1);
        BinaryPrimitives.WriteUInt32LittleEndian(octets.AsSpan(12), contents.Number);
        BinaryPrimitives.WriteInt32LittleEndian(octets.AsSpan(16), contents.End);
        BinaryPrimitives.WriteInt32LittleEndian(octets.AsSpan(20), contents.SyncedEnd);
        BinaryPrimitives.WriteInt32LittleEndian(octets.AsSpan(24), contents.Octets.Length);
        contents.Octets.CopyTo(octets, HeaderSize);
        BinaryPrimitives.WriteUInt32LittleEndian(octets.AsSpan(4), Crc32C.Compute(octets.AsSpan(8)));
        if (disk.Exists(unfinished))
            disk.Delete(unfinished);
        using (var file = disk.Create(unfinished))
            file.Write(octets, 0);
        disk.Move(unfinished, path);
    }

    /// <summary>The index of segment <paramref name="number"/>, or <see langword="null"/> if there is none that can be trusted.</summary>
    public static SegmentContents? TryRead(IDisk disk, string segmentPath, uint number)
    {
        var path = PathOf(segmentPath);
        try
        {
            if (!disk.Exists(path))
                return null;
            using var file = disk.Open(path, writable: false);
            if (file.Length is < HeaderSize or > int.MaxValue)
                return null;
            var octets = new byte[file.Length];
            if (file.Read(octets, 0) < octets.Length
                || BinaryPrimitives.ReadUInt32LittleEndian(octets) != Magic
                || BinaryPrimitives.ReadUInt16LittleEndian(octets.AsSpan(8)) != 1
                || BinaryPrimitives.ReadUInt32LittleEndian(octets.AsSpan(12)) != number
                || BinaryPrimitives.ReadInt32LittleEndian(octets.AsSpan(24)) != octets.Length - HeaderSize
                || BinaryPrimitives.ReadUInt32LittleEndian(octets.AsSpan(4)) != Crc32C.Compute(octets.AsSpan(8)))
                return null;
            return new(number, octets[HeaderSize..], BinaryPrimitives.ReadInt32LittleEndian(octets.AsSpan(16)), BinaryPrimitives.ReadInt32LittleEndian(octets.AsSpan(20)));
        }
        catch (DiskException)
        {
            return null;
        }
    }
}
