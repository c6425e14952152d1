using System.Globalization;

namespace Veredus.Duravip.Tests;

/// <summary>Claim and balancing against brute force.</summary>
public sealed class ElectionTests
{
    private static readonly string[] Names = ["mta1", "mta2", "mta3", "mta4", "mta5"];

    private static Electorate Members(int count, params int[] weights) =>
        new(Names[..count], weights.Length > 0 ? weights : [.. Enumerable.Repeat(1, count)], new());

    private static VipAddress Address(int i) => VipAddress.Parse(string.Create(CultureInfo.InvariantCulture, $"192.0.2.{i + 1}"));

    private static MemberSet Set(params int[] members) => members.Aggregate(MemberSet.Empty, (set, member) => set.With(member));

    [Fact]
    public void A_single_holder_keeps_its_address_even_against_a_preference()
    {
        var unit = new ElectionUnit(Address(0)) { Healthy = Set(0, 1), Preferred = 1, EligibleHolders = Set(0) };
        Election.Claim([unit], Members(2));
        Assert.Equal(0, unit.Owner);
        Assert.True(unit.Stayed);
    }

    [Fact]
    public void Of_several_holders_the_preferred_one_keeps_it()
    {
        var unit = new ElectionUnit(Address(0)) { Healthy = Set(0, 1, 2), Preferred = 2, EligibleHolders = Set(0, 2) };
        Election.Claim([unit], Members(3));
        Assert.Equal(2, unit.Owner);
    }

    [Fact]
    public void An_unowned_address_goes_to_its_preferred_node_whatever_the_load()
    {
        var units = Enumerable.Range(0, 6).Select(i => new ElectionUnit(Address(i)) { Healthy = Set(0, 1), Preferred = 1 }).ToList();
        Election.Claim(units, Members(2));
        Assert.All(units, unit => Assert.Equal(1, unit.Owner));
    }

    [Fact]
    public void An_unmanaged_address_stays_with_its_holder_and_is_given_to_nobody()
    {
        var held = new ElectionUnit(Address(0)) { Healthy = Set(0, 1), EligibleHolders = Set(1), StayOnly = true };
        var free = new ElectionUnit(Address(1)) { Healthy = Set(0, 1), StayOnly = true };
        Election.Claim([held, free], Members(2));
        Assert.Equal(1, held.Owner);
        Assert.Equal(-1, free.Owner);
    }

    [Fact]
    public void Weights_share_the_addresses_in_proportion()
    {
        var units = Enumerable.Range(0, 30).Select(i => new ElectionUnit(Address(i)) { Healthy = Set(0, 1) }).ToList();
        Election.Claim(units, Members(2, 2, 1));
        Assert.Equal(20, units.Count(unit => unit.Owner == 0));
    }

    [Fact]
    public void The_score_is_the_first_eight_bytes_of_the_hash_of_address_and_name()
    {
        var expected = System.Security.Cryptography.SHA256.HashData([192, 0, 2, 1, 0, .. "mta1"u8]);
        Assert.Equal(System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(expected), new ScoreCache().Of(Address(0), "mta1"));
    }

    [Fact]
    public void Fewest_choices_come_first_so_that_a_first_election_is_balanced_where_it_can_be()
    {
        var units = new List<ElectionUnit>
        {
            new(Address(0)) { Healthy = Set(0, 1) }, new(Address(1)) { Healthy = Set(0, 1) },
            new(Address(2)) { Healthy = Set(0) }, new(Address(3)) { Healthy = Set(0) },
        };
        Election.Claim(units, Members(2));
        Assert.Equal(2, units.Count(unit => unit.Owner == 0));
    }

    [Fact]
    public void Balancing_ends_optimal_with_any_participation()
    {
        var seed = Environment.GetEnvironmentVariable("VEREDUS_SEED") is { } text && int.TryParse(text, CultureInfo.InvariantCulture, out var given) ? given : Random.Shared.Next();
        var random = new Random(seed);
        for (var round = 0; round < 400; round++)
        {
            var members = random.Next(2, 5);
            var units = Enumerable.Range(0, random.Next(1, 8)).Select(i =>
            {
                var healthy = Set([.. Enumerable.Range(0, members).Where(_ => random.Next(2) == 0).DefaultIfEmpty(random.Next(members))]);
                var all = Enumerable.Range(0, members).Where(healthy.Contains).ToArray();
                return new ElectionUnit(Address(i)) { Healthy = healthy, Owner = all[random.Next(all.Length)] };
            }).ToList();
            var electorate = Members(members);
            for (var rounds = 0; ; rounds++)
            {
                Assert.True(rounds < 50, $"VEREDUS_SEED={seed}: balancing does not end");
                Array.Clear(electorate.Loads);
                units.ForEach(unit => electorate.Loads[unit.Owner]++);
                var moves = Election.Balance(units, electorate, random.Next(1, 4));
                Assert.All(moves, move => Assert.True(move.Unit.Healthy.Contains(move.To)));
                if (moves.Count == 0)
                    break;
            }
            Array.Clear(electorate.Loads);
            units.ForEach(unit => electorate.Loads[unit.Owner]++);
            var cost = electorate.Loads.Sum(load => load * load);
            Assert.True(cost == BestCost(units, 0, new int[members]), $"VEREDUS_SEED={seed}: round {round}: cost {cost}");
        }
    }

    /// <summary>The least sum of squared loads over all assignments: optimal semi-matching.</summary>
    private static int BestCost(List<ElectionUnit> units, int next, int[] loads)
    {
        if (next == units.Count)
            return loads.Sum(load => load * load);
        var best = int.MaxValue;
        foreach (var member in units[next].Healthy)
        {
            loads[member]++;
            best = Math.Min(best, BestCost(units, next + 1, loads));
            loads[member]--;
        }
        return best;
    }

    [Fact]
    public void Balancing_moves_no_more_than_it_must_with_uniform_participation()
    {
        var units = Enumerable.Range(0, 9).Select(i => new ElectionUnit(Address(i)) { Healthy = Set(0, 1, 2), Owner = 0 }).ToList();
        var electorate = Members(3);
        electorate.Loads[0] = 9;
        Assert.Equal(6, Election.Balance(units, electorate, 100).Count);
        Assert.Equal([3, 3, 3], electorate.Loads);
    }

    [Fact]
    public void A_round_contains_no_more_moves_than_it_may()
    {
        var units = Enumerable.Range(0, 9).Select(i => new ElectionUnit(Address(i)) { Healthy = Set(0, 1, 2), Owner = 0 }).ToList();
        var electorate = Members(3);
        electorate.Loads[0] = 9;
        Assert.Equal(2, Election.Balance(units, electorate, 2).Count);
    }

    [Fact]
    public void A_chain_passes_load_on_where_no_direct_move_helps()
    {
        // mta1 can only give to mta2, and mta2 only to mta3.
        var units = new List<ElectionUnit>
        {
            new(Address(0)) { Healthy = Set(0, 1), Owner = 0 }, new(Address(1)) { Healthy = Set(0, 1), Owner = 0 }, new(Address(2)) { Healthy = Set(0), Owner = 0 },
            new(Address(3)) { Healthy = Set(1, 2), Owner = 1 }, new(Address(4)) { Healthy = Set(1, 2), Owner = 1 },
        };
        var electorate = Members(3);
        (electorate.Loads[0], electorate.Loads[1], electorate.Loads[2]) = (3, 2, 0);
        var moves = Election.Balance(units, electorate, 1);
        Assert.Equal([(0, 1), (1, 2)], moves.ConvertAll(move => (move.From, move.To)));
    }
}
