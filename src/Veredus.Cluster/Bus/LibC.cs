using System.Runtime.InteropServices;

namespace Veredus.Cluster;

/// <summary>The C library's calls that the bus waits with.</summary>
internal static unsafe partial class LibC
{
    public const short PollIn = 1;
    private const int EventCloseOnExec = 0x80000, EventNonBlock = 0x800;

    [StructLayout(LayoutKind.Sequential)]
    public struct PollFd
    {
        public int Fd;
        public short Events;
        public short Revents;
    }

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    public static partial int Poll(PollFd* fds, nuint count, int timeoutMilliseconds);

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    private static partial int EventFd(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint Read(int fd, void* buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint Write(int fd, void* buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int fd);

    /// <summary>Something that a poll can wait for and any thread can raise.</summary>
    public sealed class WakeUp : IDisposable
    {
        private readonly Lock _lock = new();
        private bool _closed;

        public WakeUp() => Fd = EventFd(0, EventCloseOnExec | EventNonBlock) is var fd and >= 0
            ? fd : throw new IOException($"eventfd: {Marshal.GetLastPInvokeErrorMessage()}");

        public int Fd { get; }

        public void Raise()
        {
            ulong one = 1;
            lock (_lock)
                if (!_closed)  // the number may belong to somebody else by now
                    _ = Write(Fd, &one, sizeof(ulong));  // full means raised already
        }

        public void Clear()
        {
            ulong count;
            _ = Read(Fd, &count, sizeof(ulong));
        }

        public void Dispose()
        {
            lock (_lock)
            {
                if (!_closed)
                    _ = Close(Fd);
                _closed = true;
            }
        }
    }
}
