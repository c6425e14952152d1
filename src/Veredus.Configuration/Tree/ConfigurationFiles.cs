using System.Text;

namespace Veredus.Configuration;

/// <summary>What stands at a path.</summary>
public enum FileKind
{
    Missing,
    File,
    Directory,
}

/// <summary>Where configuration files come from: the disk, or memory in tests.</summary>
public interface IConfigurationFiles
{
    FileKind Kind(string path);

    /// <summary>Names (without directory) of the regular files in a directory, in any order.</summary>
    /// <exception cref="IOException">Not readable.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission.</exception>
    IEnumerable<string> List(string directory);

    /// <summary>All octets of a file; at most <paramref name="limit"/> + 1 are read.</summary>
    /// <exception cref="IOException">Not readable.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission.</exception>
    byte[] Read(string path, int limit);

    /// <summary>The same text for all names of one file.</summary>
    string Identity(string path);
}

/// <summary>Files on disk.</summary>
public sealed class DiskFiles : IConfigurationFiles
{
    public static readonly DiskFiles Instance = new();

    public FileKind Kind(string path) => File.Exists(path) ? FileKind.File : Directory.Exists(path) ? FileKind.Directory : FileKind.Missing;

    public IEnumerable<string> List(string directory) => Directory.EnumerateFiles(directory).Select(path => Path.GetFileName(path));

    public byte[] Read(string path, int limit)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1);
        using var content = new MemoryStream();
        var buffer = new byte[64 * 1024];
        int read;
        while (content.Length <= limit && (read = file.Read(buffer)) > 0)
            content.Write(buffer, 0, read);
        return content.ToArray();
    }

    public string Identity(string path)
    {
        var full = Path.GetFullPath(path);
        return File.ResolveLinkTarget(full, returnFinalTarget: true)?.FullName ?? full;
    }
}

/// <summary>Files in memory, by path.</summary>
public sealed class MemoryFiles(IReadOnlyDictionary<string, string> files) : IConfigurationFiles
{
    public FileKind Kind(string path) => files.ContainsKey(path) ? FileKind.File
        : files.Keys.Any(k => k.StartsWith(path.TrimEnd('/') + "/", StringComparison.Ordinal)) ? FileKind.Directory : FileKind.Missing;

    public IEnumerable<string> List(string directory)
    {
        var prefix = directory.TrimEnd('/') + "/";
        return files.Keys.Where(k => k.StartsWith(prefix, StringComparison.Ordinal)).Select(k => k[prefix.Length..]).Where(n => !n.Contains('/', StringComparison.Ordinal));
    }

    public byte[] Read(string path, int limit) => Encoding.UTF8.GetBytes(files[path]);

    public string Identity(string path) => path;
}
