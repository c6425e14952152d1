using System.Runtime.InteropServices;

namespace Veredus.Bench.Journal;

/// <summary>The calls of the system that an append needs, without anything around them: what this machine can do at most.</summary>
internal sealed unsafe partial class RawFile : IDisposable
{
    private const int Record = 216, Limit = 4 << 20;
    private readonly int _file;
    private long _size;

    public RawFile(string path)
    {
        _file = Open(path, 0x42 /* O_RDWR, O_CREAT */, 0x1A0);
        if (_file < 0)
            throw new IOException($"Cannot open '{path}': {Marshal.GetLastPInvokeErrorMessage()}");
    }

    /// <summary>Lock, size, write, unlock: the least that appends of one record by a process that knows nothing of the others need.</summary>
    public void AppendLocked(byte* record)
    {
        Lock(1);
        _size = Seek(_file, 0, 2);
        Write(record);
        Lock(2);
    }

    /// <summary>The write alone.</summary>
    public void Write(byte* record)
    {
        if (WriteAt(_file, record, Record, _size) != Record)
            throw new IOException($"Cannot write: {Marshal.GetLastPInvokeErrorMessage()}");
        if ((_size += Record) >= Limit)
            _ = Truncate(_file, _size = 0);
    }

    public void Dispose() => _ = Close(_file);

    private void Lock(short type)
    {
        var request = stackalloc long[4];
        *(short*)request = type;
        _ = Control(_file, 38 /* F_OFD_SETLKW */, request);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int file);

    [LibraryImport("libc", EntryPoint = "ftruncate")]
    private static partial int Truncate(int file, long length);

    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int Control(int file, int command, void* argument);

    [LibraryImport("libc", EntryPoint = "lseek")]
    private static partial long Seek(int file, long offset, int whence);

    [LibraryImport("libc", EntryPoint = "pwrite")]
    private static partial nint WriteAt(int file, void* buffer, nint count, long offset);
}
