using Veredus.Spool;

namespace Veredus.Bench.Spool;

/// <summary>The layout to compare with: a metadata and a body file for each message, written as mta.md 4 says: both synced, both renamed, their directory synced.</summary>
internal sealed class FilePerMessage(string directory)
{
    private readonly LinuxDisk _disk = new(UnixFileMode.UserRead | UnixFileMode.UserWrite);

    public void Prepare()
    {
        _disk.CreateDirectory(Path.Combine(directory, "tmp"));
        for (var i = 0; i < 256; i++)
            _disk.CreateDirectory(Path.Combine(directory, $"{i:X2}"));
    }

    public void Commit(MessageId id, ReadOnlyMemory<byte> body, ReadOnlyMemory<byte> metadata)
    {
        var name = id.Value.ToString("x16", null);
        var target = Path.Combine(directory, $"{id.Counter & 255:X2}");
        var (temporaryBody, temporaryMetadata) = (Path.Combine(directory, "tmp", name + ".b"), Path.Combine(directory, "tmp", name + ".m"));
        Write(temporaryBody, body);
        Write(temporaryMetadata, metadata);
        _disk.Move(temporaryBody, Path.Combine(target, name + ".b"));
        _disk.Move(temporaryMetadata, Path.Combine(target, name + ".m"));
        _disk.SyncDirectory(target);
    }

    private void Write(string path, ReadOnlyMemory<byte> octets)
    {
        using var file = _disk.Create(path);
        file.Write(octets.Span, 0);
        file.Sync();
    }
}
