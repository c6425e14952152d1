using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Veredus.Network;

/// <summary>
/// The kernel's own news about links and addresses, from the moment of construction on. Open it first and read the tables then: nothing
/// falls in between. Belongs to the network namespace of the thread that opened it; needs no privilege.
/// </summary>
public sealed class NetlinkMonitor : IDisposable
{
    private readonly Socket _socket;

    public NetlinkMonitor()
    {
        var handle = LibC.OpenSocket(LibC.AfNetlink, LibC.SockRaw, LibC.NetlinkRoute);
        // Room for a burst of 10 240 addresses (about 800 octets of kernel memory each); beyond the system's limit where we may.
        if (!LibC.TrySetOption(handle, LibC.SolSocket, LibC.SoRcvBufForce, 16 << 20))
            LibC.TrySetOption(handle, LibC.SolSocket, LibC.SoRcvBuf, 16 << 20);
        LibC.Subscribe(handle, NetlinkConstants.GroupLink, NetlinkConstants.GroupIPv4Address, NetlinkConstants.GroupIPv6Address);
        _socket = new Socket(handle);
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>Every change, in the kernel's order, until cancelled.</summary>
    public async IAsyncEnumerable<NetworkChange> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var buffer = new byte[64 * 1024];
        var changes = new List<NetworkChange>();
        while (true)
        {
            changes.Clear();
            try
            {
                var length = await _socket.ReceiveAsync(buffer.AsMemory(), cancellationToken);
                Translate(buffer.AsSpan(0, length), changes);
            }
            catch (SocketException overrun) when (overrun.SocketErrorCode == SocketError.NoBufferSpaceAvailable)
            {
                changes.Add(new NetworkChange.Overrun());
            }
            foreach (var change in changes)
                yield return change;
        }
    }

    internal static void Translate(ReadOnlySpan<byte> datagram, List<NetworkChange> changes)
    {
        while (NetlinkMessage.TryRead(ref datagram, out var message))
        {
            NetworkChange? change = message.Type switch
            {
                NetlinkConstants.NewAddress when NetlinkReader.ReadAddress(message.Body) is { } address => new NetworkChange.AddressAdded(address),
                NetlinkConstants.DelAddress when NetlinkReader.ReadAddress(message.Body) is { } address => new NetworkChange.AddressRemoved(address),
                NetlinkConstants.NewLink when NetlinkReader.ReadLink(message.Body) is { } link => new NetworkChange.LinkChanged(link),
                NetlinkConstants.DelLink when NetlinkReader.ReadLink(message.Body) is { } link => new NetworkChange.LinkRemoved(link),
                _ => null,
            };
            if (change is not null)
                changes.Add(change);
        }
    }
}
