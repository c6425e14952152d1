using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Veredus.Demo;

/// <summary>One judgement of a run.</summary>
/// <param name="Number">As cli.md 13 counts the invariants.</param>
/// <param name="Holds"><see langword="null"/>: not judged in this run; <paramref name="Found"/> says why.</param>
internal sealed record Invariant(int Number, string Name, bool? Holds, string Found);

/// <summary>How strict a run is judged.</summary>
/// <param name="Gap">Longest time that an address may be silent.</param>
/// <param name="Settle">Longest time from the last repair until the cluster has settled.</param>
internal sealed record ChaosLimits(TimeSpan Gap, TimeSpan Settle);

/// <summary>Carries a schedule out on a cluster and judges what was seen.</summary>
internal sealed class ChaosRun(DemoCluster cluster, Timeline timeline, IReadOnlyList<ChaosFault> plan, TimeSpan length, ChaosLimits limits)
{
    /// <summary>More than a node keeps.</summary>
    private const int MostDoubts = 100_000;

    private static readonly TimeSpan MailLimit = TimeSpan.FromSeconds(120), LookAgain = TimeSpan.FromMilliseconds(500);

    private TimeSpan _worstGap;

    public int FaultsDone { get; private set; }

    /// <summary>Plays the schedule to its end, repairs, waits for the cluster and the mail, and judges.</summary>
    /// <param name="plantStranger">For tests of the judge: a host that is none of the cluster's takes an address for some seconds.</param>
    public async Task<IReadOnlyList<Invariant>> RunAsync(bool plantStranger, CancellationToken cancellationToken)
    {
        var start = Stopwatch.GetTimestamp();
        cluster.Load.Start();
        cluster.Probe.Mark();
        if (plantStranger)
            await PlantStrangerAsync(cancellationToken);
        foreach (var fault in plan)
        {
            await WaitUntilAsync(start, fault.AtMs, cancellationToken);
            await PlayAsync(fault, start, cancellationToken);
        }
        await WaitUntilAsync(start, (long)length.TotalMilliseconds, cancellationToken);
        await cluster.RepairAsync(cancellationToken);
        var settling = Stopwatch.GetTimestamp();
        var settled = await WithinAsync(limits.Settle, cluster.SettledAsync, cancellationToken) ? Stopwatch.GetElapsedTime(settling) : (TimeSpan?)null;
        timeline.Say(settled is { } time ? Invariantly($"end; settled after {time.TotalSeconds:0.0} s") : "end; NOT settled");
        await cluster.Load.StopAsync();
        await WithinAsync(MailLimit, cluster.Ledger.AllArrivedAsync, cancellationToken);
        NoteGap();
        return [OneAnswer(), TakenOver(), await NoLostMailAsync(cancellationToken),
            new(4, "one configuration", null, "no configuration servers in this cluster"), await LogsWholeAsync(cancellationToken),
            new(6, "settles", settled is not null, settled is { } took ? Invariantly($"after {took.TotalSeconds:0.0} s") : $"not within {limits.Settle.TotalSeconds:0} s"),
            await ExplanationsAsync(cancellationToken)];
    }

    private static async Task WaitUntilAsync(long start, long atMs, CancellationToken cancellationToken)
    {
        var left = TimeSpan.FromMilliseconds(atMs) - Stopwatch.GetElapsedTime(start);
        if (left > TimeSpan.Zero)
            await Task.Delay(left, cancellationToken);
    }

    private async Task PlayAsync(ChaosFault fault, long start, CancellationToken cancellationToken)
    {
        var host = cluster.Hosts[fault.Host - 1];
        NoteGap();
        timeline.Say($"{fault}");
        // Where repairs take longer than the schedule leaves them, a fault begins late; it lasts as long as it shall all the same.
        var endMs = (long)Stopwatch.GetElapsedTime(start).TotalMilliseconds + fault.LengthMs;
        await BeginAsync(fault, host, cancellationToken);
        await WaitUntilAsync(start, endMs, cancellationToken);
        var gap = cluster.Probe.LongestGap;
        await EndAsync(fault, host, cancellationToken);
        // While two of three hosts don't hear each other the bus may find no majority, and then no node may have an address.
        if (fault.Kind == FaultKind.Peer)
            cluster.Probe.Forgive();
        FaultsDone++;
        timeline.Say(Invariantly($"       {fault.Target} repaired; {cluster.Probe.States.Count(state => state.Node.Length > 0)} of {cluster.Addresses.Count} answer, longest gap {gap.TotalSeconds:0.00} s ({(fault.Kind == FaultKind.Peer ? "not judged" : Invariantly($"limit {limits.Gap.TotalSeconds:0} s"))})"));
    }

    private async Task BeginAsync(ChaosFault fault, DemoHost host, CancellationToken cancellationToken)
    {
        switch (fault.Kind)
        {
            case FaultKind.Kill:
                await host.KillNodeAsync();
                break;
            case FaultKind.Freeze:
                host.Freeze();
                break;
            case FaultKind.Bus:
                await host.KillBusAsync();
                break;
            case FaultKind.Cut:
                await cluster.Cables.SetAsync(host, new(LosesOutgoing: fault.Way == CutWay.In ? 0 : 100, LosesIncoming: fault.Way == CutWay.Out ? 0 : 100), cancellationToken);
                break;
            case FaultKind.Slow:
                await cluster.Cables.SetAsync(host, new(KilobitsPerSecond: fault.Amount), cancellationToken);
                break;
            case FaultKind.Loss:
                await cluster.Cables.SetAsync(host, new(LosesOutgoing: fault.Amount, LosesIncoming: fault.Amount), cancellationToken);
                break;
            case FaultKind.Delay:
                await cluster.Cables.SetAsync(host, new(DelayMs: fault.Amount), cancellationToken);
                break;
            case FaultKind.Peer:
                await cluster.Cables.CutPairAsync(host, cluster.Hosts[fault.Other - 1], cancellationToken);
                break;
            case FaultKind.Restart:
                if (!await host.StopNodeAsync())
                    timeline.Say($"       {host.Name} did not end by itself; it was killed");
                break;
            case FaultKind.Manager:
                await cluster.Managers[fault.Host - 1].KillAsync();
                break;
            case FaultKind.Journal:
                await host.KillNodeAsync();
                GatheredLogs.Tear(host, fault.Amount);
                break;
            default:
                throw new InvalidOperationException($"{fault.Kind} has no deed");
        }
    }

    private async Task EndAsync(ChaosFault fault, DemoHost host, CancellationToken cancellationToken)
    {
        switch (fault.Kind)
        {
            case FaultKind.Kill or FaultKind.Restart:
                await host.StartNodeAsync(cancellationToken);
                break;
            case FaultKind.Peer:
                await cluster.Cables.HealPairAsync(host, cluster.Hosts[fault.Other - 1], cancellationToken);
                break;
            case FaultKind.Manager:
                await cluster.Managers[fault.Host - 1].StartAsync(cancellationToken);
                break;
            case FaultKind.Journal:
                timeline.Say($"       journal of {host.Name}: {GatheredLogs.Repair(host)} octets cut out");
                await host.StartNodeAsync(cancellationToken);
                break;
            case FaultKind.Freeze:
                host.Thaw();
                break;
            case FaultKind.Bus:
                await host.StartBusAsync(cancellationToken);
                break;
            default:
                await cluster.Cables.SetAsync(host, default, cancellationToken);
                break;
        }
    }

    private void NoteGap()
    {
        var gap = cluster.Probe.LongestGap;
        _worstGap = gap > _worstGap ? gap : _worstGap;
        cluster.Probe.Mark();
    }

    private Invariant OneAnswer()
    {
        var doubles = cluster.Arp.Doubles;
        return new(1, "one answer per address", doubles.Count == 0, doubles.Count == 0 ? $"{cluster.Probe.Probes.ToString("N0", CultureInfo.InvariantCulture)} probes, 0 double"
            : string.Join("; ", doubles.Take(12).Select(seen => Invariantly($"{Timeline.Short(seen.Address)} by {cluster.NameOf(seen.One)} and {cluster.NameOf(seen.Other)} for {seen.Length.TotalSeconds:0.00} s at {Timeline.Clock(seen.From)}")))
                + (doubles.Count > 12 ? $"; {doubles.Count - 12} more" : ""));
    }

    private Invariant TakenOver() => new(2, "taken over in time", _worstGap <= limits.Gap, Invariantly($"worst {_worstGap.TotalSeconds:0.00} s of {limits.Gap.TotalSeconds:0} s"));

    /// <summary>All that was accepted came, and what came twice is on the list of messages in doubt that the nodes keep (<c>message list --in-doubt</c>).</summary>
    private async Task<Invariant> NoLostMailAsync(CancellationToken cancellationToken)
    {
        IReadOnlySet<int>? listed = null;
        var asked = await WithinAsync(limits.Settle, async stop =>
        {
            while ((listed = await ListedAsync(stop)) is null)
                await cluster.Probe.NextRoundAsync(stop);
        }, cancellationToken);
        var (mail, twice) = (cluster.Ledger.Count(), cluster.Ledger.Twice());
        var unlisted = twice.Where(number => listed?.Contains(number) != true).ToArray();
        var found = Invariantly($"{mail.Accepted:N0} accepted, {mail.Delivered:N0} delivered")
            + (mail.Waiting > 0 ? $", LOST: {Numbers(cluster.Ledger.Missing())}" : "")
            + (twice.Count > 0 ? $", {twice.Count} delivered twice: {twice.Count - unlisted.Length} of them listed in doubt (allowed)" : "")
            + (unlisted.Length > 0 ? $", {unlisted.Length} NOT LISTED in doubt: {Numbers(unlisted)}" : "")
            + (asked ? Invariantly($"; {listed!.Count:N0} listed in doubt") : "; not every node told its list of messages in doubt");
        return new(3, "no lost mail", mail.Waiting == 0 && unlisted.Length == 0, found);
    }

    /// <summary>Numbers of the messages that the nodes list as in doubt; <see langword="null"/>: not all of them have told.</summary>
    private async Task<IReadOnlySet<int>?> ListedAsync(CancellationToken cancellationToken)
    {
        var numbers = new HashSet<int>();
        foreach (var host in cluster.Hosts)
        {
            if (await host.TryAskAsync(Invariantly($"json message in_doubt {MostDoubts}"), cancellationToken) is not { IsOk: true } reply)
                return null;
            using var told = JsonDocument.Parse(reply.Body);
            numbers.UnionWith(told.RootElement.GetProperty("items").EnumerateArray().Select(doubt => DemoSender.NumberOf(doubt.GetProperty("sender").GetString()!)).OfType<int>());
        }
        return numbers;
    }

    /// <summary>Each manager has every record of every node's mainlog once and in order. What is still under way is waited for.</summary>
    private async Task<Invariant> LogsWholeAsync(CancellationToken cancellationToken)
    {
        if (cluster.Managers.Count == 0)
            return new(5, "logs whole", null, "no managers in this cluster");
        var found = CompareLogs();
        using var tick = new PeriodicTimer(LookAgain);
        await WithinAsync(limits.Settle, async stop =>
        {
            while (found.Wrong.Length > 0 && await tick.WaitForNextTickAsync(stop))
                found = CompareLogs();
        }, cancellationToken);
        return new(5, "logs whole", found is { Wrong.Length: 0, Lines: > 0 }, found.Wrong.Length > 0 ? found.Wrong
            : Invariantly($"{found.Lines:N0} lines of {cluster.Hosts.Count} nodes, each once at {string.Join(" and ", cluster.Managers.Select(manager => manager.Name))}"));
    }

    /// <summary>How many lines the nodes wrote, and what is wrong with what the managers have of them; empty: nothing.</summary>
    private (int Lines, string Wrong) CompareLogs()
    {
        var (lines, wrong) = (0, new List<string>());
        foreach (var host in cluster.Hosts)
        {
            try
            {
                var written = GatheredLogs.WrittenBy(host);
                lines += written.Count;
                foreach (var manager in cluster.Managers)
                    if (LogJudge.Compare(written, GatheredLogs.GatheredBy(manager, host)) is { IsWhole: false } finding)
                        wrong.Add(Invariantly($"{manager.Name} has {finding.Gathered:N0} of {host.Name}'s {finding.Written:N0} lines: {finding}"));
            }
            catch (IOException e)
            {
                wrong.Add($"{host.Name}'s mainlog: {e.Message}");
            }
        }
        return (lines, string.Join("; ", wrong));
    }

    private static string Numbers(IReadOnlyList<int> numbers) => string.Join(' ', numbers.Take(20)) + (numbers.Count > 20 ? $" and {numbers.Count - 20} more" : "");

    /// <summary>Asks every node where every address is and why, and compares with who greets there; again when something moves meanwhile.</summary>
    private async Task<Invariant> ExplanationsAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<string> wrong = [];
        await WithinAsync(limits.Settle, async stop =>
        {
            while ((wrong = await WrongExplanationsAsync(stop)).Count > 0)
                await cluster.Probe.NextRoundAsync(stop);
        }, cancellationToken);
        return new(7, "explanations true", wrong.Count == 0, wrong.Count == 0 ? $"{cluster.Hosts.Count * cluster.Addresses.Count} asked at the end" : string.Join("; ", wrong.Take(3)));
    }

    private async Task<IReadOnlyList<string>> WrongExplanationsAsync(CancellationToken cancellationToken)
    {
        var wrong = new List<string>();
        var states = cluster.Probe.States.ToDictionary(state => state.Address, state => state.Node);
        foreach (var host in cluster.Hosts)
        {
            foreach (var address in cluster.Addresses)
            {
                var words = await host.TryAskAsync($"cluster duravip explain {address}", cancellationToken) is { IsOk: true } reply ? reply.Body.Split('\n', 2)[0] : "no answer";
                if (!words.StartsWith($"{address} is on {states[address]} ", StringComparison.Ordinal))
                    wrong.Add($"{host.Name}: \"{words}\", but {(states[address].Length > 0 ? states[address] : "nobody")} answers");
            }
        }
        return wrong;
    }

    /// <summary>A host of nobody's with one of the addresses.</summary>
    private async Task PlantStrangerAsync(CancellationToken cancellationToken)
    {
        const int number = 90;
        await using var stranger = await DemoNetwork.AddHostAsync("stranger", number, cancellationToken);
        timeline.Say($"planted: a stranger takes {Timeline.Short(cluster.Addresses[0])}");
        await stranger.RunIpAsync($"addr add {cluster.Addresses[0]}/32 dev eth0", cancellationToken);
        var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        cluster.Arp.Doubled += _ => seen.TrySetResult();
        await WithinAsync(TimeSpan.FromSeconds(60), stop => seen.Task.WaitAsync(stop), cancellationToken);
    }

    private static async Task<bool> WithinAsync(TimeSpan limit, Func<CancellationToken, Task> work, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(limit);
        try
        {
            await work(deadline.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    private static string Invariantly(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
