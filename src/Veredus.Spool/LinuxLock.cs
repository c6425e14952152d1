using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Veredus.Spool;

/// <summary>An fcntl lock of the open file (F_OFD_SETLK): works across NFS like the classic record lock, but is not lost when some other descriptor of the file is closed.</summary>
internal sealed partial class LinuxLock : IDiskLock
{
    private const int MaxText = 4096;

    private readonly SafeFileHandle _handle;
    private readonly string _path;

    private LinuxLock(SafeFileHandle handle, string path) => (_handle, _path) = (handle, path);

    public static LinuxLock? TryTake(string path, UnixFileMode mode)
    {
        var handle = LinuxDisk.Guard($"Cannot open lock file '{path}'", () =>
        {
            var existed = File.Exists(path);
            var opened = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            if (!existed)
                File.SetUnixFileMode(opened, mode);
            return opened;
        });
        var whole = new FileLock { Type = WriteLock };
        if (Fcntl(handle, SetOpenFileLock, ref whole) == 0)
            return new(handle, path);
        var errno = Marshal.GetLastPInvokeError();
        handle.Dispose();
        return errno is TryAgain or AccessDenied ? null : throw LinuxDisk.LastError($"Cannot lock '{path}'");
    }

    public string ReadText() => LinuxDisk.Guard($"Cannot read '{_path}'", () =>
    {
        var text = new byte[MaxText];
        return Encoding.UTF8.GetString(text.AsSpan(0, RandomAccess.Read(_handle, text, 0)));
    });

    public void WriteText(string text) => LinuxDisk.Guard($"Cannot write '{_path}'", () =>
    {
        var octets = Encoding.UTF8.GetBytes(text);
        RandomAccess.Write(_handle, octets, 0);
        RandomAccess.SetLength(_handle, octets.Length);
        RandomAccess.FlushToDisk(_handle);
        return true;
    });

    public void Dispose() => _handle.Dispose();

    private const int SetOpenFileLock = 37, TryAgain = 11, AccessDenied = 13;
    private const short WriteLock = 1;

    /// <summary>struct flock of 64-bit Linux: from the begin (whence 0), length 0 = to the end, pid must be 0 for open-file locks.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct FileLock
    {
        public short Type;
        public short Whence;
        public long Start;
        public long Length;
        public int Pid;
    }

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Fcntl(SafeFileHandle handle, int command, ref FileLock argument);
}
