using System.Net;

namespace Veredus.Network.Tests;

public sealed class SharedNeighbourTableTests
{
    private static readonly MacAddress s_one = MacAddress.FromBytes([2, 0, 0, 0, 0, 1]), s_two = MacAddress.FromBytes([2, 0, 0, 0, 0, 2]);

    [Fact]
    public void The_latest_sighting_of_an_address_counts_and_ages()
    {
        var table = new SharedNeighbourTable();
        table.Apply([Seen("198.18.0.9", s_one), Seen("198.18.0.10", s_one)], TimeSpan.Zero);
        table.Apply([Seen("198.18.0.9", s_two)], TimeSpan.FromSeconds(60));

        Assert.Equal(
            [(Seen("198.18.0.9", s_two), TimeSpan.FromSeconds(10)), (Seen("198.18.0.10", s_one), TimeSpan.FromSeconds(70))],
            table.Entries(TimeSpan.FromSeconds(70)));
    }

    [Fact]
    public void What_nobody_has_seen_for_ten_minutes_is_forgotten()
    {
        var table = new SharedNeighbourTable();
        table.Apply([Seen("198.18.0.9", s_one)], TimeSpan.Zero);

        Assert.Single(table.Entries(SharedNeighbourTable.MaxAge));
        Assert.Empty(table.Entries(SharedNeighbourTable.MaxAge + TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public void A_flood_pushes_out_the_longest_unseen()
    {
        var table = new SharedNeighbourTable();
        table.Apply([Seen("203.0.113.1", s_one)], TimeSpan.Zero);
        table.Apply(Enumerable.Range(0, SharedNeighbourTable.MaxEntries).Select(i => Seen($"198.18.{i >> 8}.{i & 255}", s_two)), TimeSpan.FromSeconds(1));

        var entries = table.Entries(TimeSpan.FromSeconds(1));
        Assert.Equal(SharedNeighbourTable.MaxEntries, entries.Count);
        Assert.DoesNotContain(entries, entry => entry.Neighbour.Mac == s_one);
    }

    private static NeighbourInfo Seen(string address, MacAddress mac) => new(0, IPAddress.Parse(address), mac);
}
