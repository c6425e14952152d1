using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Veredus.ConfigServer;

/// <summary>What the base library does not offer: exchange of two names in one step, syncing a directory's file system, FIFOs.</summary>
internal static partial class LinuxFiles
{
    private const int AtCurrentDirectory = -100;
    private const uint RenameExchange = 2;

    /// <summary>Exchanges two names. Whoever looks sees the one or the other, never neither.</summary>
    public static void Exchange(string left, string right)
    {
        if (RenameAt2(AtCurrentDirectory, left, AtCurrentDirectory, right, RenameExchange) != 0)
            throw new IOException($"Can't exchange {left} and {right}: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}. Both must be on one file system that knows RENAME_EXCHANGE.");
    }

    /// <summary>All that was written below this directory's file system is on the disk.</summary>
    public static void SyncFileSystem(string directory) => OnDirectory(directory, SyncFs);

    /// <summary>The names in this directory are on the disk.</summary>
    public static void SyncDirectory(string directory) => OnDirectory(directory, FSync);

    public static void MakeFifo(string path)
    {
        if (MkFifo(path, 0x180) != 0)
            throw new IOException($"Can't make {path}: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");
    }

    /// <summary>Whether something is a plain file; a FIFO or a device would hold up or feed whoever opens it.</summary>
    public static bool IsPlainFile(string path) => (Stat(path).Mode & 0xf000) == 0x8000;

    /// <summary>Gives a file, directory or link to the owner and group of another; for root alone, others keep what they make.</summary>
    public static void GiveToOwnerOf(string path, string other)
    {
        var (_, owner, group) = Stat(other);
        if (LChown(path, owner, group) != 0)
            throw new IOException($"Can't give {path} to {owner}:{group}: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");
    }

    private static unsafe (ushort Mode, uint Owner, uint Group) Stat(string path)
    {
        var buffer = stackalloc byte[256];
        if (StatX(AtCurrentDirectory, path, 0x100, 0x7ff, buffer) != 0)  // AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS
            throw new IOException($"Can't look at {path}: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");
        return (*(ushort*)(buffer + 28), *(uint*)(buffer + 20), *(uint*)(buffer + 24));
    }

    private static void OnDirectory(string directory, Func<int, int> sync)
    {
        var file = Open(directory, 0x10000 | 0x80000);  // O_DIRECTORY | O_CLOEXEC
        if (file < 0)
            throw new IOException($"Can't open {directory}: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");
        var result = sync(file);
        var error = Marshal.GetLastPInvokeError();
        _ = Close(file);
        if (result != 0)
            throw new IOException($"Can't sync {directory}: {new Win32Exception(error).Message}");
    }

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameAt2(int oldDirectory, string oldPath, int newDirectory, string newPath, uint flags);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int StatX(int directory, string path, int flags, uint mask, byte* buffer);

    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LChown(string path, uint owner, uint group);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int file);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    private static partial int SyncFs(int file);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(int file);

    [LibraryImport("libc", EntryPoint = "mkfifo", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MkFifo(string path, uint mode);
}
