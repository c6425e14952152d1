using System.Text;

namespace Veredus.Setup;

/// <summary>
/// Files to be written together: all of them, or none. Each gets its content beside its place first; only when all are on the disk do they take
/// their names. Whatever fails or is interrupted before leaves nothing behind, and what was replaced comes back.
/// </summary>
internal sealed class FileChanges
{
    public const UnixFileMode Open = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    public const UnixFileMode Secret = UnixFileMode.UserRead;
    public const UnixFileMode Shared = UnixFileMode.UserRead | UnixFileMode.GroupRead;
    private const UnixFileMode DirectoryMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private sealed record Change(string Path, byte[] Content, UnixFileMode Mode, string What, string? Group);

    private readonly List<Change> _changes = [];

    public int Count => _changes.Count;

    /// <summary>One line for each file: what happens to it, and what is in it.</summary>
    public IEnumerable<string> Describe() => _changes.Select(change =>
        $"{(File.Exists(change.Path) ? "replace" : "write  ")} {change.Path}  {Convert.ToString((int)change.Mode, 8)}  {change.What}");

    /// <param name="what">In a few words, for the plan.</param>
    /// <param name="group">Unix group that the file belongs to; <see langword="null"/>: the writer's.</param>
    public void Add(string path, string content, UnixFileMode mode, string what, string? group = null) => Add(path, Encoding.UTF8.GetBytes(content), mode, what, group);

    public void Add(string path, byte[] content, UnixFileMode mode, string what, string? group = null)
    {
        if (!File.Exists(path) || !File.ReadAllBytes(path).AsSpan().SequenceEqual(content))
            _changes.Add(new(path, content, mode, what, group));
    }

    /// <exception cref="IOException">A file cannot be written; then all is as before.</exception>
    public void Apply(CancellationToken cancellationToken)
    {
        var (created, made, replaced) = (new List<string>(), new List<string>(), new List<(string Path, byte[]? Before, UnixFileMode Mode)>());
        try
        {
            foreach (var change in _changes)
            {
                cancellationToken.ThrowIfCancellationRequested();
                MakeDirectory(Path.GetDirectoryName(change.Path)!, made);
                created.Add(Temporary(change.Path));
                Write(change);
            }
            foreach (var change in _changes)
            {
                cancellationToken.ThrowIfCancellationRequested();
                replaced.Add(File.Exists(change.Path) ? (change.Path, File.ReadAllBytes(change.Path), File.GetUnixFileMode(change.Path)) : (change.Path, null, default));
                File.Move(Temporary(change.Path), change.Path, overwrite: true);
            }
        }
        catch (Exception e)
        {
            foreach (var (path, before, mode) in replaced)
                Restore(path, before, mode);
            foreach (var path in created)
                File.Delete(path);
            foreach (var directory in Enumerable.Reverse(made))
                Directory.Delete(directory);
            throw e is UnauthorizedAccessException ? new IOException(e.Message, e) : e;
        }
    }

    private static string Temporary(string path) => $"{path}.new";

    private static void Write(Change change)
    {
        File.Delete(Temporary(change.Path));
        using var file = new FileStream(Temporary(change.Path), new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
        file.Write(change.Content);
        file.Flush(flushToDisk: true);
        if (change.Group is { } group)
            UnixGroup.Give(Temporary(change.Path), group);
        File.SetUnixFileMode(file.SafeFileHandle, change.Mode);
    }

    private static void Restore(string path, byte[]? before, UnixFileMode mode)
    {
        File.Delete(path);
        if (before is null)
            return;
        File.WriteAllBytes(path, before);
        File.SetUnixFileMode(path, mode);
    }

    private static void MakeDirectory(string directory, List<string> made)
    {
        if (directory.Length == 0 || Directory.Exists(directory))
            return;
        MakeDirectory(Path.GetDirectoryName(directory) ?? "", made);
        Directory.CreateDirectory(directory, DirectoryMode);
        made.Add(directory);
    }
}
