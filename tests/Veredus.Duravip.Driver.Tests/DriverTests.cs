using System.Net;
using Veredus.Network;

namespace Veredus.Duravip.Driver.Tests;

/// <summary>What the driver does around the machine: in which order, and what it survives.</summary>
public sealed class DriverTests
{
    private const string Vip = "192.0.2.1";

    [Fact]
    public async Task The_host_is_clean_before_the_group_is_joined_and_sockets_are_open_before_their_address_comes()
    {
        await using var bench = new Bench(Vip);
        await bench.StartAsync();

        var at = -1;
        foreach (var line in (string[])["guard", $"clean {Vip}", "join", $"probe {Vip}", $"open {Vip}", $"add {Vip}", $"announce AllHosts {Vip}", $"start {Vip}", $"Info: duravip: plumbed {Vip} on eth0 (elected)"])
            at = await bench.Story.UntilAsync(line, at + 1);
    }

    [Fact]
    public async Task A_stop_ends_the_service_then_takes_the_address_off_then_leaves()
    {
        await using var bench = new Bench(Vip);
        await bench.StartAsync();
        var at = await bench.Story.UntilAsync($"start {Vip}");

        bench.Services.Sessions = new(TaskCreationOptions.RunContinuationsAsynchronously);
        bench.Driver.RequestStop();
        at = await bench.Story.UntilAsync($"stop {Vip} 2", at);
        Assert.False(bench.Story.Has("remove"));  // while sessions finish, the address stays
        bench.Services.Sessions.SetResult();
        at = await bench.Story.UntilAsync($"remove {Vip}", at);
        await bench.Story.UntilAsync($"Info: duravip: released {Vip} (drain)", at);
        await bench.Driver.Stopped.WaitAsync(TimeSpan.FromSeconds(90));
    }

    [Fact]
    public async Task A_guard_that_dies_is_replaced_and_gets_the_addresses_again()
    {
        await using var bench = new Bench(Vip);
        await bench.StartAsync();
        var at = await bench.Story.UntilAsync($"start {Vip}");

        bench.Guard!.Die();
        at = await bench.Story.UntilAsync("Error: duravip: the address guard has ended (killed); starting another", at);
        at = await bench.Story.UntilAsync("guard", at + 1);
        var beat = await bench.Story.UntilAsync("beat", at);
        Assert.True(beat < await bench.Story.UntilAsync($"add {Vip}", at), bench.Story.ToString());  // or it would add nothing
    }

    [Fact]
    public async Task A_guard_that_has_heard_nothing_for_a_while_is_asked_again_and_nobody_is_told_that_the_address_is_not_here()
    {
        var asked = 0;
        await using var bench = new Bench(Vip) { Prepare = guard => guard.Adding = _ => Interlocked.Increment(ref asked) < 3 ? GuardOutcome.Stale : GuardOutcome.Done };
        await bench.StartAsync();
        await bench.Story.UntilAsync($"start {Vip}");
        Assert.False(bench.Story.Has($"Error: duravip: cannot plumb {Vip}"), bench.Story.ToString());
    }

    [Fact]
    public async Task A_lost_bus_costs_the_addresses_at_once_and_the_group_is_joined_anew()
    {
        await using var bench = new Bench(Vip);
        await bench.StartAsync();
        var at = await bench.Story.UntilAsync($"start {Vip}");

        bench.Bus!.Reset("gone");
        at = await bench.Story.UntilAsync("Error: duravip: bus connection lost; all addresses dropped, reconnecting", at);
        at = await bench.Story.UntilAsync($"remove {Vip}", at);
        at = await bench.Story.UntilAsync("join", at);
        await bench.Story.UntilAsync($"start {Vip}", at);
    }

    [Fact]
    public async Task A_bus_that_cannot_be_opened_is_tried_again()
    {
        await using var bench = new Bench(Vip) { BusTrouble = "no descriptor left" };
        await bench.StartAsync();
        var at = await bench.Story.UntilAsync("Error: cluster: bus: no descriptor left; trying again");
        at = await bench.Story.UntilAsync("join", at);
        await bench.Story.UntilAsync($"start {Vip}", at);
    }

    [Fact]
    public async Task An_address_whose_socket_cannot_be_opened_is_not_taken()
    {
        await using var bench = new Bench(Vip, "192.0.2.2");
        bench.Services.Trouble = address => address.ToString() == Vip ? "address in use" : null;
        await bench.StartAsync();
        await bench.Story.UntilAsync($"Error: duravip: cannot plumb {Vip} on eth0: address in use");
        await bench.Story.UntilAsync("start 192.0.2.2");
        Assert.False(bench.Story.Has($"add {Vip}"));
        Assert.Equal(LocalPhase.Failed, await bench.Driver.QueryAsync((machine, now) => machine.Describe(VipAddress.Parse(Vip), now)!.LocalPhase, CancellationToken.None));
    }

    [Fact]
    public async Task An_address_that_the_kernel_refuses_is_a_failure_with_its_words()
    {
        await using var bench = new Bench(Vip) { Prepare = guard => guard.Adding = _ => GuardOutcome.MainAddress };
        await bench.StartAsync();
        await bench.Story.UntilAsync($"Error: duravip: cannot plumb {Vip} on eth0: MainAddress");
    }

    [Fact]
    public async Task An_address_that_somebody_answers_for_is_asked_for_again_until_he_lets_go()
    {
        var stranger = MacAddress.FromBytes([2, 0, 0, 0, 0, 7]);
        var isThere = true;
        await using var bench = new Bench(Vip) { Prepare = guard => guard.Neighbour = _ => Volatile.Read(ref isThere) ? stranger : null };
        await bench.StartAsync();
        var at = await bench.Story.UntilAsync($"Warning: duravip: {Vip} answered by {stranger}; retrying");
        await bench.Story.UntilAsync($"probe {Vip}", at);
        Assert.False(bench.Story.Has($"add {Vip}"));
        Volatile.Write(ref isThere, false);
        await bench.Story.UntilAsync($"add {Vip}", at);
    }

    [Fact]
    public async Task An_address_that_somebody_keeps_answering_for_is_taken_all_the_same_in_the_end()
    {
        await using var bench = new Bench(Vip) { Prepare = guard => guard.Neighbour = _ => MacAddress.FromBytes([2, 0, 0, 0, 0, 7]) };
        await bench.StartAsync();
        await bench.Story.UntilAsync($"start {Vip}");
    }

    [Fact]
    public async Task An_address_that_vanished_is_added_again_without_asking_anybody()
    {
        await using var bench = new Bench(Vip);
        await bench.StartAsync();
        var at = await bench.Story.UntilAsync($"start {Vip}");

        bench.Guard!.Say(new GuardNotice.Vanished([IPAddress.Parse(Vip)]));
        var again = await bench.Story.UntilAsync($"add {Vip}", at);
        Assert.False(bench.Story.Has($"probe {Vip}", at) && await bench.Story.UntilAsync($"probe {Vip}", at) < again);
    }

    [Fact]
    public async Task With_arp_all_hosts_off_only_known_hosts_are_told()
    {
        await using var bench = new Bench(Vip);
        await bench.StartAsync();
        var at = await bench.Story.UntilAsync($"start {Vip}");

        bench.Vips = new([.. bench.Vips.Vips, new(new(VipAddress.Parse("192.0.2.9"), VipAddress.Parse("192.0.2.9"), ["esmtp"], [], "", Placeability.Placeable, "192.0.2.0/24"), new("eth0", 32))]);
        await bench.Driver.ReconfigureAsync(bench.Configuration(Bench.Options with { ArpAllHosts = false }), CancellationToken.None);
        await bench.Story.UntilAsync("announce KnownHosts 192.0.2.9", at);
        await bench.Story.UntilAsync("start 192.0.2.9", at);
    }

    [Fact]
    public async Task A_question_that_fails_is_the_asker_s_trouble_alone()
    {
        await using var bench = new Bench(Vip);
        await bench.StartAsync();
        await Assert.ThrowsAsync<InvalidOperationException>(() => bench.Driver.QueryAsync<int>((_, _) => throw new InvalidOperationException("no"), CancellationToken.None));
        await bench.Story.UntilAsync($"start {Vip}");
    }

    [Fact]
    public async Task A_drained_node_lets_go_and_takes_part_again_after_undrain()
    {
        await using var bench = new Bench(Vip);
        await bench.StartAsync();
        var at = await bench.Story.UntilAsync($"start {Vip}");

        Assert.True((await bench.Driver.AskAsync(new DrainCommand(true), CancellationToken.None)).Ok);
        at = await bench.Story.UntilAsync($"remove {Vip}", at);
        Assert.True((await bench.Driver.AskAsync(new DrainCommand(false), CancellationToken.None)).Ok);
        await bench.Story.UntilAsync($"start {Vip}", at);
    }

    [Fact]
    public async Task The_rehearsal_takes_addresses_hands_them_over_and_says_nothing_of_real_ones()
    {
        var story = new Story();
        Assert.True(await Rehearsal.RunAsync(new FakeServices(story), null, CancellationToken.None));
        string[] lines = story.ToString().Split('\n');
        for (var n = 1; n <= 64; n++)
        {
            Assert.Contains($"start 0.0.0.{n}", lines);
            Assert.Contains($"stop 0.0.0.{n} 2", lines);
        }
        Assert.DoesNotContain("owners", story.ToString(), StringComparison.Ordinal);
    }
}
