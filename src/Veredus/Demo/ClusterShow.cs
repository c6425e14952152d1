using System.Diagnostics;
using System.Globalization;
using Veredus.CommandLine;
using Veredus.Output;

namespace Veredus.Demo;

/// <summary>The cluster to look at: a screen that lives and takes keys on a terminal, time-stamped lines elsewhere.</summary>
internal static class ClusterShow
{
    private static readonly TimeSpan LineEvery = TimeSpan.FromSeconds(10);

    public static async Task<int> RunAsync(Call call, DemoDirectory directory, DemoState state, DemoOptions options, CancellationToken cancellationToken)
    {
        var begun = Stopwatch.GetTimestamp();
        DemoScreen? screen = null;
        await using var timeline = new Timeline(entry => Show(call, screen, entry));
        try
        {
            await using var cluster = await DemoCluster.StartAsync(directory.Path, options with { RealTime = state.IsRoot, Managers = 2 }, cancellationToken);
            timeline.Watch(cluster);
            cluster.Load.Start();
            cluster.Probe.Mark();
            var ready = string.Create(CultureInfo.InvariantCulture,
                $"{cluster.Hosts.Count} nodes, {cluster.Managers.Count} managers, {cluster.Addresses.Count} addresses, sender {options.Rate:0}/s -> sink-a, sink-b (sink-b defers 10 %)   ready in {Stopwatch.GetElapsedTime(begun).TotalSeconds:0.0} s");
            DemoSession.Tell(call, $"  ok {ready}");
            DemoSession.Tell(call, $"  look inside:  veredus --socket {cluster.Hosts[0].ControlSocket} vip list");
            DemoSession.Tell(call, $"  ask all nodes: veredus run --manager {cluster.Managers[0].ControlSocket} --on all version");
            if (call.Out.IsTerminal && call.Host.IsInTerminal && !call.IsJson)
            {
                screen = new DemoScreen(call, state, cluster, timeline, options);
                await screen.RunAsync(cancellationToken);
            }
            else
            {
                await LinesAsync(call, cluster, cancellationToken);
            }
            await timeline.StopAsync();
            await EndAsync(call, cluster);
        }
        catch (OperationCanceledException)
        {
            // Time is up, or Ctrl-C, before it was ready: everything goes with the namespaces.
        }
        return ExitCodes.Done;
    }

    /// <summary>A line each 10 s, or a document each second, until the end.</summary>
    private static async Task LinesAsync(Call call, DemoCluster cluster, CancellationToken cancellationToken)
    {
        using var tick = new PeriodicTimer(call.IsJson ? TimeSpan.FromSeconds(1) : LineEvery);
        try
        {
            do
            {
                var snapshot = await DemoSnapshot.TakeAsync(cluster, cancellationToken);
                if (call.IsJson)
                    call.Json("veredus.demo/1", "", snapshot.ToJson());
                else
                    call.Out.Line($"{Timeline.Clock(call.Now)}  {snapshot.Line}");
            }
            while (await tick.WaitForNextTickAsync(cancellationToken));
        }
        catch (OperationCanceledException)
        {
            // Time is up, or Ctrl-C: either way it is over in good order.
        }
    }

    private static async Task EndAsync(Call call, DemoCluster cluster)
    {
        await cluster.Load.StopAsync();
        var mail = cluster.Ledger.Count();
        DemoSession.Tell(call, $"{Human.Count(mail.Accepted)} accepted, {Human.Count(mail.Delivered)} delivered, {mail.Waiting} on their way; twice {mail.Twice}; addresses answered twice {cluster.Arp.Doubles.Count}. All is removed.");
    }

    private static void Show(Call call, DemoScreen? screen, TimelineEntry entry)
    {
        if (screen is not null)
            screen.Add(entry);
        else
            DemoSession.Tell(call, $"{Timeline.Clock(entry.At)}  {entry.Text}");
    }
}
