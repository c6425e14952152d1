using System.Runtime.InteropServices;
using System.Text;

namespace Veredus.Cluster;

/// <summary>corosync's closed process groups: libcpg.so.4, as Debian's corosync 3.1 has it.</summary>
internal static unsafe partial class Cpg
{
    public const int Ok = 1, TryAgain = 6, Exists = 14;
    public const int DispatchOneNonBlocking = 4;
    public const int Agreed = 2;
    public const uint ModelV1 = 1, DeliverInitialTotem = 1;
    public const int MaxName = 128;

    [StructLayout(LayoutKind.Sequential)]
    public struct Name
    {
        public uint Length;
        public fixed byte Value[MaxName];

        public Name(string text)
        {
            Length = (uint)Encoding.UTF8.GetByteCount(text);
            fixed (byte* value = Value)
                Encoding.UTF8.GetBytes(text, new Span<byte>(value, MaxName));
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct Address
    {
        public uint NodeId, ProcessId, Reason;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct RingId
    {
        public uint NodeId;
        public ulong Sequence;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct Model
    {
        public uint Version;
        public delegate* unmanaged[Cdecl]<ulong, Name*, uint, uint, byte*, nuint, void> Deliver;
        public delegate* unmanaged[Cdecl]<ulong, Name*, Address*, nuint, Address*, nuint, Address*, nuint, void> Membership;
        public delegate* unmanaged[Cdecl]<ulong, RingId, uint, uint*, void> Totem;
        public uint Flags;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct IoVector
    {
        public byte* Base;
        public nuint Length;
    }

    [LibraryImport("libcpg.so.4", EntryPoint = "cpg_model_initialize")]
    public static partial int Initialize(out ulong handle, uint model, Model* callbacks, nint context);

    [LibraryImport("libcpg.so.4", EntryPoint = "cpg_finalize")]
    public static partial int Finalize(ulong handle);

    [LibraryImport("libcpg.so.4", EntryPoint = "cpg_fd_get")]
    public static partial int GetFd(ulong handle, out int fd);

    [LibraryImport("libcpg.so.4", EntryPoint = "cpg_local_get")]
    public static partial int GetLocalNode(ulong handle, out uint nodeId);

    [LibraryImport("libcpg.so.4", EntryPoint = "cpg_join")]
    public static partial int Join(ulong handle, Name* group);

    [LibraryImport("libcpg.so.4", EntryPoint = "cpg_leave")]
    public static partial int Leave(ulong handle, Name* group);

    [LibraryImport("libcpg.so.4", EntryPoint = "cpg_dispatch")]
    public static partial int Dispatch(ulong handle, int flags);

    [LibraryImport("libcpg.so.4", EntryPoint = "cpg_mcast_joined")]
    public static partial int Multicast(ulong handle, int guarantee, IoVector* vectors, uint count);

    [LibraryImport("libcorosync_common.so.4", EntryPoint = "cs_strerror")]
    private static partial nint ErrorText(int error);

    /// <summary>What corosync calls an error.</summary>
    public static string Describe(int error) => $"{Marshal.PtrToStringUTF8(ErrorText(error))} ({error})";
}
