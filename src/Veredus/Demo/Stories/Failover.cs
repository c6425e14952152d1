namespace Veredus.Demo.Stories;

/// <summary>A node is killed under load; its addresses answer elsewhere, and its mail waits for its return.</summary>
internal static class Failover
{
    public static readonly StoryScript Script = new("failover", "a node is killed while mail flows, and comes back", RunAsync);

    private static async Task RunAsync(Story story, CancellationToken cancellationToken)
    {
        var (cluster, victim) = (story.Cluster, story.Cluster.Hosts[1]);
        await story.MailFlowsAsync(40, cancellationToken);
        cluster.Probe.Mark();
        await victim.KillNodeAsync();
        story.Say($"{victim.Name} killed (SIGKILL)");
        await story.TakenOverAsync(victim, cancellationToken);
        await story.ExpectOneHolderEachAsync("after the kill");
        await story.MailFlowsAsync(40, cancellationToken);
        story.Say($"{cluster.Ledger.Count().Waiting} accepted messages wait: those of {victim.Name} are safe on its disk");
        await victim.StartNodeAsync(cancellationToken);
        story.Say($"{victim.Name} started again");
        await cluster.SettledAsync(cancellationToken);
        story.Say($"{victim.Name} has addresses again");
        await story.ExpectOneHolderEachAsync("at the end");
        await story.AccountAsync(mayRepeat: true, cancellationToken);
    }
}
