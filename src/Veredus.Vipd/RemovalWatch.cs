using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Veredus.Network;

namespace Veredus.Vipd;

/// <summary>The kernel's notices of removed addresses. A filter in the kernel drops everything else, renewals above all.</summary>
internal sealed class RemovalWatch : IDisposable
{
    private const int DontWait = 0x40;

    private readonly SafeSocketHandle _socket;
    private readonly byte[] _buffer = new byte[32 * 1024];
    /// <summary>Read too early, by a look for something else; reported with the next.</summary>
    private readonly List<AddressPlacement> _kept = [];
    private bool _overrun;

    public RemovalWatch()
    {
        _socket = LibC.OpenSocket(LibC.AfNetlink, LibC.SockRaw, LibC.NetlinkRoute);
        LibC.TrySetOption(_socket, LibC.SolSocket, LibC.SoRcvBuf, 8 << 20);
        LibC.AttachFilter(_socket,
        [
            new(0x28, 0, 0, 4),                                        // A = message type, read as big-endian
            new(0x15, 0, 1, NetlinkConstants.DelAddress << 8),         // RTM_DELADDR, else drop
            new(0x06, 0, 0, 0xFFFF_FFFF),
            new(0x06, 0, 0, 0),
        ]);
        LibC.Subscribe(_socket, NetlinkConstants.GroupIPv4Address, NetlinkConstants.GroupIPv6Address);
    }

    public int Fd => (int)_socket.DangerousGetHandle();

    /// <summary>All removals since the last look; <see langword="null"/> when some were lost.</summary>
    public IReadOnlyList<AddressPlacement>? Drain()
    {
        var removed = new List<AddressPlacement>(_kept);
        _kept.Clear();
        Read(removed);
        var lost = _overrun;
        _overrun = false;
        return lost ? null : removed;
    }

    /// <summary>Reads what waits and keeps only what concerns <paramref name="held"/>: the rest was our own doing.</summary>
    public void Forget(Dictionary<IPAddress, AddressPlacement> held)
    {
        var removed = new List<AddressPlacement>();
        Read(removed);
        _kept.AddRange(removed.Where(placement => held.TryGetValue(placement.Address, out var other) && other == placement));
    }

    private unsafe void Read(List<AddressPlacement> removed)
    {
        fixed (byte* bytes = _buffer)
        {
            while (true)
            {
                var length = LibC.Receive(_socket, bytes, _buffer.Length, DontWait);
                if (length < 0 && Marshal.GetLastPInvokeError() is LibC.EAgain)
                    return;
                if (length < 0 && Marshal.GetLastPInvokeError() is LibC.ENoBufs)
                    _overrun = true;
                ReadOnlySpan<byte> rest = _buffer.AsSpan(0, (int)Math.Max(0, length));
                while (NetlinkMessage.TryRead(ref rest, out var message))
                    if (NetlinkReader.ReadAddress(message.Body) is { } info)
                        removed.Add(new(info.Address, info.PrefixLength, info.LinkIndex));
            }
        }
    }

    public void Dispose() => _socket.Dispose();
}
