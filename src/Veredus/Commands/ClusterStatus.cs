using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Veredus.CommandLine;
using Veredus.Control;
using Veredus.Control.Commands;
using Veredus.Output;

namespace Veredus.Commands;

/// <summary>How the cluster does, as a manager sees it: its members, all nodes' queues and rates, and how far their logs are behind.</summary>
internal static class ClusterStatus
{
    /// <summary>A log that is longer behind deserves a look, and so does one for which more waits.</summary>
    private static readonly TimeSpan MuchBehind = TimeSpan.FromMinutes(10);
    private const long MuchWaits = 1L << 30;

    /// <param name="Missing">Nodes that did not answer in time, or left.</param>
    /// <param name="BehindSeconds">Of the log that is furthest behind; <see langword="null"/>: this manager gathers none.</param>
    /// <param name="Collected">Nodes whose logs can be gathered.</param>
    public sealed record Snapshot(string Manager, string Version, IReadOnlyList<string> Nodes, IReadOnlyList<string> Managers, IReadOnlyList<string> Missing,
        IReadOnlyList<NodeSummary> Summaries, double? BehindSeconds, long WaitingBytes, int Collected, IReadOnlyList<StatusCommand.Problem> Problems);

    public static async Task<Snapshot> AskAsync(Call call, ControlClient client, CancellationToken cancellationToken)
    {
        var members = await ObjectAsync(client, "json show cluster membership", cancellationToken);
        var answers = await ObjectAsync(client, "json delegate --wait 5 --on all json summary", cancellationToken);
        var logs = await ObjectAsync(client, "json logs collection", cancellationToken);
        var byKind = (members?["members"]?.AsArray() ?? []).ToLookup(member => (string?)member!["type"], member => (string)member!["node"]!);
        var nodes = (answers?["nodes"]?.AsArray() ?? []).OfType<JsonNode>().ToList();
        var problems = new List<StatusCommand.Problem>();
        foreach (var node in nodes.Where(node => (string?)node["state"] != "answered"))
            problems.Add(new("WARN", "NODE_SILENT", $"{node["node"]}: {((string?)node["state"] switch { "left" => "left before the answer", "absent" => "not in the cluster", _ => "no answer after 5 s" })}"));
        problems.AddRange(LogProblems(logs));
        problems.AddRange(ConfigProblems(await ObjectAsync(client, "json delegate --wait 5 --on all json config status", cancellationToken)));
        var collected = (logs?["logs"]?.AsArray() ?? []).OfType<JsonNode>().Where(log => (string?)log["subscriber"] is { Length: > 0 }).ToList();
        return new(client.HostName, client.Version, [.. byKind["veredus"].Order(StringComparer.Ordinal)], [.. byKind["manager"].Order(StringComparer.Ordinal)],
            [.. (answers?["missing"]?.AsArray() ?? []).Select(node => (string)node!)],
            [.. nodes.Select(node => node["data"]).OfType<JsonNode>().Select(data => StatusCommand.Read<NodeSummary>(data.ToJsonString()))],
            logs is null ? null : collected.Select(log => (double)log["behindSeconds"]!).DefaultIfEmpty(0).Max(), collected.Sum(log => (long)log["waitingBytes"]!),
            collected.Select(log => (string?)log["node"]).Distinct().Count(), StatusCommand.Sort(problems));
    }

    public static int Print(Call call, Snapshot snapshot, ControlEndpoint place, bool isCheck)
    {
        var worst = StatusCommand.Worst(snapshot.Problems);
        if (call.IsJson)
            call.Host.Out.WriteLine(Envelope.Wrap("veredus.status.cluster/1", call.Now, snapshot.Manager, StatusJson.Serialize(snapshot, worst), snapshot.Missing));
        else
            Print(call.Out, snapshot, worst, $"as of {call.Now.UtcDateTime.ToString("HH:mm:ss'Z'", CultureInfo.InvariantCulture)} from {place}");
        return isCheck ? worst switch { "ERROR" => ExitCodes.Error, "WARN" => ExitCodes.Warning, _ => ExitCodes.Done }
            : snapshot.Missing.Count > 0 ? ExitCodes.Partly : ExitCodes.Done;
    }

    private static void Print(Screen screen, Snapshot snapshot, string worst, string asOf)
    {
        var count = StatusCommand.Count(snapshot.Problems);
        screen.Write($"{"cluster",-10}{"from " + snapshot.Manager,-15}");
        screen.Write(worst, worst switch { "ERROR" => Tone.Bad, "WARN" => Tone.Warning, _ => Tone.Good });
        screen.Line($"{count,-24}{asOf}");
        screen.Line($"{"nodes",-10}{snapshot.Summaries.Count + " answered",-15}{string.Join(' ', snapshot.Nodes)}");
        screen.Line($"{"managers",-10}{snapshot.Managers.Count + " here",-15}{string.Join(' ', snapshot.Managers)}");
        screen.Line($"{"queues",-10}{Human.Count(snapshot.Summaries.Sum(node => node.TotalQueueSize)),-15}{Human.Count(snapshot.Summaries.Sum(node => node.ActiveQueueSize))} active, {Human.Count(snapshot.Summaries.Sum(node => node.DelayedQueueSize))} delayed");
        screen.Line($"{"rates",-10}{"in " + Human.Rate(snapshot.Summaries.Sum(node => node.ReceptionRate)),-15}out {Human.Rate(snapshot.Summaries.Sum(node => node.DeliveryRate))} (means since the counters were reset)");
        screen.Line($"{"logs",-10}{(snapshot.BehindSeconds is { } behind ? Behind(behind) : "not gathered"),-15}{(snapshot.BehindSeconds is null ? "by this manager" : $"{Human.Size(snapshot.WaitingBytes)} wait; {snapshot.Collected} of {snapshot.Nodes.Count} nodes collected")}");
        StatusCommand.PrintProblems(screen, snapshot.Problems, "veredus log collection");
    }

    public static string Behind(double seconds) => seconds < 1 ? "up to date" : $"{Human.Age(TimeSpan.FromSeconds(seconds))} behind";

    /// <summary>What keeps nodes from the servers' configuration, those with the same trouble together; what servers say of themselves is said once.</summary>
    private static IEnumerable<StatusCommand.Problem> ConfigProblems(JsonNode? following) =>
        (following?["nodes"]?.AsArray() ?? []).OfType<JsonNode>().Select(node => node["data"]).OfType<JsonObject>()
            .Select(data => JsonSerializer.Deserialize(data.ToJsonString(), StatusJson.Default.FollowState)!)
            .SelectMany(state => state.Findings.Select(finding => (state.Node, finding.Code, finding.Text)))
            .GroupBy(finding => (finding.Code, finding.Text), finding => finding.Node)
            .Select(group => new StatusCommand.Problem(ConfigServer.FollowCodes.Severity(group.Key.Code), group.Key.Code,
                group.Key.Code is ConfigServer.FollowCodes.Unconfirmed or ConfigServer.FollowCodes.ReplicaBehind ? group.Key.Text : $"{string.Join(' ', group.Distinct().Order(StringComparer.Ordinal))}: {group.Key.Text}"));

    private static IEnumerable<StatusCommand.Problem> LogProblems(JsonNode? logs)
    {
        foreach (var node in (logs?["unreachable"]?.AsArray() ?? []).OfType<JsonNode>())
            yield return new("WARN", "LOG_UNREACHABLE", $"{node["node"]} can't be asked for its logs: {node["why"]}");
        foreach (var log in (logs?["logs"]?.AsArray() ?? []).OfType<JsonNode>())
        {
            if ((string?)log["error"] is { } error)
                yield return new("WARN", "LOG_STOPPED", $"{log["log"]} of {log["node"]}: {error}");
            else if ((double)log["behindSeconds"]! > MuchBehind.TotalSeconds || (long)log["waitingBytes"]! > MuchWaits)
                yield return new("WARN", "LOG_BEHIND", $"{log["log"]} of {log["node"]}: {Behind((double)log["behindSeconds"]!)}, {Human.Size((long)log["waitingBytes"]!)} wait");
        }
    }

    /// <summary>What a node's journals say about their readers: the same limits as the paniclog's warning.</summary>
    public static IEnumerable<(string Log, string Reader, double Seconds, long Bytes)> Readers(JsonNode? published) =>
        from log in (published?.AsArray() ?? []).OfType<JsonNode>()
        from reader in (log["subscribers"]?.AsArray() ?? []).OfType<JsonNode>()
        select ((string)log["log"]!, (string)reader["name"]!, (double?)reader["waitingSeconds"] ?? 0, (long)reader["waitingBytes"]!);

    public static bool IsMuch(double seconds, long bytes) => seconds > TimeSpan.FromHours(24).TotalSeconds || bytes > MuchWaits;

    private static async Task<JsonNode?> ObjectAsync(ControlClient client, string command, CancellationToken cancellationToken)
    {
        try
        {
            var reply = await client.SendAsync(command, cancellationToken);
            // Partial answers come with a code of their own and the document all the same.
            return reply.Lines.Count > 0 ? JsonNode.Parse(reply.Body) : reply.Code is 0 or ControlErrors.NotFound ? null
                : throw new CliException(ExitCodes.Of(reply.Code), $"{command}: {reply.Text}");
        }
        catch (JsonException exception)
        {
            throw new CliException(ExitCodes.Failed, $"The manager's answer to '{command}' can't be read: {exception.Message}", "Are the manager and this program of one version ('veredus version', 'version' in the console)?");
        }
        catch (ControlException exception)
        {
            throw new CliException(ExitCodes.Unreachable, exception.Message);
        }
    }
}
