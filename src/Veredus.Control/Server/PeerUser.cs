using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace Veredus.Control;

/// <summary>Asks the kernel who is at the other end of a Unix socket (SO_PEERCRED, unix(7)).</summary>
internal static unsafe partial class PeerUser
{
    private const int SolSocket = 1;
    private const int SoPeerCred = 17;

    /// <summary>The user's name, or <c>uid:N</c> for one without an entry; <see langword="null"/> when the kernel does not tell.</summary>
    public static string? Name(Socket socket)
    {
        Span<byte> credentials = stackalloc byte[12];  // struct ucred: pid, uid, gid
        try
        {
            if (socket.GetRawSocketOption(SolSocket, SoPeerCred, credentials) < 12)
                return null;
        }
        catch (SocketException)
        {
            return null;
        }
        var uid = MemoryMarshal.Read<uint>(credentials[4..]);
        return NameOf(uid) ?? string.Create(CultureInfo.InvariantCulture, $"uid:{uid}");
    }

    internal static string? NameOf(uint uid)
    {
        var buffer = new byte[16 * 1024];
        fixed (byte* text = buffer)
        {
            Passwd entry;
            nint result;
            return GetUser(uid, &entry, text, (nuint)buffer.Length, &result) == 0 && result != 0 && entry.Name is not null
                ? Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(entry.Name))
                : null;
        }
    }

    [LibraryImport("libc", EntryPoint = "getpwuid_r")]
    private static partial int GetUser(uint uid, Passwd* entry, byte* buffer, nuint length, nint* result);

    // struct passwd of glibc; only the name is read.
    [StructLayout(LayoutKind.Sequential)]
    private struct Passwd
    {
        public byte* Name;
        public byte* Password;
        public uint Uid;
        public uint Gid;
        public byte* Gecos;
        public byte* Directory;
        public byte* Shell;
    }
}
