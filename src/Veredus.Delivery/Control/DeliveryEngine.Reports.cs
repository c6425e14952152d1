using Veredus.Delivery.Control;
using Veredus.Smtp;
using Veredus.Spool;

namespace Veredus.Delivery;

/// <summary>What consoles ask (<c>mta.md</c> 9.3). Every answer is a value of one moment.</summary>
public sealed partial class DeliveryEngine
{
    /// <summary>Domains looked through for siblings.</summary>
    private const int SiblingSearch = 20_000;

    private const int MaxSiblings = 20;

    public DateTimeOffset StartedAt { get; }

    public DateTimeOffset ResetAt { get; private set; }

    public NodeSummary Summary() => Locked(static (scheduler, _, engine) => new NodeSummary(
        scheduler.Connections, scheduler.Domains.Count, scheduler.QueueCount, scheduler.Active, scheduler.Delayed, scheduler.Messages, scheduler.Resident,
        scheduler.Tally.Received, scheduler.Tally.Delivered, scheduler.Tally.Transient, scheduler.Tally.Failed, scheduler.InDoubt, engine.ResetAt, engine.StartedAt), this);

    /// <summary>Forgets the counts of messages (<c>summary reset</c>).</summary>
    public void ResetStatistics() => Locked(static (scheduler, _, engine) =>
    {
        scheduler.ClearTallies();
        engine.ResetAt = engine._parts.Time.GetUtcNow();
        return 0;
    }, this);

    /// <param name="group"><see langword="null"/>: all.</param>
    /// <param name="binding"><see langword="null"/>: all.</param>
    public IReadOnlyList<BindingSummary> Bindings(string? group = null, string? binding = null) => Locked(static (scheduler, _, wanted) =>
    {
        var found = new List<BindingSummary>();
        foreach (var state in scheduler.Groups.Values.Where(state => wanted.group is null || state.Name == wanted.group))
            foreach (var one in state.Bindings.Values.Where(one => wanted.binding is null || one.Name == wanted.binding))
                found.Add(new(state.Name, one.Name, one.Connections, one.Active, one.Delayed, one.Tally.Received, one.Tally.Delivered, one.Tally.Transient, one.Tally.Failed));
        return found;
    }, (group, binding));

    /// <summary>Group totals.</summary>
    public IReadOnlyList<BindingSummary> Groups() => Locked(static (scheduler, _, _) =>
        scheduler.Groups.Values.Select(group => new BindingSummary(
            group.Name, "", group.Bindings.Values.Sum(b => b.Connections), group.Bindings.Values.Sum(b => b.Active), group.Bindings.Values.Sum(b => b.Delayed),
            group.Tally.Received, group.Tally.Delivered, group.Tally.Transient, group.Tally.Failed)).ToList(), 0);

    /// <summary>The largest queues that hold messages (<c>mailq</c>).</summary>
    public IReadOnlyList<QueueLine> MailQueue(string? domain = null, string? binding = null, int limit = 20) => [.. Select(domain, binding)
        .Select(queue => new QueueLine(
            queue.Binding.Group.Name, queue.Binding.Name, queue.Domain.Name, queue.Active.Count, queue.Delayed.Count, queue.Policy.Suspended,
            _parts.Presence.IsHere(queue.Binding.Group.Name, queue.Binding.Name)))
        .Where(line => line.Active + line.Delayed > 0)
        .OrderByDescending(line => line.Active + line.Delayed).ThenBy(line => line.Domain, StringComparer.Ordinal).Take(limit)];

    /// <summary>Every known domain; with <paramref name="binding"/> only its share of each.</summary>
    public IReadOnlyList<DomainLine> DomainLines(string? binding = null) => [.. Select(null, binding)
        .GroupBy(queue => queue.Domain)
        .Select(group => new DomainLine(group.Key.Name, group.Sum(queue => queue.Connections.Count), group.Sum(queue => queue.Active.Count), group.Sum(queue => queue.Delayed.Count), group.Key.Tally.Delivered))
        .OrderBy(line => line.Domain, StringComparer.Ordinal)];

    /// <returns><see langword="null"/>: nothing is known of that domain.</returns>
    public DomainDetails? Domain(string name) => Locked(static (scheduler, now, name) =>
    {
        if (!scheduler.Domains.TryGetValue(name, out var domain))
            return null;
        var first = domain.Queues.Count > 0 ? domain.Queues[0] : null;
        var hosts = new List<DomainHost>();
        foreach (var host in domain.Route?.Hosts ?? [])
        {
            var addresses = host.Addresses.Select(address => scheduler.Addresses.Get(new(address, host.Port ?? first?.Policy.Port ?? 25), now.Ms));
            hosts.Add(new(host.Preference, host.Name, host.TtlSeconds, [.. addresses.Select(record => new DomainAddress(
                record.Endpoint, record.ConnectMs, record.DeliveryMs, record.Open, first is not null && record == scheduler.NextAddress(first, now),
                record.LastFailure == long.MinValue ? null : (now.Ms - record.LastFailure) / 1000.0))]));
        }
        return new DomainDetails(
            domain.Name, (uint)Math.Max(0, (domain.RouteExpires - now.Ms) / 1000), hosts, domain.Route?.Failure?.Reply.ToString() ?? "", Siblings(scheduler, domain),
            domain.ConnectFailures, domain.Queues.Sum(queue => queue.Active.Count), domain.Queues.Sum(queue => queue.Delayed.Count),
            domain.Tally.Delivered, domain.Tally.Failed, [.. domain.Queues.SelectMany(queue => queue.Connections).Select(connection => Line(connection, now))]);
    }, name);

    /// <summary>Every outbound connection (<c>show outbound</c>).</summary>
    public IReadOnlyList<ConnectionLine> Outbound() => Locked(static (scheduler, now, _) =>
        scheduler.AllQueues().SelectMany(queue => queue.Connections).Select(connection => Line(connection, now)).OrderBy(line => line.Number).ToList(), 0);

    /// <summary>Messages of a domain's queue, active ones first (<c>showqueue</c>).</summary>
    /// <param name="binding"><see langword="null"/>: of all bindings.</param>
    public IReadOnlyList<QueuedLine> ShowQueue(string domain, string? binding = "default", int max = 100, int offset = 0)
    {
        var messages = Locked(static (scheduler, _, wanted) => Match(scheduler, wanted.domain, wanted.binding)
            .SelectMany(queue => Listed(queue)).Skip(wanted.offset).Take(wanted.max).ToList(), (domain, binding, max, offset));
        var lines = new List<QueuedLine>(messages.Count);
        foreach (var message in messages)
            if (TryRead(message) is { } envelope)
                lines.Add(new(message.Stored.Id, message.Place is MessagePlace.Active, message.Queue.Binding.Name, message.Stored.Received, envelope.Sender, envelope.Recipient));
        return lines;
    }

    /// <returns><see langword="null"/>: no such message here (any more), or it can't be read.</returns>
    public MessageDetails? Message(MessageId id)
    {
        var (message, place, due) = Locked(static (scheduler, now, id) => scheduler.Find(id) is { } found
            ? (found, found.Place, found.Place is MessagePlace.Delayed ? found.Due - now.Ms : (long?)null) : (null, default, null), id);
        if (message is null || TryRead(message) is not { } envelope)
            return null;
        var text = place switch { MessagePlace.Active => "active", MessagePlace.Delayed => "delayed", MessagePlace.InDelivery => "in delivery", _ => "settling" };
        return new(envelope, message.Stored, message.Queue.Domain.Name, text, message.Failures, message.LastCode, due is { } ms ? _parts.Time.GetUtcNow().AddMilliseconds(ms) : null);
    }

    private static ConnectionLine Line(OutboundConnection connection, Moment now)
    {
        var state = connection.Session is { } session ? session.Stage.Name() : SmtpStage.NotConnected.Name();
        return new(
            connection.Number, connection.Descriptor, connection.Queue.Binding.Group.Name, connection.Queue.Binding.Name, connection.Queue.Domain.Name, connection.Queue.Policy.Method,
            connection.Target?.Address.Endpoint, connection.State is ConnectionState.Idle ? SmtpStage.Idle.Name() : state, now.Ms - connection.StateSince, connection.Deliveries);
    }

    private static List<string> Siblings(Scheduler scheduler, DomainState domain)
    {
        var names = (domain.Route?.Hosts ?? []).Select(host => host.Name).ToHashSet();
        return names.Count == 0 ? [] : [.. scheduler.Domains.Values.Take(SiblingSearch)
            .Where(other => other != domain && other.Route is { } route && route.Hosts.Any(host => names.Contains(host.Name))).Select(other => other.Name).Take(MaxSiblings)];
    }

    private static IEnumerable<QueuedMessage> Listed(DeliveryQueue queue)
    {
        for (var message = queue.Active.First; message is not null; message = message.Next)
            yield return message;
        for (var i = 0; i < queue.Delayed.Count; i++)
            yield return queue.Delayed.Items[i];
    }

    private List<DeliveryQueue> Select(string? domain, string? binding) => Locked(static (scheduler, _, wanted) => Match(scheduler, wanted.domain, wanted.binding), (domain, binding));

    private static List<DeliveryQueue> Match(Scheduler scheduler, string? domain, string? binding)
    {
        var queues = domain is null ? scheduler.AllQueues() : scheduler.Domains.TryGetValue(domain, out var state) ? [.. state.Queues] : [];
        if (binding is not null)
            queues.RemoveAll(queue => queue.Binding.Name != binding);
        return queues;
    }

    private Envelope? TryRead(QueuedMessage message)
    {
        if (message.Resident is { } resident)
            return resident;
        try
        {
            return _parts.Spool.ReadEnvelope(message.Stored);
        }
        catch (Exception error) when (error is IOException or InvalidOperationException)
        {
            return null;  // delivered while we looked, or damaged: nothing to show
        }
    }
}
