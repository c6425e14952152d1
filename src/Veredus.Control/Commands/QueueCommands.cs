using System.Globalization;

namespace Veredus.Control.Commands;

/// <summary>The commands of mta.md 9.3 and 9.4 about queues, domains and messages.</summary>
public sealed class QueueCommands(IQueueConsole queues)
{
    private const int ShownQueues = 20;
    private const int ShownMessages = 100;
    private const int MaxMessages = 100_000;

    public IEnumerable<ControlCommand> Commands =>
    [
        new("summary", "", "node metrics", (call, _) => Answer(call, queues.Summary(), Layouts.Summary)) { HasJson = true },
        new("summary reset", "", "sets counters and rates back", Reset),
        new("binding summary", "[NAME|SLOT|group:NAME]", "metrics of a binding, of all, or of a group", Bindings) { HasJson = true },
        new("mailq", "[-d DOMAIN]... [-b BINDING]... [-l N]", "the longest queues", Mailq) { HasJson = true },
        new("active", "N", "domains with more than N active messages", (call, _) => Sizes(call, null, domain => domain.Active)) { HasJson = true },
        new("delayed", "N", "domains with more than N delayed messages", (call, _) => Sizes(call, null, domain => domain.Delayed)) { HasJson = true },
        new("binding active", "B N", "the same for one binding", (call, _) => Sizes(call, "", domain => domain.Active)) { HasJson = true },
        new("binding delayed", "B N", "the same for one binding", (call, _) => Sizes(call, "", domain => domain.Delayed)) { HasJson = true },
        new("domain", "D", "route, queue, counters and connections of a domain", Domain) { HasJson = true },
        new("domain all", "", "one line a domain", AllDomains) { HasJson = true },
        new("domains", "", "one line a domain", AllDomains) { HasJson = true },
        new("showqueue", "[binding B|all] D [max,offset]", "messages of a queue", ShowQueue) { HasJson = true },
        new("message details", "[full|body] ID", "what is known of a message", Message) { HasJson = true },
        new("show outbound", "", "outbound sessions", (call, _) => Answer(call, List(queues.Outbound()), list => list.Items.Select(Layouts.Outbound))) { HasJson = true },
        new("flush domain", "D|all", "next attempt now", (call, stop) => Flush(call, null, 0, stop)) { HasJson = true },
        new("binding flush domain", "B D|all", "next attempt now, one binding", (call, stop) => Flush(call, "", 1, stop)) { HasJson = true },
        new("fail domain", "[quiet] D [reply]", "gives all messages of a domain up", (call, stop) => Fail(call, false, stop)) { HasJson = true },
        new("binding fail domain", "[quiet] B D|all [reply]", "the same for one binding", (call, stop) => Fail(call, true, stop)) { HasJson = true },
        new("message retry", "ID", "next attempt now", Retry),
        new("message fail", "[quiet] ID", "gives one message up", FailMessage),
        new("rebind", "B|all [D]", "chooses bindings anew", Rebind) { HasJson = true },
        new("reroute queue", "D1 D2", "moves messages to the queue of another domain", Reroute) { HasJson = true },
        new("refresh domain", "D|all", "looks the route up anew", Refresh),
        new("dig", "D", "starts a route lookup", Dig),
        new("trace smtp add", "B|* D|* FILE", "writes outbound dialogues to a file in the log directory", AddTrace),
        new("trace smtp list", "", "traces", (call, _) => Answer(call, List(queues.Traces()), list => list.Items.Select(
            trace => string.Create(CultureInfo.InvariantCulture, $"#{trace.Number} {trace.Binding} {trace.Domain} {trace.File} {trace.Offset}")))) { HasJson = true },
        new("trace smtp remove", "N", "ends a trace", RemoveTrace),
    ];

    internal static ValueTask<ControlAnswer> Answer<T>(ControlCall call, T model, Func<T, IEnumerable<string>> text) =>
        new(ControlAnswer.Body(call.Json ? [ConsoleJson.Serialize(model)] : text(model)));

    internal static Listing<T> List<T>(IReadOnlyList<T> items) => new(items, items.Count);

    private static ValueTask<ControlAnswer> Usage(ControlCall call) => new(ControlAnswer.Usage(call.Command));

    private static ValueTask<ControlAnswer> Counted(ControlCall call, long count, string text) =>
        new(call.Json ? ControlAnswer.Body(ConsoleJson.Serialize(new ActionCount(count))) : ControlAnswer.Ok(text));

    private static ControlAnswer NoBinding(string name) => ControlAnswer.NotFound($"there is no binding '{name}'");

    private static string? AllOr(string word) => word.Equals("all", StringComparison.OrdinalIgnoreCase) ? null : word;

    private ValueTask<ControlAnswer> Reset(ControlCall call, CancellationToken cancellationToken)
    {
        queues.ResetStatistics();
        return new(ControlAnswer.Ok("statistics cleared."));
    }

    private ValueTask<ControlAnswer> Bindings(ControlCall call, CancellationToken cancellationToken)
    {
        if (call.Arguments.Count > 1)
            return Usage(call);
        var all = queues.Bindings();
        if (call.Arguments is [var word])
        {
            var group = word.StartsWith("group:", StringComparison.OrdinalIgnoreCase) ? word["group:".Length..] : null;
            var bySlot = int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var slot) && slot < all.Count && all.All(binding => binding.Name != word);
            var chosen = group is not null ? [.. all.Where(binding => binding.Group == group)]
                : bySlot ? [all[slot]] : all.Where(binding => binding.Name == word).ToList();
            if (chosen.Count == 0)
                return new(group is not null ? ControlAnswer.NotFound($"there is no binding group '{group}'") : NoBinding(word));
            return Answer(call, List(chosen), list => group is null
                ? list.Items.SelectMany(binding => Layouts.Binding(binding, $"For Binding {binding.Name}"))
                : [.. list.Items.SelectMany(binding => Layouts.Binding(binding, $"For Binding {binding.Name} in Binding Group {group}")),
                    new string('-', 44), .. Layouts.Binding(Total(group, list.Items), $"For Binding Group {group}")]);
        }
        return Answer(call, List(all), list => list.Items.SelectMany(binding => Layouts.Binding(binding, $"For Binding {binding.Name}")));
    }

    private static BindingSummary Total(string group, IReadOnlyList<BindingSummary> members) => new()
    {
        Group = group,
        Name = "",
        OpenConnections = members.Sum(member => member.OpenConnections),
        ActiveQueueSize = members.Sum(member => member.ActiveQueueSize),
        TotalQueueSize = members.Sum(member => member.TotalQueueSize),
        DeliveredMessages = members.Sum(member => member.DeliveredMessages),
        FailedMessages = members.Sum(member => member.FailedMessages),
        ReceivedMessages = members.Sum(member => member.ReceivedMessages),
        ResidentMessages = members.Sum(member => member.ResidentMessages),
        DeliveryRate = members.Sum(member => member.DeliveryRate),
        ReceptionRate = members.Sum(member => member.ReceptionRate),
        UptimeSeconds = members.Max(member => member.UptimeSeconds),
    };

    private ValueTask<ControlAnswer> Mailq(ControlCall call, CancellationToken cancellationToken)
    {
        var (domains, bindings) = (new HashSet<string>(StringComparer.OrdinalIgnoreCase), new HashSet<string>(StringComparer.Ordinal));
        var limit = ShownQueues;
        for (var index = 0; index < call.Arguments.Count; index += 2)
        {
            if (index + 1 == call.Arguments.Count)
                return Usage(call);
            var value = call.Arguments[index + 1];
            switch (call.Arguments[index])
            {
                case "-d" or "--domain":
                    domains.Add(value);
                    break;
                case "-b" or "--binding":
                    bindings.Add(value);
                    break;
                case "-l" or "--limit" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out limit):
                    break;
                default:
                    return Usage(call);
            }
        }
        var found = queues.Queues()
            .Where(queue => (domains.Count == 0 || domains.Contains(queue.Domain)) && (bindings.Count == 0 || bindings.Contains(queue.Binding)))
            .OrderByDescending(queue => queue.Active + queue.Delayed).ThenBy(queue => queue.Binding, StringComparer.Ordinal)
            .ThenBy(queue => queue.Domain, StringComparer.Ordinal).ToList();
        return Answer(call, new Listing<QueueLine>([.. found.Take(limit)], found.Count), list => Layouts.Mailq(list.Items));
    }

    /// <param name="binding">Null: all; empty: the first argument names it.</param>
    private ValueTask<ControlAnswer> Sizes(ControlCall call, string? binding, Func<DomainLine, long> size)
    {
        var named = binding is not null;
        if (call.Arguments.Count != (named ? 2 : 1)
            || !long.TryParse(call.Arguments[^1], NumberStyles.None, CultureInfo.InvariantCulture, out var more))
        {
            return Usage(call);
        }
        if (named && !queues.IsBinding(binding = call.Arguments[0]))
            return new(NoBinding(binding));
        var all = queues.Domains(binding);
        List<DomainLine> shown = [.. all.Where(domain => size(domain) > more).OrderByDescending(size).ThenBy(domain => domain.Domain, StringComparer.Ordinal)];
        return Answer(call, new Listing<DomainLine>(shown, all.Count), list => Layouts.Domains(list.Items, all));
    }

    private ValueTask<ControlAnswer> AllDomains(ControlCall call, CancellationToken cancellationToken)
    {
        List<DomainLine> all = [.. queues.Domains(null).OrderBy(domain => domain.Domain, StringComparer.Ordinal)];
        return Answer(call, List(all), list => Layouts.Domains(list.Items, all));
    }

    private ValueTask<ControlAnswer> Domain(ControlCall call, CancellationToken cancellationToken)
    {
        if (call.Arguments is not [var name])
            return Usage(call);
        return queues.Domain(name) is { } domain ? Answer(call, domain, Layouts.Domain)
            : new(ControlAnswer.NotFound($"nothing is known of the domain '{name}'; 'dig {name}' looks its route up"));
    }

    private ValueTask<ControlAnswer> ShowQueue(ControlCall call, CancellationToken cancellationToken)
    {
        var words = call.Arguments.ToList();
        string? binding = "default";
        if (words is [var first, var name, _, ..] && first.Equals("binding", StringComparison.OrdinalIgnoreCase))
        {
            binding = AllOr(name);
            words.RemoveRange(0, 2);
        }
        var (max, offset) = (ShownMessages, 0);
        if (words.Count is 0 or > 2 || (words.Count == 2 && !TryRange(words[1], out max, out offset)))
            return Usage(call);
        if (binding is not null && !queues.IsBinding(binding))
            return new(NoBinding(binding));
        var messages = queues.Messages(binding, words[0], Math.Min(max, MaxMessages), offset);
        return Answer(call, List(messages), list => Layouts.Messages(list.Items));
    }

    private static bool TryRange(string text, out int max, out int offset)
    {
        var parts = text.Split(',');
        offset = 0;
        return int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out max)
            & (parts.Length == 1 || (parts.Length == 2 && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out offset)));
    }

    private async ValueTask<ControlAnswer> Message(ControlCall call, CancellationToken cancellationToken)
    {
        var what = call.Arguments is [var word, _] ? word.ToLowerInvariant() : "";
        if (call.Arguments.Count is 0 or > 2 || what is not ("" or "full" or "body"))
            return ControlAnswer.Usage(call.Command);
        var id = call.Arguments[^1];
        if (await queues.MessageAsync(id, what.Length > 0, cancellationToken) is not { } message)
            return ControlAnswer.NotFound($"there is no message '{id}' here");
        if (call.Json)
            return ControlAnswer.Body(ConsoleJson.Serialize(message));
        var body = (message.Body ?? "").ReplaceLineEndings("\n").Split('\n');
        return ControlAnswer.Body(what switch
        {
            "body" => body,
            "full" => [.. Layouts.Message(message), "", .. body],
            _ => Layouts.Message(message),
        });
    }

    private async ValueTask<ControlAnswer> Flush(ControlCall call, string? binding, int at, CancellationToken cancellationToken)
    {
        if (call.Arguments.Count != at + 1)
            return ControlAnswer.Usage(call.Command);
        if (binding is not null && !queues.IsBinding(binding = call.Arguments[0]))
            return NoBinding(binding);
        var count = await queues.FlushAsync(binding, AllOr(call.Arguments[at]), cancellationToken);
        return await Counted(call, count, $"{call.Arguments[at]} flushed. {count} messages requeued.");
    }

    private async ValueTask<ControlAnswer> Fail(ControlCall call, bool named, CancellationToken cancellationToken)
    {
        var at = 0;
        var quiet = call.Arguments.Count > 1 && call.Arguments[0].Equals("quiet", StringComparison.OrdinalIgnoreCase);
        if (quiet)
            at++;
        string? binding = null;
        if (named)
        {
            if (call.Arguments.Count <= at + 1)
                return ControlAnswer.Usage(call.Command);
            binding = call.Arguments[at++];
            if (!queues.IsBinding(binding))
                return NoBinding(binding);
        }
        if (call.Arguments.Count <= at)
            return ControlAnswer.Usage(call.Command);
        var domain = call.Arguments[at++];
        var reply = string.Join(' ', call.Arguments.Skip(at));
        if (reply.Length > 0 && !(reply.Length > 3 && reply[0] == '5' && char.IsAsciiDigit(reply[1]) && char.IsAsciiDigit(reply[2]) && reply[3] is ' ' or '-'))
            return ControlAnswer.Error(ControlErrors.InvalidValue, $"'{reply}' is not a permanent reply such as '554 5.1.2 domain closed'");
        // Without a binding, "all" would empty the node by one word: that has to be said binding by binding.
        if (!named && AllOr(domain) is null)
            return ControlAnswer.Error(ControlErrors.InvalidValue, "'fail domain' takes one domain; for all use 'binding fail domain B all'");
        var count = await queues.FailAsync(binding, named ? AllOr(domain) : domain, reply.Length > 0 ? reply : null, quiet, cancellationToken);
        return await Counted(call, count, AllOr(domain) is null ? $"All domains purged. {count} messages failed." : $"{domain} purged, {count} messages failed.");
    }

    private async ValueTask<ControlAnswer> Retry(ControlCall call, CancellationToken cancellationToken) => call.Arguments is not [var id]
        ? ControlAnswer.Usage(call.Command)
        : await queues.RetryMessageAsync(id, cancellationToken) ? ControlAnswer.Ok("Message requeued for delivery") : NoWaiting(id);

    private async ValueTask<ControlAnswer> FailMessage(ControlCall call, CancellationToken cancellationToken)
    {
        var quiet = call.Arguments is [var word, _] && word.Equals("quiet", StringComparison.OrdinalIgnoreCase);
        if (call.Arguments.Count != (quiet ? 2 : 1))
            return ControlAnswer.Usage(call.Command);
        var id = call.Arguments[^1];
        return await queues.FailMessageAsync(id, quiet, cancellationToken) ? ControlAnswer.Ok("Message failed") : NoWaiting(id);
    }

    private static ControlAnswer NoWaiting(string id) => ControlAnswer.NotFound($"no message '{id}' waits here; it may be in delivery or gone");

    private async ValueTask<ControlAnswer> Rebind(ControlCall call, CancellationToken cancellationToken)
    {
        if (call.Arguments.Count is 0 or > 2)
            return ControlAnswer.Usage(call.Command);
        var binding = AllOr(call.Arguments[0]);
        if (binding is not null && !queues.IsBinding(binding))
            return NoBinding(binding);
        var count = await queues.RebindAsync(binding, call.Arguments.Count == 2 ? AllOr(call.Arguments[1]) : null, cancellationToken);
        return await Counted(call, count, $"Rebound {count} messages.");
    }

    private async ValueTask<ControlAnswer> Reroute(ControlCall call, CancellationToken cancellationToken)
    {
        if (call.Arguments is not [var from, var to])
            return ControlAnswer.Usage(call.Command);
        var count = await queues.RerouteAsync(from, to, cancellationToken);
        return await Counted(call, count, $"Moved {count} messages from '{from}' to '{to}'");
    }

    private ValueTask<ControlAnswer> Refresh(ControlCall call, CancellationToken cancellationToken) => call.Arguments is [var domain]
        ? new(ControlAnswer.Ok($"{queues.Refresh(AllOr(domain))} domains refreshed."))
        : Usage(call);

    private ValueTask<ControlAnswer> Dig(ControlCall call, CancellationToken cancellationToken)
    {
        if (call.Arguments is not [var domain])
            return Usage(call);
        queues.StartLookup(domain);
        return new(ControlAnswer.Ok("submitted"));
    }

    private ValueTask<ControlAnswer> AddTrace(ControlCall call, CancellationToken cancellationToken)
    {
        if (call.Arguments is not [var binding, var domain, var file])
            return Usage(call);
        var (number, error) = queues.AddTrace(binding == "*" ? null : binding, domain == "*" ? null : domain, file);
        return new(error is null ? ControlAnswer.Ok($"Registered smtp tracer #{number}") : ControlAnswer.Error(ControlErrors.InvalidValue, error));
    }

    private ValueTask<ControlAnswer> RemoveTrace(ControlCall call, CancellationToken cancellationToken)
    {
        if (call.Arguments is not [var text] || !int.TryParse(text.TrimStart('#'), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return Usage(call);
        return new(queues.RemoveTrace(number) ? ControlAnswer.Ok($"Removed smtp tracer #{number}") : ControlAnswer.NotFound($"there is no smtp tracer #{number}"));
    }
}
