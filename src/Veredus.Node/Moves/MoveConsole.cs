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

/// <summary>What is left on a node that is drained.</summary>
/// <param name="IsDrained">It gives all mail away.</param>
/// <param name="Addresses">Virtual addresses that it still owns.</param>
/// <param name="Sessions">Open inbound SMTP sessions, also on static addresses.</param>
/// <param name="Messages">In its queues, those for other nodes included.</param>
/// <param name="Moving">Of these, waiting to be handed over.</param>
/// <param name="Sent">Handed over since the start.</param>
/// <param name="Problem">What holds it; empty: nothing known.</param>
public sealed record DrainStatus(string Node, bool IsDrained, int Addresses, int Sessions, int Messages, int Moving, long Sent, int InDoubt, string Problem)
{
    /// <summary>Nothing is left: the node may be stopped.</summary>
    public bool IsEmpty => Addresses == 0 && Messages == 0;

    internal string Text => $"{Node}: {(IsEmpty && IsDrained ? "drained" : IsDrained ? "draining" : "not drained")}; {Addresses} addresses, {Sessions} inbound connections, {Messages} messages left ({Moving} on their way to other nodes, {InDoubt} in doubt), {Sent} handed over{(Problem.Length > 0 ? $"; {Problem}" : "")}";
}

/// <summary>The commands <c>cluster moves</c> and <c>cluster queues</c>.</summary>
internal sealed class MoveConsole(ClusterService cluster)
{
    private const int MostDoubts = 1000;

    public IEnumerable<ControlCommand> Commands =>
    [
        new("cluster moves", "", "mail that is handed to other nodes: what waits, what went, what is in doubt", (call, _) => new(Report() is not { } report ? None() :
            ControlAnswer.Body(call.Json ? JsonSerializer.Serialize(report, MoveReportJson.Default.MoveReport) : Text(report)))) { HasJson = true },
        new("cluster queues drain", "", "hands over all mail that waits here; after 'cluster duravip drain'", (call, stop) => DrainAsync(stop)),
        new("cluster queues undrain", "", "keeps mail of static bindings here again", (_, _) => new(Undrain())),
        new("cluster queues status", "", "how much is left of a drain", async (call, stop) => await StatusAsync(stop) is not { } status ? None()
            : call.Json ? ControlAnswer.Body(JsonSerializer.Serialize(status, MoveReportJson.Default.DrainStatus)) : ControlAnswer.Ok(status.Text)) { HasJson = true },
    ];

    private async ValueTask<ControlAnswer> DrainAsync(CancellationToken cancellationToken)
    {
        if (cluster.Moves is not { } moves || cluster.Channel is not { } channel)
            return None();
        var isDraining = cluster.Driver is { } driver && await driver.QueryAsync((machine, _) => machine.Owners()?.Draining.Contains(machine.Node), cancellationToken) is true;
        if (!isDraining && cluster.Driver is not null)
            return ControlAnswer.Error(ControlErrors.Conflict, "this node still takes part: 'cluster duravip drain' first, then its queues");
        moves.IsDrained = true;
        return channel.Membership.Members.Any(member => member.Hello is { Kind: Veredus.Cluster.MemberKind.Veredus } hello && hello.NodeName != channel.NodeName && hello.Address.Port != 0)
            ? ControlAnswer.Ok("all mail that waits here is handed over") : ControlAnswer.Ok("there is no other node now: mail waits here until there is one");
    }

    private ControlAnswer Undrain()
    {
        if (cluster.Moves is not { } moves)
            return None();
        moves.IsDrained = false;
        return ControlAnswer.Ok("mail of static bindings stays here");
    }

    private async Task<DrainStatus?> StatusAsync(CancellationToken cancellationToken)
    {
        if (cluster.Moves is not { } moves || cluster.Channel is not { } channel)
            return null;
        var node = moves.Node;
        var addresses = cluster.Driver is { } driver ? await driver.QueryAsync((machine, _) => machine.Owners()?.Owner.Values.Count(owner => owner == machine.Node) ?? 0, cancellationToken) : 0;
        var (summary, targets) = (node.Delivery.Summary(), moves.Targets);
        var problem = targets.FirstOrDefault(target => target.LastError.Length > 0 && target.Waiting + target.Paused > 0);
        return new(channel.NodeName, moves.IsDrained, addresses, node.SmtpSessions.Count, summary.Total, targets.Sum(target => target.Waiting + target.Paused), moves.Statistics.Sent, moves.InDoubt().Count,
            !node.Recovery.IsCompleted ? "the spool is still being read" : problem is not null ? $"{problem.Node}: {problem.LastError}" : "");
    }

    private static ControlAnswer None() => ControlAnswer.NotFound("this node hands no mail to others: that takes cluster { }, an ECCluster_Listener and the node's certificate (veredus setup node)");

    private MoveReport? Report()
    {
        if (cluster.Moves is not { } moves || cluster.Channel is not { } channel)
            return null;
        var known = moves.Targets.ToDictionary(target => target.Node, StringComparer.Ordinal);
        var others = channel.Membership.Members.Select(member => member.Hello).OfType<Veredus.Cluster.Hello>()
            .Where(hello => hello.Kind is Veredus.Cluster.MemberKind.Veredus && hello.NodeName != channel.NodeName && moves.IsMember(hello.NodeName)).Select(hello => hello.NodeName);
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
[JsonSerializable(typeof(DrainStatus))]
internal sealed partial class MoveReportJson : JsonSerializerContext;
