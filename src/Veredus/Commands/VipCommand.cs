using System.CommandLine;
using System.Text.Json;
using Veredus.CommandLine;
using Veredus.Control;
using Veredus.Output;

namespace Veredus.Commands;

/// <summary>Virtual addresses: where they are, why, and how to move them.</summary>
internal static class VipCommand
{
    private static readonly Argument<string> Address = new("ADDRESS") { Description = "A virtual address" };
    private static readonly Argument<string> Target = new("VIP") { Description = "A virtual address, or the name of a binding that uses it" };
    private static readonly Option<string> To = new("--to") { Description = "Node that shall have it", HelpName = "NODE", Required = true };

    public static Command Build(CliHost host)
    {
        var command = new Command("vip", "Virtual addresses of the cluster")
        {
            CommandTree.Leaf(host, "list", "All addresses and their owners", ["veredus vip list", "veredus vip list --json"], ListAsync, GlobalOptions.NoHeader),
            CommandTree.Leaf(host, "show", "One address: where it is and why", ["veredus vip show 198.18.7.101", "veredus vip show 198.18.7.101 --json"], ShowAsync, Address),
            CommandTree.Leaf(host, "move", "Moves an address and pins it there", ["veredus vip move 198.18.7.101 --to mta2"],
                (call, stop) => ActAsync(call, "veredus.vip.move/1", $"cluster duravip move {CommandWords.Quote(call.Parse.GetValue(Target)!)} to {CommandWords.Quote(call.Parse.GetValue(To)!)}", stop), Target, To),
            CommandTree.Leaf(host, "unpin", "Lets preference and balancing have an address again", ["veredus vip unpin 198.18.7.101", "veredus vip unpin all"],
                (call, stop) => ActAsync(call, "veredus.vip.unpin/1", $"cluster duravip unpin {CommandWords.Quote(call.Parse.GetValue(Target)!)}", stop), Target),
            CommandTree.Leaf(host, "announce", "Tells the other nodes anew what this one has", ["veredus vip announce"],
                (call, stop) => ActAsync(call, "veredus.vip.announce/1", "cluster duravip announce view", stop)),
            CommandTree.Leaf(host, "balance", "Evens the load out now", ["veredus vip balance"],
                (call, stop) => ActAsync(call, "veredus.vip.balance/1", "cluster duravip balance", stop)),
        };
        command.Subcommands[0].Aliases.Add("ls");
        return command;
    }

    private static async Task<int> ListAsync(Call call, CancellationToken cancellationToken)
    {
        await using var client = await call.ConnectAsync(cancellationToken);
        var body = (await call.AskAsync(client, "json cluster duravip show", cancellationToken)).Body;
        if (call.IsJson)
        {
            call.Json("veredus.vip.list/1", client.HostName, body);
            return ExitCodes.Done;
        }
        using var view = JsonDocument.Parse(body);
        var table = new Table(new("ADDRESS"), new("OWNER"), new("STATE"), new("SAFETY"), new("RULE"), new("PREFERRED"), new("NAMES"));
        foreach (var vip in view.RootElement.GetProperty("vips").EnumerateArray())
            table.Add(Text(vip, "ip"), Text(vip, "owner"), Text(vip, "state"), Text(vip, "safety"), Text(vip, "rule"), Text(vip, "preferred"),
                string.Join(' ', vip.GetProperty("names").EnumerateArray().Select(name => name.GetString())));
        if (table.Count == 0)
            call.Out.Line("no view is open; the node is joining, or the bus is down");
        else
            table.Print(call.Out, !call.Parse.GetValue(GlobalOptions.NoHeader));
        return ExitCodes.Done;
    }

    private static async Task<int> ShowAsync(Call call, CancellationToken cancellationToken)
    {
        await using var client = await call.ConnectAsync(cancellationToken);
        var command = $"cluster duravip explain {CommandWords.Quote(call.Parse.GetValue(Address)!)}";
        var reply = await call.AskAsync(client, call.IsJson ? $"json {command}" : command, cancellationToken);
        if (call.IsJson)
            call.Json("veredus.vip.show/1", client.HostName, reply.Body);
        else
            foreach (var line in reply.Lines)
                call.Out.Line(line);
        return ExitCodes.Done;
    }

    private static async Task<int> ActAsync(Call call, string schema, string command, CancellationToken cancellationToken)
    {
        await using var client = await call.ConnectAsync(cancellationToken);
        var reply = await call.AskAsync(client, command, cancellationToken);
        if (call.IsJson)
            call.Json(schema, client.HostName, $"{{\"text\":\"{JsonEncodedText.Encode(reply.Text)}\"}}");
        else
            call.Out.Line(reply.Text);
        return ExitCodes.Done;
    }

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString() ?? "";
}
