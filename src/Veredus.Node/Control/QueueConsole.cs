using System.Text;
using Veredus.Control.Commands;
using Veredus.Delivery;
using Veredus.Spool;
using Reports = Veredus.Delivery.Control;

namespace Veredus.Node.Control;

/// <summary>Answers the console's questions about queues from the delivery engine.</summary>
internal sealed class QueueConsole(VeredusNode node) : IQueueConsole
{
    /// <summary>Most octets of a message that the console shows.</summary>
    private const int MaxBodyBytes = 16 * 1024 * 1024;

    private readonly Lock _gate = new();
    private (long Received, long Rejected, long Address, long Mx) _reset;

    private DeliveryEngine Engine => node.Delivery;

    private DateTimeOffset Now => node.Time.GetUtcNow();

    public NodeSummary Summary()
    {
        var (delivery, dns, statistics) = (Engine.Summary(), node.Resolver.Statistics, node.Statistics);
        lock (_gate)
        {
            return new()
            {
                OutboundConcurrency = delivery.OutboundConcurrency,
                InboundConcurrency = node.SmtpSessions.Count,
                ActiveDomains = delivery.ActiveDomains,
                ActiveQueueSize = delivery.ActiveQueue,
                DelayedQueueSize = delivery.DelayedQueue,
                DestagedQueueSize = Math.Max(0, delivery.Total - delivery.Resident),
                DnsAQueries = dns.AddressQueries - _reset.Address,
                DnsMxQueries = dns.MxQueries - _reset.Mx,
                PendingDnsQueries = dns.Pending,
                DeliveredMessages = delivery.Delivered,
                FailedMessages = delivery.Failed,
                RejectedMessages = statistics.RejectedMessages - _reset.Rejected,
                ReceivedMessages = statistics.ReceivedMessages - _reset.Received,
                StatisticsSeconds = Math.Round((Now - delivery.Reset).TotalSeconds, 3),
                UptimeSeconds = Math.Round((Now - node.Started).TotalSeconds, 3),
                DnsResolver = "libunbound",
            };
        }
    }

    public void ResetStatistics()
    {
        // Metrics never go back; what the console counts from is remembered here.
        var (dns, statistics) = (node.Resolver.Statistics, node.Statistics);
        lock (_gate)
            _reset = (statistics.ReceivedMessages, statistics.RejectedMessages, dns.AddressQueries, dns.MxQueries);
        Engine.ResetStatistics();
    }

    public IReadOnlyList<BindingSummary> Bindings()
    {
        var seconds = Math.Max(1, (Now - Engine.Summary().Reset).TotalSeconds);
        var known = Engine.Bindings().ToDictionary(binding => binding.Binding, StringComparer.Ordinal);
        // Bindings that have not been used yet are there as well, with zeros.
        var names = known.Values.Select(binding => (binding.Group, Name: binding.Binding))
            .Concat(node.Configuration.Current.Bindings.Select(binding => (binding.Group, binding.Name)))
            .Append((Group: "default", Name: "default")).DistinctBy(binding => binding.Name)
            .OrderBy(binding => binding.Group, StringComparer.Ordinal).ThenBy(binding => binding.Name, StringComparer.Ordinal);
        return [.. names.Select(name =>
        {
            var report = known.GetValueOrDefault(name.Name) ?? new Reports.BindingSummary(name.Group, name.Name, 0, 0, 0, 0, 0, 0, 0);
            return new BindingSummary
            {
                Group = name.Group,
                Name = name.Name,
                OpenConnections = report.Connections,
                ActiveQueueSize = report.Active,
                TotalQueueSize = report.Active + report.Delayed,
                DeliveredMessages = report.Delivered,
                FailedMessages = report.Failed,
                ReceivedMessages = report.Received,
                ResidentMessages = report.Active,
                DeliveryRate = Math.Round((report.Delivered + report.Failed) / seconds, 2),
                ReceptionRate = Math.Round(report.Received / seconds, 2),
                UptimeSeconds = Math.Round((Now - node.Started).TotalSeconds, 3),
            };
        })];
    }

    public IReadOnlyList<QueueLine> Queues() =>
        [.. Engine.MailQueue(limit: int.MaxValue).Select(queue => new QueueLine(queue.Group, queue.Binding, queue.Domain, queue.Active, queue.Delayed))];

    public IReadOnlyList<DomainLine> Domains(string? binding) =>
        [.. Engine.DomainLines(binding).Select(domain => new DomainLine(domain.Domain, domain.Connections, domain.Active, domain.Delayed, domain.Delivered))];

    public DomainDetails? Domain(string domain) => Engine.Domain(domain.ToLowerInvariant()) is not { } details ? null : new()
    {
        Domain = details.Domain,
        TtlSeconds = details.Hosts.Count > 0 ? details.TtlSeconds : null,
        RouteFailure = details.RouteProblem.Length > 0 ? details.RouteProblem : null,
        Mxs = [.. details.Hosts.Select(host => new DomainMx(host.Preference, host.Name, host.TtlSeconds, [.. host.Addresses.Select(Address)]))],
        SharedWith = details.Siblings,
        ConnectionFailures = details.ConnectFailures,
        Active = details.Active,
        Delayed = details.Delayed,
        Delivered = details.Delivered,
        Failed = details.Failed,
        Connections = [.. details.Connections.Select(connection =>
            new DomainConnection(connection.Descriptor, connection.Remote?.Address.ToString() ?? "", connection.State, connection.StateMs))],
    };

    public IReadOnlyList<QueuedMessageLine> Messages(string? binding, string domain, int max, int offset) =>
        [.. Engine.ShowQueue(domain.ToLowerInvariant(), binding, max, offset).Select(message => new QueuedMessageLine(
            message.Id.ToString(), message.IsActive ? "active" : "delayed", message.Binding, message.Created.ToUnixTimeSeconds(), message.Sender, message.Recipient))];

    public ValueTask<MessageDetails?> MessageAsync(string id, bool withBody, CancellationToken cancellationToken)
    {
        if (!MessageId.TryParse(id, out var message) || Engine.Message(message) is not { } details)
            return new((MessageDetails?)null);
        var envelope = details.Envelope;
        return new(new MessageDetails
        {
            Id = envelope.Id.ToString(),
            Type = details.Place,
            Created = envelope.Received,
            NextAttempt = details.NextAttempt,
            Retries = details.Retries,
            Protocol = envelope.Protocol,
            ReceivedVia = envelope.ReceivedFrom?.ToString() ?? "",
            Sender = envelope.Sender,
            Recipient = envelope.Recipient,
            Code = details.LastCode == 0 ? "" : details.LastCode.ToString(System.Globalization.CultureInfo.InvariantCulture),
            Size = details.Stored.Size,
            Group = envelope.BindingGroup,
            Binding = envelope.Binding,
            Domain = details.Domain,
            BatchId = envelope.BatchId.ToString(),
            ConnectionId = envelope.ConnectionId.Value == 0 ? "" : envelope.ConnectionId.ToString(),
            ConnectionContext = envelope.ConnectionContext,
            MessageContext = envelope.MessageContext,
            Body = withBody ? Body(details.Stored) : null,
        });
    }

    public IReadOnlyList<SessionLine> Outbound() => [.. Engine.Outbound().Select(connection => new SessionLine(
        connection.Descriptor, connection.Binding, connection.Remote?.ToString() ?? "", connection.State, connection.StateMs / 1000, connection.Domain))];

    public bool IsBinding(string name) => name == "default" || node.Configuration.Current.Bindings.Any(binding => binding.Name == name)
        || Engine.Bindings(binding: name).Count > 0;

    public async ValueTask<long> FlushAsync(string? binding, string? domain, CancellationToken cancellationToken) =>
        await Engine.FlushAsync(domain?.ToLowerInvariant(), binding, cancellationToken);

    public async ValueTask<long> FailAsync(string? binding, string? domain, string? reply, bool quiet, CancellationToken cancellationToken) =>
        await Engine.FailAsync(domain?.ToLowerInvariant(), binding, reply ?? "", quiet, cancellationToken);

    public ValueTask<bool> RetryMessageAsync(string id, CancellationToken cancellationToken) => new(MessageId.TryParse(id, out var message) && Engine.Retry(message));

    public ValueTask<bool> FailMessageAsync(string id, bool quiet, CancellationToken cancellationToken) =>
        new(MessageId.TryParse(id, out var message) && Engine.Fail(message, quiet));

    public async ValueTask<long> RebindAsync(string? binding, string? domain, CancellationToken cancellationToken) =>
        await Engine.RebindAsync(binding, domain?.ToLowerInvariant(), cancellationToken);

    public async ValueTask<long> RerouteAsync(string from, string to, CancellationToken cancellationToken) =>
        await Engine.RerouteAsync(from.ToLowerInvariant(), to, cancellationToken);

    public int Refresh(string? domain)
    {
        var known = domain is null ? Engine.Summary().ActiveDomains : 1;
        return Engine.RefreshDomain(domain?.ToLowerInvariant()) ? known : 0;
    }

    public void StartLookup(string domain)
    {
        // A known domain takes the new route; of another the answers wait in the resolver's cache.
        if (!Engine.RefreshDomain(domain.ToLowerInvariant()))
            _ = LookUpAsync(domain.ToLowerInvariant());
    }

    public (int Number, string? Error) AddTrace(string? binding, string? domain, string file) =>
        Engine.AddTrace(binding ?? "*", domain ?? "*", file, out var problem) is { } trace ? (trace.Number, null) : (0, problem);

    public IReadOnlyList<TraceLine> Traces() => [.. Engine.ListTraces().Select(trace => new TraceLine(trace.Number, trace.Binding, trace.Domain, trace.File, trace.Bytes))];

    public bool RemoveTrace(int number) => Engine.RemoveTrace(number);

    private static DomainAddress Address(Reports.DomainAddress address) => new(
        $"[{address.Endpoint.Address}]:{address.Endpoint.Port}", address.Endpoint.AddressFamily is System.Net.Sockets.AddressFamily.InterNetworkV6 ? "IPv6" : "IPv4",
        address.ConnectMs, address.DeliveryMs, address.IsNext, address.SecondsSinceFailure);

    private async Task LookUpAsync(string domain)
    {
        var route = await Engine.LookUpRouteAsync(domain, CancellationToken.None);
        if (route.Failure is { } failure)
            node.Logs.Panic(Logging.PanicLevel.Notice, Logging.PanicSubsystems.Dns, "dig", $"{domain}: {failure.Reply}");
    }

    private string Body(StoredMessage message)
    {
        try
        {
            using var reader = node.Spool.OpenBody(message);
            var bytes = new byte[Math.Min(reader.Length, MaxBodyBytes)];
            var count = 0;
            for (int read; count < bytes.Length && (read = reader.Read(bytes.AsSpan(count))) > 0; count += read)
            {
            }
            return Encoding.UTF8.GetString(bytes, 0, count) + (reader.Length > MaxBodyBytes ? $"\n[{reader.Length - MaxBodyBytes} octets more]" : "");
        }
        catch (Exception exception) when (exception is IOException or InvalidOperationException)
        {
            return $"[the text can't be read: {exception.Message}]";
        }
    }
}
