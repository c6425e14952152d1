using System.Globalization;
using System.Text;

namespace Veredus.Control.Commands;

/// <summary>The text layouts of mta.md 9.5. Labels are stable: operators' scripts parse them.</summary>
public static class Layouts
{
    private static readonly CultureInfo Plain = CultureInfo.InvariantCulture;

    public static IEnumerable<string> Summary(NodeSummary summary) => Labelled("Summary Statistics",
    [
        ("Outbound Concurrency", Number(summary.OutboundConcurrency), ""),
        ("Inbound Concurrency", Number(summary.InboundConcurrency), ""),
        ("Active Domains", Number(summary.ActiveDomains), ""),
        ("Active Queue Size", Number(summary.ActiveQueueSize), ""),
        ("Delayed Queue Size", Number(summary.DelayedQueueSize), ""),
        ("Destaged Queue Size", Number(summary.DestagedQueueSize), ""),
        ("Total Queue Size", Number(summary.TotalQueueSize), ""),
        ("DNS A Queries", Number(summary.DnsAQueries), ""),
        ("DNS MX Queries", Number(summary.DnsMxQueries), ""),
        ("Pending DNS Queries", Number(summary.PendingDnsQueries), ""),
        ("Query Rate", Fixed(summary.QueryRate), "queries/second"),
        ("Successfully Delivered Messages", Number(summary.DeliveredMessages), ""),
        ("Failed Messages", Number(summary.FailedMessages), ""),
        ("Rejected Messages", Number(summary.RejectedMessages), ""),
        ("Received Messages", Number(summary.ReceivedMessages), ""),
        ("Delivery Rate", Fixed(summary.DeliveryRate), "messages/second"),
        ("Reception Rate", Fixed(summary.ReceptionRate), "messages/second"),
        ("Statistics Last Reset", Number((long)summary.StatisticsSeconds), "seconds"),
        ("Uptime", Number((long)summary.UptimeSeconds), "seconds"),
    ]).Append($"DNS Resolver: {summary.DnsResolver}");

    /// <param name="title">Behind <c>Summary Statistics</c>: <c>For Binding NAME</c>, <c>For Binding NAME in Binding Group G</c>, <c>For Binding Group G</c>.</param>
    public static IEnumerable<string> Binding(BindingSummary binding, string title) => Labelled($"Summary Statistics {title}",
    [
        ("Open Connections", Number(binding.OpenConnections), ""),
        ("Active Queue Size", Number(binding.ActiveQueueSize), ""),
        ("Total Queue Size", Number(binding.TotalQueueSize), ""),
        ("Successfully Delivered Messages", Number(binding.DeliveredMessages), ""),
        ("Failed Messages", Number(binding.FailedMessages), ""),
        ("Received Messages", Number(binding.ReceivedMessages), ""),
        ("Resident Messages", Number(binding.ResidentMessages), ""),
        ("Delivery Rate", Fixed(binding.DeliveryRate), "messages/second"),
        ("Reception Rate", Fixed(binding.ReceptionRate), "messages/second"),
        ("Uptime", Number((long)binding.UptimeSeconds), "seconds"),
    ]);

    public static IEnumerable<string> Mailq(IReadOnlyList<QueueLine> queues)
    {
        var nameWidth = Math.Max(28, queues.Select(queue => queue.Group.Length + queue.Binding.Length + 1).DefaultIfEmpty().Max());
        var domainWidth = Math.Max(22, queues.Select(queue => queue.Domain.Length).DefaultIfEmpty().Max());
        var header = $"{"Group/Binding".PadRight(nameWidth)}  {"Domain".PadRight(domainWidth)} {"AQ",8} {"DQ",8}";
        yield return header;
        yield return new('-', header.Length);
        foreach (var queue in queues)
        {
            yield return string.Create(Plain,
                $"{(queue.Group + "/" + queue.Binding).PadRight(nameWidth)}  {queue.Domain.PadRight(domainWidth)} {queue.Active,8} {queue.Delayed,8}");
        }
    }

    public static IEnumerable<string> Domains(IEnumerable<DomainLine> shown, IReadOnlyList<DomainLine> all)
    {
        var list = shown.ToList();
        var width = Math.Max(16, list.Select(domain => domain.Domain.Length).DefaultIfEmpty().Max());
        foreach (var domain in list)
            yield return Line("Domain: " + domain.Domain.PadLeft(width), domain);
        var total = new DomainLine("", all.Sum(domain => domain.Connections), all.Sum(domain => domain.Active), all.Sum(domain => domain.Delayed), all.Sum(domain => domain.Delivered));
        yield return Line("Total:".PadLeft(width + 8), total);

        static string Line(string name, DomainLine domain) =>
            string.Create(Plain, $"{name}  C: {domain.Connections,3}  A: {domain.Active,6}  D: {domain.Delayed,6}  S: {domain.Delivered,7}");
    }

    public static IEnumerable<string> Domain(DomainDetails domain)
    {
        if (domain.Stanza.Length > 0)
        {
            foreach (var line in domain.Stanza.TrimEnd('\n').Split('\n'))
                yield return line;
        }
        yield return domain.TtlSeconds is { } ttl
            ? string.Create(Plain, $"Domain '{domain.Domain}' has {domain.Mxs.Count} MXs and a TTL of {ttl:0} seconds")
            : $"Domain '{domain.Domain}' has no route: {domain.RouteFailure ?? "not looked up yet"}";
        foreach (var mx in domain.Mxs)
        {
            yield return string.Create(Plain, $"  [{mx.Preference} {mx.Name} TTL:{mx.TtlSeconds:0}]");
            foreach (var address in mx.Addresses)
            {
                var mark = address.IsNext ? " =>" : address.SecondsSinceFailure is not null ? " * " : "   ";
                var failure = address.SecondsSinceFailure is { } seconds ? string.Create(Plain, $" {seconds:0.0}s since failure") : "";
                yield return string.Create(Plain,
                    $"{mark}     {address.EndPoint} {address.Family} ({address.ConnectMilliseconds:0.00}ms con {address.DeliveryMilliseconds:0.00}ms dlv){failure}");
            }
        }
        if (domain.SharedWith.Count > 0)
            yield return $"Shares its MX with: {string.Join(' ', domain.SharedWith)}";
        if (domain.ConnectionFailures > 0)
            yield return string.Create(Plain, $"Consecutive connection failures: {domain.ConnectionFailures}");
        yield return "Queue:";
        yield return string.Create(Plain, $"    Active: {domain.Active,8}");
        yield return string.Create(Plain, $"   Delayed: {domain.Delayed,8}");
        yield return string.Create(Plain, $"Deliveries: {domain.Delivered,8}");
        yield return string.Create(Plain, $"  Failures: {domain.Failed,8}");
        yield return string.Create(Plain, $"Active Connections: {domain.Connections.Count}");
        foreach (var (connection, index) in domain.Connections.Select((connection, index) => (connection, index)))
        {
            yield return string.Create(Plain,
                $"[{index + 1,2}] FD: {connection.Descriptor,4} IP: {connection.Address,15}  State: {connection.State} ({connection.Milliseconds:0.00}ms)");
        }
    }

    public static IEnumerable<string> Messages(IEnumerable<QueuedMessageLine> messages)
    {
        foreach (var message in messages)
        {
            yield return string.Create(Plain, $"[{message.State}/{message.Binding}] {message.Id} Created: {message.Created}");
            yield return $"  From: <{message.Sender}> To: <{message.Recipient}>";
        }
    }

    public static IEnumerable<string> Message(MessageDetails message)
    {
        (string Label, string Value)[] lines =
        [
            ("Message", message.Id), ("Message Type", message.Type), ("Created", Time(message.Created)),
            ("Next Attempt", message.NextAttempt is { } next ? Time(next) : ""), ("Retries", Number(message.Retries)),
            ("Received Via", $"{message.Protocol} {message.ReceivedVia}".TrimEnd()), ("Sender", $"<{message.Sender}>"), ("Recipient", $"<{message.Recipient}>"),
            ("Code", message.Code), ("Size", Number(message.Size)), ("Binding", message.Binding), ("Group", message.Group), ("Domain", message.Domain),
            ("Batch", message.BatchId), ("Connection", message.ConnectionId),
        ];
        foreach (var (label, value) in lines)
            yield return $"{label,12}: {value}".TrimEnd();
        foreach (var (key, value) in message.ConnectionContext)
            yield return $"[connection] {key} {value}";
        foreach (var (key, value) in message.MessageContext)
            yield return $"[message] {key} {value}";
    }

    public static string Inbound(SessionLine session) =>
        string.Create(Plain, $"{session.Descriptor,4}: [inbound/{session.Kind}] {Family(session.Peer)} {session.Peer} {session.State} (for {session.Seconds:0.0}s)");

    public static string Outbound(SessionLine session) =>
        string.Create(Plain, $"{session.Descriptor,4}: [outbound/{session.Kind}] {session.Domain} {Family(session.Peer)} {session.Peer} {session.State} (for {session.Seconds:0.0}s)");

    private static string Family(string peer) => peer.StartsWith('[') || peer.Count(c => c == ':') > 1 ? "IPv6" : "IPv4";

    private static string Time(DateTimeOffset time) => time.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss zzz", Plain);

    private static string Number(long value) => value.ToString(Plain);

    private static string Fixed(double value) => value.ToString("0.00", Plain);

    private static IEnumerable<string> Labelled(string title, (string Label, string Value, string Unit)[] lines)
    {
        yield return title;
        var line = new StringBuilder();
        foreach (var (label, value, unit) in lines)
        {
            line.Clear().Append(label.PadLeft(33)).Append(": ").Append(value.PadLeft(9));
            if (unit.Length > 0)
                line.Append(' ').Append(unit);
            yield return line.ToString();
        }
    }
}
