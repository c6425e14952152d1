using System.Diagnostics;
using System.Net;
using Xunit.Abstractions;

namespace Veredus.Network.Tests;

public sealed class RtnetlinkTests(ITestOutputHelper output)
{
    private const int AlreadyThere = 17, NotThere = 99, NoSuchDevice = 19;

    [NamespaceFact]
    public async Task An_added_address_carries_lifetime_tag_and_no_prefix_route()
    {
        await using var host = await TestNamespace.WithInterfaceAsync();
        using var netlink = await host.RunAsync(() => new Rtnetlink());
        var eth0 = netlink.GetLinks().Single(link => link.Name == "eth0").Index;
        AddressPlacement[] placements = [new(IPAddress.Parse("198.18.0.10"), 32, eth0), new(IPAddress.Parse("2001:db8::10"), 128, eth0)];
        var answers = new KernelAnswer[2];

        netlink.Add(placements, lifetimeSeconds: 60, renew: false, answers);

        Assert.All(answers, answer => Assert.Equal(0, answer.Errno));
        var ours = netlink.GetAddresses().Where(address => address.LinkIndex == eth0 && address.IsOurs).ToArray();
        Assert.Equal(["198.18.0.10", "2001:db8::10"], ours.Select(address => address.Address.ToString()));
        Assert.All(ours, address => Assert.InRange(address.ValidLifetime ?? 0, 58u, 60u));
        Assert.All(ours, address => Assert.True(address.NoPrefixRoute && !address.IsTentative));
    }

    [NamespaceFact]
    public async Task A_renewal_moves_the_lifetime_and_an_exclusive_add_fails()
    {
        await using var host = await TestNamespace.WithInterfaceAsync();
        using var netlink = await host.RunAsync(() => new Rtnetlink());
        var eth0 = netlink.GetLinks().Single(link => link.Name == "eth0").Index;
        AddressPlacement[] placements = [new(IPAddress.Parse("198.18.0.10"), 32, eth0), new(IPAddress.Parse("2001:db8::10"), 128, eth0)];
        var answers = new KernelAnswer[2];
        netlink.Add(placements, 60, renew: false, answers);

        netlink.Add(placements, 600, renew: false, answers);
        Assert.All(answers, answer => Assert.Equal(AlreadyThere, answer.Errno));
        netlink.Add(placements, 600, renew: true, answers);

        Assert.All(answers, answer => Assert.Equal(0, answer.Errno));
        var ours = netlink.GetAddresses().Where(address => address.IsOurs).ToArray();
        Assert.Equal(2, ours.Length);
        Assert.All(ours, address => Assert.InRange(address.ValidLifetime ?? 0, 590u, 600u));
    }

    [NamespaceFact]
    public async Task The_kernel_removes_an_address_that_is_not_renewed()
    {
        await using var host = await TestNamespace.WithInterfaceAsync();
        using var netlink = await host.RunAsync(() => new Rtnetlink());
        using var monitor = await host.RunAsync(() => new NetlinkMonitor());
        var eth0 = netlink.GetLinks().Single(link => link.Name == "eth0").Index;
        AddressPlacement[] placements = [new(IPAddress.Parse("198.18.0.10"), 32, eth0), new(IPAddress.Parse("2001:db8::10"), 128, eth0)];
        netlink.Add(placements, lifetimeSeconds: 1, renew: false, new KernelAnswer[2]);
        var start = Stopwatch.GetTimestamp();

        var gone = await Removals(monitor, 2).Within("the kernel's removal of two addresses with a lifetime of 1 s");

        output.WriteLine($"gone after {Stopwatch.GetElapsedTime(start).TotalMilliseconds:F0} ms (both families)");
        Assert.Equal(placements.Select(placement => placement.Address).ToHashSet(), gone.ToHashSet());
    }

    [NamespaceFact]
    public async Task Each_address_of_a_batch_gets_its_own_answer()
    {
        await using var host = await TestNamespace.WithInterfaceAsync();
        using var netlink = await host.RunAsync(() => new Rtnetlink());
        var eth0 = netlink.GetLinks().Single(link => link.Name == "eth0").Index;
        var placements = Enumerable.Range(0, 600).Select(i => new AddressPlacement(Address(i), 32, i % 3 == 1 ? 4711 : eth0)).ToArray();
        var answers = new KernelAnswer[placements.Length];
        netlink.Add([new(Address(0), 32, eth0)], 60, renew: false, answers);

        netlink.Add(placements, 60, renew: false, answers);

        Assert.Equal(AlreadyThere, answers[0].Errno);
        for (var i = 1; i < answers.Length; i++)
            Assert.Equal(i % 3 == 1 ? NoSuchDevice : 0, answers[i].Errno);

        netlink.Remove(placements, answers);
        for (var i = 0; i < answers.Length; i++)
            Assert.Equal(i % 3 == 1 ? NoSuchDevice : 0, answers[i].Errno);
        netlink.Remove(placements.AsSpan(0, 1), answers);
        Assert.Equal(NotThere, answers[0].Errno);
    }

    [NamespaceFact]
    public async Task The_monitor_reports_addresses_and_carrier()
    {
        await using var host = await TestNamespace.EmptyAsync();
        await using var peer = await TestNamespace.EmptyAsync();
        await host.ConnectAsync("eth0", peer, "eth0", CancellationToken.None);
        using var netlink = await host.RunAsync(() => new Rtnetlink());
        using var monitor = await host.RunAsync(() => new NetlinkMonitor());
        Assert.True(netlink.GetLinks().Single(link => link.Name == "eth0").HasCarrier);

        await peer.RunIpAsync("link set eth0 down", CancellationToken.None);

        var change = await First(monitor, change => change is NetworkChange.LinkChanged { Link: { Name: "eth0", HasCarrier: false } }).Within("the loss of carrier");
        Assert.True(((NetworkChange.LinkChanged)change).Link.IsUp);
    }

    [NamespaceFact]
    public async Task A_thousand_addresses_come_and_go_within_a_fraction_of_a_second()
    {
        await using var host = await TestNamespace.WithInterfaceAsync();
        using var netlink = await host.RunAsync(() => new Rtnetlink());
        var eth0 = netlink.GetLinks().Single(link => link.Name == "eth0").Index;
        var placements = Enumerable.Range(0, 1000).Select(i => new AddressPlacement(Address(i), 32, eth0)).ToArray();
        var answers = new KernelAnswer[placements.Length];

        var (add, renew, remove) = (TimeSpan.MaxValue, TimeSpan.MaxValue, TimeSpan.MaxValue);
        for (var round = 0; round < 5; round++)
        {
            add = Best(add, () => netlink.Add(placements, 60, renew: false, answers));
            renew = Best(renew, () => netlink.Add(placements, 60, renew: true, answers));
            remove = Best(remove, () => netlink.Remove(placements, answers));
        }

        output.WriteLine($"1000 addresses, best of 5: add {add.TotalMilliseconds:F1} ms, renew {renew.TotalMilliseconds:F1} ms, remove {remove.TotalMilliseconds:F1} ms");
        Assert.InRange(add + renew + remove, TimeSpan.Zero, TimeSpan.FromSeconds(1));

        TimeSpan Best(TimeSpan sofar, Action action)
        {
            var start = Stopwatch.GetTimestamp();
            action();
            var took = Stopwatch.GetElapsedTime(start);
            Assert.All(answers, answer => Assert.Equal(0, answer.Errno));
            return took < sofar ? took : sofar;
        }
    }

    private static IPAddress Address(int i) => new([198, 18, (byte)(i >> 8), (byte)i]);

    private static async Task<NetworkChange> First(NetlinkMonitor monitor, Predicate<NetworkChange> wanted)
    {
        await foreach (var change in monitor.ReadAllAsync(CancellationToken.None))
            if (wanted(change))
                return change;
        throw new InvalidOperationException("The monitor ended.");
    }

    private static async Task<List<IPAddress>> Removals(NetlinkMonitor monitor, int count)
    {
        var gone = new List<IPAddress>();
        await foreach (var change in monitor.ReadAllAsync(CancellationToken.None))
        {
            if (change is NetworkChange.AddressRemoved { Address.Address: var address })
                gone.Add(address);
            if (gone.Count == count)
                break;
        }
        return gone;
    }
}
