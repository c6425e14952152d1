namespace Veredus.Spool;

/// <summary>Keeps copies of damaged places in <c>corrupt/</c>, counts them and tells the operator, once per place. Nothing is ever deleted there.</summary>
/// <param name="directory"><see langword="null"/>: only count.</param>
internal sealed class Quarantine(IDisk disk, string? directory, Action<string>? notice)
{
    private const int MaxCopy = 16 << 20;

    private readonly HashSet<string> _seen = [];
    private long _count;

    public long Count => Interlocked.Read(ref _count);

    public void SetAside(Segment segment, int offset, int length, string reason)
    {
        var name = $"{Path.GetFileNameWithoutExtension(segment.Path)}-{segment.Number}-{offset}.bin";
        if (!FirstTime(name))
            return;
        if (directory is null)
        {
            Interlocked.Increment(ref _count);
            return;
        }
        var octets = new byte[Math.Min(length, MaxCopy)];
        try
        {
            segment.File.Read(octets, offset);
        }
        catch (DiskException)
        {
            // What cannot be read is zeros in the copy; the notice names the place.
        }
        Keep(name, octets, $"{reason} Segment {segment.Number}, {length} octets at {offset} of '{segment.Path}'.");
    }

    /// <summary>Moves a whole file there.</summary>
    public void MoveAside(string path, string reason)
    {
        var target = Path.Combine(directory!, Path.GetFileName(path));
        for (var i = 1; disk.Exists(target); i++)
            target = Path.Combine(directory!, $"{Path.GetFileName(path)}.{i}");
        disk.Move(path, target);
        disk.SyncDirectory(directory!);
        Interlocked.Increment(ref _count);
        notice?.Invoke($"spool: {reason} Moved to '{target}'.");
    }

    private bool FirstTime(string name)
    {
        lock (_seen)
            return _seen.Add(name);
    }

    private void Keep(string name, ReadOnlySpan<byte> octets, string reason)
    {
        Interlocked.Increment(ref _count);
        var path = Path.Combine(directory!, name);
        try
        {
            if (!disk.Exists(path))
            {
                using var file = disk.Create(path);
                file.Write(octets, 0);
                file.Sync();
                disk.SyncDirectory(directory!);
            }
            notice?.Invoke($"spool: {reason} A copy is in '{path}'.");
        }
        catch (DiskException e)
        {
            notice?.Invoke($"spool: {reason} No copy could be made: {e.Message}");
        }
    }
}
