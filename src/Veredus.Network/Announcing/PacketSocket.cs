using System.Buffers.Binary;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Veredus.Network;

/// <summary>Sends and receives whole Ethernet frames on the interfaces of the opening thread's network namespace. Needs <c>CAP_NET_RAW</c>.</summary>
internal sealed class PacketSocket : IDisposable
{
    /// <summary>Room for the frames of a thousand addresses at once; the system's usual limit is about 270.</summary>
    private const int BufferBytes = 4 << 20;

    private readonly SafeSocketHandle _socket;

    private PacketSocket(SafeSocketHandle socket) => _socket = socket;

    public int Fd => (int)_socket.DangerousGetHandle();

    /// <summary>What it hears, and where; 0: nothing.</summary>
    public (int LinkIndex, ushort EtherType) Hears { get; private init; }

    /// <summary>A socket that hears nothing, so that it costs nothing while idle.</summary>
    public static PacketSocket ForSending()
    {
        var socket = LibC.OpenSocket(LibC.AfPacket, LibC.SockRaw | LibC.SockNonBlock, protocol: 0);
        LibC.TrySetOption(socket, LibC.SolSocket, LibC.SoSndBufForce, BufferBytes);
        return new(socket);
    }

    /// <summary>A socket that hears, on one interface, ARP or the neighbour discovery part of IPv6.</summary>
    public static unsafe PacketSocket ForHearing(int linkIndex, ushort etherType)
    {
        var socket = LibC.OpenSocket(LibC.AfPacket, LibC.SockRaw | LibC.SockNonBlock, protocol: 0);
        LibC.TrySetOption(socket, LibC.SolSocket, LibC.SoRcvBufForce, BufferBytes);
        if (etherType == NeighbourFrame.EtherTypeIPv6)
        {
            LibC.AttachFilter(socket,
            [
                new(0x30, 0, 0, 20),    // A = next header
                new(0x15, 0, 3, 58),    // ICMPv6, else drop
                new(0x30, 0, 0, 54),    // A = ICMPv6 type
                new(0x35, 0, 1, 135),   // at least a solicitation, else drop
                new(0x25, 0, 1, 136),   // more than an advertisement: drop
                new(0x06, 0, 0, 0),
                new(0x06, 0, 0, 0xFFFF),
            ]);
        }
        var address = new LibC.LinkAddress
        {
            Family = LibC.AfPacket, ProtocolBigEndian = BinaryPrimitives.ReverseEndianness(etherType), LinkIndex = linkIndex,
        };
        return LibC.Bind(socket, &address, sizeof(LibC.LinkAddress)) == 0 ? new(socket) { Hears = (linkIndex, etherType) } : throw LibC.Failure("bind(AF_PACKET)");
    }

    /// <summary>Sends one frame; <see langword="false"/> when the interface can't take it (down, gone, queue full): neighbours are told again later.</summary>
    public unsafe bool TrySend(int linkIndex, ReadOnlySpan<byte> frame)
    {
        var to = new LibC.LinkAddress
        {
            Family = LibC.AfPacket, LinkIndex = linkIndex, AddressLength = 6,
            ProtocolBigEndian = BinaryPrimitives.ReverseEndianness(BinaryPrimitives.ReadUInt16BigEndian(frame[12..])),
        };
        frame[..6].CopyTo(new Span<byte>(to.Address, 8));
        fixed (byte* bytes = frame)
            return LibC.SendTo(_socket, bytes, frame.Length, 0, &to, sizeof(LibC.LinkAddress)) == frame.Length;
    }

    /// <summary>Takes one frame that has arrived; its length, or -1 when none waits.</summary>
    public unsafe int Receive(Span<byte> buffer)
    {
        fixed (byte* bytes = buffer)
        {
            var length = LibC.Receive(_socket, bytes, buffer.Length, 0);
            if (length >= 0)
                return (int)length;
            // An interface that goes down reports it once here; it then simply hears nothing.
            return Marshal.GetLastPInvokeError() is LibC.EIntr ? Receive(buffer) : -1;
        }
    }

    public void Dispose() => _socket.Dispose();
}
