using System.Diagnostics;
using System.Text.Json;
using Veredus.Control;

namespace Veredus.Demo.Stories;

/// <summary>One of two managers is killed while mail flows: commands and log gathering go on through the other, mail does not notice, and the first catches up when it is back.</summary>
internal static class ManagerLoss
{
    public static readonly StoryScript Script = new("manager-loss", "one of two managers is killed while mail flows, and comes back", RunAsync) { Options = new() { Managers = 2 } };

    private static readonly TimeSpan GatherLimit = TimeSpan.FromSeconds(90);

    private static async Task RunAsync(Story story, CancellationToken cancellationToken)
    {
        var (cluster, first, second) = (story.Cluster, story.Cluster.Managers[0], story.Cluster.Managers[1]);
        await story.MailFlowsAsync(40, cancellationToken);
        await BroadcastAsync(story, first, "version", "before", cancellationToken);
        cluster.Probe.Mark();
        await first.KillAsync();
        story.Say($"{first.Name} killed (SIGKILL)");
        await BroadcastAsync(story, second, "summary", $"without {first.Name}", cancellationToken);
        await story.MailFlowsAsync(40, cancellationToken);
        story.Expect("mail and addresses do not notice", cluster.Probe.LongestGap <= story.GapLimit, Story.Invariant($"longest silence of an address {cluster.Probe.LongestGap.TotalSeconds:0.000} s"));
        var found = await second.AskAsync("retrieve version", cancellationToken);
        story.Expect($"{second.Name} has the answers that {first.Name} was given", Answered(found) == cluster.Hosts.Count, $"{Answered(found)} of {cluster.Hosts.Count} nodes");

        await first.StartAsync(cancellationToken);
        story.Say($"{first.Name} started again");
        found = await first.AskAsync("retrieve version", cancellationToken);
        story.Expect($"{first.Name} has its answers again", Answered(found) == cluster.Hosts.Count, $"{Answered(found)} of {cluster.Hosts.Count} nodes");
        await BroadcastAsync(story, first, "pid", "after its return", cancellationToken);
        await story.AccountAsync(mayRepeat: false, cancellationToken);
        foreach (var manager in cluster.Managers)
            await ExpectGatheredAsync(story, manager, cancellationToken);
    }

    /// <summary>Waits until the manager's files have what the nodes' own mainlogs have of receptions and deliveries: each line once, in the same order.</summary>
    private static async Task ExpectGatheredAsync(Story story, DemoManager manager, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(GatherLimit);
        while (true)
        {
            var pairs = story.Cluster.Hosts.Select(host => (Own: Records(Path.Combine(host.Directory, "mainlog.ec")), Gathered: Records(manager.GatheredMainlog(host)))).ToList();
            var same = pairs.All(pair => pair.Own.Count > 0 && pair.Own.SequenceEqual(pair.Gathered, StringComparer.Ordinal));
            if (same || limit.IsCancellationRequested)
            {
                story.Expect($"{manager.Name} has every log line once", same, $"{pairs.Sum(pair => pair.Gathered.Count)} of {pairs.Sum(pair => pair.Own.Count)} from {pairs.Count} nodes");
                return;
            }
            await story.Cluster.Probe.NextRoundAsync(cancellationToken);
        }
    }

    /// <summary>The receptions and deliveries of a mainlog, as far as it is written.</summary>
    private static List<string> Records(string path) => !File.Exists(path) ? []
        : [.. File.ReadAllLines(path).Where(line => line.Split('@') is { Length: > 5 } fields && fields[4] is "R" or "D")];

    private static int Answered(ControlReply retrieved) => retrieved.Lines.Count(line => line.StartsWith("=== ", StringComparison.Ordinal) && line.Contains(" rc=0 ", StringComparison.Ordinal));

    private static async Task BroadcastAsync(Story story, DemoManager manager, string command, string when, CancellationToken cancellationToken)
    {
        var begun = Stopwatch.GetTimestamp();
        var reply = await manager.AskAsync($"json delegate --wait 60 {command}", cancellationToken);
        var nodes = 0;
        if (reply.IsOk)
        {
            using var answers = JsonDocument.Parse(reply.Body);
            nodes = answers.RootElement.GetProperty("nodes").GetArrayLength();
        }
        story.Say(Story.Invariant($"'{command}' through {manager.Name}: {nodes} nodes answered in {Stopwatch.GetElapsedTime(begun).TotalMilliseconds:0} ms"));
        story.Expect($"all nodes answer {when}", reply.IsOk && nodes == story.Cluster.Hosts.Count, reply.IsOk ? $"{nodes} of {story.Cluster.Hosts.Count}" : reply.Text);
    }
}
