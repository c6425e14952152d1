using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Veredus.LogShipping;

/// <summary>What the base library does not offer: syncing a directory, opening without following a link, a file's inode.</summary>
internal static partial class DirectorySync
{
    private const int Directory = 0x10000, NoFollow = 0x20000, CloseOnExec = 0x80000, Create = 0x40, ReadWrite = 2;

    /// <summary>Makes names that were added to a directory durable (fsync(2): the file's own sync does not).</summary>
    public static void Sync(string path)
    {
        using var handle = Open(path, Directory | CloseOnExec, 0);
        if (handle.IsInvalid || FileSync(handle) != 0)
            throw Failure($"sync the directory '{path}'");
    }

    /// <summary>Opens or makes a file for writing; a symbolic link in its place is refused.</summary>
    public static SafeFileHandle OpenFile(string path, UnixFileMode mode)
    {
        var handle = Open(path, ReadWrite | Create | NoFollow | CloseOnExec, (int)mode);
        return handle.IsInvalid ? throw Failure($"open '{path}'") : handle;
    }

    public static ulong Inode(SafeFileHandle file)
    {
        Span<byte> status = stackalloc byte[256];
        return Statx(file, "\0"u8, 0x1000 /* AT_EMPTY_PATH */, 0x100 /* STATX_INO */, status) == 0 ? BitConverter.ToUInt64(status[32..]) : throw Failure("examine a file");
    }

    private static IOException Failure(string deed)
    {
        var errno = Marshal.GetLastPInvokeError();
        return new($"Cannot {deed}: {Marshal.GetPInvokeErrorMessage(errno)}.", new Win32Exception(errno));
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FileSync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    private static partial int Statx(SafeFileHandle directory, ReadOnlySpan<byte> path, int flags, uint mask, Span<byte> buffer);
}
