using System.CommandLine;
using System.Text.Json;
using Veredus.CommandLine;
using Veredus.Control;
using Veredus.Control.Commands;
using Veredus.Node.Doubts;
using Veredus.Output;

namespace Veredus.Commands;

/// <summary>Single messages.</summary>
internal static class MessageCommand
{
    internal static readonly Argument<string> Id = new("ID") { Description = "Message ID, as logs show it" };
    private static readonly Option<string?> Binding = new("--binding", "-b") { Description = "Only this binding", HelpName = "NAME" };
    private static readonly Option<string?> Domain = new("--domain", "-d") { Description = "Only this routing domain", HelpName = "NAME" };

    private static readonly Option<string?> Reason = new("--reason") { Description = "Why; left as a remark in the node's paniclog", HelpName = "TEXT" };
    private static readonly Option<bool> InDoubt = new("--in-doubt") { Description = "Instead: messages of the last days that may have been delivered twice, on all nodes" };

    public static Command Build(CliHost host)
    {
        var command = new Command("message", "Single messages")
        {
            CommandTree.Leaf(host, "list", "Messages that wait", ["veredus message list --domain example.net", "veredus message list --in-doubt --all --json", "veredus message list --spool /var/spool/veredus --sender '@example\\.com$'"], ListAsync,
                [Binding, Domain, InDoubt, GlobalOptions.Limit, GlobalOptions.All, GlobalOptions.NoHeader, GlobalOptions.Format, .. SpoolList.Options]),
            CommandTree.Leaf(host, "show", "What is known of a message", ["veredus message show 10/00-00007-08B31BA6", "veredus message show 10/00-00007-08B31BA6 --json"], ShowAsync, Id),
            CommandTree.Leaf(host, "where", "Where it is in the cluster, why there, what holds it and what happens next", ["veredus message where 10/00-00007-08B31BA6", "veredus message where 10/00-00007-08B31BA6 --json"], WhereAsync, Id),
            CommandTree.Leaf(host, "body", "Its text, as received", ["veredus message body 10/00-00007-08B31BA6", "veredus message body 10/00-00007-08B31BA6 > message.eml"], BodyAsync, Id),
            CommandTree.Leaf(host, "retry", "Next attempt now", ["veredus message retry 10/00-00007-08B31BA6", "veredus message list --format names | xargs -n1 veredus message retry"],
                (call, stop) => ActAsync(call, "retry", stop), Id),
            CommandTree.Leaf(host, "bounce", "Gives it up; the sender is told", ["veredus message bounce 10/00-00007-08B31BA6", "veredus message bounce 10/00-00007-08B31BA6 --yes"],
                (call, stop) => ActAsync(call, "fail", stop), Id, Reason, GlobalOptions.Yes),
            CommandTree.Leaf(host, "purge", "Gives it up; nobody is told", ["veredus message purge 10/00-00007-08B31BA6", "veredus message purge 10/00-00007-08B31BA6 --yes"],
                (call, stop) => ActAsync(call, "fail quiet", stop), Id, Reason, GlobalOptions.Yes),
        };
        command.Aliases.Add("messages");
        command.Subcommands[0].Aliases.Add("ls");
        return command;
    }

    public static Table Table(IEnumerable<QueuedMessageLine> messages, DateTimeOffset now)
    {
        var table = new Table(new("ID"), new("STATE"), new("BINDING"), new("AGE", true), new("SENDER"), new("RECIPIENT"));
        foreach (var message in messages)
            table.Add(message.Id, message.State, message.Binding, Human.Age(now - DateTimeOffset.FromUnixTimeSeconds(message.Created)), $"<{message.Sender}>", $"<{message.Recipient}>");
        return table;
    }

    private static async Task<int> ListAsync(Call call, CancellationToken cancellationToken)
    {
        if (SpoolList.IsWanted(call))
            return SpoolList.Run(call, call.Parse.GetValue(Binding), call.Parse.GetValue(Domain));
        if (call.Parse.GetValue(InDoubt))
            return await InDoubtAsync(call, cancellationToken);
        await using var client = await call.ConnectAsync(cancellationToken);
        var (binding, domain) = (call.Parse.GetValue(Binding), call.Parse.GetValue(Domain));
        var limit = call.Parse.GetValue(GlobalOptions.All) ? int.MaxValue : call.Parse.GetValue(GlobalOptions.Limit);
        var filter = (binding is null ? "" : $" -b {CommandWords.Quote(binding)}") + (domain is null ? "" : $" -d {CommandWords.Quote(domain)}");
        var queues = StatusCommand.Read<Listing<QueueLine>>((await call.AskAsync(client, $"json mailq -l {int.MaxValue}{filter}", cancellationToken)).Body).Items;
        var total = queues.Sum(queue => queue.Active + queue.Delayed);
        var messages = new List<QueuedMessageLine>();
        foreach (var queue in queues)
        {
            if (messages.Count >= limit)
                break;
            var body = (await call.AskAsync(client,
                $"json showqueue binding {CommandWords.Quote(queue.Binding)} {CommandWords.Quote(queue.Domain)} {limit - messages.Count},0", cancellationToken)).Body;
            messages.AddRange(StatusCommand.Read<Listing<QueuedMessageLine>>(body).Items);
        }
        var format = call.Parse.GetValue(GlobalOptions.Format);
        var header = !call.Parse.GetValue(GlobalOptions.NoHeader);
        if (call.IsJson)
            call.Json("veredus.message.list/1", client.HostName, ConsoleJson.Serialize(new Listing<QueuedMessageLine>(messages, Math.Max(total, messages.Count))));
        else if (format == "names")
            messages.ForEach(message => call.Out.Line(message.Id));
        else if (format is not null)
            Table(messages, call.Now).PrintSeparated(call.Out, format == "csv" ? ',' : '\t', header);
        else if (messages.Count == 0)
            call.Out.Line("nothing waits");
        else
            Table(messages, call.Now).Print(call.Out, header);
        if (!call.IsJson && format is null && messages.Count < total)
            call.Out.Line($"{messages.Count} of {Human.Count(total)} shown; --all for the rest", Tone.Dim);
        return ExitCodes.Done;
    }

    /// <summary>Of all nodes, or of the node asked where it is alone.</summary>
    private static async Task<int> InDoubtAsync(Call call, CancellationToken cancellationToken)
    {
        await using var client = await call.ConnectAsync(cancellationToken);
        var limit = call.Parse.GetValue(GlobalOptions.All) ? int.MaxValue : call.Parse.GetValue(GlobalOptions.Limit);
        var reply = await client.SendAsync($"json cluster in_doubt {limit}", cancellationToken);
        if (!reply.IsOk)
            reply = await call.AskAsync(client, $"json message in_doubt {limit}", cancellationToken);
        var found = System.Text.Json.JsonSerializer.Deserialize(reply.Body, DoubtsJson.Default.DoubtReport)!;
        var (format, header) = (call.Parse.GetValue(GlobalOptions.Format), !call.Parse.GetValue(GlobalOptions.NoHeader));
        var table = new Table(new("AT"), new("ID"), new("NODE"), new("RECIPIENT"), new("WHY"));
        foreach (var doubt in found.Items)
            table.Add(EventsCommand.Time(doubt.At), doubt.Id, doubt.Node, $"<{doubt.Recipient}>", DoubtReport.Why(doubt));
        if (call.IsJson)
            call.Json("veredus.message.in-doubt/1", client.HostName, reply.Body);
        else if (format == "names")
            found.Items.ToList().ForEach(doubt => call.Out.Line(doubt.Id));
        else if (format is not null)
            table.PrintSeparated(call.Out, format == "csv" ? ',' : '\t', header);
        else if (found.Items.Count == 0)
            call.Out.Line("no message is in doubt");
        else
            table.Print(call.Out, header);
        if (!call.IsJson && format is null && found.Items.Count < found.Total)
            call.Out.Line($"{found.Items.Count} of {Human.Count(found.Total)} shown, the newest; --all for the rest", Tone.Dim);
        if (found.Missing.Count > 0 && !call.IsJson && format is null)
            call.Out.Line($"! no answer: {string.Join(", ", found.Missing)}", Tone.Warning);
        return found.Missing.Count > 0 ? ExitCodes.Partly : ExitCodes.Done;
    }

    private static async Task<int> ShowAsync(Call call, CancellationToken cancellationToken)
    {
        await using var client = await call.ConnectAsync(cancellationToken);
        var id = CommandWords.Quote(call.Parse.GetValue(Id)!);
        var reply = await call.AskAsync(client, $"{(call.IsJson ? "json " : "")}message details {id}", cancellationToken);
        if (call.IsJson)
            call.Json("veredus.message/1", client.HostName, reply.Body);
        else
            reply.Lines.ToList().ForEach(line => call.Out.Line(line));
        return ExitCodes.Done;
    }

    public static async Task<int> WhereAsync(Call call, CancellationToken cancellationToken)
    {
        await using var client = await call.ConnectAsync(cancellationToken);
        var reply = await call.AskAsync(client, $"{(call.IsJson ? "json " : "")}cluster message {CommandWords.Quote(call.Parse.GetValue(Id)!)}", cancellationToken);
        if (call.IsJson)
            call.Json("veredus.explain.message/1", client.HostName, reply.Body);
        else
            reply.Lines.ToList().ForEach(line => call.Out.Line(line));
        var isWhole = call.IsJson ? JsonDocument.Parse(reply.Body).RootElement.GetProperty("missing").GetArrayLength() == 0 : !reply.Lines.Any(line => line.StartsWith("! no answer", StringComparison.Ordinal));
        return isWhole ? ExitCodes.Done : ExitCodes.Partly;
    }

    private static async Task<int> BodyAsync(Call call, CancellationToken cancellationToken)
    {
        await using var client = await call.ConnectAsync(cancellationToken);
        var id = CommandWords.Quote(call.Parse.GetValue(Id)!);
        if (call.IsJson)
        {
            call.Json("veredus.message/1", client.HostName, (await call.AskAsync(client, $"json message details body {id}", cancellationToken)).Body);
            return ExitCodes.Done;
        }
        var reply = await call.AskAsync(client, $"message details body {id}", cancellationToken);
        // A terminal is protected from what mail may hold; a file gets it as it is.
        foreach (var line in reply.Lines)
        {
            if (call.Out.IsTerminal)
                call.Out.Line(line);
            else
                call.Out.Writer.WriteLine(line);
        }
        return ExitCodes.Done;
    }

    private static async Task<int> ActAsync(Call call, string verb, CancellationToken cancellationToken)
    {
        var id = call.Parse.GetValue(Id)!;
        var reason = verb == "retry" ? null : call.Parse.GetValue(Reason);
        if (verb != "retry")
            call.CheckReason(reason);
        await using var client = await call.ConnectAsync(cancellationToken);
        if (verb != "retry")
            await call.ConfirmAsync($"Give message {id} up{(verb.EndsWith("quiet", StringComparison.Ordinal) ? " without telling the sender" : "")}?", call.Parse.GetValue(GlobalOptions.Yes), cancellationToken);
        await call.NoteAsync(client, $"{(verb.EndsWith("quiet", StringComparison.Ordinal) ? "purge" : "bounce")} of message {id}", reason, cancellationToken);
        // On this node, or wherever in the cluster it is.
        var here = await client.SendAsync($"message {verb} {CommandWords.Quote(id)}", cancellationToken);
        var reply = here.IsOk ? here : await client.SendAsync($"cluster message {verb} {CommandWords.Quote(id)}", cancellationToken);
        if (!reply.IsOk)
            throw new CliException(ExitCodes.Of(here.Code), here.Text, reply.Code == here.Code ? "" : reply.Text);
        if (call.IsJson)
            call.Json("veredus.message.action/1", client.HostName, "{\"count\":1}");
        else
            call.Out.Line(reply.Text);
        return ExitCodes.Done;
    }
}
