using System.Diagnostics;
using System.Net;
using Veredus.Cluster;
using Xunit.Abstractions;

namespace Veredus.Lab;

/// <summary>What a client sees of three nodes that share addresses while one of them fails.</summary>
public sealed class FailoverTests(ITestOutputHelper output)
{
    /// <summary>Ends a hang; what is asserted of times is the specification's bound with slack for a loaded machine.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    [LabFact]
    public async Task A_killed_node_s_addresses_answer_elsewhere_on_exactly_one_host_each()
    {
        await using var lab = await LabCluster.StartAsync(BusTiming.Default);
        await using var prober = new Prober(lab.Client, LabCluster.Vips);
        var victim = await SettledAsync(lab, prober);
        var lost = await lab.AddressesOnAsync(victim);

        var start = Stopwatch.GetTimestamp();
        await lab.SignalAsync(victim, "KILL");
        var back = await prober.UntilAllAsync(lost, seen => seen.At > start && seen.Node.Length > 0 && seen.Node != Name(victim), Limit, () => lab.Story);
        Report("SIGKILL", start, back);

        await lab.EndedAsync(victim);
        Assert.Empty(await lab.AddressesOnAsync(victim));
        Assert.All(await lab.HoldersAsync(), holder => Assert.Single(holder.Value));
        Assert.All(back.Values, seen => Assert.True(Stopwatch.GetElapsedTime(start, seen.At) < TimeSpan.FromSeconds(5)));
    }

    [LabFact(OnlyWhenAsked = true)]
    public async Task A_frozen_node_s_addresses_leave_its_host_and_answer_elsewhere_and_it_comes_back()
    {
        await using var lab = await LabCluster.StartAsync(BusTiming.Default);
        await using var prober = new Prober(lab.Client, LabCluster.Vips);
        var victim = await SettledAsync(lab, prober);
        var lost = await lab.AddressesOnAsync(victim);

        var start = Stopwatch.GetTimestamp();
        await lab.SignalAsync(victim, "STOP");
        var back = await prober.UntilAllAsync(lost, seen => seen.At > start && seen.Node.Length > 0 && seen.Node != Name(victim), Limit, () => lab.Story);
        Report("SIGSTOP", start, back);

        Assert.Empty(await lab.AddressesOnAsync(victim));
        Assert.All(await lab.HoldersAsync(), holder => Assert.Single(holder.Value));
        await lab.SignalAsync(victim, "CONT");
        await SettledAsync(lab, prober);
    }

    [LabFact(OnlyWhenAsked = true)]
    public async Task A_host_that_is_cut_off_loses_its_addresses_to_the_others_and_after_healing_each_has_one_holder()
    {
        await using var lab = await LabCluster.StartAsync(BusTiming.Default);
        await using var prober = new Prober(lab.Client, LabCluster.Vips);
        var victim = await SettledAsync(lab, prober);
        var lost = await lab.AddressesOnAsync(victim);

        var start = Stopwatch.GetTimestamp();
        await lab.CutAsync(victim);
        var back = await prober.UntilAllAsync(lost, seen => seen.At > start && seen.Node.Length > 0 && seen.Node != Name(victim), Limit, () => lab.Story);
        Report("cut", start, back);

        await lab.HealAsync(victim);
        await SettledAsync(lab, prober);
    }

    [LabFact(OnlyWhenAsked = true)]
    public async Task A_node_that_stops_hands_its_addresses_over()
    {
        await using var lab = await LabCluster.StartAsync(BusTiming.Default);
        await using var prober = new Prober(lab.Client, LabCluster.Vips);
        var victim = await SettledAsync(lab, prober);
        var lost = await lab.AddressesOnAsync(victim);

        var start = Stopwatch.GetTimestamp();
        await lab.SignalAsync(victim, "TERM");
        var back = await prober.UntilAllAsync(lost, seen => seen.At > start && seen.Node.Length > 0 && seen.Node != Name(victim), Limit, () => lab.Story);
        Report("SIGTERM", start, back);

        await lab.EndedAsync(victim);
        Assert.Empty(await lab.AddressesOnAsync(victim));
        Assert.All(await lab.HoldersAsync(), holder => Assert.Single(holder.Value));
    }

    [LabFact(OnlyWhenAsked = true)]
    public async Task The_console_shows_and_moves_addresses()
    {
        await using var lab = await LabCluster.StartAsync(BusTiming.Default);
        await using var prober = new Prober(lab.Client, LabCluster.Vips);
        var owner = await SettledAsync(lab, prober);
        var vip = (await lab.AddressesOnAsync(owner))[0];
        var other = owner % LabCluster.Size + 1;

        Assert.Contains($"{vip}", await lab.ToolAsync(other, "vip", "list"), StringComparison.Ordinal);
        Assert.Contains($"Node Name: mta{owner}", await lab.ToolAsync(other, "console", "cluster", "membership"), StringComparison.Ordinal);
        var start = Stopwatch.GetTimestamp();
        Assert.Contains("moving", await lab.ToolAsync(other, "vip", "move", $"{vip}", "--to", $"mta{other}"), StringComparison.Ordinal);
        await prober.UntilAllAsync([vip], seen => seen.At > start && seen.Node == Name(other), Limit, () => lab.Story);

        Assert.Equal([other], (await lab.HoldersAsync())[vip]);
        output.WriteLine(await lab.ToolAsync(other, "vip", "list"));
        output.WriteLine(await lab.ToolAsync(other, "vip", "show", $"{vip}"));
        output.WriteLine(await lab.ToolAsync(other, "console", "cluster", "info"));
    }

    private static string Name(int i) => $"mta{i}.lab";

    /// <summary>Waits until all addresses answer and every host has some; returns a host.</summary>
    private static async Task<int> SettledAsync(LabCluster lab, Prober prober)
    {
        while (true)
        {
            await prober.UntilAllAsync(LabCluster.Vips, seen => seen.Node.Length > 0, Limit, () => lab.Story);
            var holders = await lab.HoldersAsync();
            if (holders.Values.All(hosts => hosts.Length == 1) && holders.Values.Select(hosts => hosts[0]).Distinct().Count() == LabCluster.Size)
                return holders.Values.First()[0];
        }
    }

    private void Report(string what, long start, Dictionary<IPAddress, Sighting> back)
    {
        var gaps = back.Values.Select(seen => Stopwatch.GetElapsedTime(start, seen.At).TotalMilliseconds).Order().ToArray();
        output.WriteLine($"{what}: {gaps.Length} addresses answer elsewhere after {string.Join(", ", gaps.Select(gap => $"{gap:F0}"))} ms (probe every 20 ms)");
    }
}
