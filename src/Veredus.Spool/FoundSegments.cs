namespace Veredus.Spool;

/// <param name="Limit">Up to where its records count.</param>
/// <param name="SyncedEnd">Up to where a later segment says that it was durable.</param>
internal sealed record FoundSegment(Segment Segment, SegmentHeader Header, int Limit, int SyncedEnd)
{
    /// <summary>What it holds, if that had to be read already.</summary>
    public SegmentContents? Contents { get; set; }

    /// <summary>What it holds: by its index, or else by reading it.</summary>
    public SegmentContents Read(IDisk disk, out bool isIndexed)
    {
        var index = Contents is null ? SegmentIndex.TryRead(disk, Segment.Path, Segment.Number) : null;
        isIndexed = index is not null;
        return Contents ?? index ?? SegmentScan.Read(Segment.File, Segment.Number, Limit, SyncedEnd);
    }
}

/// <summary>The segment files that an earlier process left, by their headers.</summary>
internal sealed record FoundSegments(IReadOnlyList<FoundSegment> Used, IReadOnlyList<(IDiskFile File, string Path, int Size)> Free, uint NextNumber, uint LastSlot)
{
    /// <param name="repair">Clean up what a crash left and set aside what is damaged; otherwise only look.</param>
    public static FoundSegments Read(IDisk disk, string spoolBase, Guid spool, Quarantine quarantine, bool repair)
    {
        var directory = Path.Combine(spoolBase, SpoolFormat.Segments);
        var opened = new List<(IDiskFile File, string Path, SegmentHeader Header)>();
        var numbers = new HashSet<uint>();
        foreach (var name in disk.List(directory).Order(StringComparer.Ordinal))
        {
            var path = Path.Combine(directory, name);
            if (name.EndsWith(SegmentPool.UnfinishedExtension, StringComparison.Ordinal))
            {
                if (repair)
                    disk.Delete(path);
            }
            else if (name.EndsWith(SegmentPool.Extension, StringComparison.Ordinal))
            {
                var file = disk.Open(path, writable: repair);
                var octets = new byte[SegmentHeader.Size];
                var complaint = !SegmentHeader.TryRead(octets.AsSpan(0, ReadHeader(file, octets)), path, out var header) ? "has no valid header"
                    : header.Spool != spool ? "belongs to another spool"
                    : header.FileSize != file.Length ? $"should be {header.FileSize} octets long, but is {file.Length}"
                    : header.Number != 0 && !numbers.Add(header.Number) ? $"has the number {header.Number} of another segment"
                    : null;
                if (complaint is null)
                {
                    opened.Add((file, path, header));
                    continue;
                }
                file.Dispose();
                if (repair)
                    quarantine.MoveAside(path, $"Segment file '{path}' {complaint}.");
            }
        }
        return Sort(disk, opened);
    }

    private static int ReadHeader(IDiskFile file, byte[] octets)
    {
        try
        {
            return file.Read(octets, 0);
        }
        catch (DiskException)
        {
            return 0;  // unreadable is as good as no header
        }
    }

    private static FoundSegments Sort(IDisk disk, List<(IDiskFile File, string Path, SegmentHeader Header)> opened)
    {
        var ends = opened.Where(file => file.Header is { Number: not 0, PreviousNumber: not 0 })
            .GroupBy(file => file.Header.PreviousNumber).ToDictionary(next => next.Key, next => next.Max(file => file.Header.PreviousEnd));
        var used = new List<FoundSegment>();
        var lastSlot = opened.Select(file => file.Header.LastSlot).DefaultIfEmpty().Max();
        foreach (var (file, path, header) in opened.Where(file => file.Header.Number != 0).OrderBy(file => file.Header.Number))
        {
            var hasNext = ends.TryGetValue(header.Number, out var end);
            var segment = new Segment(header.Number, file, path, header.FileSize) { Sealed = true };
            var found = new FoundSegment(segment, header, hasNext ? end : header.FileSize, hasNext ? end : 0);
            used.Add(found);
            if (hasNext)
                continue;
            // Nothing later says which IDs it used.
            found.Contents = found.Read(disk, out _);
            foreach (var record in found.Contents)
            {
                if (record.Header.Type is RecordType.Envelope)
                    lastSlot = Math.Max(lastSlot, new MessageId(record.Header.Id).Slot);
            }
        }
        var highest = opened.Select(file => Math.Max(file.Header.Number, file.Header.PreviousNumber)).DefaultIfEmpty().Max();
        return new(used, [.. opened.Where(file => file.Header.Number == 0).Select(file => (file.File, file.Path, file.Header.FileSize))], highest + 1, lastSlot);
    }
}
