namespace Veredus.Demo;

/// <summary>What the keys of the live screen do.</summary>
internal sealed class DemoActions(DemoCluster cluster, Timeline timeline)
{
    private static readonly CableState Slow = new(KilobitsPerSecond: 256);

    public static string Help => "k kill  z freeze  c cut cable  d drain  m move  s slow link  r repair all  1-3 choose node  x script  q quit";

    /// <summary>Carries out one key on the chosen host; what goes wrong is an event too.</summary>
    public async Task ObeyAsync(char key, DemoHost host, CancellationToken cancellationToken)
    {
        try
        {
            cluster.Probe.Mark();
            await (char.ToLowerInvariant(key) switch
            {
                'k' => KillAsync(host),
                'z' => FreezeAsync(host),
                'c' => CutAsync(host, cancellationToken),
                'd' => DrainAsync(host, cancellationToken),
                'm' => MoveAsync(host, cancellationToken),
                's' => SlowAsync(host, cancellationToken),
                'r' => RepairAsync(cancellationToken),
                'x' => PlayAsync(host, cancellationToken),
                _ => Task.CompletedTask,
            });
        }
        catch (IOException e)
        {
            timeline.Say(e.Message);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The demo ends.
        }
    }

    private async Task KillAsync(DemoHost host)
    {
        await host.KillNodeAsync();
        timeline.Say($"{host.Name} killed");
    }

    private Task FreezeAsync(DemoHost host)
    {
        host.Freeze();
        timeline.Say($"{host.Name} frozen");
        return Task.CompletedTask;
    }

    private async Task CutAsync(DemoHost host, CancellationToken cancellationToken)
    {
        await cluster.Cables.SetAsync(host, new(IsUnplugged: true), cancellationToken);
        timeline.Say($"{host.Name}'s cable pulled");
    }

    private async Task DrainAsync(DemoHost host, CancellationToken cancellationToken)
    {
        var command = host.IsDrained ? "cluster duravip undrain" : "cluster duravip drain";
        await host.AskAsync(command, cancellationToken);
        host.IsDrained = !host.IsDrained;
        timeline.Say($"{host.Name}: {command}");
    }

    /// <summary>Moves one address that is elsewhere to the host.</summary>
    private async Task MoveAsync(DemoHost host, CancellationToken cancellationToken)
    {
        if (cluster.Probe.States.FirstOrDefault(state => state.Node.Length > 0 && state.Node != host.Name) is not { } state)
            return;
        var reply = await host.AskAsync($"cluster duravip move {state.Address} to {host.Name}", cancellationToken);
        timeline.Say($"{host.Name}: {reply.Text}");
    }

    private async Task SlowAsync(DemoHost host, CancellationToken cancellationToken)
    {
        await cluster.Cables.SetAsync(host, Slow, cancellationToken);
        timeline.Say($"{host.Name}'s link is slow: {Slow.KilobitsPerSecond} kbit/s");
    }

    private async Task RepairAsync(CancellationToken cancellationToken)
    {
        await cluster.RepairAsync(cancellationToken);
        timeline.Say("all repaired");
    }

    private async Task PlayAsync(DemoHost host, CancellationToken cancellationToken)
    {
        await KillAsync(host);
        await cluster.Probe.UntilAsync(states => states.All(state => state.Node.Length > 0 && state.Node != host.Name), cancellationToken);
        timeline.Say(Story.Invariant($"all {cluster.Addresses.Count} answer again   longest gap seen by the probe {cluster.Probe.LongestGap.TotalSeconds:0.000} s"));
        await RepairAsync(cancellationToken);
        await cluster.SettledAsync(cancellationToken);
        timeline.Say($"{host.Name} back; {cluster.Ledger.Count().Waiting} messages still wait");
    }
}
