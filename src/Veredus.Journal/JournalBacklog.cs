using Veredus.Journal.Native;

namespace Veredus.Journal;

/// <summary>What waits for one subscriber of a journal.</summary>
/// <param name="Position">Its checkpoint; <see langword="null"/> when the file is damaged, which pins everything.</param>
/// <param name="Bytes">Octets of data behind the checkpoint, record headers included.</param>
/// <param name="OldestUnixMicroseconds">When the first record that waits was written, microseconds since 1970 UTC; <see langword="null"/> when nothing waits.</param>
public readonly record struct SubscriberBacklog(string Subscriber, RecordId? Position, long Bytes, long? OldestUnixMicroseconds);

/// <summary>Looks at a journal in use without becoming one of its readers: what waits for whom. Changes nothing.</summary>
public static class JournalBacklog
{
    /// <summary>Every subscriber, in the order of their names.</summary>
    /// <exception cref="JournalException">No journal there, or damaged.</exception>
    public static IReadOnlyList<SubscriberBacklog> Read(string directory)
    {
        using var metastore = Metastore.Open(directory);
        var segments = new List<(uint Number, long Bytes)>();
        foreach (var number in Layout.Segments(directory))
        {
            if (new FileInfo(Layout.SegmentPath(directory, number)) is { Exists: true } file)
                segments.Add((number, file.Length));
        }
        return [.. Checkpoints.All(directory).OrderBy(entry => entry.Subscriber, StringComparer.Ordinal)
            .Select(entry => Of(directory, metastore.Layout, segments, entry.Subscriber, entry.Position))];
    }

    private static SubscriberBacklog Of(string directory, RecordLayout layout, List<(uint Number, long Bytes)> segments, string subscriber, RecordId? position)
    {
        var at = position ?? default;
        long waiting = 0;
        long? oldest = null;
        foreach (var (number, bytes) in segments.Where(segment => segment.Number >= at.Segment))
        {
            var from = number == at.Segment ? Math.Min(bytes, EndOf(directory, layout, at)) : 0;
            waiting += bytes - from;
            if (oldest is null && bytes > from)
                oldest = TimeOf(directory, layout, number, from);
        }
        return new(subscriber, position, waiting, oldest);
    }

    /// <summary>Where a record ends; 0 when that can't be told without building an index.</summary>
    private static long EndOf(string directory, RecordLayout layout, RecordId id)
    {
        if (id.Marker == 0)
            return 0;
        using var index = JournalFile.TryOpen(Layout.IndexPath(directory, id.Segment), create: false, JournalError.IndexOpen);
        Span<byte> entry = stackalloc byte[8];
        if (index is null || index.Read(entry, (id.Marker - 1L) * 8) < 8)
            return 0;
        var offset = BitConverter.ToInt64(entry);
        return ReadHeader(directory, layout, id.Segment, offset) is { } header ? offset + layout.HeaderSize + header.StoredLength : 0;
    }

    private static long? TimeOf(string directory, RecordLayout layout, uint segment, long offset) =>
        ReadHeader(directory, layout, segment, offset) is { } header ? (header.Seconds * 1_000_000L) + header.Microseconds : null;

    private static RecordHeader? ReadHeader(string directory, RecordLayout layout, uint segment, long offset)
    {
        using var data = JournalFile.TryOpen(Layout.SegmentPath(directory, segment), create: false, JournalError.SegmentOpen);
        Span<byte> bytes = stackalloc byte[20];
        if (data is null || offset < 0 || data.Read(bytes[..layout.HeaderSize], offset) < layout.HeaderSize)
            return null;
        var header = RecordHeader.Read(bytes, layout);
        return header.Magic == layout.Magic ? header : null;
    }
}
