using System.Text.Json;
using System.Text.Json.Serialization;
using Veredus.Commands;
using Veredus.Control.Commands;
using Veredus.Output;

namespace Veredus.Demo;

/// <summary>One node at a moment.</summary>
/// <param name="State"><c>up</c>, <c>down</c>, <c>frozen</c>, <c>cut off</c>, <c>draining</c>, or <c>slow</c> when it does not answer in time.</param>
internal sealed record NodeLine(string Name, string State, IReadOnlyList<string> Addresses, long Received, long Delivered, long Queue);

/// <summary>The demo at a moment.</summary>
internal sealed record DemoSnapshot(IReadOnlyList<NodeLine> Nodes, int Answering, int AddressCount, double LongestGapSeconds, MailCount Mail, int Doubles)
{
    public static async Task<DemoSnapshot> TakeAsync(DemoCluster cluster, CancellationToken cancellationToken)
    {
        var states = cluster.Probe.States;
        var nodes = await Task.WhenAll(cluster.Hosts.Select(async host =>
        {
            var summary = await host.TryAskAsync("json summary", cancellationToken) is { IsOk: true } reply ? StatusCommand.Read<NodeSummary>(reply.Body) : null;
            string[] addresses = [.. states.Where(state => state.Node == host.Name).Select(state => Timeline.Short(state.Address))];
            return new NodeLine(host.Name, StateOf(cluster, host, summary is not null), addresses, summary?.ReceivedMessages ?? 0, summary?.DeliveredMessages ?? 0, summary?.TotalQueueSize ?? 0);
        }));
        return new(nodes, states.Count(state => state.Node.Length > 0), states.Count, Math.Round(cluster.Probe.LongestGap.TotalSeconds, 3), cluster.Ledger.Count(), cluster.Arp.Doubles.Count);
    }

    /// <summary>All of it in one line, for where there is no screen.</summary>
    public string Line => $"{string.Join("   ", Nodes.Select(node => $"{node.Name} {node.State} {(node.Addresses.Count > 0 ? string.Join(' ', node.Addresses) : "-")}"))}"
        + $"   {Answering} of {AddressCount} answer   accepted {Human.Count(Mail.Accepted)}   delivered {Human.Count(Mail.Delivered)}   twice {Mail.Twice}   double {Doubles}";

    public string ToJson() => JsonSerializer.Serialize(this, SnapshotJson.Default.DemoSnapshot);

    private static string StateOf(DemoCluster cluster, DemoHost host, bool answers) =>
        !host.IsNodeRunning ? "down" : host.IsFrozen ? "frozen" : cluster.Cables.IsCut(host) ? "cut off" : host.IsDrained ? "draining" : answers ? "up" : "slow";
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(DemoSnapshot))]
internal sealed partial class SnapshotJson : JsonSerializerContext;
