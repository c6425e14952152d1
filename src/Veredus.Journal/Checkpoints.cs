using System.Buffers.Binary;
using Veredus.Journal.Native;

namespace Veredus.Journal;

/// <summary>The checkpoint files <c>cp.*</c>: 0 segment u32 · 4 marker u32, the last record that a subscriber has acknowledged.</summary>
internal static class Checkpoints
{
    public const int Size = 8;

    /// <summary>Reads under the lock of the file; <see langword="null"/> for a file that is too short.</summary>
    public static RecordId? Read(JournalFile file)
    {
        using var held = file.Lock();
        return ReadLocked(file);
    }

    public static void Write(JournalFile file, RecordId id)
    {
        Span<byte> bytes = stackalloc byte[Size];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, id.Segment);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], id.Marker);
        file.Write(bytes, 0);
    }

    /// <summary>Stores a checkpoint and removes the segments between the old and the new one that nobody needs any more (section 16).</summary>
    public static void Set(JournalFile file, RecordId id, string directory, JournalSafety safety)
    {
        RecordId old;
        using (file.Lock())
        {
            old = ReadLocked(file) ?? new(id.Segment, 0);
            if (old == id)
                return;
            Write(file, id);
            if (safety != JournalSafety.Unsafe)
                file.Sync();
        }
        if (id.Segment <= old.Segment)
            return;
        var needed = LowestNeeded(directory);
        foreach (var segment in Layout.Segments(directory))
        {
            if (segment >= old.Segment && segment < id.Segment && segment < needed)
                Delete(directory, segment);
        }
    }

    /// <summary>The lowest segment that any subscriber still needs; 0 when a checkpoint can't be read, so that it pins everything; <see cref="ulong.MaxValue"/> without subscribers.</summary>
    public static ulong LowestNeeded(string directory)
    {
        var lowest = ulong.MaxValue;
        foreach (var (_, position) in All(directory))
            lowest = Math.Min(lowest, position?.Segment ?? 0);
        return lowest;
    }

    /// <summary>Every subscriber with its checkpoint, in the order of the directory; no checkpoint where the file is too short.</summary>
    public static IEnumerable<(string Subscriber, RecordId? Position)> All(string directory)
    {
        foreach (var path in Directory.EnumerateFiles(directory, Layout.CheckpointPrefix + "*"))
        {
            if (Layout.SubscriberOf(Path.GetFileName(path.AsSpan())) is not { } subscriber)
                continue;
            using var file = JournalFile.TryOpen(path, create: false, JournalError.Checkpoint);
            if (file is not null)
                yield return (subscriber, Read(file));
        }
    }

    /// <summary>Removes a segment, data first: an index without data is never asked for.</summary>
    public static void Delete(string directory, uint segment)
    {
        File.Delete(Layout.SegmentPath(directory, segment));
        File.Delete(Layout.IndexPath(directory, segment));
    }

    private static RecordId? ReadLocked(JournalFile file)
    {
        Span<byte> bytes = stackalloc byte[Size];
        return file.Read(bytes, 0) == Size
            ? new(BinaryPrimitives.ReadUInt32LittleEndian(bytes), BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]))
            : null;
    }
}
