namespace Veredus.Spool;

/// <summary>The directory of bodies that have files of their own.</summary>
internal sealed class LargeBodies(IDisk disk, string directory, uint epoch)
{
    private int _next;

    public LargeBodyFile Create() => new(disk, directory, (ulong)epoch << 32 | (uint)Interlocked.Increment(ref _next));

    public string PathOf(ulong number) => LargeBodyFile.PathOf(directory, number);

    public IDiskFile Open(ulong number) => disk.Open(PathOf(number), writable: false);

    /// <summary>Deletes files that no message needs; one that stays is an orphan for the next start.</summary>
    public void Delete(List<LargeStoredBody> bodies)
    {
        foreach (var body in bodies)
            TryDelete(PathOf(body.FileNumber));
    }

    /// <summary>Deletes what an earlier process left and no message needs.</summary>
    public void DeleteOrphans(IReadOnlySet<ulong> needed)
    {
        foreach (var name in disk.List(directory))
        {
            if (name.EndsWith(".body", StringComparison.Ordinal) && ulong.TryParse(name.AsSpan(0, name.Length - 5), System.Globalization.NumberStyles.HexNumber, null, out var number)
                && number >> 32 < epoch && !needed.Contains(number))
                TryDelete(Path.Combine(directory, name));
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
            // Found again by the next start.
        }
    }
}
