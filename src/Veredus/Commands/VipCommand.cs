using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Veredus.CommandLine;
using Veredus.Control;
using Veredus.Node;
using Veredus.Output;

namespace Veredus.Commands;

/// <summary>Virtual addresses: where they are, why, and how they came there. <see cref="VipMoves"/> moves them.</summary>
internal static class VipCommand
{
    private static readonly Argument<string> Address = new("ADDRESS") { Description = "A virtual address" };
    private static readonly Argument<string> Target = new("VIP") { Description = "A virtual address, the name of a binding that uses it, or all" };
    private static readonly Option<string?> Since = new("--since") { Description = "How far back, e.g. 10m, 2h, 1d", HelpName = "TIME" };

    public static Command Build(CliHost host)
    {
        var command = new Command("vip", "Virtual addresses of the cluster")
        {
            CommandTree.Leaf(host, "list", "All addresses and their owners", ["veredus vip list", "veredus vip list --format csv", "veredus vip list --json"], ListAsync, GlobalOptions.NoHeader, GlobalOptions.Format),
            CommandTree.Leaf(host, "show", "One address: where it is and why", ["veredus vip show 198.18.7.101", "veredus vip show 198.18.7.101 --json"],
                (call, stop) => ExplainCommand.VipAsync(call, call.Parse.GetValue(Address)!, "veredus.vip.show/1", stop), Address),
            CommandTree.Leaf(host, "history", "How an address came where it is: the placements that the node remembers", ["veredus vip history 198.18.7.101", "veredus vip history 198.18.7.101 --since 1d --json"],
                HistoryAsync, Address, Since, GlobalOptions.Limit, GlobalOptions.All, GlobalOptions.NoHeader),
            VipMoves.BuildMove(host),
            VipMoves.BuildPin(host),
            CommandTree.Leaf(host, "unpin", "Lets preference and balancing have an address again", ["veredus vip unpin 198.18.7.101", "veredus vip unpin all"],
                (call, stop) => ActAsync(call, "veredus.vip.unpin/1", $"cluster duravip unpin {CommandWords.Quote(call.Parse.GetValue(Target)!)}", stop), Target),
            CommandTree.Leaf(host, "announce", "Tells the other nodes anew what this one has", ["veredus vip announce", "veredus vip announce --json"],
                (call, stop) => ActAsync(call, "veredus.vip.announce/1", "cluster duravip announce view", stop)),
            CommandTree.Leaf(host, "balance", "Evens the load out now", ["veredus vip balance", "veredus vip balance --json"], BalanceAsync),
            CommandTree.Leaf(host, "test", "Connects to each port that is served on an address, from the node that is asked", ["veredus vip test 198.18.7.101", "veredus vip test 198.18.7.101 --json"], TestAsync, Address),
        };
        command.Aliases.Add("vips");
        command.Subcommands[0].Aliases.Add("ls");
        return command;
    }

    /// <summary>The view of the node that is asked.</summary>
    public static Task<ViewData> ViewAsync(Call call, ControlClient client, CancellationToken cancellationToken) =>
        ClusterAnswers.AskAsync<ViewData>(call, client, "cluster duravip show", cancellationToken);

    private static async Task<int> ListAsync(Call call, CancellationToken cancellationToken)
    {
        await using var client = await call.ConnectAsync(cancellationToken);
        if (call.IsJson)
        {
            call.Json("veredus.vip.list/1", client.HostName, (await call.AskAsync(client, "json cluster duravip show", cancellationToken)).Body);
            return ExitCodes.Done;
        }
        var view = await ViewAsync(call, client, cancellationToken);
        var table = new Table(new("ADDRESS"), new("OWNER"), new("STATE"), new("SAFETY"), new("RULE"), new("PREFERRED"), new("NAMES"));
        foreach (var vip in view.Vips)
            table.Add(vip.Ip, vip.Owner, vip.State, vip.Safety, vip.Pin.Length > 0 ? "pinned" : vip.Rule, vip.Preferred, string.Join(' ', vip.Names));
        var header = !call.Parse.GetValue(GlobalOptions.NoHeader);
        switch (call.Parse.GetValue(GlobalOptions.Format))
        {
            case "names":
                view.Vips.ToList().ForEach(vip => call.Out.Line(vip.Ip));
                break;
            case { } format:
                table.PrintSeparated(call.Out, format == "csv" ? ',' : '\t', header);
                break;
            case null when table.Count == 0:
                call.Error.Line("no view is open; the node is joining, or the bus is down", Tone.Warning);
                break;
            default:
                table.Print(call.Out, header);
                break;
        }
        return ExitCodes.Done;
    }

    private static async Task<int> HistoryAsync(Call call, CancellationToken cancellationToken)
    {
        var address = ParseAddress(call.Parse.GetValue(Address)!);
        await using var client = await call.ConnectAsync(cancellationToken);
        var limit = call.Parse.GetValue(GlobalOptions.All) ? EventLog.Kept : Math.Clamp(call.Parse.GetValue(GlobalOptions.Limit), 1, EventLog.Kept);
        var since = call.Parse.GetValue(Since) is { } text ? string.Create(CultureInfo.InvariantCulture, $" since {(long)Duration.Parse(text, "--since").TotalSeconds}") : "";
        var found = await ClusterAnswers.AskAsync<ClusterEvents>(call, client, $"cluster events kind placement address {address} limit {limit}{since}", cancellationToken);
        if (found.Events.Count == 0 && (await ViewAsync(call, client, cancellationToken)).Vips.All(vip => vip.Ip != address))
            throw new CliException(ExitCodes.NotFound, $"{address} is not a virtual address of this cluster, and {client.HostName} remembers none such.");
        if (call.IsJson)
        {
            call.Json("veredus.vip.history/1", client.HostName, ClusterAnswers.Serialize(found));
            return ExitCodes.Done;
        }
        if (found.Events.Count == 0)
        {
            call.Error.Line($"{client.HostName} remembers no placement of {address}");
            return ExitCodes.Done;
        }
        var table = new Table(new("AT"), new("FROM"), new("TO"), new("BECAUSE"), new("RULE"), new("BY"), new("TOOK"), new("STEPS"));
        foreach (var one in found.Events)
            table.Add(EventsCommand.Time(one.At), one.From is { Length: > 0 } from ? from : "-", one.To is { Length: > 0 } to ? to : "-", one.Reason ?? "", one.Rule ?? "", one.By ?? "",
                one.Took is { } took ? string.Create(CultureInfo.InvariantCulture, $"{took.TotalSeconds:0.000} s") : "", Steps(one));
        table.Print(call.Out, !call.Parse.GetValue(GlobalOptions.NoHeader));
        return ExitCodes.Done;
    }

    private static string Steps(ClusterEvent one) => one.Steps is not { Count: > 1 } steps ? ""
        : string.Join(", ", steps.Select((step, i) => i == 0 ? step.Text : string.Create(CultureInfo.InvariantCulture, $"+{(step.At - steps[i - 1].At).TotalSeconds:0.000} {step.Text}")));

    private static async Task<int> TestAsync(Call call, CancellationToken cancellationToken)
    {
        var address = ParseAddress(call.Parse.GetValue(Address)!);
        await using var client = await call.ConnectAsync(cancellationToken);
        var test = await ClusterAnswers.AskAsync<AddressTest>(call, client, $"cluster duravip test {address}", cancellationToken);
        if (call.IsJson)
        {
            call.Json("veredus.vip.test/1", client.HostName, ClusterAnswers.Serialize(test));
        }
        else
        {
            call.Out.Line($"{test.Address} on {(test.Owner.Length > 0 ? test.Owner : "no node")}, asked from {test.From}");
            foreach (var port in test.Ports)
            {
                call.Out.Write(port.Ok ? "ok" : "x ", port.Ok ? Tone.Good : Tone.Bad);
                call.Out.Line(string.Create(CultureInfo.InvariantCulture, $"  port {port.Port} ({port.Listener})  {port.Milliseconds:0.0} ms  {port.Answer}"));
            }
            if (test.Ports.Count == 0)
                call.Out.Line("nothing listens on it here: it only sends");
        }
        return test.Ports.All(port => port.Ok) && test.Owner.Length > 0 ? ExitCodes.Done : ExitCodes.Failed;
    }

    /// <summary>The leader orders a round; it is asked, whoever it is.</summary>
    private static async Task<int> BalanceAsync(Call call, CancellationToken cancellationToken)
    {
        await using var client = await call.ConnectAsync(cancellationToken);
        var view = await ViewAsync(call, client, cancellationToken);
        if (view.Leader.Length == 0)
            throw new CliException(ExitCodes.Conflict, "No view is open; the node is joining, or the bus is down.");
        Say(call, "veredus.vip.balance/1", client.HostName, await ClusterAnswers.OnNodeAsync(call, client, view.Leader, "cluster duravip balance", cancellationToken));
        return ExitCodes.Done;
    }

    private static async Task<int> ActAsync(Call call, string schema, string command, CancellationToken cancellationToken)
    {
        await using var client = await call.ConnectAsync(cancellationToken);
        Say(call, schema, client.HostName, (await call.AskAsync(client, command, cancellationToken)).Text);
        return ExitCodes.Done;
    }

    public static void Say(Call call, string schema, string node, string text)
    {
        if (call.IsJson)
            call.Json(schema, node, $"{{\"text\":\"{JsonEncodedText.Encode(text)}\"}}");
        else
            call.Out.Line(text);
    }

    /// <exception cref="CliException">It is no address.</exception>
    public static string ParseAddress(string text) => IPAddress.TryParse(text, out var address) ? address.ToString()
        : throw new CliException(ExitCodes.Usage, $"'{text}' is no IP address.", "veredus vip list shows them");
}
