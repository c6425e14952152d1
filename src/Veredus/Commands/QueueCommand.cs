using System.CommandLine;
using System.Globalization;
using Veredus.CommandLine;
using Veredus.Control;
using Veredus.Control.Commands;
using Veredus.Output;

namespace Veredus.Commands;

/// <summary>What waits, and what can be done about it.</summary>
internal static class QueueCommand
{
    private static readonly Option<string?> Binding = new("--binding", "-b") { Description = "Only this binding", HelpName = "NAME" };
    private static readonly Option<string?> Domain = new("--domain", "-d") { Description = "Only this routing domain", HelpName = "NAME" };
    private static readonly Option<bool> Everything = new("--everything") { Description = "All queues" };
    private static readonly Option<string?> Reply = new("--reply") { Description = "What senders get to read, e.g. \"554 5.1.2 domain closed\"", HelpName = "TEXT" };
    private static readonly Option<bool> Quiet = new("--quiet") { Description = "No reports to the senders" };
    private static readonly Option<string?> Reason = new("--reason") { Description = "Why; left as a remark in the node's paniclog", HelpName = "TEXT" };
    private static readonly Option<string?> By = new("--by") { Description = "pair (binding and domain), binding or domain", HelpName = "WHAT", DefaultValueFactory = _ => "pair" };
    private static readonly Argument<string> Queue = new("B/D") { Description = "Binding and domain of the queue" };
    private static readonly Argument<string> From = new("FROM") { Description = "Domain whose mail is moved" };
    private static readonly Argument<string> To = new("TO") { Description = "Domain that it is sent to" };

    public static Command Build(CliHost host)
    {
        By.AcceptOnlyFromAmong("pair", "binding", "domain");
        var command = new Command("queue", "What waits, and what can be done about it")
        {
            CommandTree.Leaf(host, "list", "The longest queues", ["veredus queue list", "veredus queue list --by domain --all --json"], ListAsync,
                By, Binding, Domain, GlobalOptions.Limit, GlobalOptions.All, GlobalOptions.NoHeader, GlobalOptions.Format),
            CommandTree.Leaf(host, "show", "One queue: route, limits, messages", ["veredus queue show news-b/example.net", "veredus queue show default/example.org --limit 5"],
                ShowAsync, Queue, GlobalOptions.Limit),
            CommandTree.Leaf(host, "retry", "Next attempt now", ["veredus queue retry --domain example.net", "veredus queue retry --binding news-b"],
                RetryAsync, Binding, Domain, Everything),
            CommandTree.Leaf(host, "bounce", "Gives messages up; senders are told", ["veredus queue bounce --domain closed.example --reply \"554 5.1.2 domain closed\" --reason OPS-4711",
                "veredus queue bounce --binding news-b --domain example.net --reason test --yes --expect 12"],
                (call, stop) => BounceAsync(call, call.Parse.GetValue(Quiet), stop),
                Binding, Domain, Everything, Reply, Quiet, Reason, GlobalOptions.Yes, GlobalOptions.Expect, GlobalOptions.DryRun),
            CommandTree.Leaf(host, "purge", "Gives messages up; nobody is told", ["veredus queue purge --domain spamtrap.example --reason OPS-4712", "veredus queue purge --domain closed.example --reason test --dry-run"],
                (call, stop) => BounceAsync(call, true, stop), Binding, Domain, Everything, Reason, GlobalOptions.Yes, GlobalOptions.Expect, GlobalOptions.DryRun),
            CommandTree.Leaf(host, "reroute", "Sends one domain's mail to the hosts of another", ["veredus queue reroute example.net relay.example.org", "veredus queue reroute a.example b.example --yes"],
                RerouteAsync, From, To, Reason, GlobalOptions.Yes),
            CommandTree.Leaf(host, "rebind", "Chooses bindings anew", ["veredus queue rebind --binding news-b", "veredus queue rebind --everything --yes"],
                RebindAsync, Binding, Domain, Everything, Reason, GlobalOptions.Yes),
        };
        command.Aliases.Add("queues");
        command.Subcommands[0].Aliases.Add("ls");
        return command;
    }

    private static async Task<int> ListAsync(Call call, CancellationToken cancellationToken)
    {
        await using var client = await call.ConnectAsync(cancellationToken);
        var by = call.Parse.GetValue(By) ?? "pair";
        var filter = $"{Filter("-b", call.Parse.GetValue(Binding))}{Filter("-d", call.Parse.GetValue(Domain))}";
        var found = await FoundQueues.AskAsync(call, client, filter, cancellationToken);
        var queues = found.Queues;
        if (by != "pair")
        {
            queues = [.. queues.GroupBy(queue => by == "binding" ? (queue.Group, queue.Binding, "") : ("", "", queue.Domain))
                .Select(group => new QueueLine(group.Key.Item1, group.Key.Item2, group.Key.Item3, group.Sum(queue => queue.Active), group.Sum(queue => queue.Delayed)))
                .OrderByDescending(queue => queue.Active + queue.Delayed)];
        }
        var shown = call.Parse.GetValue(GlobalOptions.All) ? queues : [.. queues.Take(call.Parse.GetValue(GlobalOptions.Limit))];
        if (call.IsJson)
        {
            call.Json("veredus.queue.list/1", client.HostName, found.IsCluster && by == "pair" ? found.Json(shown.Count) : ConsoleJson.Serialize(new Listing<QueueLine>([.. shown], queues.Count)));
            return found.Missing.Count > 0 ? ExitCodes.Partly : ExitCodes.Done;
        }
        var withNode = found.IsCluster && by == "pair";
        var table = by switch
        {
            "binding" => new Table(new("BINDING"), new("ACTIVE", true), new("DELAYED", true)),
            "domain" => new Table(new("DOMAIN"), new("ACTIVE", true), new("DELAYED", true)),
            _ when withNode => new Table(new("NODE"), new("BINDING/DOMAIN"), new("GROUP"), new("ACTIVE", true), new("DELAYED", true)),
            _ => new Table(new("BINDING/DOMAIN"), new("GROUP"), new("ACTIVE", true), new("DELAYED", true)),
        };
        var format = call.Parse.GetValue(GlobalOptions.Format);
        foreach (var (queue, at) in shown.Select((queue, at) => (queue, at)))
        {
            var name = by switch { "binding" => queue.Binding, "domain" => queue.Domain, _ => $"{queue.Binding}/{queue.Domain}" };
            string[] numbers = format is null ? [Human.Count(queue.Active), Human.Count(queue.Delayed)]
                : [queue.Active.ToString(CultureInfo.InvariantCulture), queue.Delayed.ToString(CultureInfo.InvariantCulture)];
            table.Add(withNode ? [found.Nodes[at], name, queue.Group, .. numbers] : by == "pair" ? [name, queue.Group, .. numbers] : [name, .. numbers]);
            if (format == "names")
                call.Out.Line(name);
        }
        var header = !call.Parse.GetValue(GlobalOptions.NoHeader);
        if (format is "csv" or "tsv")
            table.PrintSeparated(call.Out, format == "csv" ? ',' : '\t', header);
        else if (format is null && table.Count == 0)
            call.Out.Line("nothing waits");
        else if (format is null)
            table.Print(call.Out, header);
        if (format is null && shown.Count < queues.Count)
            call.Out.Line($"{shown.Count} of {queues.Count} shown; --all for the rest", Tone.Dim);
        if (found.Missing.Count == 0)
            return ExitCodes.Done;
        call.Error.Line($"! no answer: {string.Join(", ", found.Missing)}", Tone.Warning);
        return ExitCodes.Partly;
    }

    private static async Task<int> ShowAsync(Call call, CancellationToken cancellationToken)
    {
        var name = call.Parse.GetValue(Queue)!;
        // A binding's name has no "/"; a domain neither.
        if (name.Split('/') is not [var binding, var domain])
            throw new CliException(ExitCodes.Usage, $"'{name}' is not a queue.", "Give binding and domain, e.g. default/example.net; veredus queue list names them.");
        await using var client = await call.ConnectAsync(cancellationToken);
        var details = StatusCommand.Read<DomainDetails>((await call.AskAsync(client, $"json domain {CommandWords.Quote(domain)}", cancellationToken)).Body);
        var limit = call.Parse.GetValue(GlobalOptions.Limit);
        var list = (await call.AskAsync(client, $"json showqueue binding {CommandWords.Quote(binding)} {CommandWords.Quote(domain)} {limit},0", cancellationToken)).Body;
        if (call.IsJson)
        {
            call.Json("veredus.queue.show/1", client.HostName, $"{{\"domain\":{ConsoleJson.Serialize(details)},\"messages\":{list}}}");
            return ExitCodes.Done;
        }
        foreach (var line in (await call.AskAsync(client, $"domain {CommandWords.Quote(domain)}", cancellationToken)).Lines)
            call.Out.Line(line);
        var table = MessageCommand.Table(StatusCommand.Read<Listing<QueuedMessageLine>>(list).Items, call.Now);
        if (table.Count > 0)
        {
            call.Out.Line();
            table.Print(call.Out, header: true);
        }
        return ExitCodes.Done;
    }

    private static async Task<int> RetryAsync(Call call, CancellationToken cancellationToken)
    {
        var (binding, domain) = Selection(call);
        await using var client = await call.ConnectAsync(cancellationToken);
        var command = binding is null ? $"flush domain {Word(domain)}" : $"binding flush domain {CommandWords.Quote(binding)} {Word(domain)}";
        return await ActAsync(call, client, "veredus.queue.retry/1", command, count => $"{Human.Count(count)} messages are tried now", cancellationToken);
    }

    private static async Task<int> BounceAsync(Call call, bool quiet, CancellationToken cancellationToken)
    {
        var (binding, domain) = Selection(call);
        if (!call.Parse.GetValue(GlobalOptions.DryRun) && string.IsNullOrWhiteSpace(call.Parse.GetValue(Reason)))
            throw new CliException(ExitCodes.Usage, "This can't be undone and needs a reason.", "Add --reason TEXT.");
        await using var client = await call.ConnectAsync(cancellationToken);
        var queues = StatusCommand.Read<Listing<QueueLine>>(
            (await call.AskAsync(client, $"json mailq -l {int.MaxValue}{Filter("-b", binding)}{Filter("-d", domain)}", cancellationToken)).Body).Items;
        var total = queues.Sum(queue => queue.Active + queue.Delayed);
        var number = total.ToString(CultureInfo.InvariantCulture);
        if (!call.IsJson)
        {
            call.Error.Line($"{Human.Count(total)} messages to {domain ?? "all domains"}{(binding is null ? "" : $" of binding {binding}")} on {client.HostName}, in {queues.Count} queues");
            call.Error.Line($"  {(quiet ? "nobody is told" : "senders get a report")}; this can't be undone");
        }
        if (call.Parse.GetValue(GlobalOptions.DryRun) || total == 0)
        {
            if (call.IsJson)
                call.Json("veredus.queue.bounce/1", client.HostName, $"{{\"planned\":{number},\"count\":0}}");
            return ExitCodes.Done;
        }
        await call.ConfirmNumberAsync(quiet ? "purge them" : "bounce them", number, call.Parse.GetValue(GlobalOptions.Yes), call.Parse.GetValue(GlobalOptions.Expect), cancellationToken);
        var note = $"{(quiet ? "purge" : "bounce")} of {number} messages ({binding ?? "all"}/{domain ?? "all"}): {call.Parse.GetValue(Reason)}";
        await call.AskAsync(client, $"note {CommandWords.Quote(note)}", cancellationToken);
        var reply = call.Parse.GetValue(Reply) is { Length: > 0 } text ? $" {CommandWords.Quote(text)}" : "";
        var loud = quiet ? "quiet " : "";
        long done = 0;
        // One binding at a time: the node has no word for "everything" on purpose.
        foreach (var name in binding is not null ? [binding] : domain is null ? queues.Select(queue => queue.Binding).Distinct() : [""])
        {
            var command = name.Length == 0 ? $"fail domain {loud}{Word(domain)}{reply}" : $"binding fail domain {loud}{CommandWords.Quote(name)} {Word(domain)}{reply}";
            done += StatusCommand.Read<ActionCount>((await call.AskAsync(client, $"json {command}", cancellationToken)).Body).Count;
        }
        if (call.IsJson)
            call.Json("veredus.queue.bounce/1", client.HostName, string.Create(CultureInfo.InvariantCulture, $"{{\"planned\":{number},\"count\":{done}}}"));
        else
            call.Out.Line($"{Human.Count(done)} messages given up");
        return ExitCodes.Done;
    }

    private static async Task<int> RerouteAsync(Call call, CancellationToken cancellationToken)
    {
        var (from, to) = (call.Parse.GetValue(From)!, call.Parse.GetValue(To)!);
        call.CheckReason(call.Parse.GetValue(Reason));
        await using var client = await call.ConnectAsync(cancellationToken);
        await call.ConfirmAsync($"Send the mail for {from} to the hosts of {to}?", call.Parse.GetValue(GlobalOptions.Yes), cancellationToken);
        await call.NoteAsync(client, $"reroute of {from} to {to}", call.Parse.GetValue(Reason), cancellationToken);
        return await ActAsync(call, client, "veredus.queue.reroute/1", $"reroute queue {CommandWords.Quote(from)} {CommandWords.Quote(to)}",
            count => $"{Human.Count(count)} messages moved from {from} to {to}", cancellationToken);
    }

    private static async Task<int> RebindAsync(Call call, CancellationToken cancellationToken)
    {
        var (binding, domain) = Selection(call);
        call.CheckReason(call.Parse.GetValue(Reason));
        await using var client = await call.ConnectAsync(cancellationToken);
        await call.ConfirmAsync($"Choose the bindings of the mail of {binding ?? "all bindings"} to {domain ?? "all domains"} anew?", call.Parse.GetValue(GlobalOptions.Yes), cancellationToken);
        await call.NoteAsync(client, $"rebind of {binding ?? "all"}/{domain ?? "all"}", call.Parse.GetValue(Reason), cancellationToken);
        return await ActAsync(call, client, "veredus.queue.rebind/1", $"rebind {Word(binding)} {Word(domain)}",
            count => $"{Human.Count(count)} messages have another binding now", cancellationToken);
    }

    private static async Task<int> ActAsync(
        Call call, ControlClient client, string schema, string command, Func<long, string> text, CancellationToken cancellationToken)
    {
        var reply = await call.AskAsync(client, $"json {command}", cancellationToken);
        if (call.IsJson)
            call.Json(schema, client.HostName, reply.Body);
        else
            call.Out.Line(text(StatusCommand.Read<ActionCount>(reply.Body).Count));
        return ExitCodes.Done;
    }

    private static (string? Binding, string? Domain) Selection(Call call)
    {
        var (binding, domain) = (call.Parse.GetValue(Binding), call.Parse.GetValue(Domain));
        if (binding is null && domain is null && !call.Parse.GetValue(Everything))
            throw new CliException(ExitCodes.Usage, "Which queues?", "Give --binding, --domain or both; --everything for all.");
        return (binding, domain);
    }

    private static string Filter(string option, string? value) => value is null ? "" : $" {option} {CommandWords.Quote(value)}";

    private static string Word(string? name) => name is null ? "all" : CommandWords.Quote(name);
}
