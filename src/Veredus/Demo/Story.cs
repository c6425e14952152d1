using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Veredus.CommandLine;
using Veredus.Output;

namespace Veredus.Demo;

/// <summary>Something that a story promised.</summary>
/// <param name="Found">What was seen, with its limit where it has one.</param>
internal sealed record Expectation(string Name, bool Holds, string Found);

/// <summary>What <c>demo run SCRIPT --json</c> prints.</summary>
internal sealed record StoryResult(
    string Script, string Demo, string Isolation, IReadOnlyList<TimelineEntry> Timeline, IReadOnlyList<Expectation> Expectations,
    double LongestGapSeconds, MailCount Mail, int Doubles, long Probes, bool Passed);

/// <summary>One script of <c>demo run</c>: what it is called, what it shows, and how it goes.</summary>
internal sealed record StoryScript(string Name, string Summary, Func<Story, CancellationToken, Task> RunAsync)
{
    /// <summary>What the cluster of this story is like.</summary>
    public DemoOptions Options { get; init; } = new();

    /// <summary>All scripts that play on a cluster. A new one needs a line here and a file in <c>Stories/</c>.</summary>
    public static IReadOnlyList<StoryScript> All { get; } =
    [
        Stories.Failover.Script,
        Stories.ManagerLoss.Script,
        Stories.Drain.Script,
        Stories.Partition.Script,
        Stories.Conflict.Script,
        Stories.RollingUpgrade.Script,
    ];
}

/// <summary>A story while it is played: the cluster, the time line, what is expected.</summary>
/// <param name="gapLimit">The longest time that an address may be silent after a failure.</param>
internal sealed class Story(DemoCluster cluster, Timeline timeline, TimeSpan gapLimit)
{
    /// <summary>Time for mail to arrive that was deferred or waits for its node.</summary>
    private static readonly TimeSpan MailLimit = TimeSpan.FromSeconds(90);

    private readonly List<Expectation> _expectations = [];
    private TimeSpan _longestGap;

    public DemoCluster Cluster => cluster;

    public TimeSpan GapLimit => gapLimit;

    public IReadOnlyList<Expectation> Expectations => _expectations;

    public TimeSpan LongestGap => _longestGap;

    public void Say(string text) => timeline.Say(text);

    /// <summary>Notes whether something is as it should be; the story goes on either way.</summary>
    public void Expect(string name, bool holds, string found)
    {
        _expectations.Add(new(name, holds, found));
        if (!holds)
            timeline.Say($"NOT AS EXPECTED: {name}: {found}");
    }

    /// <summary>Lets so many messages more be accepted.</summary>
    public Task MailFlowsAsync(int messages, CancellationToken cancellationToken) => cluster.Ledger.AcceptedAsync(cluster.Ledger.Count().Accepted + messages, cancellationToken);

    /// <summary>Waits until no address is answered by this host and all are answered; notes the gap and judges it.</summary>
    /// <returns>Seconds of silence of the address that was silent longest.</returns>
    public async Task<double> TakenOverAsync(DemoHost from, CancellationToken cancellationToken)
    {
        await cluster.Probe.UntilAsync(states => states.All(state => state.Node.Length > 0 && state.Node != from.Name), cancellationToken);
        var gap = cluster.Probe.LongestGap;
        _longestGap = gap > _longestGap ? gap : _longestGap;
        Say(Invariant($"all {cluster.Addresses.Count} answer again, none on {from.Name}; longest gap seen by the probe {gap.TotalSeconds:0.000} s"));
        Expect("taken over in time", gap <= gapLimit, Invariant($"longest gap {gap.TotalSeconds:0.000} s of {gapLimit.TotalSeconds:0} s"));
        return gap.TotalSeconds;
    }

    /// <summary>Judges by the kernels of the hosts: each address on exactly one.</summary>
    public async Task ExpectOneHolderEachAsync(string when)
    {
        var wrong = (await cluster.HoldersAsync()).Where(holder => holder.Value.Length != 1).ToArray();
        Expect($"each address on one host {when}", wrong.Length == 0,
            wrong.Length == 0 ? $"{cluster.Addresses.Count} of {cluster.Addresses.Count}" : string.Join(", ", wrong.Select(entry => $"{Timeline.Short(entry.Key)} on {(entry.Value.Length == 0 ? "none" : string.Join(" and ", entry.Value))}")));
    }

    /// <summary>Stops the sender, waits for all that was accepted, and judges.</summary>
    /// <param name="mayRepeat">Messages may have arrived twice: a node was killed or cut off between a receiver's answer and its own record of it.</param>
    public async Task AccountAsync(bool mayRepeat, CancellationToken cancellationToken)
    {
        await cluster.Load.StopAsync();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(MailLimit);
        try
        {
            await cluster.Ledger.AllArrivedAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // What is missing is judged below.
        }
        var mail = cluster.Ledger.Count();
        var queued = await QueuedAsync(cancellationToken);
        Expect("no accepted mail lost", mail.Waiting == 0, $"{Human.Count(mail.Accepted)} accepted, {Human.Count(mail.Delivered)} delivered"
            + (mail.Waiting > 0 ? $", {mail.Waiting} missing; queues: {queued}" : ""));
        Expect("nothing delivered twice", mail.Twice == 0 || mayRepeat, mail.Twice == 0 ? "0" : $"{mail.Twice}{(mayRepeat ? " (allowed: a receiver's answer was cut off)" : "")}");
        var doubles = cluster.Arp.Doubles;
        Expect("no address answered by two hosts", doubles.Count == 0 || AllowsDoubles, doubles.Count == 0 ? $"0 in {Human.Count(cluster.Probe.Probes)} probes"
            : string.Join(", ", doubles.Select(seen => Invariant($"{Timeline.Short(seen.Address)} for {seen.Length.TotalSeconds:0.00} s"))) + (AllowsDoubles ? " (allowed: two halves met again)" : ""));
    }

    public void ExpectNoTransactionCut()
    {
        var cut = cluster.Ledger.Count().Cut;
        Expect("no transaction cut", cut == 0, $"{cut} ended between MAIL and their final reply");
    }

    /// <summary>The story joins two halves that both had the addresses: until they have agreed both answer (duravip.md 2.5).</summary>
    public bool AllowsDoubles { get; set; }

    private async Task<string> QueuedAsync(CancellationToken cancellationToken)
    {
        var counts = new List<string>();
        foreach (var host in cluster.Hosts)
            counts.Add(await host.TryAskAsync("json summary", cancellationToken) is { IsOk: true } reply
                ? $"{host.Name} {Commands.StatusCommand.Read<Control.Commands.NodeSummary>(reply.Body).TotalQueueSize}" : $"{host.Name} does not answer");
        return string.Join(", ", counts);
    }

    public static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

/// <summary>Plays a script from the begin to the verdict.</summary>
internal static class StoryPlayer
{
    public static async Task<int> PlayAsync(Call call, StoryScript script, DemoDirectory directory, DemoState state, TimeSpan gapLimit, string? policy, CancellationToken cancellationToken)
    {
        var options = script.Options with { RealTime = state.IsRoot, PartitionPolicy = policy ?? script.Options.PartitionPolicy };
        await using var timeline = new Timeline(entry => Show(call, entry));
        timeline.Say($"{script.Name}: {script.Summary}");
        await using var cluster = await DemoCluster.StartAsync(directory.Path, options, cancellationToken);
        timeline.Say($"{cluster.Hosts.Count} nodes, {cluster.Addresses.Count} addresses, each answers; sender {options.Rate:0}/s -> sink-a, sink-b (sink-b defers 10 %)");
        timeline.Watch(cluster);
        cluster.Load.Start();
        cluster.Probe.Mark();
        var story = new Story(cluster, timeline, gapLimit);
        await script.RunAsync(story, cancellationToken);
        await timeline.StopAsync();
        return Report(call, script, state, timeline, story);
    }

    private static int Report(Call call, StoryScript script, DemoState state, Timeline timeline, Story story)
    {
        var passed = story.Expectations.All(expectation => expectation.Holds);
        var mail = story.Cluster.Ledger.Count();
        if (call.IsJson)
        {
            var result = new StoryResult(script.Name, state.Id, state.Isolation, timeline.Entries, story.Expectations,
                Math.Round(story.LongestGap.TotalSeconds, 3), mail, story.Cluster.Arp.Doubles.Count, story.Cluster.Probe.Probes, passed);
            call.Json("veredus.demo.story/1", "", JsonSerializer.Serialize(result, StoryJson.Default.StoryResult));
        }
        else
        {
            foreach (var expectation in story.Expectations)
            {
                call.Out.Write(expectation.Holds ? "  ok  " : "  x   ", expectation.Holds ? Tone.Good : Tone.Bad);
                call.Out.Line($"{expectation.Name,-36} {expectation.Found}");
            }
            call.Out.Line($"{(passed ? "PASS" : "FAIL")}  {script.Name}", passed ? Tone.Good : Tone.Bad);
        }
        return passed ? ExitCodes.Done : ExitCodes.Expectation;
    }

    private static void Show(Call call, TimelineEntry entry) => DemoSession.Tell(call, $"{Timeline.Clock(entry.At)}  {entry.Text}");
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(StoryResult))]
internal sealed partial class StoryJson : JsonSerializerContext;
