using System.Text.Json;
using System.Text.Json.Serialization;
using Veredus.CommandLine;
using Veredus.Control;
using Veredus.Control.Commands;
using Veredus.Node.Moves;

namespace Veredus.Commands;

/// <summary>The queues that were asked for: of all nodes where the node asked is in a cluster, else of that node alone.</summary>
/// <param name="Nodes">For each queue its node; empty: of the node asked alone.</param>
/// <param name="Missing">Nodes that did not answer.</param>
internal sealed record FoundQueues(IReadOnlyList<QueueLine> Queues, IReadOnlyList<string> Nodes, IReadOnlyList<string> Missing)
{
    public bool IsCluster => Nodes.Count > 0 || Missing.Count > 0;

    /// <param name="filter">As <c>mailq</c> takes it, with a blank in front.</param>
    public static async Task<FoundQueues> AskAsync(Call call, ControlClient client, string filter, CancellationToken cancellationToken)
    {
        var reply = await client.SendAsync($"json cluster mailq -l {int.MaxValue}{filter}", cancellationToken);
        if (!reply.IsOk)
            return new(StatusCommand.Read<Listing<QueueLine>>((await call.AskAsync(client, $"json mailq -l {int.MaxValue}{filter}", cancellationToken)).Body).Items, [], []);
        var found = JsonSerializer.Deserialize(reply.Body, ClusterQueuesJson.Default.ClusterQueues)!;
        return new([.. found.Items.Select(queue => new QueueLine(queue.Group, queue.Binding, queue.Domain, queue.Active, queue.Delayed))], [.. found.Items.Select(queue => queue.Node)], found.Missing);
    }

    public string Json(int shown) => JsonSerializer.Serialize(new ClusterQueues(
        [.. Queues.Take(shown).Select((queue, i) => new ClusterQueueLine(Nodes[i], queue.Group, queue.Binding, queue.Domain, queue.Active, queue.Delayed))], Queues.Count, Missing), ClusterQueuesJson.Default.ClusterQueues);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ClusterQueues))]
internal sealed partial class ClusterQueuesJson : JsonSerializerContext;
