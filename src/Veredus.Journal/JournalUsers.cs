using System.Globalization;

namespace Veredus.Journal;

/// <summary>A process that has files of a journal open.</summary>
/// <param name="Name">As the kernel shows it; at most 15 characters.</param>
public readonly record struct JournalUser(int ProcessId, string Name)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"process {ProcessId} ({Name})");
}

/// <summary>Who uses a journal now: writers and readers keep its metastore open.</summary>
public static class JournalUsers
{
    /// <summary>Every other process with an open file in the directory, as far as this user may see it: all of them for root, else one's own.</summary>
    public static IReadOnlyList<JournalUser> Find(string directory)
    {
        var prefix = Path.TrimEndingDirectorySeparator(new DirectoryInfo(directory).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? Path.GetFullPath(directory)) + "/";
        var found = new List<JournalUser>();
        foreach (var process in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(process.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var id) && id != Environment.ProcessId && HasOpen(process, prefix))
                found.Add(new(id, NameOf(process)));
        }
        return found;
    }

    private static bool HasOpen(string process, string prefix)
    {
        try
        {
            foreach (var link in Directory.EnumerateFileSystemEntries(Path.Join(process, "fd")))
            {
                if (TargetOf(link)?.StartsWith(prefix, StringComparison.Ordinal) == true)
                    return true;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Ended meanwhile, or another user's.
        }
        return false;
    }

    private static string? TargetOf(string link)
    {
        try
        {
            return new FileInfo(link).LinkTarget;
        }
        catch (IOException)
        {
            return null;  // closed meanwhile
        }
    }

    private static string NameOf(string process)
    {
        try
        {
            return File.ReadAllText(Path.Join(process, "comm")).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "?";
        }
    }
}
