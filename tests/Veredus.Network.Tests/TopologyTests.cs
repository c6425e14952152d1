using System.Net;

namespace Veredus.Network.Tests;

public sealed class TopologyTests
{
    [Theory]
    [InlineData("198.18.0.5", "eth0")]
    [InlineData("198.18.0.129", "eth1")]
    [InlineData("2001:db8::1", "eth2")]
    public void The_longest_matching_block_places_an_address(string address, string expected)
    {
        var topology = new Topology(
        [
            new(IPNetwork.Parse("198.18.0.0/24"), "eth0", 32),
            new(IPNetwork.Parse("198.18.0.128/25"), "eth1", 32),
            new(IPNetwork.Parse("2001:db8::/64"), "eth2", 128),
        ]);

        Assert.Equal(expected, topology.Find(IPAddress.Parse(address))?.Interface);
    }

    [Fact]
    public void An_address_outside_every_block_has_no_place() =>
        Assert.Null(new Topology([new(IPNetwork.Parse("198.18.0.0/24"), "eth0", 32)]).Find(IPAddress.Parse("198.18.1.1")));

    [Theory]
    [InlineData("198.18.0.0/24", 33)]
    [InlineData("198.18.0.0/24", 0)]
    [InlineData("2001:db8::/64", 129)]
    public void A_mask_that_the_family_does_not_have_is_refused(string network, int mask) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new TopologyBlock(IPNetwork.Parse(network), "eth0", mask));
}
