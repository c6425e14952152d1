namespace Veredus.Demo.Stories;

/// <summary>Every node is drained, stopped, started and taken back, one after the other, while mail flows: an upgrade as its users see it.</summary>
internal static class RollingUpgrade
{
    public static readonly StoryScript Script = new("rolling-upgrade", "every node is drained, restarted and taken back in turn, while mail flows", RunAsync);

    private static async Task RunAsync(Story story, CancellationToken cancellationToken)
    {
        var cluster = story.Cluster;
        await story.MailFlowsAsync(20, cancellationToken);
        foreach (var host in cluster.Hosts)
        {
            cluster.Probe.Mark();
            await host.AskAsync("cluster duravip drain", cancellationToken);
            host.IsDrained = true;
            story.Say($"{host.Name}: cluster duravip drain");
            await story.TakenOverAsync(host, cancellationToken);
            var isGraceful = await host.StopNodeAsync();
            story.Expect($"{host.Name} stops when asked", isGraceful, isGraceful ? "SIGTERM was enough" : "it had to be killed");
            await story.MailFlowsAsync(20, cancellationToken);
            await host.StartNodeAsync(cancellationToken);
            story.Say($"{host.Name} restarted");
            await cluster.SettledAsync(cancellationToken);
            story.Say($"{host.Name} has addresses again");
        }
        await story.ExpectOneHolderEachAsync("at the end");
        await story.AccountAsync(mayRepeat: false, cancellationToken);
        story.ExpectNoTransactionCut();
    }
}
