using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Veredus.CommandLine;
using Veredus.Control;
using Veredus.Node;
using Veredus.Output;

namespace Veredus.Commands;

/// <summary>Moving and pinning addresses: shows what would happen, asks, does it, and waits if asked to.</summary>
internal static class VipMoves
{
    private static readonly Argument<string[]> Targets = new("VIP") { Description = "Virtual addresses, or names of bindings that use them", Arity = ArgumentArity.OneOrMore };
    private static readonly Option<string> To = new("--to") { Description = "Node that shall have it", HelpName = "NODE", Required = true };
    private static readonly Option<string> For = new("--for") { Description = "How long the pin holds, e.g. 30m, 2h, 7d", HelpName = "TIME", Required = true };
    private static readonly Option<string?> Reason = new("--reason") { Description = "Why; kept with the placement", HelpName = "TEXT" };
    private static readonly Option<string?> Wait = new("--wait") { Description = "settled: wait until the addresses are there", HelpName = "WHAT" };
    private static readonly Option<string> Timeout = new("--timeout") { Description = "Longest wait", HelpName = "TIME", DefaultValueFactory = _ => "60s" };

    public static Command BuildMove(CliHost host)
    {
        Wait.AcceptOnlyFromAmong("settled");
        return CommandTree.Leaf(host, "move", "Moves addresses to a node; they stay there until unpinned or the node is gone",
            ["veredus vip move 198.18.7.101 --to mta2", "veredus vip move 198.18.7.101 198.18.7.102 --to mta2 --yes --wait settled", "veredus vip move news-a --to mta2 --dry-run"],
            (call, stop) => RunAsync(call, TimeSpan.Zero, stop), Targets, To, Reason, Wait, Timeout, GlobalOptions.DryRun, GlobalOptions.Yes);
    }

    public static Command BuildPin(CliHost host) => CommandTree.Leaf(host, "pin", "Keeps addresses on a node for a time, whatever preference and balancing say",
        ["veredus vip pin 198.18.7.101 --to mta1 --for 2h", "veredus vip pin news-a --to mta1 --for 30m --yes --json"],
        (call, stop) => RunAsync(call, Duration.ParsePositive(call.Parse.GetValue(For)!, "--for"), stop), Targets, To, For, Reason, Wait, Timeout, GlobalOptions.DryRun, GlobalOptions.Yes);

    private static async Task<int> RunAsync(Call call, TimeSpan pin, CancellationToken cancellationToken)
    {
        var to = call.Parse.GetValue(To)!;
        var limit = Duration.Parse(call.Parse.GetValue(Timeout)!, "--timeout");
        await using var client = await call.ConnectAsync(cancellationToken);
        var view = await VipCommand.ViewAsync(call, client, cancellationToken);
        var units = call.Parse.GetValue(Targets)!.Select(target => Unit(view, target)).DistinctBy(vip => vip.Ip).ToList();
        var all = view.Vips.Where(vip => units.Exists(unit => unit.Ip == vip.Unit)).ToList();
        Show(call, units, all, to, pin);
        if (units.FirstOrDefault(unit => unit.Participants.All(participant => participant.Node != to || participant.Health != "ok")) is { } impossible)
            throw new CliException(ExitCodes.Conflict, $"{to} cannot have {impossible.Ip} now: {WhyNot(impossible, to)}.", $"veredus explain vip {impossible.Ip}");
        if (call.Parse.GetValue(GlobalOptions.DryRun))
        {
            if (call.IsJson)
                call.Json("veredus.vip.plan/1", client.HostName, Json(all, to, "planned"));
            return ExitCodes.Done;
        }
        call.CheckReason(call.Parse.GetValue(Reason));
        await call.ConfirmAsync($"{(pin > TimeSpan.Zero ? "Pin" : "Move")} {all.Count} {(all.Count == 1 ? "address" : "addresses")} to {to}?", call.Parse.GetValue(GlobalOptions.Yes), cancellationToken);
        var last = (await ClusterAnswers.AskAsync<ClusterEvents>(call, client, "cluster events limit 1", cancellationToken)).Last;
        var tail = (pin > TimeSpan.Zero ? string.Create(CultureInfo.InvariantCulture, $" for {(long)pin.TotalSeconds}") : "")
            + (call.Parse.GetValue(Reason) is { Length: > 0 } reason ? $" because {CommandWords.Quote(reason)}" : "");
        foreach (var unit in units)
        {
            var reply = await call.AskAsync(client, $"cluster duravip move {unit.Ip} to {CommandWords.Quote(to)}{tail}", cancellationToken);
            if (!call.IsJson)
                call.Out.Line(reply.Text);
        }
        var isSettled = call.Parse.GetValue(Wait) is not null && await SettledAsync(call, client, [.. all.Select(vip => vip.Ip)], to, last, limit, cancellationToken);
        if (call.Parse.GetValue(Wait) is not null && !isSettled)
            throw new CliException(ExitCodes.Deadline, $"Not all of it is on {to} after {Human.Age(limit)}; the move goes on.", $"veredus vip history {units[0].Ip}");
        if (call.IsJson)
            call.Json("veredus.vip.move/1", client.HostName, Json(all, to, isSettled ? "moved" : "moving"));
        else if (isSettled)
            call.Out.Line($"settled: {string.Join(' ', all.Select(vip => vip.Ip))} on {to}");
        return ExitCodes.Done;
    }

    private static VipData Unit(ViewData view, string target)
    {
        var found = view.Vips.FirstOrDefault(vip => vip.Ip == target || vip.Names.Contains(target))
            ?? (System.Net.IPAddress.TryParse(target, out var address) ? view.Vips.FirstOrDefault(vip => vip.Ip == address.ToString()) : null);
        return found is not null ? view.Vips.First(vip => vip.Ip == found.Unit)
            : throw new CliException(ExitCodes.NotFound, view.Vips.Count == 0 ? "No view is open; the node is joining, or the bus is down." : $"{target} is neither a virtual address nor a binding on one.", "veredus vip list");
    }

    private static void Show(Call call, List<VipData> units, List<VipData> all, string to, TimeSpan pin)
    {
        foreach (var vip in all)
            call.Error.Line($"  {vip.Ip}  {(vip.Owner.Length > 0 ? vip.Owner : "nobody")} -> {to}   {(vip.Unit != vip.Ip ? $"comes along: it follows {vip.Unit}" : string.Join(' ', vip.Services.Concat(vip.Names)))}".TrimEnd());
        var returns = units.Where(vip => vip.Preferred.Length > 0 && vip.Preferred != to).ToList();
        call.Error.Line(pin > TimeSpan.Zero ? $"  pinned to {to} for {Human.Age(pin)}{(returns.Count > 0 ? $"; then back to {string.Join(", ", returns.Select(vip => vip.Preferred).Distinct())}" : "")}"
            : $"  stays on {to} until moved again, unpinned, or {to} is gone{(returns.Count > 0 ? $"; unpinned it returns to {string.Join(", ", returns.Select(vip => vip.Preferred).Distinct())}" : "")}");
    }

    private static string WhyNot(VipData vip, string to) => vip.Participants.FirstOrDefault(participant => participant.Node == to) is not { } participant
        ? $"it is not a participant ({string.Join(' ', vip.Participants.Select(one => one.Node))} are)" : $"it is {participant.Health}";

    /// <summary>Every address owned there, and held by nobody else.</summary>
    private static async Task<bool> SettledAsync(Call call, ControlClient client, HashSet<string> addresses, string to, long last, TimeSpan limit, CancellationToken cancellationToken)
    {
        var start = call.Host.Time.GetTimestamp();
        while (true)
        {
            var view = await VipCommand.ViewAsync(call, client, cancellationToken);
            var vips = view.Vips.Where(vip => addresses.Contains(vip.Ip)).ToList();
            if (vips.Count == addresses.Count && vips.TrueForAll(vip => vip.Owner == to && vip.State == "owned" && vip.Holders.Contains(to) && vip.Holders.All(holder => holder == to)))
                return true;
            if (call.Host.Time.GetElapsedTime(start) >= limit)
                return false;
            // The node answers when something has happened.
            last = (await ClusterAnswers.AskAsync<ClusterEvents>(call, client, string.Create(CultureInfo.InvariantCulture, $"cluster events after {last} limit 1 wait 1"), cancellationToken)).Last;
        }
    }

    private static string Json(List<VipData> vips, string to, string state) =>
        $"{{\"to\":\"{JsonEncodedText.Encode(to)}\",\"state\":\"{state}\",\"addresses\":[{string.Join(',', vips.Select(vip => $"{{\"address\":\"{vip.Ip}\",\"from\":\"{JsonEncodedText.Encode(vip.Owner)}\",\"unit\":\"{vip.Unit}\"}}"))}]}}";
}
