namespace Veredus.Spool;

/// <summary>The directory of bodies that have files of their own.</summary>
internal sealed class LargeBodies
{
    private const string Extension = ".body";

    private readonly IDisk _disk;
    private readonly string _directory;
    private readonly ulong _firstOwn;
    private ulong _last;

    /// <param name="epoch">Higher than what any record found at start names; a file of this epoch may be there all the same, made just before a crash.</param>
    public LargeBodies(IDisk disk, string directory, uint epoch)
    {
        (_disk, _directory) = (disk, directory);
        _last = Numbers().Append((ulong)epoch << 32).Max();
        _firstOwn = _last + 1;
    }

    public LargeBodyFile Create() => new(_disk, _directory, Interlocked.Increment(ref _last));

    public string PathOf(ulong number) => LargeBodyFile.PathOf(_directory, number);

    public IDiskFile Open(ulong number) => _disk.Open(PathOf(number), writable: false);

    /// <summary>Deletes files that no message needs; one that stays is an orphan for the next start.</summary>
    public void Delete(List<LargeStoredBody> bodies)
    {
        foreach (var body in bodies)
            TryDelete(PathOf(body.FileNumber));
    }

    /// <summary>Deletes what an earlier process left and no message needs.</summary>
    public void DeleteOrphans(IReadOnlySet<ulong> needed)
    {
        foreach (var number in Numbers().Where(number => number < _firstOwn && !needed.Contains(number)))
            TryDelete(PathOf(number));
    }

    private IEnumerable<ulong> Numbers()
    {
        foreach (var name in _disk.List(_directory))
        {
            if (name.EndsWith(Extension, StringComparison.Ordinal) && ulong.TryParse(name.AsSpan(0, name.Length - Extension.Length), System.Globalization.NumberStyles.HexNumber, null, out var number))
                yield return number;
        }
    }

    private void TryDelete(string path)
    {
        try
        {
            _disk.Delete(path);
        }
        catch (DiskException)
        {
            // Found again by the next start.
        }
    }
}
