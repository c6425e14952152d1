namespace Veredus.Control.Commands;

/// <summary>What <c>summary</c> shows. Counters and rates since the last reset; a delivery rate counts failures too.</summary>
public sealed record NodeSummary
{
    public int OutboundConcurrency { get; init; }
    public int InboundConcurrency { get; init; }
    /// <summary>Domains in the route cache.</summary>
    public int ActiveDomains { get; init; }
    public long ActiveQueueSize { get; init; }
    public long DelayedQueueSize { get; init; }
    /// <summary>Queued on disk only.</summary>
    public long DestagedQueueSize { get; init; }
    public long TotalQueueSize => ActiveQueueSize + DelayedQueueSize;
    public long DnsAQueries { get; init; }
    public long DnsMxQueries { get; init; }
    public int PendingDnsQueries { get; init; }
    public long DeliveredMessages { get; init; }
    public long FailedMessages { get; init; }
    public long RejectedMessages { get; init; }
    public long ReceivedMessages { get; init; }
    public double StatisticsSeconds { get; init; }
    public double UptimeSeconds { get; init; }
    public string DnsResolver { get; init; } = "";

    public double QueryRate => Rate(DnsAQueries + DnsMxQueries);
    public double DeliveryRate => Rate(DeliveredMessages + FailedMessages);
    public double ReceptionRate => Rate(ReceivedMessages);

    private double Rate(long count) => StatisticsSeconds > 0 ? Math.Round(count / StatisticsSeconds, 2) : 0;
}

/// <summary>What <c>binding summary</c> shows of one binding, or of a group when <see cref="Name"/> is empty.</summary>
public sealed record BindingSummary
{
    public required string Group { get; init; }
    public required string Name { get; init; }
    public bool IsSuspended { get; init; }
    public int OpenConnections { get; init; }
    public long ActiveQueueSize { get; init; }
    public long TotalQueueSize { get; init; }
    public long DeliveredMessages { get; init; }
    public long FailedMessages { get; init; }
    public long ReceivedMessages { get; init; }
    /// <summary>Messages held in memory.</summary>
    public long ResidentMessages { get; init; }
    public double DeliveryRate { get; init; }
    public double ReceptionRate { get; init; }
    public double UptimeSeconds { get; init; }
}

/// <summary>One queue: a binding and a routing domain.</summary>
public sealed record QueueLine(string Group, string Binding, string Domain, long Active, long Delayed);

/// <summary>One routing domain.</summary>
/// <param name="Delivered">Since the domain's record exists.</param>
public sealed record DomainLine(string Domain, int Connections, long Active, long Delayed, long Delivered);

/// <summary>What <c>domain</c> shows.</summary>
public sealed record DomainDetails
{
    public required string Domain { get; init; }
    /// <summary>Its explicit stanza in configuration syntax; empty when there is none.</summary>
    public string Stanza { get; init; } = "";
    /// <summary><see langword="null"/>: no route is known (yet).</summary>
    public double? TtlSeconds { get; init; }
    /// <summary>Why there is no route; <see langword="null"/> when there is one.</summary>
    public string? RouteFailure { get; init; }
    public IReadOnlyList<DomainMx> Mxs { get; init; } = [];
    public IReadOnlyList<string> SharedWith { get; init; } = [];
    public int ConnectionFailures { get; init; }
    public long Active { get; init; }
    public long Delayed { get; init; }
    public long Delivered { get; init; }
    public long Failed { get; init; }
    public IReadOnlyList<DomainConnection> Connections { get; init; } = [];
}

/// <summary>A mail exchanger and its addresses.</summary>
public sealed record DomainMx(int Preference, string Name, double TtlSeconds, IReadOnlyList<DomainAddress> Addresses);

/// <summary>An address of a mail exchanger.</summary>
/// <param name="EndPoint"><c>[ip]:port</c>.</param>
/// <param name="Family"><c>IPv4</c> or <c>IPv6</c>.</param>
/// <param name="IsNext">A new connection would use it now.</param>
/// <param name="SecondsSinceFailure"><see langword="null"/> when it did not fail.</param>
public sealed record DomainAddress(
    string EndPoint, string Family, double ConnectMilliseconds, double DeliveryMilliseconds, bool IsNext, double? SecondsSinceFailure);

/// <summary>An open connection to a domain.</summary>
/// <param name="State">Name of its stage (mta.md 8.9).</param>
public sealed record DomainConnection(int Descriptor, string Address, string State, double Milliseconds);

/// <summary>A message in a queue.</summary>
/// <param name="State"><c>active</c>, <c>delayed</c> or <c>delivering</c>.</param>
/// <param name="Created">Unix seconds.</param>
public sealed record QueuedMessageLine(string Id, string State, string Binding, long Created, string Sender, string Recipient);

/// <summary>What <c>message details</c> shows.</summary>
public sealed record MessageDetails
{
    public required string Id { get; init; }
    public required string Type { get; init; }
    public required DateTimeOffset Created { get; init; }
    public DateTimeOffset? NextAttempt { get; init; }
    public int Retries { get; init; }
    public string Protocol { get; init; } = "";
    public string ReceivedVia { get; init; } = "";
    public string Sender { get; init; } = "";
    public string Recipient { get; init; } = "";
    /// <summary>The last reply; empty before the first attempt.</summary>
    public string Code { get; init; } = "";
    public long Size { get; init; }
    public string Group { get; init; } = "";
    public string Binding { get; init; } = "";
    public string Domain { get; init; } = "";
    public string BatchId { get; init; } = "";
    public string ConnectionId { get; init; } = "";
    public IReadOnlyDictionary<string, string> ConnectionContext { get; init; } = new Dictionary<string, string>();
    public IReadOnlyDictionary<string, string> MessageContext { get; init; } = new Dictionary<string, string>();
    /// <summary>With <c>body</c> and <c>full</c>: the text as received.</summary>
    public string? Body { get; init; }
}

/// <summary>One SMTP session, in or out.</summary>
/// <param name="Kind"><c>SMTP</c>, <c>control</c>, the binding's name for outbound ones.</param>
/// <param name="Peer"><c>ip:port</c>.</param>
/// <param name="State">Name of the session state (mta.md 2.1) or of the stage (8.9).</param>
/// <param name="Domain">Outbound: the routing domain.</param>
public sealed record SessionLine(int Descriptor, string Kind, string Peer, string State, double Seconds, string Domain = "");

/// <summary>An outbound trace.</summary>
public sealed record TraceLine(int Number, string Binding, string Domain, string File, long Offset);

/// <summary>What an import of another spool has done so far.</summary>
public sealed record ImportProgress(string Path, long Found, long Imported, long Failed, bool IsDone, string? Error);
