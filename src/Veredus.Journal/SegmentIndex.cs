using System.Buffers.Binary;
using Veredus.Journal.Native;

namespace Veredus.Journal;

/// <summary>What an index says after it was brought up to date.</summary>
/// <param name="LastMarker">Number of records that can be read.</param>
/// <param name="Closed">The segment is finished and completely indexed.</param>
/// <param name="Damaged">The active segment holds bytes that are no record behind the last readable one; they are repaired when the segment is finished.</param>
internal readonly record struct IndexState(uint LastMarker, bool Closed, bool Damaged);

/// <summary>One data segment and its index as a reader holds them.</summary>
internal sealed class OpenSegment(uint number, JournalFile data, JournalFile index) : IDisposable
{
    public uint Number => number;

    public JournalFile Data => data;

    public JournalFile Index => index;

    public bool IsCurrent => data.IsLinked && index.IsLinked;

    public void Dispose()
    {
        data.Dispose();
        index.Dispose();
    }
}

/// <summary>Builds and reads the index of a segment: an array of u64 offsets; a last 0 (not the first entry) marks a finished segment (jlog-format sections 6 and 13).</summary>
internal static class SegmentIndex
{
    private const int Batch = 1024;

    /// <summary>Opens a segment with its index; <see langword="null"/> when the segment does not exist, or is empty and finished (it is removed then).</summary>
    public static OpenSegment? TryOpen(string directory, uint segment, Metastore metastore)
    {
        var data = JournalFile.TryOpen(Layout.SegmentPath(directory, segment), create: false, JournalError.SegmentOpen);
        if (data is null)
            return null;
        try
        {
            if (segment < metastore.ActiveSegment && data.Length == 0)
            {
                File.Delete(Layout.SegmentPath(directory, segment));
                File.Delete(Layout.IndexPath(directory, segment));
                data.Dispose();
                return null;
            }
            return new(segment, data, JournalFile.TryOpen(Layout.IndexPath(directory, segment), create: true, JournalError.IndexOpen)!);
        }
        catch
        {
            data.Dispose();
            throw;
        }
    }

    /// <summary>Indexes what has been appended since. A bad index is thrown away and rebuilt: markers depend on the data alone.</summary>
    /// <exception cref="JournalException">The segment is finished and damaged (<see cref="JournalError.SegmentCorrupt"/>): it needs a repair.</exception>
    public static IndexState Resync(OpenSegment segment, Metastore metastore)
    {
        using var held = segment.Index.Lock();
        return TryResync(segment, metastore, out var state)
            ? state
            : Rebuild(segment, metastore);
    }

    /// <summary>Throws the index away and builds it anew. The caller holds the lock of the index.</summary>
    public static IndexState Rebuild(OpenSegment segment, Metastore metastore)
    {
        segment.Index.Truncate(0);
        return TryResync(segment, metastore, out var state)
            ? state
            : throw new JournalException(JournalError.IndexCorrupt, $"'{segment.Index.Path}' does not stay as it is written; is another program changing it?");
    }

    private static bool TryResync(OpenSegment segment, Metastore metastore, out IndexState state)
    {
        state = default;
        for (var attempt = 0; ; attempt++)
        {
            var length = segment.Data.Length;
            var indexLength = segment.Index.Length;
            if (indexLength % 8 != 0)
                return false;
            var entries = indexLength / 8;
            Span<byte> last = stackalloc byte[8];
            long position = 0;
            using var walk = new SegmentWalk(segment.Data, metastore.Layout, length);
            if (entries > 0)
            {
                if (segment.Index.Read(last, indexLength - 8) != 8)
                    return false;
                var entry = BinaryPrimitives.ReadUInt64LittleEndian(last);
                if (entry == 0 && entries > 1)
                {
                    state = new((uint)(entries - 1), Closed: true, Damaged: false);
                    return true;
                }
                if (entry > (ulong)length || (entries == 1 && entry != 0))
                    return false;
                if (!walk.IsPlausible((long)entry, out var header))
                    return false;
                position = walk.End((long)entry, header);
                if (position > length)
                    return false;
            }
            var damaged = !Append(segment, walk, metastore.Layout, ref position, ref entries);
            if (segment.Number >= metastore.ActiveSegment)
            {
                state = new((uint)entries, Closed: false, damaged);
                return true;
            }
            if (segment.Data.Length != length && attempt == 0)
                continue;
            if (damaged || position != length)
                throw new JournalException(JournalError.SegmentCorrupt, $"Segment '{segment.Data.Path}' is damaged at octet {position} of {length}; repair the journal.");
            if (entries > 0)
            {
                segment.Index.Write(stackalloc byte[8], entries * 8);
                state = new((uint)entries, Closed: true, Damaged: false);
            }
            return true;
        }
    }

    /// <summary>Indexes whole records from <paramref name="position"/> on. <see langword="false"/> when a wrong magic ended the walk.</summary>
    private static bool Append(OpenSegment segment, SegmentWalk walk, RecordLayout layout, ref long position, ref long entries)
    {
        Span<byte> batch = stackalloc byte[Batch * 8];
        var count = 0;
        var sound = true;
        while (walk.TryRead(position, out var header))
        {
            if (header.Magic != layout.Magic)
            {
                sound = false;
                break;
            }
            var end = walk.End(position, header);
            if (end > walk.Length)
                break;
            BinaryPrimitives.WriteInt64LittleEndian(batch[(count * 8)..], position);
            position = end;
            if (++count == Batch)
            {
                segment.Index.Write(batch, entries * 8);
                entries += count;
                count = 0;
            }
        }
        if (count > 0)
        {
            segment.Index.Write(batch[..(count * 8)], entries * 8);
            entries += count;
        }
        return sound;
    }
}
