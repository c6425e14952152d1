using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Veredus.CommandLine;
using Veredus.Control;
using Veredus.Node;
using Veredus.Output;

namespace Veredus.Commands;

/// <summary>The nodes of the cluster: who is there, and taking one out of service.</summary>
internal static class NodesCommand
{
    private static readonly Argument<string> Node = new("NODE") { Description = "A node's name" };
    private static readonly Option<string?> Reason = new("--reason") { Description = "Why; kept with the event", HelpName = "TEXT" };
    private static readonly Option<bool> Wait = new("--wait") { Description = "Wait until it has no address left" };
    private static readonly Option<bool> Queues = new("--queues") { Description = "Hand over all mail that waits there as well, and wait until nothing is left" };
    private static readonly Option<string?> Deadline = new("--deadline") { Description = "The same, and the longest wait for it", HelpName = "TIME" };
    private static readonly Option<string> Timeout = new("--timeout") { Description = "Longest wait", HelpName = "TIME", DefaultValueFactory = _ => "60s" };

    public static IEnumerable<Command> Build(CliHost host)
    {
        var list = CommandTree.Leaf(host, "list", "All nodes: configured, in the view, and out", ["veredus node list", "veredus node list --json"], ListAsync, GlobalOptions.NoHeader, GlobalOptions.Format);
        list.Aliases.Add("ls");
        return [
            list,
            CommandTree.Leaf(host, "show", "One node: state and addresses", ["veredus node show mta2", "veredus node show mta2 --json"], ShowAsync, Node),
            CommandTree.Leaf(host, "drain", "Moves a node's addresses away; it takes none until undrained", ["veredus node drain mta3 --reason firmware --wait", "veredus node drain mta3 --yes --deadline 10m"],
                DrainAsync, Node, Reason, Wait, Queues, Deadline, Timeout, GlobalOptions.DryRun, GlobalOptions.Yes),
            CommandTree.Leaf(host, "undrain", "Lets a drained node take addresses again", ["veredus node undrain mta3", "veredus node undrain mta3 --json"], UndrainAsync, Node),
        ];
    }

    public static Task<IReadOnlyList<NodeLine>> AskAsync(Call call, ControlClient client, CancellationToken cancellationToken) =>
        ClusterAnswers.AskAsync<IReadOnlyList<NodeLine>>(call, client, "cluster nodes", cancellationToken);

    /// <exception cref="CliException">There is none of that name.</exception>
    public static async Task<NodeLine> FindAsync(Call call, ControlClient client, string name, CancellationToken cancellationToken)
    {
        var nodes = await AskAsync(call, client, cancellationToken);
        return nodes.FirstOrDefault(node => node.Node == name) ?? throw new CliException(ExitCodes.NotFound, $"{name} is not a node of this cluster.", $"Nodes: {string.Join(' ', nodes.Select(node => node.Node))}");
    }

    private static async Task<int> ListAsync(Call call, CancellationToken cancellationToken)
    {
        await using var client = await call.ConnectAsync(cancellationToken);
        var nodes = await AskAsync(call, client, cancellationToken);
        if (call.IsJson)
        {
            call.Json("veredus.node.list/1", client.HostName, $"{{\"nodes\":{ClusterAnswers.Serialize(nodes)}}}");
            return ExitCodes.Done;
        }
        var table = new Table(new("NODE"), new("STATE"), new("SINCE"), new("VIPS", true), new("WEIGHT", true), new("VERSION"), new("ADDRESS"), new("WHY"));
        foreach (var node in nodes)
            table.Add(node.Node + (node.IsLeader ? " *" : ""), node.Kind == "manager" ? $"{node.State} (manager)" : node.State, node.Since is { } since ? Human.Age(call.Now - since) : "", node.Addresses.ToString(CultureInfo.InvariantCulture),
                node.Weight > 0 ? node.Weight.ToString(CultureInfo.InvariantCulture) : "", node.Version, node.Address, node.Why);
        var header = !call.Parse.GetValue(GlobalOptions.NoHeader);
        switch (call.Parse.GetValue(GlobalOptions.Format))
        {
            case "names":
                nodes.ToList().ForEach(node => call.Out.Line(node.Node));
                break;
            case { } format:
                table.PrintSeparated(call.Out, format == "csv" ? ',' : '\t', header);
                break;
            default:
                table.Print(call.Out, header);
                break;
        }
        return ExitCodes.Done;
    }

    private static async Task<int> ShowAsync(Call call, CancellationToken cancellationToken)
    {
        await using var client = await call.ConnectAsync(cancellationToken);
        var node = await FindAsync(call, client, call.Parse.GetValue(Node)!, cancellationToken);
        var view = await VipCommand.ViewAsync(call, client, cancellationToken);
        var owned = view.Vips.Where(vip => vip.Owner == node.Node).ToList();
        if (call.IsJson)
        {
            call.Json("veredus.node.show/1", client.HostName, $"{{\"node\":{ClusterAnswers.Serialize(node)},\"addresses\":[{string.Join(',', owned.Select(vip => $"\"{vip.Ip}\""))}]}}");
            return ExitCodes.Done;
        }
        call.Out.Line($"{"node",-10}{node.Node}{(node.IsHere ? " (asked)" : "")}");
        call.Out.Line($"{"state",-10}{node.State}{(node.Since is { } since ? $" since {EventsCommand.Time(since)}" : "")}{(node.Why.Length > 0 ? $": {node.Why}" : "")}", node.State == "up" ? Tone.Good : Tone.Warning);
        call.Out.Line($"{"address",-10}{node.Address}");
        call.Out.Line($"{"version",-10}{node.Version}");
        call.Out.Line($"{"vips",-10}{owned.Count}  {string.Join(' ', owned.Select(vip => vip.Ip))}".TrimEnd());
        return ExitCodes.Done;
    }

    private static async Task<int> DrainAsync(Call call, CancellationToken cancellationToken)
    {
        var name = call.Parse.GetValue(Node)!;
        var deadline = call.Parse.GetValue(Deadline);
        var withQueues = call.Parse.GetValue(Queues) || deadline is not null;
        var limit = deadline is null ? Duration.Parse(call.Parse.GetValue(Timeout)!, "--timeout") : Duration.ParsePositive(deadline, "--deadline");
        await using var client = await call.ConnectAsync(cancellationToken);
        _ = await FindAsync(call, client, name, cancellationToken);
        var owned = (await VipCommand.ViewAsync(call, client, cancellationToken)).Vips.Count(vip => vip.Owner == name);
        IReadOnlyList<WhatIfMove> moves = owned > 0 ? (await ClusterAnswers.AskAsync<WhatIf>(call, client, $"cluster duravip whatif {CommandWords.Quote(name)}", cancellationToken)).Moves : [];
        ShowPlan(call, name, owned, moves, withQueues);
        if (call.Parse.GetValue(GlobalOptions.DryRun))
        {
            if (call.IsJson)
                call.Json("veredus.node.plan/1", client.HostName, PlanJson(name, moves, withQueues));
            return ExitCodes.Done;
        }
        call.CheckReason(call.Parse.GetValue(Reason));
        await call.ConfirmAsync($"Move {owned} {(owned == 1 ? "address" : "addresses")} away from {name}?", call.Parse.GetValue(GlobalOptions.Yes), cancellationToken);
        var why = call.Parse.GetValue(Reason) is { Length: > 0 } reason ? $" because {CommandWords.Quote(reason)}" : "";
        var last = (await ClusterAnswers.AskAsync<ClusterEvents>(call, client, "cluster events limit 1", cancellationToken)).Last;
        var answer = await ClusterAnswers.OnNodeAsync(call, client, name, $"cluster duravip drain{why}", cancellationToken);
        if (withQueues)
        {
            answer = await ClusterAnswers.OnNodeAsync(call, client, name, "cluster queues drain", cancellationToken);
            call.Error.Line($"  {answer}");
            answer = await EmptyQueuesAsync(call, client, name, limit, cancellationToken);
        }
        else if (call.Parse.GetValue(Wait))
        {
            if (!await EmptyAsync(call, client, name, last, limit, cancellationToken))
                throw new CliException(ExitCodes.Deadline, $"{name} still has addresses after {Human.Age(limit)}; draining goes on.", $"veredus explain node {name}");
            answer = $"{name} is drained. Safe to stop.  Undo: veredus node undrain {name}";
        }
        VipCommand.Say(call, "veredus.node.drain/1", client.HostName, answer);
        return ExitCodes.Done;
    }

    /// <summary>Shows how far it is until nothing is left.</summary>
    /// <exception cref="CliException">Something is left when the time is over; it says what.</exception>
    private static async Task<string> EmptyQueuesAsync(Call call, ControlClient client, string name, TimeSpan limit, CancellationToken cancellationToken)
    {
        var start = call.Host.Time.GetTimestamp();
        while (true)
        {
            var status = await ClusterAnswers.OnNodeAsync(call, client, name, "cluster queues status", cancellationToken);
            call.Error.Line($"  {status}");
            if (status.Contains(": drained;", StringComparison.Ordinal))
                return $"{name} is drained. Safe to stop.  Undo: veredus node undrain {name}";
            if (call.Host.Time.GetElapsedTime(start) >= limit)
                throw new CliException(ExitCodes.Deadline, $"{name} is not empty after {Human.Age(limit)}: {status}", $"It goes on. What holds it: veredus console cluster moves, veredus queue list. Undo: veredus node undrain {name}");
            await Task.Delay(TimeSpan.FromSeconds(1), call.Host.Time, cancellationToken);
        }
    }

    private static void ShowPlan(Call call, string name, int owned, IReadOnlyList<WhatIfMove> moves, bool withQueues)
    {
        foreach (var move in moves)
            call.Error.Line($"  {move.Address}  {move.From} -> {(move.To.Length > 0 ? move.To : "nobody")}", move.To.Length > 0 ? Tone.Plain : Tone.Bad);
        if (owned == 0)
            call.Error.Line($"  no address moves: {name} has none");
        call.Error.Line($"  {name} takes no address until undrained");
        call.Error.Line(withQueues ? "  all mail that waits there is handed over to other nodes" : "  mail of addresses that move follows them; other mail stays there (--queues hands over all)");
    }

    private static string PlanJson(string name, IReadOnlyList<WhatIfMove> moves, bool withQueues) =>
        $"{{\"node\":\"{JsonEncodedText.Encode(name)}\",\"queues\":{(withQueues ? "true" : "false")},\"addresses\":[{string.Join(',', moves.Select(move => $"{{\"address\":\"{JsonEncodedText.Encode(move.Address)}\",\"from\":\"{JsonEncodedText.Encode(move.From)}\",\"to\":\"{JsonEncodedText.Encode(move.To)}\"}}"))}]}}";

    private static async Task<bool> EmptyAsync(Call call, ControlClient client, string name, long last, TimeSpan limit, CancellationToken cancellationToken)
    {
        var start = call.Host.Time.GetTimestamp();
        while (true)
        {
            var view = await VipCommand.ViewAsync(call, client, cancellationToken);
            // An address that nobody else can hold is on no node then; what is left on the host counts.
            if ((await FindAsync(call, client, name, cancellationToken)).State != "up" && view.Vips.All(vip => vip.Owner != name && !vip.Holders.Contains(name)))
                return true;
            if (call.Host.Time.GetElapsedTime(start) >= limit)
                return false;
            last = (await ClusterAnswers.AskAsync<ClusterEvents>(call, client, string.Create(CultureInfo.InvariantCulture, $"cluster events after {last} limit 1 wait 1"), cancellationToken)).Last;
        }
    }

    private static async Task<int> UndrainAsync(Call call, CancellationToken cancellationToken)
    {
        await using var client = await call.ConnectAsync(cancellationToken);
        VipCommand.Say(call, "veredus.node.undrain/1", client.HostName, await ClusterAnswers.OnNodeAsync(call, client, call.Parse.GetValue(Node)!, "cluster duravip undrain", cancellationToken));
        return ExitCodes.Done;
    }
}
