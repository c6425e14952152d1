using System.Text.Json;
using System.Text.Json.Serialization;

namespace Veredus.ConfigServer;

/// <summary>
/// What a working copy is: it lies in the copy itself as <c>.eccfg</c>, so files and revision are exchanged in one step. A reader
/// that finds the same marker before and after it has read the files has read one revision.
/// </summary>
/// <param name="Subcluster">The repository that the copy comes from, beside <c>global</c>.</param>
/// <param name="Base">Commit of the subcluster's files.</param>
/// <param name="GlobalBase">Commit of the files below <c>global/</c>.</param>
/// <param name="Deleted">Paths scheduled for removal.</param>
/// <param name="Conflicts">Files with unresolved conflicts after <c>pull --manual</c>.</param>
public sealed record Marker(string Subcluster, string Base, string GlobalBase, IReadOnlyList<string> Deleted, IReadOnlyList<string> Conflicts)
{
    public CommitId BaseOf(bool global) => new(global ? GlobalBase : Base);

    /// <summary>Reads a working copy's marker; null when there is no working copy.</summary>
    /// <exception cref="EccfgException">It is damaged.</exception>
    public static Marker? Read(string workingCopy)
    {
        var path = Path.Combine(workingCopy, Worktree.MarkerName);
        if (!File.Exists(path))
            return null;
        try
        {
            var marker = JsonSerializer.Deserialize(File.ReadAllBytes(path), MarkerJson.Default.Marker);
            return marker is { Subcluster: not null, Deleted: not null, Conflicts: not null } && CommitId.IsValid(marker.Base) && CommitId.IsValid(marker.GlobalBase)
                ? marker : throw new JsonException("a field is missing");
        }
        catch (JsonException exception)
        {
            throw new EccfgException($"The working copy is damaged ({path}: {exception.Message}); 'eccfg bootstrap --repair' makes a new one and keeps your changes.");
        }
    }

    /// <summary>As <see cref="Read"/>; null also for a damaged one.</summary>
    public static Marker? TryRead(string workingCopy)
    {
        try
        {
            return Read(workingCopy);
        }
        catch (Exception exception) when (exception is EccfgException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Writes it in place of the old one: whole before and whole after.</summary>
    public void Write(string workingCopy)
    {
        var path = Path.Combine(workingCopy, Worktree.MarkerName);
        AtomicFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(this, MarkerJson.Default.Marker), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(Marker))]
internal sealed partial class MarkerJson : JsonSerializerContext;

/// <summary>Files that are whole under their name at any moment.</summary>
internal static class AtomicFile
{
    public static void Write(string path, ReadOnlySpan<byte> content, UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite)
    {
        // The dot keeps it out of directory includes and of scans while it is there.
        var temporary = Path.Combine(Path.GetDirectoryName(path)!, $".{Path.GetFileName(path).TrimStart('.')}.{Environment.ProcessId}.tmp");
        File.Delete(temporary);
        using (var file = new FileStream(temporary, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode }))
        {
            file.Write(content);
            file.Flush(flushToDisk: true);
        }
        File.Move(temporary, path, overwrite: true);
        LinuxFiles.SyncDirectory(Path.GetDirectoryName(path)!);
    }
}
