using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Veredus.Control;
using Veredus.Spool;

namespace Veredus.Node.Moves;

/// <summary>What goes from node to node, for people and programs.</summary>
/// <param name="Targets">Every other node, and those that mail waits for.</param>
/// <param name="InDoubt">Messages given to a node that has not answered: it may have them as well.</param>
public sealed record MoveReport(string Node, IReadOnlyList<MoveTargetLine> Targets, MoveStatistics Counts, IReadOnlyList<DoubtLine> InDoubt);

/// <summary>One message in doubt.</summary>
public sealed record DoubtLine(string Id, string Node, DateTimeOffset Since);

/// <summary>The commands <c>cluster moves</c>.</summary>
internal sealed class MoveConsole(ClusterService cluster)
{
    private const int MostDoubts = 1000;

    public IEnumerable<ControlCommand> Commands =>
    [
        new("cluster moves", "", "mail that is handed to other nodes: what waits, what went, what is in doubt", (call, _) => new(Report() is not { } report ? None() :
            ControlAnswer.Body(call.Json ? JsonSerializer.Serialize(report, MoveReportJson.Default.MoveReport) : Text(report)))) { HasJson = true },
    ];

    private static ControlAnswer None() => ControlAnswer.NotFound("this node hands no mail to others: that takes cluster { }, an ECCluster_Listener and the node's certificate (veredus setup node)");

    private MoveReport? Report()
    {
        if (cluster.Moves is not { } moves || cluster.Channel is not { } channel)
            return null;
        var known = moves.Targets.ToDictionary(target => target.Node, StringComparer.Ordinal);
        var others = channel.Membership.Members.Select(member => member.Hello).OfType<Veredus.Cluster.Hello>()
            .Where(hello => hello.Kind is Veredus.Cluster.MemberKind.Veredus && hello.NodeName != channel.NodeName).Select(hello => hello.NodeName);
        return new(channel.NodeName,
            [.. known.Keys.Union(others).Order(StringComparer.Ordinal).Select(node => known.GetValueOrDefault(node) ?? new(node, 0, 0, 0, 0, 0, null, ""))],
            moves.Statistics, [.. moves.InDoubt().Take(MostDoubts).Select(entry => new DoubtLine(new MessageId(entry.LocalId).ToString(), entry.Node, DateTimeOffset.FromUnixTimeMilliseconds(entry.AtMs)))]);
    }

    private static string Text(MoveReport report)
    {
        var text = new StringBuilder($"{"Node",-16} {"Waiting",8} {"Paused",8} {"Conns",6} {"Sent",9}  Last problem\n");
        foreach (var target in report.Targets)
            text.Append($"{target.Node,-16} {target.Waiting,8} {target.Paused,8} {target.Connections,6} {target.Sent,9}  {target.LastError}\n");
        var counts = report.Counts;
        text.Append($"sent {counts.Sent}, received {counts.Received}, known already {counts.Known}, not taken {counts.Refused}, gone round {counts.Loops}, in doubt {counts.InDoubt}, given up in doubt {counts.GivenUp}\n");
        foreach (var doubt in report.InDoubt)
            text.Append($"in doubt: {doubt.Id} was given to {doubt.Node}, no answer since {doubt.Since:yyyy-MM-dd HH:mm:ss}Z\n");
        return text.ToString();
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(MoveReport))]
internal sealed partial class MoveReportJson : JsonSerializerContext;
