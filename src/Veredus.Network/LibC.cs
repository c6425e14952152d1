using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Veredus.Network;

/// <summary>The C library's calls that .NET has no name for. Constants are those of Linux on x86-64 and arm64.</summary>
internal static partial class LibC
{
    public const int AfNetlink = 16, AfPacket = 17;
    public const int SockRaw = 3, SockCloseOnExec = 0x80000, SockNonBlock = 0x800;
    public const int NetlinkRoute = 0;
    public const int SolSocket = 1, SoRcvBuf = 8, SoRcvTimeo = 20, SoAttachFilter = 26, SoSndBufForce = 32, SoRcvBufForce = 33;
    public const int SolNetlink = 270, NetlinkCapAck = 10, NetlinkExtAck = 11;
    public const short PollIn = 1, PollOut = 4, PollErr = 8, PollHup = 16;

    public const int EIntr = 4, EAgain = 11, ENoDev = 19, EAddrNotAvail = 99, ENoBufs = 105;

    [StructLayout(LayoutKind.Sequential)]
    public struct PollFd
    {
        public int Fd;
        public short Events;
        public short Revents;
    }

    /// <summary>struct sockaddr_nl.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct NetlinkAddress
    {
        public ushort Family;
        public ushort Pad;
        public uint PortId;
        public uint Groups;
    }

    /// <summary>struct sockaddr_ll.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct LinkAddress
    {
        public ushort Family;
        public ushort ProtocolBigEndian;
        public int LinkIndex;
        public ushort HardwareType;
        public byte PacketType;
        public byte AddressLength;
        public fixed byte Address[8];
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct TimeVal
    {
        public long Seconds;
        public long Microseconds;
    }

    /// <summary>struct sock_filter: one instruction of a classic BPF program.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct FilterStep(ushort code, byte jumpTrue, byte jumpFalse, uint value)
    {
        public ushort Code = code;
        public byte JumpTrue = jumpTrue;
        public byte JumpFalse = jumpFalse;
        public uint Value = value;
    }

    /// <summary>struct sock_fprog.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct FilterProgram
    {
        public ushort Length;
        public FilterStep* Steps;
    }

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    public static partial int Socket(int domain, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    public static unsafe partial int Bind(SafeSocketHandle socket, void* address, int length);

    [LibraryImport("libc", EntryPoint = "setsockopt", SetLastError = true)]
    public static unsafe partial int SetSockOpt(SafeSocketHandle socket, int level, int option, void* value, int length);

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    public static unsafe partial nint Send(SafeSocketHandle socket, byte* buffer, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "sendto", SetLastError = true)]
    public static unsafe partial nint SendTo(SafeSocketHandle socket, byte* buffer, nint length, int flags, LinkAddress* to, int toLength);

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    public static unsafe partial nint Receive(SafeSocketHandle socket, byte* buffer, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    public static unsafe partial int Poll(PollFd* fds, nuint count, int timeoutMilliseconds);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    public static unsafe partial nint Read(int fd, byte* buffer, nint length);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    public static unsafe partial nint Write(int fd, byte* buffer, nint length);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    public static partial int Fcntl(int fd, int command, int argument);

    [LibraryImport("libc", EntryPoint = "mlockall", SetLastError = true)]
    public static partial int MLockAll(int flags);

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    public static partial int SetNs(Microsoft.Win32.SafeHandles.SafeFileHandle file, int type);

    /// <summary>Opens a socket of a family that .NET's own class doesn't know; closed on exec.</summary>
    public static SafeSocketHandle OpenSocket(int domain, int type, int protocol)
    {
        var fd = Socket(domain, type | SockCloseOnExec, protocol);
        return fd >= 0 ? new SafeSocketHandle(fd, ownsHandle: true) : throw Failure("socket");
    }

    /// <summary>Sets an integer option and says whether the kernel took it.</summary>
    public static unsafe bool TrySetOption(SafeSocketHandle socket, int level, int option, int value) =>
        SetSockOpt(socket, level, option, &value, sizeof(int)) == 0;

    /// <summary>Makes a netlink socket hear these multicast groups. An unbound socket would hear nothing.</summary>
    public static unsafe void Subscribe(SafeSocketHandle socket, params ReadOnlySpan<uint> groups)
    {
        var address = new NetlinkAddress { Family = AfNetlink };
        foreach (var group in groups)
            address.Groups |= 1u << (int)(group - 1);
        if (Bind(socket, &address, sizeof(NetlinkAddress)) != 0)
            throw Failure("bind(AF_NETLINK)");
    }

    /// <summary>Lets through only what the classic BPF program accepts.</summary>
    public static unsafe void AttachFilter(SafeSocketHandle socket, ReadOnlySpan<FilterStep> steps)
    {
        fixed (FilterStep* first = steps)
        {
            var program = new FilterProgram { Length = (ushort)steps.Length, Steps = first };
            if (SetSockOpt(socket, SolSocket, SoAttachFilter, &program, sizeof(FilterProgram)) != 0)
                throw Failure("setsockopt(SO_ATTACH_FILTER)");
        }
    }

    /// <summary>The last call's error as an exception: what was tried, then the kernel's words.</summary>
    public static Win32Exception Failure(string what)
    {
        var errno = Marshal.GetLastPInvokeError();
        return new Win32Exception(errno, $"{what}: {Marshal.GetPInvokeErrorMessage(errno)}");
    }
}
