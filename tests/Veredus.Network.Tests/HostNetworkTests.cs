using System.Net;

namespace Veredus.Network.Tests;

public sealed class HostNetworkTests
{
    [NamespaceFact]
    public async Task It_knows_what_comes_and_goes_and_is_silent_about_renewals()
    {
        await using var host = await TestNamespace.WithInterfaceAsync();
        using var network = await host.RunAsync(() => new HostNetwork());
        using var netlink = await host.RunAsync(() => new Rtnetlink());
        var eth0 = network.Current.Links["eth0"].Index;
        AddressPlacement[] vip = [new(IPAddress.Parse("198.18.0.10"), 32, eth0)], other = [new(IPAddress.Parse("198.18.0.11"), 32, eth0)];
        var answer = new KernelAnswer[1];
        await using var changes = network.FollowAsync(CancellationToken.None).GetAsyncEnumerator();

        netlink.Add(vip, 60, renew: false, answer);
        netlink.Add(vip, 600, renew: true, answer);
        netlink.Remove(vip, answer);
        netlink.Add(other, 60, renew: false, answer);

        var seen = new List<string>();
        while (seen.Count < 3 && await changes.MoveNextAsync().AsTask().Within("the next change"))
            if (changes.Current is NetworkChange.AddressAdded { Address.IsOurs: true } or NetworkChange.AddressRemoved { Address.IsOurs: true })
                seen.Add(changes.Current is NetworkChange.AddressAdded(var added) ? $"+{added.Address}" : $"-{((NetworkChange.AddressRemoved)changes.Current).Address.Address}");
        Assert.Equal(["+198.18.0.10", "-198.18.0.10", "+198.18.0.11"], seen);
        Assert.True(network.Current.Addresses[other[0].Address].IsOurs);
        Assert.False(network.Current.Addresses.ContainsKey(vip[0].Address));
        Assert.Equal((true, false), (network.Has(other[0].Address), network.Has(vip[0].Address)));
        Assert.Equal(("eth0", null), (network.NameOf(eth0), network.NameOf(eth0 + 1000)));
    }

    [NamespaceFact]
    public async Task A_main_address_is_told_from_a_virtual_one()
    {
        await using var host = await TestNamespace.WithInterfaceAsync();
        await host.RunIpAsync("addr add 198.18.0.1/24 dev eth0", CancellationToken.None);
        await host.RunIpAsync("addr add 198.18.0.10/32 dev eth0", CancellationToken.None);
        using var network = await host.RunAsync(() => new HostNetwork());
        var topology = new Topology([new(IPNetwork.Parse("198.18.0.0/24"), "eth0", 32)]);

        Assert.True(network.Current.IsMainAddress(IPAddress.Parse("198.18.0.1"), topology));
        Assert.False(network.Current.IsMainAddress(IPAddress.Parse("198.18.0.10"), topology));
        Assert.False(network.Current.IsMainAddress(IPAddress.Parse("198.18.0.11"), topology));
    }
}
