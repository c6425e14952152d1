using System.Diagnostics;
using Xunit.Abstractions;

namespace Veredus.Cluster.Tests;

/// <summary>Three real corosyncs in namespaces of their own and a client on each.</summary>
public sealed class CorosyncBusTests(CorosyncCluster cluster, ITestOutputHelper output) : IClassFixture<CorosyncCluster>
{
    [CorosyncFact]
    public async Task All_members_deliver_the_same_messages_in_the_same_order()
    {
        var members = await cluster.JoinAsync("order");

        await Task.WhenAll(members.Select(member => Task.Run(() =>
        {
            for (var i = 0; i < 500; i++)
                member.Say($"{i}");
        })));
        foreach (var member in members)
            await member.Until(seen => seen.OfType<GroupEvent.Message>().Count() == 1500, "1500 messages");

        var orders = members.Select(member => member.Ordered.Where(text => !text.StartsWith('[')).ToArray()).ToArray();
        Assert.Equal(orders[0], orders[1]);
        Assert.Equal(orders[0], orders[2]);
        foreach (var node in (uint[])[1, 2, 3])
            Assert.Equal(Enumerable.Range(0, 500).Select(i => $"{node}: {i}"), orders[0].Where(text => text.StartsWith($"{node}:", StringComparison.Ordinal)));
        foreach (var member in members)
            await member.Until(seen => seen[^1] is GroupEvent.Drained, "the drained mark");
        Assert.All(members, member => Assert.True(member.Bus.IsDrained));
    }

    [CorosyncFact]
    public async Task A_large_message_arrives_whole_and_in_its_place()
    {
        var members = await cluster.JoinAsync("large");
        var large = new string('x', 3_000_000);

        members[0].Say("before");
        members[0].Say(large);
        members[0].Say("after");
        foreach (var member in members)
            await member.Hears("after");

        foreach (var member in members)
            Assert.Equal(["before", large, "after"], member.Seen.OfType<GroupEvent.Message>().Select(BusListener.Text));
    }

    [CorosyncFact]
    public async Task A_member_that_leaves_is_seen_to_leave_at_the_same_place_by_all()
    {
        var members = await cluster.JoinAsync("leave");

        members[2].Say("last words");
        await members[2].Hears("last words");
        await members[2].Bus.DisposeAsync();
        await members[0].HasMembers(1, 2);
        await members[1].HasMembers(1, 2);

        var view = members[0].Seen.OfType<GroupEvent.View>().Last().Membership;
        Assert.Equal([new Departed(members[2].Bus.Self, Departure.Leave)], view.Left);
        Assert.Equal(view.Members, view.Transitional);
        Assert.Equal(members[0].Ordered.TakeLast(2), members[1].Ordered.TakeLast(2));
        Assert.Equal(["3: last words", "[1 2]"], members[0].Ordered.TakeLast(2));
        await members[2].Reading.WaitAsync(TimeSpan.FromSeconds(10));
    }

    [CorosyncFact]
    public async Task A_cut_splits_the_group_and_healing_merges_it()
    {
        var members = await cluster.JoinAsync("cut");

        var start = Stopwatch.GetTimestamp();
        await cluster.CutAsync(3);
        await Task.WhenAll(members[0].HasMembers(1, 2), members[1].HasMembers(1, 2), members[2].HasMembers(3));
        output.WriteLine($"both sides of a cut know after {Stopwatch.GetElapsedTime(start).TotalMilliseconds:F0} ms; token + consensus is {BusTiming.Fast.Detection(3).TotalMilliseconds} ms");
        members[0].Say("on the large side");
        members[2].Say("on the small side");
        await members[2].Hears("on the small side");
        // Before the first message of the new membership: a minority must know it before it can agree on anything.
        Assert.Equal([3u], members[2].Seen.TakeWhile(happened => happened is not GroupEvent.Message message || BusListener.Text(message) != "on the small side").OfType<GroupEvent.Hosts>().Last().NodeIds);
        await members[1].Hears("on the large side");
        await members[2].Hears("on the small side");
        await cluster.HealAsync(3);
        foreach (var member in members)
            await member.HasMembers(1, 2, 3);
        members[1].Say("together");
        foreach (var member in members)
            await member.Hears("together");

        Assert.All(members[0].Seen.OfType<GroupEvent.View>().Last(view => view.Membership.Left.Count > 0).Membership.Left, left => Assert.Equal(Departure.NodeDown, left.Why));
        // The same for both, in every membership that names both. On the way back one of them may pass through one without the other (decision 0220).
        Assert.Equal(Shared(members[0]), Shared(members[1]));
        static IEnumerable<string> Shared(BusListener member) => member.Ordered.SkipWhile(text => text != "[1 2]").Where(text => text[0] != '[' || (text.Contains('1') && text.Contains('2')));
        Assert.DoesNotContain("3: on the small side", members[0].Ordered);
        Assert.DoesNotContain("1: on the large side", members[2].Ordered);
    }

    [CorosyncFact]
    public async Task A_large_message_that_a_cut_interrupts_arrives_once()
    {
        var members = await cluster.JoinAsync("interrupted");
        var large = new string('y', 7_000_000);

        members[0].Say(large);
        await cluster.CutAsync(3);
        members[0].Say("done");
        await Task.WhenAll(members[0].Hears("done"), members[1].Hears("done"));

        foreach (var member in members[..2])
            Assert.Single(member.Seen.OfType<GroupEvent.Message>(), message => message.Payload.Length == large.Length);
        await cluster.HealAsync(3);
        foreach (var member in members)
            await member.HasMembers(1, 2, 3);
    }

    [CorosyncFact]
    public async Task When_its_daemon_is_killed_a_bus_says_so_and_comes_back_with_it()
    {
        var members = await cluster.JoinAsync("killed");

        var start = Stopwatch.GetTimestamp();
        var killed = await cluster.KillAsync(2);
        await members[1].Until(seen => seen[^1] is GroupEvent.Lost, "the word that the bus is lost");
        Assert.Equal(SendOutcome.NotJoined, members[1].Bus.Send("x"u8));
        await members[0].HasMembers(1, 3);
        Assert.Empty(Directory.EnumerateFileSystemEntries("/dev/shm", $"qb-{killed}-*"));
        output.WriteLine($"others know of a killed daemon after {Stopwatch.GetElapsedTime(start).TotalMilliseconds:F0} ms");
        await cluster.StartAsync(2);
        foreach (var member in members)
            await member.HasMembers(1, 2, 3);

        members[1].Say("back");
        await members[0].Hears("back");
    }

    [CorosyncFact]
    public async Task A_reader_that_does_not_read_holds_up_nobody_and_misses_nothing()
    {
        const int count = 12_000;  // more than the bus keeps unread
        var members = await cluster.JoinAsync("slow");
        await using var slow = cluster.Open(1, "slow-other");
        await using var fast = cluster.Open(2, "slow-other");
        var reading = new BusListener(fast);
        await reading.HasMembers(1, 2);

        for (var i = 0; i < count; i++)
        {
            Assert.Equal(SendOutcome.Accepted, fast.Send(BitConverter.GetBytes(i)));
            if (i % 2000 == 1999)
                await reading.Until(seen => seen.Count > i && seen.OfType<GroupEvent.Message>().Count() == i + 1, "all so far on the side that reads");
        }

        members[0].Say("other groups go on");
        await members[2].Hears("other groups go on");
        var numbers = new List<int>();
        while (numbers.Count < count)
            if (await slow.Events.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20)) is GroupEvent.Message message)
                numbers.Add(BitConverter.ToInt32(message.Payload.Span));
        Assert.Equal(Enumerable.Range(0, count), numbers);
    }

    [CorosyncFact]
    public async Task A_bus_with_something_unread_is_not_drained()
    {
        var members = await cluster.JoinAsync("unread");
        await using var silent = cluster.Open(1, "other");
        await silent.Events.WaitToReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20));

        Assert.False(silent.IsDrained);
        while (!silent.IsDrained)
            await silent.Events.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20));

        Assert.Equal(new MemberId(1, (uint)Environment.ProcessId), silent.Self);
        Assert.Equal(members[0].Bus.Self, silent.Self);
    }

    [CorosyncFact]
    public async Task A_reset_leaves_and_joins_again()
    {
        var members = await cluster.JoinAsync("reset");

        members[0].Bus.Reset("asked to");
        await members[0].Until(seen => seen.Any(happened => happened is GroupEvent.Lost), "the reset");
        await members[0].HasMembers(1, 2, 3);
        await members[1].Until(seen => seen.OfType<GroupEvent.View>().Any(view => BusListener.Nodes(view) == "[2 3]"), "the departure");

        Assert.Equal("asked to", members[0].Seen.OfType<GroupEvent.Lost>().Single().Reason);
        members[0].Say("again");
        await members[2].Hears("again");
    }
}
