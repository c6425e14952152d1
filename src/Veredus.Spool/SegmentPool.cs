namespace Veredus.Spool;

/// <summary>The segment files: makes them, lends them out under ever new numbers, and takes them back for reuse.</summary>
/// <remarks>
/// Files are written full of zeros before use: a sync of blocks that exist is about twice as fast as one that must also record new
/// ones (docs/decisions/0030), and a full disk is found here, not in the middle of a message. One file is kept back from mail, so that
/// removals can be recorded, and space given free, on a full disk. Thread-safe.
/// </remarks>
internal sealed class SegmentPool(IDisk disk, string directory, int segmentBytes, Guid spool, uint nextNumber)
{
    /// <summary>Free files kept ready; more are deleted.</summary>
    private const int KeptFree = 8, Ready = 2, ZeroBlock = 1 << 20;

    public const string Extension = ".seg", UnfinishedExtension = ".new";

    private readonly Lock _lock = new();
    private readonly Stack<(IDiskFile File, string Path)> _free = [];
    private uint _nextNumber = nextNumber;
    private uint _nextFile = 1;

    public int FreeCount
    {
        get
        {
            lock (_lock)
                return _free.Count;
        }
    }

    /// <summary>Takes in a free file found at start; one of another size (the setting has changed) is deleted.</summary>
    public void AddFree(IDiskFile file, string path, int size)
    {
        lock (_lock)
        {
            if (size == segmentBytes && _free.Count < KeptFree)
            {
                _free.Push((file, path));
                return;
            }
        }
        file.Dispose();
        disk.Delete(path);
    }

    /// <summary>A segment with a fresh number that holds at least <paramref name="recordBytes"/> of records. Its header is durable: no record of a number exists without it.</summary>
    /// <param name="forMail">May not take the last free file.</param>
    /// <exception cref="DiskException">No room, or the disk failed.</exception>
    public Segment Take(int recordBytes, bool forMail, uint lastSlot, Segment? previous)
    {
        var size = Math.Max(segmentBytes, recordBytes + SegmentHeader.FirstRecord);
        lock (_lock)
        {
            var (file, path) = size > segmentBytes ? MakeFile(size) : TakeFree(forMail);
            var number = _nextNumber++;
            try
            {
                WriteHeader(file, new(number, size, lastSlot, previous?.Number ?? 0, previous?.End ?? 0, spool));
                file.Sync();
            }
            catch (DiskException e)
            {
                // The header may have got there, and says where the segment before it ends: nothing may be added to that any more.
                throw new DiskException(DiskError.Failed, e.Message, e);
            }
            return new(number, file, path, size) { End = SegmentHeader.FirstRecord, SyncedEnd = SegmentHeader.FirstRecord };
        }
    }

    /// <summary>Makes files ahead of need; for the background.</summary>
    public void Prepare()
    {
        while (FreeCount < Ready)
        {
            var made = MakeFile(segmentBytes);
            AddFree(made.File, made.Path, segmentBytes);
        }
    }

    /// <summary>Marks a segment's file as free, durably: from then on nothing in it counts. Then keeps or deletes it.</summary>
    public void GiveBack(Segment segment, uint lastSlot)
    {
        WriteHeader(segment.File, new(0, segment.Size, lastSlot, _nextNumber - 1, 0, spool));
        segment.File.Sync();
        lock (_lock)
        {
            if (segment.Size == segmentBytes && _free.Count < KeptFree)
            {
                _free.Push((segment.File, segment.Path));
                return;
            }
        }
        segment.File.Dispose();
        disk.Delete(segment.Path);
    }

    public void Dispose()
    {
        lock (_lock)
        {
            foreach (var (file, _) in _free)
                file.Dispose();
            _free.Clear();
        }
    }

    private (IDiskFile File, string Path) TakeFree(bool forMail)
    {
        while (_free.Count < (forMail ? 2 : 1))
            _free.Push(MakeFile(segmentBytes));
        return _free.Pop();
    }

    private (IDiskFile File, string Path) MakeFile(int size)
    {
        string path;
        lock (_lock)
        {
            do
                path = System.IO.Path.Combine(directory, $"{_nextFile++:x8}{Extension}");
            while (disk.Exists(path));
        }
        var unfinished = path + UnfinishedExtension;
        var file = disk.Create(unfinished);
        try
        {
            var zeros = new byte[Math.Min(size, ZeroBlock)];
            for (var offset = 0; offset < size; offset += zeros.Length)
                file.Write(zeros.AsSpan(0, Math.Min(zeros.Length, size - offset)), offset);
            WriteHeader(file, new(0, size, 0, 0, 0, spool));
            file.Sync();
            disk.Move(unfinished, path);
            disk.SyncDirectory(directory);
            return (file, path);
        }
        catch (DiskException)
        {
            file.Dispose();
            TryDelete(unfinished);
            throw;
        }
    }

    private void TryDelete(string path)
    {
        try
        {
            disk.Delete(path);
        }
        catch (DiskException)
        {
            // The next start deletes it.
        }
    }

    private static void WriteHeader(IDiskFile file, in SegmentHeader header)
    {
        Span<byte> octets = stackalloc byte[SegmentHeader.Size];
        header.Write(octets);
        file.Write(octets, 0);
    }
}
