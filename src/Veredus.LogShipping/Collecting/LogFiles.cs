using Microsoft.Win32.SafeHandles;

namespace Veredus.LogShipping;

/// <summary>The files that lines go to: opened on demand, brought to the length that the positions account for, closed when idle or too many.</summary>
/// <remarks>For one thread. Between <see cref="Append"/> and <see cref="Accept"/> a file is longer than its position says; a crash in between undoes the lines.</remarks>
internal sealed class LogFiles(PositionStore store, Func<LogCollectorSettings> settings, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, OpenFile> _files = new(StringComparer.Ordinal);
    private int _open;

    /// <summary>Cuts off what an earlier process wrote without its position.</summary>
    /// <returns>Octets cut off.</returns>
    public long Recover()
    {
        long cut = 0;
        foreach (var (path, position) in store.Files.ToList())
        {
            if (File.Exists(path))
            {
                using var file = DirectorySync.OpenFile(path, settings().FileMode);
                if (DirectorySync.Inode(file) == position.Inode && RandomAccess.GetLength(file) is var length && length > position.Length)
                {
                    RandomAccess.SetLength(file, position.Length);
                    RandomAccess.FlushToDisk(file);
                    cut += length - position.Length;
                }
            }
            store.Forget(path);
        }
        store.Commit();
        return cut;
    }

    /// <summary>Writes whole lines at the end of a file.</summary>
    public void Append(string path, ReadOnlySpan<byte> lines)
    {
        var file = Open(path);
        RandomAccess.Write(file.Handle!, lines, file.Length);
        file.Length += lines.Length;
        file.IsDirty = true;
    }

    /// <summary>Syncs what was appended and notes the new lengths; with the positions' commit they count.</summary>
    public void Accept()
    {
        foreach (var (path, file) in _files)
        {
            if (!file.IsDirty)
                continue;
            if (file.Handle is { } handle)
                RandomAccess.FlushToDisk(handle);
            file.IsDirty = false;
            store.Set(path, new(file.Inode, file.Length));
        }
    }

    /// <summary>Closes everything; the next use of a file cuts off what its position does not account for.</summary>
    public void Abandon()
    {
        foreach (var file in _files.Values)
            file.Handle?.Dispose();
        _files.Clear();
        _open = 0;
    }

    /// <summary>Closes what was not written for <c>Max_Idle</c>.</summary>
    public void CloseIdle()
    {
        var now = time.GetTimestamp();
        foreach (var (path, file) in _files.Where(entry => time.GetElapsedTime(entry.Value.Used, now) >= settings().MaxIdle).ToList())
        {
            Close(file);
            _files.Remove(path);
            store.Forget(path);
        }
        store.Commit();
    }

    public void Dispose() => Abandon();

    private OpenFile Open(string path)
    {
        var now = time.GetTimestamp();
        if (_files.TryGetValue(path, out var file) && !file.IsDirty && time.GetElapsedTime(file.Looked, now) >= LookAgain)
        {
            file.Looked = now;
            if (!IsStill(path, file))
            {
                // Rotated or removed: what was written stays where it is, and a new file begins.
                Close(file);
                _files.Remove(path);
                store.Forget(path);
                file = null;
            }
        }
        if (file?.Handle is null)
        {
            MakeRoom();
            file = _files[path] = Reopen(path, file);
            _open++;
        }
        file.Used = now;
        return file;
    }

    private OpenFile Reopen(string path, OpenFile? closed)
    {
        var existed = File.Exists(path);
        if (!existed)
            MakeDirectories(Path.GetDirectoryName(path)!);
        var handle = DirectorySync.OpenFile(path, settings().FileMode);
        try
        {
            var (inode, length) = (DirectorySync.Inode(handle), RandomAccess.GetLength(handle));
            if (closed is not null && closed.Inode == inode)
            {
                closed.Handle = handle;
                return closed;
            }
            if (!existed)
            {
                File.SetUnixFileMode(handle, settings().FileMode);
                DirectorySync.Sync(Path.GetDirectoryName(path)!);
            }
            if (store.Find(path) is { } known && known.Inode == inode)
            {
                if (length > known.Length)
                    RandomAccess.SetLength(handle, known.Length);
                length = Math.Min(length, known.Length);
            }
            else
            {
                // What is in it already is not ours to cut: from here on the length is known.
                store.Set(path, new(inode, length));
                store.Commit();
            }
            return new() { Handle = handle, Inode = inode, Length = length, Looked = time.GetTimestamp() };
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    private void MakeRoom()
    {
        while (_open >= Math.Max(1, settings().MaxOpen))
        {
            var oldest = _files.Values.Where(file => file.Handle is not null).MinBy(file => file.Used)!;
            if (oldest.IsDirty)
                RandomAccess.FlushToDisk(oldest.Handle!);
            Close(oldest);
        }
    }

    private void Close(OpenFile file)
    {
        if (file.Handle is null)
            return;
        file.Handle.Dispose();
        file.Handle = null;
        _open--;
    }

    private static bool IsStill(string path, OpenFile file)
    {
        if (!File.Exists(path))
            return false;
        using var there = File.OpenHandle(path);
        return DirectorySync.Inode(there) == file.Inode;
    }

    private void MakeDirectories(string directory)
    {
        if (Directory.Exists(directory))
            return;
        var parent = Path.GetDirectoryName(directory)!;
        MakeDirectories(parent);
        Directory.CreateDirectory(directory);
        File.SetUnixFileMode(directory, settings().DirectoryMode);
        DirectorySync.Sync(parent);
    }

    private sealed class OpenFile
    {
        public SafeFileHandle? Handle { get; set; }

        public ulong Inode { get; init; }

        public long Length { get; set; }

        public bool IsDirty { get; set; }

        public long Used { get; set; }

        public long Looked { get; set; }
    }
}
