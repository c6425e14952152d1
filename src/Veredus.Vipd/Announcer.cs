using System.Diagnostics;
using System.Net;
using Veredus.Network;

namespace Veredus.Vipd;

/// <summary>
/// Tells neighbours where addresses are. The first round leaves at once, because until then clients talk to the host that is gone; repeats and
/// what is only directed in addition are paced, 128 frames a second on each interface.
/// </summary>
internal sealed class Announcer(AddressKeeper keeper, Rtnetlink netlink, PacketSocket sender)
{
    public const int FramesPerSecond = 128;
    private const int Repeats = 2;
    /// <summary>Frames that may wait; a takeover of 10 240 addresses in sight of many hosts announces to the first of them.</summary>
    private const int MaxWaiting = 131_072;

    private readonly Dictionary<int, PacedLink> _links = [];

    private sealed class PacedLink
    {
        public readonly PriorityQueue<Job, long> Waiting = new();
        /// <summary>No frame before this time.</summary>
        public long NextSlot;

        public long UntilNext(long now) => Waiting.TryPeek(out _, out var due) ? Math.Max(0, Math.Max(due, NextSlot) - now) : long.MaxValue;
    }

    private readonly record struct Job(IPAddress Address, IPAddress? Host, MacAddress HostMac);

    /// <summary>The hosts that a request's addresses are announced to one by one.</summary>
    public IReadOnlyList<NeighbourInfo> Listeners(AnnounceScope scope, NeighbourInfo[] known)
    {
        keeper.ReadLinks();
        if (scope == AnnounceScope.AllHosts)
            return known;
        var gateways = netlink.GetDefaultGateways().Select(gateway => gateway.Gateway).ToHashSet();
        return [.. netlink.GetNeighbours().Where(neighbour => gateways.Contains(neighbour.Address)).Concat(known).DistinctBy(neighbour => neighbour.Address)];
    }

    /// <summary>Sends the first round for an address and plans the rest.</summary>
    public void Announce(IPAddress address, AnnounceScope scope, IReadOnlyList<NeighbourInfo> listeners, long now)
    {
        if (keeper.LinkOf(address) is not { } link)
            return;  // it has gone again
        var block = keeper.Topology.Find(address);
        var heard = listeners.Where(host => host.Address.AddressFamily == address.AddressFamily && keeper.Topology.Find(host.Address) == block);
        if (scope == AnnounceScope.KnownHosts)
        {
            foreach (var host in heard)
                Send(link, new(address, host.Address, host.Mac));
            return;
        }
        Send(link, new(address, null, default));
        for (var round = 1; round <= Repeats; round++)
            Plan(link, new(address, null, default), now + round * Stopwatch.Frequency);
        foreach (var host in heard)
            Plan(link, new(address, host.Address, host.Mac), now);
    }

    /// <summary>Ticks until the next planned frame; never negative.</summary>
    public long UntilNext(long now) => _links.Count == 0 ? long.MaxValue : _links.Values.Min(link => link.UntilNext(now));

    /// <summary>Sends what is due, within the pace.</summary>
    public void Step(long now)
    {
        foreach (var paced in _links.Values)
        {
            while (paced.UntilNext(now) == 0)
            {
                var job = paced.Waiting.Dequeue();
                if (keeper.LinkOf(job.Address) is { } link)  // else no longer ours to announce
                    paced.NextSlot = Math.Max(paced.NextSlot, now - Stopwatch.Frequency / 8) + Send(link, job) * Stopwatch.Frequency / FramesPerSecond;
            }
        }
    }

    private void Plan(LinkInfo link, Job job, long due)
    {
        if (!_links.TryGetValue(link.Index, out var paced))
            _links[link.Index] = paced = new();
        if (paced.Waiting.Count < MaxWaiting)
            paced.Waiting.Enqueue(job, due);
    }

    private int Send(LinkInfo link, Job job)
    {
        Span<byte> frame = stackalloc byte[NeighbourFrame.MaxSize];
        if (job.Host is { } host)
        {
            sender.TrySend(link.Index, frame[..NeighbourFrame.WriteDirected(frame, job.Address, link.Mac, host, job.HostMac)]);
            return 1;
        }
        sender.TrySend(link.Index, frame[..NeighbourFrame.WriteAnnouncement(frame, job.Address, link.Mac, replyForm: false)]);
        if (job.Address.AddressFamily != System.Net.Sockets.AddressFamily.InterNetwork)
            return 1;
        sender.TrySend(link.Index, frame[..NeighbourFrame.WriteAnnouncement(frame, job.Address, link.Mac, replyForm: true)]);
        return 2;
    }
}
