using System.Diagnostics;
using System.Net;
using Xunit.Abstractions;

namespace Veredus.Lab;

/// <summary>One cluster for all cases that leave it as they found it.</summary>
public sealed class SharedLab : IAsyncLifetime
{
    private LabCluster? _lab;

    public LabCluster Lab => _lab ?? throw new InvalidOperationException("not started");

    public async Task InitializeAsync()
    {
        if (new LabFactAttribute().Skip is null)
            _lab = await LabCluster.StartAsync(new());
    }

    public async Task DisposeAsync()
    {
        if (_lab is not null)
            await _lab.DisposeAsync();
    }
}

[CollectionDefinition("lab")]
public sealed class LabCollection : ICollectionFixture<SharedLab>;

/// <summary>What a client sees of three nodes that share addresses while one of them fails. Every case ends with all nodes back and each address on one host.</summary>
[Collection("lab")]
public sealed class FailoverTests(SharedLab shared, ITestOutputHelper output)
{
    private LabCluster Lab => shared.Lab;

    [LabFact]
    public async Task A_killed_node_s_addresses_answer_elsewhere_and_are_gone_from_its_host()
    {
        await Lab.SettledAsync();
        await using var prober = new Prober(Lab.Client, Lab.Vips);
        var (victim, lost) = await Lab.SomeOwnerAsync();

        var start = Stopwatch.GetTimestamp();
        await Lab.SignalAsync(victim, "KILL");
        await prober.UntilElsewhereAsync(lost, start, victim, () => Lab.Story);
        await Lab.EndedAsync(victim);
        Report("SIGKILL", prober, lost, start);

        await Lab.SettledAsync([.. LabCluster.Hosts.Where(i => i != victim)]);
        await WireWatch.AssertOneEachAsync(Lab, Lab.Vips);
        await BackAsync(victim);
    }

    [LabFact]
    public async Task A_frozen_node_s_addresses_leave_its_host_before_others_take_them_and_it_comes_back()
    {
        await Lab.SettledAsync();
        await using var prober = new Prober(Lab.Client, Lab.Vips);
        var (victim, lost) = await Lab.SomeOwnerAsync();
        var said = Lab.Said(victim).Length;

        var start = Stopwatch.GetTimestamp();
        await Lab.SignalAsync(victim, "STOP");
        await prober.UntilElsewhereAsync(lost, start, victim, () => Lab.Story);
        Report("SIGSTOP", prober, lost, start);
        await Lab.SettledAsync([.. LabCluster.Hosts.Where(i => i != victim)]);
        await WireWatch.AssertOneEachAsync(Lab, Lab.Vips);

        await Lab.SignalAsync(victim, "CONT");
        await Lab.UntilSaidAsync(victim, "this node was excluded/suspected", said);
        await Lab.SettledAsync();
        Assert.True(Lab.Runs(victim), Lab.Story);
        await WireWatch.AssertOneEachAsync(Lab, Lab.Vips);
    }

    [LabFact]
    public async Task A_node_that_stops_hands_over_without_cutting_a_transaction()
    {
        await Lab.SettledAsync();
        await using var prober = new Prober(Lab.Client, Lab.Vips);
        await using var mail = new MailClient(Lab.Client, Lab.Vips);
        var (victim, lost) = await Lab.SomeOwnerAsync();
        await prober.UntilAllAsync(Lab.Vips, seen => seen.Node.Length > 0, () => Lab.Story);

        var start = Stopwatch.GetTimestamp();
        await Lab.SignalAsync(victim, "TERM");
        await prober.UntilElsewhereAsync(lost, start, victim, () => Lab.Story);
        await Lab.EndedAsync(victim);
        Report("SIGTERM", prober, lost, start);
        output.WriteLine($"ended after {Stopwatch.GetElapsedTime(start).TotalMilliseconds:F0} ms\n{Lab.Said(victim)}");
        await Lab.SettledAsync([.. LabCluster.Hosts.Where(i => i != victim)]);
        await WireWatch.AssertOneEachAsync(Lab, Lab.Vips);
        await BackAsync(victim);

        Assert.Empty(mail.Cut);
        Assert.True(mail.Done > 0);
        output.WriteLine($"{mail.Done} transactions, {mail.Goodbyes} sessions ended between two");
    }

    [LabFact]
    public async Task A_host_whose_corosync_dies_gives_its_addresses_up_and_takes_part_again_when_it_is_back()
    {
        await Lab.SettledAsync();
        await using var prober = new Prober(Lab.Client, Lab.Vips);
        var (victim, lost) = await Lab.SomeOwnerAsync();

        var start = Stopwatch.GetTimestamp();
        await Lab.KillBusAsync(victim);
        await prober.UntilElsewhereAsync(lost, start, victim, () => Lab.Story);
        Report("corosync killed", prober, lost, start);
        await Lab.SettledAsync([.. LabCluster.Hosts.Where(i => i != victim)]);
        await WireWatch.AssertOneEachAsync(Lab, Lab.Vips);

        // Without a bus the node serves what does not depend on one, also when it is started so.
        await Lab.SignalAsync(victim, "TERM");
        await Lab.EndedAsync(victim);
        var said = Lab.Said(victim).Length;
        await Lab.StartNodeAsync(victim);
        await Lab.UntilSaidAsync(victim, "corosync does not answer", said);
        await using (var plain = new Prober(Lab.Client, [LabCluster.Static(victim)]))
            await plain.UntilAllAsync([LabCluster.Static(victim)], seen => seen.Node == $"mta{victim}.lab", () => Lab.Story);

        await Lab.StartBusAsync(victim);
        await Lab.SettledAsync();
        await WireWatch.AssertOneEachAsync(Lab, Lab.Vips);
    }

    [LabFact]
    public async Task A_host_that_is_cut_off_loses_its_addresses_to_the_others_and_after_the_merge_each_has_one_holder()
    {
        await Lab.SettledAsync();
        await using var prober = new Prober(Lab.Client, Lab.Vips);
        var (victim, lost) = await Lab.SomeOwnerAsync();

        var start = Stopwatch.GetTimestamp();
        await Lab.IsolateAsync(victim);
        await prober.UntilElsewhereAsync(lost, start, victim, () => Lab.Story);
        Report("cut off", prober, lost, start);
        await WireWatch.AssertOneEachAsync(Lab, Lab.Vips);

        await Lab.HealAsync();
        await Lab.SettledAsync();
        await WireWatch.AssertOneEachAsync(Lab, Lab.Vips);
    }

    [LabFact]
    public async Task A_split_of_two_nodes_heals_into_one_holder_each()
    {
        await Lab.SettledAsync();
        await Lab.SignalAsync(3, "TERM");
        await Lab.EndedAsync(3);
        await Lab.SettledAsync(1, 2);
        await using var prober = new Prober(Lab.Client, Lab.Vips);

        await Lab.CutBothWaysAsync(1, 2);
        await Lab.CutBothWaysAsync(1, 3);  // the third host's corosync goes with the second
        foreach (var side in (int[])[1, 2])
            await Lab.UntilHeldAsync(side, Lab.Vips);  // both cover everything: the policy is "component"

        await Lab.HealAsync();
        await Lab.SettledAsync(1, 2);
        await WireWatch.AssertOneEachAsync(Lab, Lab.Vips);
        await prober.UntilAllAsync(Lab.Vips, seen => seen.Node.Length > 0, () => Lab.Story);
        await BackAsync(3);
    }

    [LabFact]
    public async Task A_host_that_is_not_heard_by_one_other_costs_no_address_for_good()
    {
        await Lab.SettledAsync();
        await using var prober = new Prober(Lab.Client, Lab.Vips);
        var (victim, _) = await Lab.SomeOwnerAsync();

        await Lab.CutAsync(victim, victim % LabCluster.Size + 1);
        var cut = Stopwatch.GetTimestamp();
        await prober.UntilAllAsync(Lab.Vips, seen => seen.At > cut && seen.Node.Length > 0, () => Lab.Story);
        await Lab.HealAsync();
        await Lab.SettledAsync();
        await WireWatch.AssertOneEachAsync(Lab, Lab.Vips);
    }

    [LabFact]
    public async Task An_interface_without_carrier_gives_its_addresses_to_the_others_until_the_cable_is_back()
    {
        await Lab.SettledAsync();
        await using var prober = new Prober(Lab.Client, Lab.Vips);
        var (victim, lost) = await Lab.SomeOwnerAsync();

        var start = Stopwatch.GetTimestamp();
        await Lab.PullMailCableAsync(victim);
        await prober.UntilElsewhereAsync(lost, start, victim, () => Lab.Story);
        Report("carrier lost", prober, lost, start);
        await Lab.SettledAsync([.. LabCluster.Hosts.Where(i => i != victim)]);

        await Lab.HealAsync();
        await Lab.SettledAsync();
        await WireWatch.AssertOneEachAsync(Lab, Lab.Vips);
    }

    [LabFact]
    public async Task A_rolling_restart_cuts_no_transaction()
    {
        await Lab.SettledAsync();
        await using var mail = new MailClient(Lab.Client, Lab.Vips);
        foreach (var i in LabCluster.Hosts)
        {
            await Lab.SignalAsync(i, "TERM");
            await Lab.EndedAsync(i);
            await BackAsync(i);
        }
        Assert.Empty(mail.Cut);
        Assert.True(mail.Done > 0);
        output.WriteLine($"{mail.Done} transactions, {mail.Goodbyes} sessions ended between two");
    }

    [LabFact]
    public async Task An_address_that_a_stranger_has_is_told_about_and_taken_when_the_stranger_lets_go()
    {
        await Lab.SettledAsync();
        var (victim, lost) = await Lab.SomeOwnerAsync();
        var vip = lost[0];
        await using var stranger = await Lab.StrangerAsync();
        await stranger.RunIpAsync($"addr add {vip}/{(vip.GetAddressBytes().Length == 4 ? "32 dev eth0" : "128 dev eth0 nodad")}", CancellationToken.None);
        var said = LabCluster.Hosts.ToDictionary(i => i, i => Lab.Said(i).Length);

        await Lab.SignalAsync(victim, "KILL");
        await Lab.EndedAsync(victim);
        var others = LabCluster.Hosts.Where(i => i != victim).ToArray();
        await await Task.WhenAny(others.Select(i => Lab.UntilSaidAsync(i, $"duravip: {vip} answered by", said[i])));

        await stranger.RunIpAsync("link set eth0 down", CancellationToken.None);
        await Lab.SettledAsync(others);
        await WireWatch.AssertOneEachAsync(Lab, Lab.Vips);
        await BackAsync(victim);
    }

    [LabFact]
    public async Task A_guard_that_is_killed_is_replaced_and_takes_over_what_the_host_still_has()
    {
        await Lab.SettledAsync();
        await using var prober = new Prober(Lab.Client, Lab.Vips);
        var (victim, _) = await Lab.SomeOwnerAsync();
        var said = Lab.Said(victim).Length;
        var guard = await Lab.GuardOfAsync(victim);

        using (var process = Process.GetProcessById(guard))
            process.Kill();
        await Lab.UntilSaidAsync(victim, "duravip: the address guard has ended", said);
        await Lab.GuardOfAsync(victim, former: guard);
        var killed = Stopwatch.GetTimestamp();
        await prober.UntilAllAsync(Lab.Vips, seen => seen.At > killed && seen.Node.Length > 0, () => Lab.Story);
        await Lab.SettledAsync();
        Assert.True(Lab.Runs(victim), Lab.Story);
        await WireWatch.AssertOneEachAsync(Lab, Lab.Vips);
    }

    private async Task BackAsync(int i)
    {
        await Lab.StartNodeAsync(i);
        await Lab.SettledAsync();
        await WireWatch.AssertOneEachAsync(Lab, Lab.Vips);
    }

    private void Report(string what, Prober prober, IReadOnlyCollection<IPAddress> vips, long since)
    {
        var outages = prober.Outages(vips, since);
        output.WriteLine($"{what}: {outages.Length} addresses not answered for {string.Join(", ", outages.Select(ms => $"{ms:F0}"))} ms");
    }
}
