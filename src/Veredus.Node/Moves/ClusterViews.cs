using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Veredus.Cluster;
using Veredus.Control;
using Veredus.Control.Commands;
using Veredus.Node.Doubts;
using Veredus.Spool;

namespace Veredus.Node.Moves;

/// <summary>A queue of a node.</summary>
public sealed record ClusterQueueLine(string Node, string Group, string Binding, string Domain, long Active, long Delayed);

/// <summary>The queues of all nodes.</summary>
/// <param name="Missing">Nodes that did not answer in time.</param>
public sealed record ClusterQueues(IReadOnlyList<ClusterQueueLine> Items, long Total, IReadOnlyList<string> Missing);

/// <summary>What all nodes know of a message.</summary>
public sealed record ClusterMessage(string Id, IReadOnlyList<MessagePlace> Places, IReadOnlyList<string> Missing);

/// <summary>Queues and messages of the whole cluster, asked on any node.</summary>
internal sealed class ClusterViews(ClusterService cluster)
{
    private static readonly TimeSpan s_wait = TimeSpan.FromSeconds(10);

    public IEnumerable<ControlCommand> Commands =>
    [
        new("message where", "ID [history]", "what this node knows of a message; with its attempts", WhereAsync) { HasJson = true },
        new("cluster mailq", "[-d DOMAIN] [-b BINDING] [-l N]", "queues of all nodes, the longest first", QueuesAsync) { HasJson = true },
        new("cluster in_doubt", "[N]", "messages of all nodes that may have been delivered twice, the newest last", InDoubtAsync) { HasJson = true },
        new("cluster message", "ID", "where a message is in the cluster, why, and what happens next", MessageAsync) { HasJson = true },
        new("cluster message retry", "ID", "its next attempt now, wherever it is", (call, stop) => ActAsync(call, "message retry", stop)),
        new("cluster message fail", "[quiet] ID", "gives it up, wherever it is", (call, stop) => ActAsync(call, call.Arguments is ["quiet", _] ? "message fail quiet" : "message fail", stop)),
    ];

    private async ValueTask<ControlAnswer> WhereAsync(ControlCall call, CancellationToken cancellationToken)
    {
        if (call.Arguments.Count is < 1 or > 2 || (call.Arguments.Count == 2 && call.Arguments[1] != "history"))
            return ControlAnswer.Usage(call.Command);
        var text = call.Arguments[0];
        if (!MessageId.TryParse(text, out var id))
            return ControlAnswer.Error(ControlErrors.Syntax, $"'{text}' is not a message ID; one looks like 10/00-00007-08B31BA6");
        if (await PlaceAsync(id, call.Arguments.Count > 1, cancellationToken) is not { } place)
            return ControlAnswer.NotFound($"{id} is not here, and this node remembers nothing of it");
        return ControlAnswer.Body(call.Json ? JsonSerializer.Serialize(place, ClusterViewJson.Default.MessagePlace) : string.Join('\n', MessagePlace.Explain(text, [place], [])));
    }

    private async ValueTask<ControlAnswer> QueuesAsync(ControlCall call, CancellationToken cancellationToken)
    {
        if (await AskAsync(call, $"json mailq {call.RestFrom(0)}".TrimEnd(), cancellationToken) is not { } answers)
            return None();
        var queues = new List<ClusterQueueLine>();
        foreach (var answer in answers.Where(answer => answer.IsOk))
            queues.AddRange((JsonSerializer.Deserialize(string.Concat(answer.Lines), ClusterViewJson.Default.QueueListing)?.Items ?? [])
                .Select(queue => new ClusterQueueLine(answer.Node, queue.Group, queue.Binding, queue.Domain, queue.Active, queue.Delayed)));
        var all = new ClusterQueues([.. queues.OrderByDescending(queue => queue.Active + queue.Delayed).ThenBy(queue => queue.Node, StringComparer.Ordinal)],
            queues.Sum(queue => queue.Active + queue.Delayed), Missing(answers));
        if (call.Json)
            return ControlAnswer.Body(JsonSerializer.Serialize(all, ClusterViewJson.Default.ClusterQueues));
        return ControlAnswer.Body([
            $"{"Node",-12} {"Group/Binding",-30} {"Domain",-24} {"AQ",8} {"DQ",8}",
            .. all.Items.Select(queue => string.Create(CultureInfo.InvariantCulture, $"{queue.Node,-12} {queue.Group + "/" + queue.Binding,-30} {queue.Domain,-24} {queue.Active,8} {queue.Delayed,8}")),
            .. all.Missing.Count > 0 ? [$"! no answer: {string.Join(", ", all.Missing)}"] : Array.Empty<string>()]);
    }

    private async ValueTask<ControlAnswer> InDoubtAsync(ControlCall call, CancellationToken cancellationToken)
    {
        if (!DoubtConsole.TryReadCount(call, out var count))
            return ControlAnswer.Usage(call.Command);
        if (await AskAsync(call, $"json message in_doubt {count}", cancellationToken) is not { } answers)
            return None();
        var found = answers.Where(answer => answer.IsOk).Select(answer => JsonSerializer.Deserialize(string.Concat(answer.Lines), DoubtsJson.Default.DoubtReport)).OfType<DoubtReport>().ToList();
        var all = new DoubtReport([.. found.SelectMany(doubts => doubts.Items).OrderBy(doubt => doubt.At).TakeLast(count)], found.Sum(doubts => doubts.Total), Missing(answers));
        return ControlAnswer.Body(call.Json ? [JsonSerializer.Serialize(all, DoubtsJson.Default.DoubtReport)] : all.Lines());
    }

    private async ValueTask<ControlAnswer> MessageAsync(ControlCall call, CancellationToken cancellationToken)
    {
        if (call.Arguments is not [var text])
            return ControlAnswer.Usage(call.Command);
        if (!MessageId.TryParse(text, out var id))
            return ControlAnswer.Error(ControlErrors.Syntax, $"'{text}' is not a message ID; one looks like 10/00-00007-08B31BA6");
        var found = await FindAsync(call, $"{text} history", cancellationToken)
            ?? new(text, await PlaceAsync(id, hasHistory: true, cancellationToken) is { } alone ? [alone] : [], []);
        if (call.Json)
            return ControlAnswer.Body(JsonSerializer.Serialize(found, ClusterViewJson.Default.ClusterMessage));
        var lines = MessagePlace.Explain(text, found.Places, found.Missing);
        return found.Places.Count > 0 ? ControlAnswer.Body(lines) : ControlAnswer.NotFound(lines.First());
    }

    private async ValueTask<ControlAnswer> ActAsync(ControlCall call, string command, CancellationToken cancellationToken)
    {
        if (call.Arguments.Count == 0 || !MessageId.TryParse(call.Arguments[^1], out var id))
            return ControlAnswer.Usage(call.Command);
        if (await FindAsync(call, id.ToString(), cancellationToken) is not { } found)
            return None();
        if (found.Places.FirstOrDefault(place => place.IsHere) is not { } place)
            return ControlAnswer.NotFound($"{id} is on none of the nodes that answered{(found.Missing.Count > 0 ? $"; no answer from {string.Join(", ", found.Missing)}" : "")}");
        var answers = await AskAsync(call, $"{command} {id}", cancellationToken, DelegationTarget.Node(place.Node));
        return answers is [{ State: AnswerState.Answered } answer, ..] ? answer.Code == 0 ? ControlAnswer.Ok($"{place.Node}: {answer.Text}") : ControlAnswer.Error(answer.Code, $"{place.Node}: {answer.Text}")
            : ControlAnswer.Error(ControlErrors.Conflict, $"{place.Node} does not answer; it may still do it");
    }

    private Task<MessagePlace?> PlaceAsync(MessageId id, bool hasHistory, CancellationToken cancellationToken) =>
        Task.Run(() => hasHistory ? MessagePlace.FindWithHistory(cluster, cluster.Node, id) : MessagePlace.Find(cluster, cluster.Node, id), cancellationToken);

    private async Task<ClusterMessage?> FindAsync(ControlCall call, string words, CancellationToken cancellationToken)
    {
        if (await AskAsync(call, $"json message where {words}", cancellationToken) is not { } answers)
            return null;
        var places = answers.Where(answer => answer.IsOk).Select(answer => JsonSerializer.Deserialize(string.Concat(answer.Lines), ClusterViewJson.Default.MessagePlace)).OfType<MessagePlace>();
        return new(words.Split(' ')[0], [.. places.OrderByDescending(place => place.IsHere)], Missing(answers));
    }

    private async Task<IReadOnlyList<NodeAnswer>?> AskAsync(ControlCall call, string command, CancellationToken cancellationToken, DelegationTarget? target = null)
    {
        if (cluster.Delegation is not { } delegation)
            return null;
        try
        {
            return await delegation.RunToEndAsync(target ?? DelegationTarget.All, command, new(call.Session.User, []), s_wait, cancellationToken);
        }
        catch (DelegationException)
        {
            return null;
        }
    }

    private static List<string> Missing(IEnumerable<NodeAnswer> answers) => [.. answers.Where(answer => answer.State is not AnswerState.Answered and not AnswerState.Absent).Select(answer => answer.Node)];

    private static ControlAnswer None() => ControlAnswer.NotFound("this node is in no cluster, or alone in it at this moment: ask it alone (mailq, message details)");
}

/// <summary>What <c>json mailq</c> answers.</summary>
internal sealed record QueueListing(IReadOnlyList<QueueLine> Items);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(QueueListing))]
[JsonSerializable(typeof(ClusterQueues))]
[JsonSerializable(typeof(ClusterMessage))]
[JsonSerializable(typeof(MessagePlace))]
internal sealed partial class ClusterViewJson : JsonSerializerContext;
