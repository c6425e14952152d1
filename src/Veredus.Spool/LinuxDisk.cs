using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Veredus.Spool;

/// <summary>The real thing.</summary>
/// <param name="mode">Mode of new files; directories get the matching search rights.</param>
public sealed partial class LinuxDisk(UnixFileMode mode) : IDisk
{
    private const int NoSpaceErrno = 28, QuotaErrno = 122;

    public void CreateDirectory(string path)
    {
        var search = (mode.HasFlag(UnixFileMode.UserRead) ? UnixFileMode.UserExecute : 0)
            | (mode.HasFlag(UnixFileMode.GroupRead) ? UnixFileMode.GroupExecute : 0)
            | (mode.HasFlag(UnixFileMode.OtherRead) ? UnixFileMode.OtherExecute : 0);
        Guard($"Cannot make directory '{path}'", () => Directory.CreateDirectory(path, mode | search));
    }

    public IReadOnlyList<string> List(string directory) => Guard<IReadOnlyList<string>>($"Cannot list '{directory}'", () =>
        Directory.Exists(directory) ? [.. Directory.EnumerateFiles(directory).Select(path => Path.GetFileName(path)!)] : []);

    public IReadOnlyList<string> ListDirectories(string directory) => Guard<IReadOnlyList<string>>($"Cannot list '{directory}'", () =>
        Directory.Exists(directory) ? [.. Directory.EnumerateDirectories(directory).Select(path => Path.GetFileName(path)!)] : []);

    public bool Exists(string path) => File.Exists(path);

    public IDiskFile Create(string path) => Guard($"Cannot create '{path}'", () =>
    {
        var handle = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        File.SetUnixFileMode(handle, mode);
        return new LinuxFile(handle, path);
    });

    public IDiskFile Open(string path, bool writable) => Guard($"Cannot open '{path}'", () =>
        new LinuxFile(File.OpenHandle(path, FileMode.Open, writable ? FileAccess.ReadWrite : FileAccess.Read, FileShare.ReadWrite | FileShare.Delete), path));

    public void Delete(string path) => Guard($"Cannot delete '{path}'", () => File.Delete(path));

    public void Move(string from, string to) => Guard($"Cannot rename '{from}' to '{to}'", () => File.Move(from, to, overwrite: true));

    public void SyncDirectory(string directory)
    {
        using var handle = OpenDirectory(directory, ReadOnlyDirectoryCloseOnExec);
        if (handle.IsInvalid || FSync(handle) != 0)
            throw LastError($"Cannot sync directory '{directory}'");
    }

    public DiskSpace GetSpace(string path) => Guard($"Cannot look at the file system of '{path}'", () =>
    {
        var drive = new DriveInfo(path);
        return new DiskSpace(drive.TotalSize, drive.AvailableFreeSpace);
    });

    public IDiskLock? TryLock(string path) => LinuxLock.TryTake(path, mode);

    public IDiskMap? Map(string path, int bytes)
    {
        if (!File.Exists(path) || new FileInfo(path).Length != bytes)
        {
            // Written, not only sized: a page of a file with holes that finds the disk full ends the process.
            var next = path + ".new";
            if (File.Exists(next))
                Delete(next);
            using (var file = Create(next))
                file.Write(new byte[bytes], 0);
            Move(next, path);
        }
        return Guard($"Cannot map '{path}'", () => new LinuxMap(path, bytes));
    }

    internal static DiskException LastError(string what)
    {
        var errno = Marshal.GetLastPInvokeError();
        var cause = new Win32Exception(errno);
        return new(errno is NoSpaceErrno or QuotaErrno ? DiskError.NoSpace : DiskError.Failed, $"{what}: {cause.Message}.", cause);
    }

    private static void Guard(string what, Action action) => Guard(what, () =>
    {
        action();
        return true;
    });

    internal static T Guard<T>(string what, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Wrap(what, e);
        }
    }

    internal static DiskException Wrap(string what, Exception e) =>
        // On Unix an IOException carries errno as its HResult.
        new(e.HResult is NoSpaceErrno or QuotaErrno ? DiskError.NoSpace : DiskError.Failed, $"{what}: {e.Message}", e);

    private const int ReadOnlyDirectoryCloseOnExec = 0x10000 | 0x80000;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle OpenDirectory(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(SafeFileHandle handle);
}

internal sealed partial class LinuxFile(SafeFileHandle handle, string path) : IDiskFile
{
    public long Length => RandomAccess.GetLength(handle);

    public int Read(Span<byte> destination, long offset)
    {
        try
        {
            var total = 0;
            while (total < destination.Length && RandomAccess.Read(handle, destination[total..], offset + total) is > 0 and var read)
                total += read;
            return total;
        }
        catch (IOException e)
        {
            throw LinuxDisk.Wrap($"Cannot read '{path}'", e);
        }
    }

    public void Write(ReadOnlySpan<byte> source, long offset)
    {
        try
        {
            RandomAccess.Write(handle, source, offset);
        }
        catch (IOException e)
        {
            throw LinuxDisk.Wrap($"Cannot write '{path}'", e);
        }
    }

    public void Write(IReadOnlyList<ReadOnlyMemory<byte>> sources, long offset)
    {
        try
        {
            RandomAccess.Write(handle, sources, offset);
        }
        catch (IOException e)
        {
            throw LinuxDisk.Wrap($"Cannot write '{path}'", e);
        }
    }

    public void Sync()
    {
        if (FDataSync(handle) != 0)
            throw LinuxDisk.LastError($"Cannot sync '{path}'");
    }

    public void Dispose() => handle.Dispose();

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static partial int FDataSync(SafeFileHandle handle);
}
