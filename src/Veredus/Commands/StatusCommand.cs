using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Veredus.CommandLine;
using Veredus.Control;
using Veredus.Control.Commands;
using Veredus.Output;

namespace Veredus.Commands;

/// <summary>How the cluster does where a manager is near, else the node, in a few lines.</summary>
internal static class StatusCommand
{
    private static readonly Option<bool> Check = new("--check") { Description = "The exit code tells the worst: 0, 10 (WARN) or 11 (ERROR)" };
    private static readonly Option<bool> Node = new("--node") { Description = "The local node's view, also where a manager is near" };

    public static Command Build(CliHost host) => CommandTree.Leaf(host, "status", "How the cluster or the node does, in a few lines",
        ["veredus status", "veredus status --check --json"], RunAsync, Check, Node);

    /// <summary>What is wrong, as the status line, <c>check</c> and monitoring see it.</summary>
    public sealed record Problem(string Severity, string Code, string Text)
    {
        /// <summary>More than something to know.</summary>
        [System.Text.Json.Serialization.JsonIgnore]
        public bool IsTrouble => Severity != "INFO";
    }

    public sealed record Snapshot(string Node, string Version, NodeSummary Summary, IReadOnlyList<PanicLine> Panics, QueueLine? Longest, ConfigServer.FollowState? Following = null, JsonNode? Logs = null)
    {
        /// <summary>Who reads the published logs, the one that is furthest behind first.</summary>
        public IReadOnlyList<(string Log, string Reader, double Seconds, long Bytes)> LogReaders { get; } = [.. ClusterStatus.Readers(Logs).OrderByDescending(reader => reader.Seconds).ThenByDescending(reader => reader.Bytes)];

        /// <summary>What is to be known of the node's configuration, readers that leave its logs unread, and paniclog entries of the last hour; the worst first.</summary>
        public IReadOnlyList<Problem> Problems(DateTimeOffset now)
        {
            var since = now.ToUnixTimeSeconds() - 3600;
            var following = (Following?.Findings ?? []).Select(finding => new Problem(ConfigServer.FollowCodes.Severity(finding.Code), finding.Code, finding.Text));
            var unread = LogReaders.Where(reader => ClusterStatus.IsMuch(reader.Seconds, reader.Bytes))
                .Select(reader => new Problem("WARN", "LOG_BEHIND", $"{reader.Log}: {reader.Reader} is {ClusterStatus.Behind(reader.Seconds)}, {Human.Size(reader.Bytes)} wait"));
            var panics = Panics.Where(entry => entry.Time >= since && entry.Level is "critical" or "error").OrderBy(entry => entry.Level, StringComparer.Ordinal)
                .ThenByDescending(entry => entry.Time).DistinctBy(entry => entry.Text)
                .Select(entry => new Problem(entry.Level == "critical" ? "ERROR" : "WARN", "NODE_PANICLOG", entry.Text));
            return Sort(following.Concat(unread).Concat(panics));
        }
    }

    /// <summary>The worst first, otherwise in the order they came.</summary>
    public static IReadOnlyList<Problem> Sort(IEnumerable<Problem> problems) => [.. problems.OrderBy(problem => problem.Severity switch { "ERROR" => 0, "WARN" => 1, _ => 2 })];

    public static string Worst(IReadOnlyList<Problem> problems) => problems.Any(problem => problem.Severity == "ERROR") ? "ERROR" : problems.Any(problem => problem.IsTrouble) ? "WARN" : "OK";

    /// <summary>How many deserve a look, for the first line.</summary>
    public static string Count(IReadOnlyList<Problem> problems) => problems.Count(problem => problem.IsTrouble) switch { 0 => "", 1 => "  1 problem", var number => $"  {number} problems" };

    /// <summary>Asks the node for all that a status needs.</summary>
    public static async Task<Snapshot> AskAsync(Call call, CancellationToken cancellationToken)
    {
        await using var client = await call.ConnectAsync(cancellationToken);
        var summary = Read<NodeSummary>((await call.AskAsync(client, "json summary", cancellationToken)).Body);
        var panics = Read<Listing<PanicLine>>((await call.AskAsync(client, "json paniclog", cancellationToken)).Body);
        var queues = Read<Listing<QueueLine>>((await call.AskAsync(client, "json mailq -l 1", cancellationToken)).Body);
        return new(client.HostName, client.Version, summary, panics.Items, queues.Items.Count > 0 ? queues.Items[0] : null, await FollowingAsync(client, cancellationToken),
            await LogsAsync(client, cancellationToken));
    }

    /// <summary>Null: the node publishes no logs.</summary>
    private static async Task<JsonNode?> LogsAsync(ControlClient client, CancellationToken cancellationToken)
    {
        var reply = await client.SendAsync("json cluster show logs", cancellationToken);
        return reply.IsOk && reply.Body.StartsWith('[') ? JsonNode.Parse(reply.Body) : null;
    }

    /// <summary>Null: the node follows no configuration server, or has not asked one yet.</summary>
    private static async Task<ConfigServer.FollowState?> FollowingAsync(ControlClient client, CancellationToken cancellationToken)
    {
        var reply = await client.SendAsync("json config status", cancellationToken);
        return reply.IsOk && reply.Body.StartsWith('{') ? JsonSerializer.Deserialize(reply.Body, StatusJson.Default.FollowState) : null;
    }

    public static T Read<T>(string json)
    {
        try
        {
            return (T)JsonSerializer.Deserialize(json, ConsoleJson.Default.GetTypeInfo(typeof(T))!)!;
        }
        catch (JsonException exception)
        {
            throw new CliException(ExitCodes.Failed, $"The node's answer can't be read: {exception.Message}", "Are the node and this program of one version ('veredus version', 'version' in the console)?");
        }
    }

    public static async Task<int> RunAsync(Call call, CancellationToken cancellationToken)
    {
        if (!call.Parse.GetValue(Node) && !call.NamesNode && call.Managers.Places.Count > 0)
        {
            try
            {
                var (client, place) = await call.ConnectToFirstAsync(call.Managers.Places, cancellationToken);
                await using var connection = client;
                return ClusterStatus.Print(call, await ClusterStatus.AskAsync(call, client, cancellationToken), place, call.Parse.GetValue(Check));
            }
            // A context has no stand-in: this host's node may be of another cluster.
            catch (CliException exception) when (exception.ExitCode == ExitCodes.Unreachable && call.Managers.Context is null)
            {
                call.Error.Line($"view of the local node only; no manager reachable ({exception.Message})", Tone.Warning);
            }
            catch (CliException exception) when (exception.ExitCode == ExitCodes.NotAllowed)
            {
                throw new CliException(ExitCodes.NotAllowed, exception.Message, "One node's view: --node");
            }
        }
        var snapshot = await AskAsync(call, cancellationToken);
        var problems = snapshot.Problems(call.Now);
        var worst = Worst(problems);
        if (call.IsJson)
        {
            call.Json("veredus.status/1", snapshot.Node, StatusJson.Serialize(new StatusData(snapshot.Node, snapshot.Version, worst, snapshot.Summary, problems, snapshot.Logs)));
        }
        else
        {
            Print(call, snapshot, problems, worst);
        }
        return !call.Parse.GetValue(Check) ? ExitCodes.Done : worst switch { "ERROR" => ExitCodes.Error, "WARN" => ExitCodes.Warning, _ => ExitCodes.Done };
    }

    private static void Print(Call call, Snapshot snapshot, IReadOnlyList<Problem> problems, string worst)
    {
        var (summary, screen) = (snapshot.Summary, call.Out);
        var tone = worst switch { "ERROR" => Tone.Bad, "WARN" => Tone.Warning, _ => Tone.Good };
        var count = Count(problems);
        screen.Write($"{"node",-10}{snapshot.Node,-15}");
        screen.Write(worst, tone);
        screen.Line($"{count,-24}as of {call.Now.UtcDateTime.ToString("HH:mm:ss'Z'", CultureInfo.InvariantCulture)} from {call.Endpoint}");
        screen.Line($"{"version",-10}{snapshot.Version,-15}up {Human.Age(TimeSpan.FromSeconds(summary.UptimeSeconds))}");
        var longest = snapshot.Longest is { } queue
            ? $"; longest {queue.Binding}/{queue.Domain} {Human.Count(queue.Active + queue.Delayed)}" : "";
        screen.Line($"{"queues",-10}{Human.Count(summary.TotalQueueSize),-15}{Human.Count(summary.ActiveQueueSize)} active, {Human.Count(summary.DelayedQueueSize)} delayed{longest}");
        screen.Line($"{"rates",-10}{"in " + Human.Rate(summary.ReceptionRate),-15}out {Human.Rate(summary.DeliveryRate)} (mean since the counters were reset {Human.Age(TimeSpan.FromSeconds(summary.StatisticsSeconds))} ago)");
        screen.Line($"{"sessions",-10}{"in " + Human.Count(summary.InboundConcurrency),-15}out {Human.Count(summary.OutboundConcurrency)}");
        screen.Line($"{"mail",-10}{"received " + Human.Count(summary.ReceivedMessages),-15} delivered {Human.Count(summary.DeliveredMessages)}, failed {Human.Count(summary.FailedMessages)}, rejected {Human.Count(summary.RejectedMessages)}");
        if (snapshot.LogReaders is [var last, ..])
            screen.Line($"{"logs",-10}{ClusterStatus.Behind(last.Seconds),-15}{snapshot.LogReaders.Count} readers of {snapshot.LogReaders.Select(reader => reader.Log).Distinct().Count()} published logs{(last.Bytes > 0 ? $"; for {last.Reader} {Human.Size(last.Bytes)} of {last.Log} wait" : "")}");
        PrintProblems(screen, problems, "veredus console paniclog");
    }

    public static void PrintProblems(Screen screen, IReadOnlyList<Problem> problems, string next)
    {
        if (problems.Count == 0)
            return;
        screen.Line();
        foreach (var problem in problems.Take(10))
            screen.Line($"{problem.Severity,-5} {problem.Code}  {problem.Text.ReplaceLineEndings(" ")}", problem.Severity switch { "ERROR" => Tone.Bad, "WARN" => Tone.Warning, _ => Tone.Plain });
        screen.Line($"next: {next}");
    }
}
