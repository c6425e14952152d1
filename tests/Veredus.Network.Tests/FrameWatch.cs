using System.Diagnostics;
using System.Net;

namespace Veredus.Network.Tests;

/// <summary>Somebody on the segment who notes every claim of an address that it hears.</summary>
internal sealed class FrameWatch : IDisposable
{
    private readonly List<PacketSocket> _sockets;

    private FrameWatch(List<PacketSocket> sockets) => _sockets = sockets;

    internal sealed record Heard(IPAddress Address, MacAddress By, MacAddress To, bool IsArpReply, long At);

    /// <summary>Listens on eth0 of a namespace from now on.</summary>
    public static Task<FrameWatch> StartAsync(NetworkNamespace host) => host.RunAsync(() =>
    {
        using var netlink = new Rtnetlink();
        var eth0 = netlink.GetLinks().Single(link => link.Name == "eth0").Index;
        return new FrameWatch([PacketSocket.ForHearing(eth0, NeighbourFrame.EtherTypeArp), PacketSocket.ForHearing(eth0, NeighbourFrame.EtherTypeIPv6)]);
    });

    /// <summary>The first <paramref name="count"/> claims of one of <paramref name="addresses"/>.</summary>
    public Task<List<Heard>> ClaimsAsync(int count, params IPAddress[] addresses) => Task.Run(() =>
    {
        var heard = new List<Heard>();
        var wanted = addresses.ToHashSet();
        var buffer = new byte[256];
        var deadline = Stopwatch.GetTimestamp() + 15 * Stopwatch.Frequency;
        while (heard.Count < count && Stopwatch.GetTimestamp() < deadline)
        {
            Wait();
            foreach (var socket in _sockets)
                for (int length; (length = socket.Receive(buffer)) >= 0;)
                    if (NeighbourFrame.TryReadClaim(buffer.AsSpan(0, length), out var address, out var by) && wanted.Contains(address))
                        heard.Add(new(address, by, MacAddress.FromBytes(buffer.AsSpan(0, 6)), buffer[13] == 6 && buffer[21] == 2, Stopwatch.GetTimestamp()));
        }
        return heard;
    });

    private unsafe void Wait()
    {
        var fds = stackalloc LibC.PollFd[2];
        for (var i = 0; i < 2; i++)
            fds[i] = new() { Fd = _sockets[i].Fd, Events = LibC.PollIn };
        _ = LibC.Poll(fds, 2, 1000);
    }

    public void Dispose()
    {
        foreach (var socket in _sockets)
            socket.Dispose();
    }
}
