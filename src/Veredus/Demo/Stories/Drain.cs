namespace Veredus.Demo.Stories;

/// <summary>A node gives its addresses away under load, and nobody notices.</summary>
internal static class Drain
{
    public static readonly StoryScript Script = new("drain", "a node gives its addresses away while mail flows, and takes part again", RunAsync);

    private static async Task RunAsync(Story story, CancellationToken cancellationToken)
    {
        var (cluster, leaver) = (story.Cluster, story.Cluster.Hosts[1]);
        await story.MailFlowsAsync(40, cancellationToken);
        cluster.Probe.Mark();
        var answer = await leaver.AskAsync("cluster duravip drain", cancellationToken);
        leaver.IsDrained = true;
        story.Say($"{leaver.Name}: cluster duravip drain: {answer.Text}");
        await story.TakenOverAsync(leaver, cancellationToken);
        await story.ExpectOneHolderEachAsync("after the drain");
        await story.MailFlowsAsync(40, cancellationToken);
        await leaver.AskAsync("cluster duravip undrain", cancellationToken);
        leaver.IsDrained = false;
        story.Say($"{leaver.Name}: cluster duravip undrain");
        await cluster.SettledAsync(cancellationToken);
        story.Say($"{leaver.Name} has addresses again");
        await story.ExpectOneHolderEachAsync("at the end");
        await story.AccountAsync(mayRepeat: false, cancellationToken);
        story.ExpectNoTransactionCut();
    }
}
