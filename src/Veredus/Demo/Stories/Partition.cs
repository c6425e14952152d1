namespace Veredus.Demo.Stories;

/// <summary>One host is cut off from the others, then the halves meet again.</summary>
internal static class Partition
{
    public static readonly StoryScript Script = new("partition", "one host is cut off, does what the policy says, and joins again", RunAsync);

    private static async Task RunAsync(Story story, CancellationToken cancellationToken)
    {
        var (cluster, island) = (story.Cluster, story.Cluster.Hosts[2]);
        var isQuorum = cluster.Options.PartitionPolicy == "quorum";
        await story.MailFlowsAsync(40, cancellationToken);
        cluster.Probe.Mark();
        await cluster.Cables.SetAsync(island, NetworkFaults.CanLose ? new(LosesOutgoing: 100, LosesIncoming: 100) : new(IsUnplugged: true), cancellationToken);
        story.Say($"{island.Name} cut off, both ways; duravip_partition_policy = {cluster.Options.PartitionPolicy}");
        await story.TakenOverAsync(island, cancellationToken);
        await story.MailFlowsAsync(40, cancellationToken);
        var (wanted, held) = (isQuorum ? 0 : cluster.Addresses.Count, await HeldAsync(story, island, isQuorum ? 0 : cluster.Addresses.Count, cancellationToken));
        story.Expect("the cut-off host keeps to the policy", held == wanted, $"{held} of {cluster.Addresses.Count} addresses on it; {cluster.Options.PartitionPolicy} wants {wanted}");
        story.AllowsDoubles = !isQuorum;
        await cluster.Cables.SetAsync(island, default, cancellationToken);
        story.Say($"{island.Name} connected again");
        await cluster.SettledAsync(cancellationToken);
        story.Say("the halves are one again, every address on one host");
        await story.ExpectOneHolderEachAsync("at the end");
        await story.AccountAsync(mayRepeat: true, cancellationToken);
    }

    /// <summary>Addresses in the kernel of the cut-off host, once they are as many as wanted or have stayed so for the limit.</summary>
    private static async Task<int> HeldAsync(Story story, DemoHost island, int wanted, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(story.GapLimit * 2);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        while (true)
        {
            var held = (await island.AddressesAsync()).Count(story.Cluster.Addresses.Contains);
            if (held == wanted || limit.IsCancellationRequested)
                return held;
            await tick.WaitForNextTickAsync(cancellationToken);
        }
    }
}
