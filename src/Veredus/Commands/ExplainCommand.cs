using System.CommandLine;
using System.Text.Json;
using Veredus.CommandLine;
using Veredus.Control;
using Veredus.Node;
using Veredus.Output;

namespace Veredus.Commands;

/// <summary>Why something is as it is, and what would be if.</summary>
internal static class ExplainCommand
{
    private static readonly Argument<string> Address = new("ADDRESS") { Description = "A virtual address" };
    private static readonly Argument<string> Node = new("NODE") { Description = "A node's name" };
    private static readonly Option<string?> IfDown = new("--if-down") { Description = "Instead: where it would go if these nodes went out (with commas); changes nothing", HelpName = "NODES" };
    private static readonly Option<string> Down = new("--down") { Description = "Nodes that go out, with commas", HelpName = "NODES", Required = true };

    public static Command Build(CliHost host) => new("explain", "Why something is as it is")
    {
        CommandTree.Leaf(host, "vip", "Why an address is where it is, who else could have it, and how it came there",
            ["veredus explain vip 198.18.7.101", "veredus explain vip 198.18.7.101 --if-down mta1,mta2", "veredus explain vip 198.18.7.101 --json"],
            (call, stop) => call.Parse.GetValue(IfDown) is { } down ? IfDownAsync(call, VipCommand.ParseAddress(call.Parse.GetValue(Address)!), down, stop) : VipAsync(call, call.Parse.GetValue(Address)!, "veredus.explain.vip/1", stop), Address, IfDown),
        CommandTree.Leaf(host, "message", "Where a message is in the cluster, why there, what holds it and what happens next",
            ["veredus explain message 10/00-00007-08B31BA6", "veredus explain message 10/00-00007-08B31BA6 --json"], MessageCommand.WhereAsync, MessageCommand.Id),
        CommandTree.Leaf(host, "node", "What a node does in the cluster, and why", ["veredus explain node mta2", "veredus explain node mta2 --json"], NodeAsync, Node),
    };

    public static Command BuildWhatIf(CliHost host) => CommandTree.Leaf(host, "whatif", "Where addresses would go if nodes went out; changes nothing",
        ["veredus whatif --down mta1", "veredus whatif --down mta1,mta2 --json"], WhatIfAsync, Down);

    public static async Task<int> VipAsync(Call call, string address, string schema, CancellationToken cancellationToken)
    {
        var command = $"cluster duravip explain {VipCommand.ParseAddress(address)}";
        await using var client = await call.ConnectAsync(cancellationToken);
        var reply = await call.AskAsync(client, call.IsJson ? $"json {command}" : command, cancellationToken);
        if (call.IsJson)
            call.Json(schema, client.HostName, reply.Body);
        else
            foreach (var line in reply.Lines)
                call.Out.Line(line);
        return ExitCodes.Done;
    }

    private static async Task<int> IfDownAsync(Call call, string address, string down, CancellationToken cancellationToken)
    {
        await using var client = await call.ConnectAsync(cancellationToken);
        var view = await VipCommand.ViewAsync(call, client, cancellationToken);
        var vip = view.Vips.FirstOrDefault(vip => vip.Ip == address) ?? throw new CliException(ExitCodes.NotFound, $"{address} is not a virtual address of this cluster.", "veredus vip list");
        var forecast = await ClusterAnswers.AskAsync<WhatIf>(call, client, $"cluster duravip whatif {CommandWords.Quote(down)}", cancellationToken);
        var move = forecast.Moves.FirstOrDefault(move => move.Address == address) ?? new(address, vip.Owner, vip.Owner, vip.Rule);
        if (call.IsJson)
        {
            call.Json("veredus.explain.vip.ifdown/1", client.HostName, ClusterAnswers.Serialize(forecast with { Moves = [move], OffPreferred = [.. forecast.OffPreferred.Where(off => off == address)] }));
            return ExitCodes.Done;
        }
        call.Out.Line($"If {string.Join(", ", forecast.Down)} went out now: {address} would "
            + (move.To.Length == 0 ? "be on no node: nobody else can hold it" : move.To == move.From ? $"stay on {move.To}" : $"go from {(move.From.Length > 0 ? move.From : "nobody")} to {move.To}")
            + $".   rule: {move.Rule}");
        if (forecast.OffPreferred.Contains(address))
            call.Out.Line("  it would not be on its preferred node, and return when that is back");
        call.Out.Line("nothing was changed");
        return ExitCodes.Done;
    }

    private static async Task<int> WhatIfAsync(Call call, CancellationToken cancellationToken)
    {
        await using var client = await call.ConnectAsync(cancellationToken);
        var command = $"cluster duravip whatif {CommandWords.Quote(call.Parse.GetValue(Down)!)}";
        var reply = await call.AskAsync(client, call.IsJson ? $"json {command}" : command, cancellationToken);
        if (call.IsJson)
            call.Json("veredus.whatif/1", client.HostName, reply.Body);
        else
            foreach (var line in reply.Lines)
                call.Out.Line(line);
        return ExitCodes.Done;
    }

    private static async Task<int> NodeAsync(Call call, CancellationToken cancellationToken)
    {
        var name = call.Parse.GetValue(Node)!;
        await using var client = await call.ConnectAsync(cancellationToken);
        var node = await NodesCommand.FindAsync(call, client, name, cancellationToken);
        var view = await VipCommand.ViewAsync(call, client, cancellationToken);
        var events = (await ClusterAnswers.AskAsync<ClusterEvents>(call, client, "cluster events limit 2000", cancellationToken)).Events
            .Where(one => one.Node == name || one.From == name || one.To == name).TakeLast(10).ToList();
        var sentence = Sentence(call, node, view);
        if (call.IsJson)
        {
            call.Json("veredus.explain.node/1", client.HostName, $"{{\"sentence\":\"{JsonEncodedText.Encode(sentence)}\",\"node\":{ClusterAnswers.Serialize(node)},\"events\":{ClusterAnswers.Serialize(new ClusterEvents(events, 0))}}}");
            return ExitCodes.Done;
        }
        call.Out.Line(sentence);
        foreach (var vip in view.Vips.Where(vip => vip.Owner == name))
            call.Out.Line($"  {vip.Ip}  {vip.State}  {(vip.Pin.Length > 0 ? "pinned" : vip.Rule)}");
        if (events.Count > 0)
            call.Out.Line();
        foreach (var one in events)
            call.Out.Line($"  {EventsCommand.Time(one.At)}  {one.Text}", Tone.Dim);
        return ExitCodes.Done;
    }

    private static string Sentence(Call call, NodeLine node, ViewData view)
    {
        var since = node.Since is { } at ? $" since {EventsCommand.Time(at)} ({Human.Age(call.Now - at)})" : "";
        var owned = view.Vips.Count(vip => vip.Owner == node.Node);
        var could = view.Vips.Count(vip => vip.Participants.Any(participant => participant.Node == node.Node));
        return node.State switch
        {
            "unknown" => $"{node.Node} is configured as a peer and has not been seen since {view.Node} started.",
            "out" => $"{node.Node} is out of contact{since}: {node.Why}.{(node.Why.Contains("host", StringComparison.Ordinal) ? " It may be running." : "")}",
            "joining" => $"{node.Node} is in the group{since} and not yet in the view of the addresses.",
            "drained" => $"{node.Node} is drained: it owns no address and takes none until 'veredus node undrain {node.Node}'.",
            "leaving" => $"{node.Node} gives its addresses away: {owned} are left.",
            "suspect" => $"{node.Node} was voted out: it did not answer in time. Its addresses are with the others.",
            _ when node.Kind == "manager" => $"{node.Node} is a manager; managers carry no addresses.",
            _ => $"{node.Node} is up{since}; it owns {owned} of {view.Vips.Count} addresses and could hold {could}.{(node.IsLeader ? " It leads: it orders balancing and moves back to preferred nodes." : "")}",
        };
    }
}
