using System.Text;

namespace Veredus.Spool;

/// <summary>The file <c>spool.format</c>: says that a directory is a spool of ours, in which version, and gives it an identity.</summary>
internal static class SpoolFormat
{
    private const string Name = "spool.format", Magic = "veredus-spool", Version = "1";

    /// <summary>Directories of a spool base.</summary>
    public const string Segments = "segments", Large = "large", Corrupt = "corrupt", Import = "import";

    private static readonly HashSet<string> Ours = [Name, Name + SegmentPool.UnfinishedExtension, "spool.lock", HandOverMarks.Name, HandOverMarks.Name + ".new", Segments, Large, Corrupt, Import, "lost+found"];

    /// <summary>Checks an existing spool, or makes a new one in an empty directory. The lock is held.</summary>
    /// <exception cref="SpoolFormatException">Foreign, newer or damaged.</exception>
    public static Guid OpenOrCreate(IDisk disk, string spoolBase)
    {
        if (TryRead(disk, spoolBase) is { } id)
        {
            MakeDirectories(disk, spoolBase);
            return id;
        }
        RefuseForeign(disk, spoolBase);
        if (disk.List(Path.Combine(spoolBase, Segments)) is [var left, ..])
            throw new SpoolFormatException($"spool: '{spoolBase}' has lost its file '{Name}' but still holds '{Segments}/{left}'. Restore the file from a backup, or move '{Segments}' away.");
        MakeDirectories(disk, spoolBase);
        id = Guid.NewGuid();
        var path = Path.Combine(spoolBase, Name);
        var unfinished = path + SegmentPool.UnfinishedExtension;
        if (disk.Exists(unfinished))
            disk.Delete(unfinished);
        using (var file = disk.Create(unfinished))
        {
            file.Write(Encoding.ASCII.GetBytes($"{Magic} {Version}\nid {id}\n"), 0);
            file.Sync();
        }
        disk.Move(unfinished, path);
        disk.SyncDirectory(spoolBase);
        return id;
    }

    /// <summary>The identity of the spool at <paramref name="spoolBase"/>, or <see langword="null"/> if there is no format file.</summary>
    /// <exception cref="SpoolFormatException">Newer or damaged.</exception>
    public static Guid? TryRead(IDisk disk, string spoolBase)
    {
        var path = Path.Combine(spoolBase, Name);
        if (!disk.Exists(path))
            return null;
        using var file = disk.Open(path, writable: false);
        var octets = new byte[256];
        var lines = Encoding.ASCII.GetString(octets.AsSpan(0, file.Read(octets, 0))).Split('\n');
        if (lines is not [var first, var second, ..] || first.Split(' ') is not [Magic, var version])
            throw new SpoolFormatException($"spool: '{spoolBase}' is no Veredus spool, or damaged: its file '{Name}' begins with '{Shown(lines[0])}' where '{Magic} {Version}' is wanted.");
        if (version != Version)
            throw new SpoolFormatException($"spool: '{spoolBase}' has format {Shown(version)}; this version reads format {Version}. Use the version that wrote it.");
        return second.Split(' ') is ["id", var text] && Guid.TryParse(text, out var id)
            ? id
            : throw new SpoolFormatException($"spool: '{path}' has no line 'id GUID'; it is damaged. Restore it from a backup.");
    }

    /// <summary>Looks whether <see cref="OpenOrCreate"/> would refuse what is there, without the lock: not even that is put into a directory that is not ours.</summary>
    /// <exception cref="SpoolFormatException">Foreign, newer or damaged.</exception>
    public static void Check(IDisk disk, string spoolBase)
    {
        if (TryRead(disk, spoolBase) is null)
            RefuseForeign(disk, spoolBase);
        else
            RefuseNewerSegments(disk, Path.Combine(spoolBase, Segments));
    }

    private static void RefuseNewerSegments(IDisk disk, string directory)
    {
        foreach (var name in disk.List(directory).Where(name => name.EndsWith(SegmentPool.Extension, StringComparison.Ordinal)))
        {
            try
            {
                using var file = disk.Open(Path.Combine(directory, name), writable: false);
                var header = new byte[SegmentHeader.Size];
                SegmentHeader.TryRead(header.AsSpan(0, file.Read(header, 0)), Path.Combine(directory, name), out _);
            }
            catch (DiskException)
            {
                // It went meanwhile, for the spool has an owner; or it cannot be read, which is looked at with the lock.
            }
        }
    }

    private static void RefuseForeign(IDisk disk, string spoolBase)
    {
        var foreign = disk.List(spoolBase).Concat(disk.ListDirectories(spoolBase)).FirstOrDefault(name => !Ours.Contains(name) && !name.StartsWith("spool.renewed-", StringComparison.Ordinal) && !name.StartsWith("moves.ledger", StringComparison.Ordinal) && !name.StartsWith("deliveries.doubt", StringComparison.Ordinal));
        if (foreign is not null)
            throw new SpoolFormatException($"spool: '{spoolBase}' is no Veredus spool and not empty (it holds '{foreign}'). Set spoolbase to an empty directory of its own.");
    }

    /// <summary>The begin of a line of unknown origin, so that it can stand in one of ours.</summary>
    private static string Shown(string line)
    {
        const int most = 40;
        var shown = string.Concat(line.Select(letter => letter is >= ' ' and <= '~' ? letter : '?'));
        return shown.Length <= most ? shown : shown[..most] + "...";
    }

    private static void MakeDirectories(IDisk disk, string spoolBase)
    {
        foreach (var name in (string[])[Segments, Large, Corrupt, Import])
            disk.CreateDirectory(Path.Combine(spoolBase, name));
        disk.SyncDirectory(spoolBase);
    }
}
