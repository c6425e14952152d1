using System.Diagnostics;
using System.Net;
using Veredus.Network;

namespace Veredus.Lab;

/// <summary>Asks the mail segment who has an address, from the client's host, and hears all who answer.</summary>
internal static class WireWatch
{
    private static readonly MacAddress Own = MacAddress.FromBytes([2, 0, 0x5e, 0, 0, 9]);

    /// <summary>A neighbour that nobody tells finds out by itself after 5 s at the earliest (arp(7), <c>delay_first_probe_time</c>): this is far less.</summary>
    private static readonly TimeSpan Telling = TimeSpan.FromSeconds(2);

    /// <summary>No address is answered for by two hosts, and the client's kernel knows by which. An answer that crossed a hand-over on its way is asked for again.</summary>
    public static async Task AssertOneEachAsync(LabCluster lab, IReadOnlyList<IPAddress> vips)
    {
        var answers = await AskAsync(lab, vips);
        IPAddress[] Doubled() => [.. answers.Where(pair => pair.Value.Count > 1).Select(pair => pair.Key)];
        for (var again = 0; Doubled() is { Length: > 0 } doubled && again < 2; again++)
            answers = await AskAsync(lab, doubled);
        Assert.True(Doubled().Length == 0, $"two hosts answer: {string.Join("; ", Doubled().Select(vip => $"{vip}: {string.Join(' ', answers[vip])}"))}\n{lab.Story}");
        await lab.Client.RunAsync(() =>
        {
            using var netlink = new Rtnetlink();
            for (var begun = Stopwatch.GetTimestamp(); ; Thread.Sleep(10))
            {
                var stale = netlink.GetNeighbours().Where(one => answers.TryGetValue(one.Address, out var by) && by.Count == 1 && one.Mac != MacAddress.None && !by.Contains(one.Mac)).ToArray();
                if (stale.Length == 0)
                    return 0;
                Assert.True(Stopwatch.GetElapsedTime(begun) < Telling, $"the client was not told: {string.Join("; ", stale.Select(one => $"{one.Address} is not at {one.Mac}, but at {answers[one.Address].Single()}"))}\n{lab.Story}");
            }
        });
    }

    /// <summary>When each address was first claimed by somebody other than <paramref name="before"/>, as the client's host hears it.</summary>
    public static Task<Dictionary<IPAddress, long>> HearAsync(LabCluster lab, IReadOnlyCollection<IPAddress> vips, MacAddress before) => lab.Client.RunAsync(() =>
    {
        using var netlink = new Rtnetlink();
        using var arp = PacketSocket.ForHearing(netlink.GetLinks().Single(one => one.Name == "eth0").Index, NeighbourFrame.EtherTypeArp);
        var heard = new Dictionary<IPAddress, long>();
        var frame = new byte[2048];
        for (var begun = Stopwatch.GetTimestamp(); heard.Count < vips.Count;)
        {
            var now = Stopwatch.GetTimestamp();
            // A probe claims nothing: what counts has the address as its sender's.
            for (int length; (length = arp.Receive(frame)) >= 0;)
                if (NeighbourFrame.TryReadClaim(frame.AsSpan(0, length), out var address, out var by) && by != before && frame.AsSpan(28, 4).IndexOfAnyExcept((byte)0) >= 0 && vips.Contains(address))
                    heard.TryAdd(address, now);
            if (Stopwatch.GetElapsedTime(begun) > LabCluster.Limit)
                throw new TimeoutException($"{vips.Count - heard.Count} of {vips.Count} addresses were not announced by another host.\n{lab.Story}");
            Thread.Sleep(1);
        }
        return heard;
    });

    /// <summary>The link-layer addresses that answered for each.</summary>
    public static Task<Dictionary<IPAddress, HashSet<MacAddress>>> AskAsync(LabCluster lab, IReadOnlyList<IPAddress> vips) => lab.Client.RunAsync(() =>
    {
        using var netlink = new Rtnetlink();
        var link = netlink.GetLinks().Single(one => one.Name == "eth0");
        using var arp = PacketSocket.ForHearing(link.Index, NeighbourFrame.EtherTypeArp);
        using var discovery = PacketSocket.ForHearing(link.Index, NeighbourFrame.EtherTypeIPv6);
        using var sender = PacketSocket.ForSending();
        var answers = vips.ToDictionary(vip => vip, _ => new HashSet<MacAddress>());
        var frame = new byte[2048];
        foreach (var vip in vips)
            sender.TrySend(link.Index, frame.AsSpan(0, NeighbourFrame.WriteProbe(frame, vip, Own)));
        // A second host's answer comes as fast as the first's; a little patience costs nothing but this little.
        for (var (begun, quiet) = (Stopwatch.GetTimestamp(), 0); quiet < 10 && Stopwatch.GetElapsedTime(begun) < TimeSpan.FromSeconds(2); quiet++)
        {
            Thread.Sleep(10);
            foreach (var socket in (PacketSocket[])[arp, discovery])
                for (int length; (length = socket.Receive(frame)) >= 0;)
                    if (NeighbourFrame.TryReadClaim(frame.AsSpan(0, length), out var address, out var by) && by != Own && answers.TryGetValue(address, out var macs) && macs.Add(by))
                        quiet = 0;
        }
        return answers;
    });
}
