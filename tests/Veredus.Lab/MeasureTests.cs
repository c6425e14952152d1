using System.Diagnostics;
using System.Globalization;
using System.Net;
using Veredus.Cluster;
using Xunit.Abstractions;

namespace Veredus.Lab;

/// <summary>Figures for the manual, both timing profiles as they are shipped: <c>VEREDUS_LAB=1 dotnet test tests/Veredus.Lab --filter Measure</c> on a machine that does nothing else.</summary>
public sealed class MeasureTests(ITestOutputHelper output)
{
    private const int Rounds = 5;

    [LabFact(OnlyWhenAsked = true)]
    public Task Fast() => OutagesAsync(Plan("fast", BusTiming.Fast));

    [LabFact(OnlyWhenAsked = true)]
    public Task Default() => OutagesAsync(Plan("default", BusTiming.Default));

    [LabFact(OnlyWhenAsked = true)]
    public async Task A_thousand_addresses()
    {
        await using var lab = await LabCluster.StartAsync(Plan("fast", BusTiming.Fast) with { Vips = LabPlan.Mixed(1000, 0) });
        await lab.SettledAsync();
        foreach (var what in (string[])["KILL", "cables"])
        {
            var (victim, lost) = await lab.SomeOwnerAsync();
            var hearing = WireWatch.HearAsync(lab, lost, await lab.MacAsync(victim));
            var start = Stopwatch.GetTimestamp();
            await (what == "KILL" ? lab.SignalAsync(victim, what) : lab.PullCablesAsync(victim));
            var heard = (await hearing).Values.Select(at => Stopwatch.GetElapsedTime(start, at).TotalMilliseconds).Order().ToArray();
            output.WriteLine($"{what}: {lost.Length} addresses announced elsewhere, the first after {heard[0]:F0} ms, the last after {heard[^1]:F0} ms");
            if (what == "KILL")
            {
                await lab.EndedAsync(victim);
                await lab.StartNodeAsync(victim);
            }
            else
            {
                await lab.HealAsync();
            }
            await lab.SettledAsync();
        }
    }

    [LabFact(OnlyWhenAsked = true)]
    public async Task Idle_cost_of_a_hundred_addresses()
    {
        foreach (var (name, timing) in ((string, BusTiming)[])[("default", BusTiming.Default), ("fast", BusTiming.Fast)])
        {
            await using var lab = await LabCluster.StartAsync(Plan(name, timing) with { Vips = LabPlan.Mixed(100, 0) });
            await lab.SettledAsync();
            await Task.Delay(TimeSpan.FromSeconds(60));  // announcements, first balancing and the compiler's second pass are over
            int[] processes = [.. LabCluster.Hosts.Select(lab.ProcessOf), .. LabCluster.Hosts.Select(lab.CorosyncOf)];
            var before = processes.Select(Ticks).ToArray();
            var watch = Stopwatch.StartNew();
            await Task.Delay(TimeSpan.FromSeconds(30));
            // 100 ticks a second: percent of one core
            var percent = processes.Select((process, n) => ((Ticks(process) - before[n]) / watch.Elapsed.TotalSeconds).ToString("F2", CultureInfo.InvariantCulture)).ToArray();
            output.WriteLine($"{name}: {string.Join(", ", percent[..LabCluster.Size])} % of a core a node, guard included; {string.Join(", ", percent[LabCluster.Size..])} % its corosync");
        }
    }

    private static LabPlan Plan(string name, BusTiming timing) => new() { Timing = timing, Bus = $"timing = {name}\n  reconnect_interval = 1", Cluster = "heartbeat_start_delay = 1\n  duravip_drain_time = 20" };

    private async Task OutagesAsync(LabPlan plan)
    {
        await using var lab = await LabCluster.StartAsync(plan);
        foreach (var what in (string[])["KILL", "STOP", "TERM", "cables", "corosync", "move"])
        {
            var outages = new List<double>();
            for (var round = 0; round < Rounds; round++)
            {
                await lab.SettledAsync();
                await using var prober = new Prober(lab.Client, lab.Vips, periodMs: 10);
                await prober.UntilAllAsync(lab.Vips, seen => seen.Node.Length > 0, () => lab.Story);
                var (victim, lost) = await lab.SomeOwnerAsync();
                if (what == "move")
                    lost = lost[..1];
                var start = Stopwatch.GetTimestamp();
                await DoAsync(lab, what, victim, lost);
                await prober.UntilElsewhereAsync(lost, start, victim, () => lab.Story);
                await Task.Delay(1000);  // tries that were begun before have their answer by now, or never
                outages.AddRange(prober.Outages(lost, start));
                await UndoAsync(lab, what, victim);
            }
            outages.Sort();
            output.WriteLine($"{what}: {outages.Count} outages, median {outages[outages.Count / 2]:F0}, longest {outages[^1]:F0} ms");
        }
    }

    private static Task DoAsync(LabCluster lab, string what, int victim, IPAddress[] lost) => what switch
    {
        "cables" => lab.PullCablesAsync(victim),
        "corosync" => lab.KillBusAsync(victim),
        "move" => lab.ToolAsync(victim, "vip", "move", $"{lost[0]}", "--to", $"mta{victim % LabCluster.Size + 1}", "--yes"),
        _ => lab.SignalAsync(victim, what),
    };

    private static async Task UndoAsync(LabCluster lab, string what, int victim)
    {
        switch (what)
        {
            case "STOP":
                await lab.SignalAsync(victim, "CONT");
                break;
            case "cables":
                await lab.HealAsync();
                break;
            case "corosync":
                await lab.StartBusAsync(victim);
                break;
            case "move":
                await lab.ToolAsync(victim, "console", "cluster", "duravip", "unpin", "all");
                break;
            default:
                await lab.EndedAsync(victim);
                await lab.StartNodeAsync(victim);
                break;
        }
    }

    /// <summary>Processor time of the node and of its guard so far, in hundredths of a second.</summary>
    private static long Ticks(int process) => Directory.EnumerateDirectories("/proc").Select(path => Path.GetFileName(path)).Where(name => int.TryParse(name, out _)).Sum(name =>
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{name}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return int.Parse(name, CultureInfo.InvariantCulture) == process || fields[1] == process.ToString(CultureInfo.InvariantCulture)
                ? long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture) : 0;
        }
        catch (IOException)
        {
            return 0;  // ended meanwhile
        }
    });
}
