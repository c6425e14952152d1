using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Veredus.Journal.Native;

/// <summary>One open file of a journal: positioned reads and writes, whole-file record locks, sync.</summary>
/// <remarks>
/// Locks are open-file-description locks (fcntl(2), F_OFD_SETLKW): they belong to this handle, so that a second handle in the same
/// process excludes this one, closing another handle releases nothing, and the POSIX locks of the C library's processes conflict with
/// them in both directions.
/// </remarks>
internal sealed partial class JournalFile : IDisposable
{
    private const int ReadWrite = 2, Create = 0x40, Exclusive = 0x80, CloseOnExec = 0x80000;
    private const int OfdSetLockWait = 38;
    private const short WriteLock = 1, Unlock = 2;
    private const int Interrupted = 4, NoEntry = 2, FileExists = 17;
    private const int EmptyPath = 0x1000;

    private readonly SafeFileHandle _handle;

    private JournalFile(SafeFileHandle handle, string path)
    {
        _handle = handle;
        Path = path;
    }

    public string Path { get; }

    /// <summary>Opens for reading and writing; <see langword="null"/> when the file does not exist and is not to be created.</summary>
    /// <exception cref="JournalException">With <paramref name="error"/>: the system refused.</exception>
    public static JournalFile? TryOpen(string path, bool create, JournalError error, UnixFileMode mode = Layout.DefaultFileMode, bool exclusive = false)
    {
        var flags = ReadWrite | CloseOnExec | (create ? Create : 0) | (exclusive ? Exclusive : 0);
        while (true)
        {
            var handle = OpenFile(path, flags, (int)mode);
            if (!handle.IsInvalid)
                return new(handle, path);
            var errno = Marshal.GetLastPInvokeError();
            handle.Dispose();
            if (errno == Interrupted)
                continue;
            if (errno == NoEntry && !create)
                return null;
            if (errno == FileExists && exclusive)
                return null;
            throw new JournalException(error, $"Cannot open '{path}': {Describe(errno)}.", new Win32Exception(errno));
        }
    }

    /// <summary>Octets now: asked of the system each time, because other processes append. The file's own position is not used otherwise.</summary>
    public long Length
    {
        get
        {
            var length = Seek(_handle, 0, 2 /* SEEK_END */);
            return length >= 0 ? length : throw new IOException($"Cannot get the length of '{Path}': {Describe(Marshal.GetLastPInvokeError())}.");
        }
    }

    /// <summary>Whether the file still has a name: a repair may have deleted it under this handle.</summary>
    public bool IsLinked
    {
        get
        {
            Span<byte> status = stackalloc byte[256];
            if (Statx(_handle, "\0"u8, EmptyPath, 4 /* STATX_NLINK */, status) != 0)
                return true;
            return BitConverter.ToUInt32(status[16..]) != 0;
        }
    }

    /// <summary>Inode and time of birth (0 where the file system has none) as one number.</summary>
    public ulong Identity
    {
        get
        {
            Span<byte> status = stackalloc byte[256];
            if (Statx(_handle, "\0"u8, EmptyPath, 0x100 /* STATX_INO */ | 0x800 /* STATX_BTIME */, status) != 0)
                throw new IOException($"Cannot examine '{Path}': {Describe(Marshal.GetLastPInvokeError())}.");
            var isBorn = (BitConverter.ToUInt32(status) & 0x800) != 0;
            return unchecked((BitConverter.ToUInt64(status[32..]) * 0x9E3779B97F4A7C15)
                ^ (isBorn ? (BitConverter.ToUInt64(status[80..]) * 1_000_000_000) + BitConverter.ToUInt32(status[88..]) : 0));
        }
    }

    /// <summary>Makes this file look as another one to those who may open it; the owner only as far as the system lets.</summary>
    public void TakeOwnerAndModeOf(JournalFile other)
    {
        Span<byte> status = stackalloc byte[256];
        if (Statx(other._handle, "\0"u8, EmptyPath, 0x8 | 0x10 | 0x2 /* STATX_UID, STATX_GID, STATX_MODE */, status) != 0)
            throw new IOException($"Cannot examine '{other.Path}': {Describe(Marshal.GetLastPInvokeError())}.");
        _ = ChangeOwner(_handle, BitConverter.ToInt32(status[20..]), BitConverter.ToInt32(status[24..]));
        File.SetUnixFileMode(_handle, (UnixFileMode)(BitConverter.ToUInt16(status[28..]) & 0xFFF));
    }

    /// <summary>Waits for the exclusive lock of the whole file and holds it until the result is disposed.</summary>
    public Held Lock()
    {
        TakeLock();
        return new(this);
    }

    /// <summary>As <see cref="Lock"/>, for one who gives it back in another place.</summary>
    public void TakeLock() => SetLock(WriteLock);

    public void GiveLock() => SetLock(Unlock);

    /// <returns>Bytes read: fewer than asked for only at the end of the file.</returns>
    public int Read(Span<byte> buffer, long offset)
    {
        var done = 0;
        while (done < buffer.Length)
        {
            var count = ReadAt(_handle, buffer[done..], buffer.Length - done, offset + done);
            if (count == 0)
                break;
            if (count > 0)
                done += (int)count;
            else if (Marshal.GetLastPInvokeError() is var errno and not Interrupted)
                throw new JournalException(JournalError.SegmentRead, $"Cannot read '{Path}' at {offset + done}: {Describe(errno)}.", new Win32Exception(errno));
        }
        return done;
    }

    /// <summary>Writes all of <paramref name="data"/>: one call of the system unless it takes less.</summary>
    /// <exception cref="JournalException">The system refused; a part may have been written.</exception>
    public void Write(ReadOnlySpan<byte> data, long offset)
    {
        var done = 0;
        while (done < data.Length)
        {
            var count = WriteAt(_handle, data[done..], data.Length - done, offset + done);
            if (count >= 0)
                done += (int)count;
            else if (Marshal.GetLastPInvokeError() is var errno and not Interrupted)
                throw new JournalException(JournalError.SegmentWrite, $"Cannot write '{Path}' at {offset + done}: {Describe(errno)}.", new Win32Exception(errno));
        }
    }

    public void Truncate(long length) => RandomAccess.SetLength(_handle, length);

    public void Sync() => RandomAccess.FlushToDisk(_handle);

    public void Dispose() => _handle.Dispose();

    /// <summary>Makes names that were added to or removed from a directory durable (fsync(2): the file's own sync does not).</summary>
    public static void SyncDirectory(string path)
    {
        using var handle = OpenFile(path, 0x10000 /* O_DIRECTORY */ | CloseOnExec, 0);
        if (handle.IsInvalid || SyncHandle(handle) != 0)
            throw new JournalException(JournalError.SegmentWrite, $"Cannot sync the directory '{path}': {Describe(Marshal.GetLastPInvokeError())}.");
    }

    private void SetLock(short type)
    {
        var request = new FileLock { Type = type };
        while (FileControl(_handle, OfdSetLockWait, ref request) != 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            if (errno != Interrupted)
                throw new JournalException(JournalError.Lock, $"Cannot lock '{Path}': {Describe(errno)}.", new Win32Exception(errno));
        }
    }

    private static string Describe(int errno) => Marshal.GetPInvokeErrorMessage(errno);

    /// <summary>The lock of a file while it is held.</summary>
    public readonly struct Held(JournalFile file) : IDisposable
    {
        public void Dispose() => file.GiveLock();
    }

    /// <summary>struct flock of 64-bit Linux: start 0 and length 0 mean the whole file, however long it grows.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 32)]
    private struct FileLock
    {
        [FieldOffset(0)]
        public short Type;
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle OpenFile(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int FileControl(SafeFileHandle file, int command, ref FileLock argument);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    private static partial long Seek(SafeFileHandle file, long offset, int whence);

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    private static partial nint ReadAt(SafeFileHandle file, Span<byte> buffer, nint count, long offset);

    [LibraryImport("libc", EntryPoint = "pwrite", SetLastError = true)]
    private static partial nint WriteAt(SafeFileHandle file, ReadOnlySpan<byte> buffer, nint count, long offset);

    [LibraryImport("libc", EntryPoint = "fchown", SetLastError = true)]
    private static partial int ChangeOwner(SafeFileHandle file, int user, int group);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int SyncHandle(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    private static partial int Statx(SafeFileHandle directory, ReadOnlySpan<byte> path, int flags, uint mask, Span<byte> buffer);
}
