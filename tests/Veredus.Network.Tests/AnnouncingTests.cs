using System.Diagnostics;
using System.Net;
using Xunit.Abstractions;

namespace Veredus.Network.Tests;

/// <summary>A guard on one host and a neighbour on another, joined by a cable.</summary>
public sealed class AnnouncingTests(ITestOutputHelper output)
{
    private static readonly IPAddress s_vip4 = IPAddress.Parse("198.18.0.10"), s_vip6 = IPAddress.Parse("2001:db8::10");

    [NamespaceFact]
    public async Task A_probe_finds_who_has_an_address_and_nobody_for_a_free_one()
    {
        await using var segment = await Segment.StartAsync();
        await segment.Neighbour.RunIpAsync("addr add 198.18.0.10/24 dev eth0", CancellationToken.None);
        await segment.Neighbour.RunIpAsync("addr add 2001:db8::10/64 dev eth0 nodad", CancellationToken.None);

        var answers = await segment.Guard.ProbeAsync(
            [s_vip4, s_vip6, IPAddress.Parse("198.18.0.11"), IPAddress.Parse("2001:db8::11")], TimeSpan.FromMilliseconds(200), CancellationToken.None).Within("the answers");

        Assert.Equal(
            [new(s_vip4, segment.NeighbourMac), new(s_vip6, segment.NeighbourMac)], answers.OrderBy(answer => answer.Address.AddressFamily));
    }

    [NamespaceFact]
    public async Task An_announcement_moves_the_address_in_a_neighbours_table()
    {
        await using var segment = await Segment.StartAsync();
        await segment.Neighbour.RunIpAsync("neigh replace 198.18.0.10 lladdr 02:00:00:00:00:99 nud stale dev eth0", CancellationToken.None);
        await segment.Neighbour.RunIpAsync("neigh replace 2001:db8::10 lladdr 02:00:00:00:00:99 nud stale dev eth0", CancellationToken.None);
        using var watch = await FrameWatch.StartAsync(segment.Neighbour);
        segment.Guard.Beat();
        await segment.Guard.AddAsync([s_vip4, s_vip6], CancellationToken.None).Within("the results");

        var start = Stopwatch.GetTimestamp();
        var hearing = watch.ClaimsAsync(9, s_vip4, s_vip6);
        await segment.Guard.AnnounceAsync([s_vip4, s_vip6], AnnounceScope.AllHosts, [], CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(20));
        var heard = await hearing;

        Assert.Equal(9, heard.Count);  // three rounds: ARP in both forms, and one advertisement
        Assert.All(heard, claim => Assert.Equal(segment.Mac, claim.By));
        Assert.Equal(3, heard.Count(claim => claim.Address.Equals(s_vip4) && claim.IsArpReply));
        Assert.Equal(3, heard.Count(claim => claim.Address.Equals(s_vip6)));
        Assert.All(heard.Where(claim => claim.Address.Equals(s_vip4)), claim => Assert.Equal(MacAddress.Broadcast, claim.To));
        Assert.InRange(Stopwatch.GetElapsedTime(start, heard[^1].At), TimeSpan.FromSeconds(1.9), TimeSpan.FromSeconds(4));
        var known = segment.NeighbourTable();
        Assert.Equal(segment.Mac, known[s_vip4]);
        Assert.Equal(segment.Mac, known[s_vip6]);
    }

    [NamespaceFact]
    public async Task Known_hosts_are_told_directly_and_nobody_else_hears_it()
    {
        await using var segment = await Segment.StartAsync();
        using var watch = await FrameWatch.StartAsync(segment.Neighbour);
        segment.Guard.Beat();
        await segment.Guard.AddAsync([s_vip4, s_vip6], CancellationToken.None).Within("the results");

        var hearing = watch.ClaimsAsync(2, s_vip4, s_vip6);
        await segment.Guard.AnnounceAsync([s_vip4, s_vip6], AnnounceScope.KnownHosts,
            [new(0, IPAddress.Parse("198.18.0.200"), segment.NeighbourMac), new(0, IPAddress.Parse("2001:db8::200"), segment.NeighbourMac), new(0, IPAddress.Parse("203.0.113.9"), segment.NeighbourMac)],
            CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(20));

        Assert.All(await hearing, claim => Assert.Equal((segment.Mac, segment.NeighbourMac), (claim.By, claim.To)));
    }

    [NamespaceFact]
    public async Task The_first_round_for_a_thousand_addresses_is_not_paced()
    {
        await using var segment = await Segment.StartAsync();
        using var watch = await FrameWatch.StartAsync(segment.Neighbour);
        var vips = Enumerable.Range(0, 1000).Select(i => new IPAddress([198, 18, (byte)(1 + (i >> 8)), (byte)i])).ToArray();
        segment.Guard.Beat();
        await segment.Guard.AddAsync(vips, CancellationToken.None).Within("the results");

        var hearing = watch.ClaimsAsync(2000, vips);
        var start = Stopwatch.GetTimestamp();
        await segment.Guard.AnnounceAsync(vips, AnnounceScope.AllHosts, [], CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(20));
        var heard = await hearing;

        output.WriteLine($"2000 frames for 1000 addresses heard within {Stopwatch.GetElapsedTime(start, heard[^1].At).TotalMilliseconds:F0} ms");
        Assert.Equal(1000, heard.Select(claim => claim.Address).Distinct().Count());
        Assert.InRange(Stopwatch.GetElapsedTime(start, heard[^1].At), TimeSpan.Zero, TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void Every_frame_is_read_back_as_the_claim_it_makes()
    {
        var frame = new byte[NeighbourFrame.MaxSize];
        MacAddress own = MacAddress.FromBytes([2, 0, 0, 0, 0, 1]), other = MacAddress.FromBytes([2, 0, 0, 0, 0, 2]);
        foreach (var (address, host) in new[] { (s_vip4, IPAddress.Parse("198.18.0.1")), (s_vip6, IPAddress.Parse("2001:db8::1")) })
        {
            int[] lengths =
            [
                Check(NeighbourFrame.WriteProbe(frame, address, own)),
                Check(NeighbourFrame.WriteAnnouncement(frame, address, own, replyForm: false)),
                Check(NeighbourFrame.WriteAnnouncement(frame, address, own, replyForm: true)),
                Check(NeighbourFrame.WriteDirected(frame, address, own, host, other)),
            ];
            Assert.All(lengths, length => Assert.InRange(length, 42, NeighbourFrame.MaxSize));

            int Check(int length)
            {
                Assert.True(NeighbourFrame.TryReadClaim(frame.AsSpan(0, length), out var read, out var by));
                Assert.Equal((address, own), (read, by));
                for (var cut = 0; cut < length - 8; cut++)
                    NeighbourFrame.TryReadClaim(frame.AsSpan(0, cut), out _, out _);  // total: no exception
                return length;
            }
        }
    }

    private sealed class Segment : IAsyncDisposable
    {
        private Rtnetlink _own = null!, _other = null!;

        public NetworkNamespace Host { get; private set; } = null!;
        public NetworkNamespace Neighbour { get; private set; } = null!;
        public AddressGuardProcess Guard { get; private set; } = null!;
        public MacAddress Mac => _own.GetLinks().Single(link => link.Name == "eth0").Mac;
        public MacAddress NeighbourMac => _other.GetLinks().Single(link => link.Name == "eth0").Mac;

        public Dictionary<IPAddress, MacAddress> NeighbourTable() => _other.GetNeighbours().ToDictionary(entry => entry.Address, entry => entry.Mac);

        public static async Task<Segment> StartAsync()
        {
            var segment = new Segment { Host = await TestNamespace.EmptyAsync(), Neighbour = await TestNamespace.EmptyAsync() };
            await segment.Host.ConnectAsync("eth0", segment.Neighbour, "eth0", CancellationToken.None);
            segment._own = await segment.Host.RunAsync(() => new Rtnetlink());
            segment._other = await segment.Neighbour.RunAsync(() => new Rtnetlink());
            var settings = new GuardSettings(
                new Topology([new(IPNetwork.Parse("198.18.0.0/16"), "eth0", 32), new(IPNetwork.Parse("2001:db8::/64"), "eth0", 128)]),
                [], TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(20));
            segment.Guard = await AddressGuardProcess.StartAsync(
                settings, [.. segment.Host.ExecPrefix, Path.Combine(AppContext.BaseDirectory, "vipd")], CancellationToken.None).Within("the guard's start");
            return segment;
        }

        public async ValueTask DisposeAsync()
        {
            await Guard.DisposeAsync();
            _own.Dispose();
            _other.Dispose();
            await Host.DisposeAsync();
            await Neighbour.DisposeAsync();
        }
    }
}
