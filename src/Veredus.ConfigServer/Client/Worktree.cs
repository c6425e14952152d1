namespace Veredus.ConfigServer;

/// <summary>Limits of what goes under version control.</summary>
public static class ConfigLimits
{
    /// <summary>Largest file, in octets.</summary>
    public const long MaxFileBytes = 16 * 1024 * 1024;
    /// <summary>Largest sum of the files that one commit brings, in octets.</summary>
    public const long MaxCommitBytes = 64 * 1024 * 1024;
    /// <summary>Most files of a working copy.</summary>
    public const int MaxFiles = 100_000;
}

/// <summary>A file found in a working copy.</summary>
/// <param name="Path">Relative, with '/'.</param>
/// <param name="Mode">100644, 100755 or 120000.</param>
public sealed record LocalFile(string Path, string Mode, long Size);

/// <summary>Looks at a working copy's files, and at paths that people give.</summary>
public static class Worktree
{
    /// <summary>The marker in a working copy that says which revisions it is; not under version control. It begins with a dot, so includes skip it.</summary>
    public const string MarkerName = ".eccfg";

    /// <summary>All files below a directory, in byte order.</summary>
    /// <param name="root">The working copy.</param>
    /// <param name="except">Names in the root that belong to others.</param>
    /// <exception cref="EccfgException">A link that leaves the tree, a device or socket, a file that is too large, a name that git can't keep.</exception>
    public static IReadOnlyList<LocalFile> Scan(string root, params string[] except)
    {
        var files = new List<LocalFile>();
        Scan(root, "", except, files);
        files.Sort((left, right) => string.CompareOrdinal(left.Path, right.Path));
        return files;
    }

    private static void Scan(string root, string below, string[] except, List<LocalFile> files)
    {
        foreach (var entry in new DirectoryInfo(Path.Combine(root, below)).EnumerateFileSystemInfos())
        {
            var path = below.Length == 0 ? entry.Name : $"{below}/{entry.Name}";
            if (below.Length == 0 && (entry.Name == MarkerName || except.Contains(entry.Name)))
                continue;
            if (entry.Name.Contains('\uFFFD', StringComparison.Ordinal) || entry.Name.AsSpan().ContainsAny('\n', '\0'))
                throw new EccfgException($"'{path}' has a name that is not UTF-8 or has a line break; rename it.");
            if (entry.Name == ".git")
                throw new EccfgException($"'{path}': a .git can't be part of the configuration; remove it.");
            if (entry.LinkTarget is { } target)
            {
                CheckLink(path, target);
                files.Add(new(path, "120000", target.Length));
            }
            else if (entry is DirectoryInfo)
                Scan(root, path, except, files);
            else
                files.Add(Describe((FileInfo)entry, path));
            if (files.Count > ConfigLimits.MaxFiles)
                throw new EccfgException($"{root} has more than {ConfigLimits.MaxFiles} files; is it the right directory?");
        }
    }

    private static LocalFile Describe(FileInfo file, string path)
    {
        if (!LinuxFiles.IsPlainFile(file.FullName))
            throw new EccfgException($"'{path}' is a device, a FIFO or a socket; only files, directories and links can be configuration.");
        if (file.Length > ConfigLimits.MaxFileBytes)
            throw new EccfgException($"'{path}' has {file.Length} octets; a file may have {ConfigLimits.MaxFileBytes}.");
        return new(path, (file.UnixFileMode & UnixFileMode.UserExecute) != 0 ? "100755" : "100644", file.Length);
    }

    /// <summary>Ends a link whose target is outside of the tree that holds it.</summary>
    /// <exception cref="EccfgException">It is.</exception>
    public static void CheckLink(string path, string target)
    {
        var depth = path.Count(c => c == '/');
        var outside = target.StartsWith('/');
        foreach (var part in target.Split('/'))
        {
            depth += part switch { ".." => -1, "" or "." => 0, _ => 1 };
            outside |= depth < 0;
        }
        if (outside)
            throw new EccfgException($"'{path}' is a link to '{target}', out of the tree; put the file itself there.");
    }

    /// <summary>A path in the working copy from what somebody typed: relative to the working copy, or absolute below it.</summary>
    /// <exception cref="EccfgException">Outside, or with '..'.</exception>
    public static string Inside(string workingCopy, string typed)
    {
        var path = typed;
        if (Path.IsPathRooted(typed))
        {
            var root = Path.GetFullPath(workingCopy).TrimEnd('/') + "/";
            path = typed.StartsWith(root, StringComparison.Ordinal) ? typed[root.Length..] : throw new EccfgException(EccfgExit.Usage, $"'{typed}' is not in {workingCopy}.");
        }
        var parts = path.Split('/').Where(part => part.Length > 0 && part != ".").ToList();
        if (parts.Count == 0 || parts.Any(part => part is ".." or ".git") || parts[0] == MarkerName || path.AsSpan().ContainsAny('\0', '\n'))
            throw new EccfgException(EccfgExit.Usage, $"'{typed}' is no path of the working copy: no '..', no '.git', not empty.");
        return string.Join('/', parts);
    }
}
