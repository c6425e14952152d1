using System.Net;
using Veredus.Smtp;
using Veredus.Spool;

namespace Veredus.Delivery.Control;

/// <summary>Figures of the whole node (<c>summary</c>).</summary>
/// <param name="ActiveDomains">Domains in the route cache.</param>
/// <param name="InDoubt">Messages whose connection was lost after the final dot; delivered again.</param>
public sealed record NodeSummary(
    int OutboundConcurrency, int ActiveDomains, int Queues, int ActiveQueue, int DelayedQueue, int Total, int Resident,
    long Received, long Delivered, long Transient, long Failed, long InDoubt, DateTimeOffset Reset, DateTimeOffset Started)
{
    public double DeliveryRate(DateTimeOffset now) => Rate(Delivered + Failed, now);

    public double ReceptionRate(DateTimeOffset now) => Rate(Received, now);

    private double Rate(long count, DateTimeOffset now) => count / Math.Max(1, (now - Reset).TotalSeconds);
}

/// <summary>Figures of a binding, or of a group where <see cref="Binding"/> is empty (<c>binding summary</c>).</summary>
public sealed record BindingSummary(string Group, string Binding, int Connections, int Active, int Delayed, long Received, long Delivered, long Transient, long Failed);

/// <summary>One queue (<c>mailq</c>).</summary>
public sealed record QueueLine(string Group, string Binding, string Domain, int Active, int Delayed, bool IsSuspended, bool IsHere);

/// <summary>One domain (<c>active</c>, <c>delayed</c>, <c>domain all</c>); also the totals, with an empty name.</summary>
public sealed record DomainLine(string Domain, int Connections, int Active, int Delayed, long Delivered);

/// <param name="IsNext">A new connection would go there.</param>
/// <param name="SecondsSinceFailure"><see langword="null"/>: no failure is remembered.</param>
public sealed record DomainAddress(IPEndPoint Endpoint, double ConnectMs, double DeliveryMs, int Open, bool IsNext, double? SecondsSinceFailure);

public sealed record DomainHost(int Preference, string Name, uint TtlSeconds, IReadOnlyList<DomainAddress> Addresses);

/// <param name="StateMs">How long it has been in that state.</param>
public sealed record ConnectionLine(long Number, int Descriptor, string Group, string Binding, string Domain, SmtpDialect Kind, IPEndPoint? Remote, string State, double StateMs, int Deliveries);

/// <summary>Everything about one routing domain (<c>domain D</c>).</summary>
/// <param name="RouteProblem">Why there is no route; empty: there is one, or none was needed yet.</param>
/// <param name="Siblings">Other domains with a host in common; not all of them on a large node.</param>
public sealed record DomainDetails(
    string Domain, uint TtlSeconds, IReadOnlyList<DomainHost> Hosts, string RouteProblem, IReadOnlyList<string> Siblings,
    int ConnectFailures, int Active, int Delayed, long Delivered, long Failed, IReadOnlyList<ConnectionLine> Connections);

/// <summary>One message of <c>showqueue</c>.</summary>
public sealed record QueuedLine(MessageId Id, bool IsActive, string Binding, DateTimeOffset Created, string Sender, string Recipient);

/// <summary>One message (<c>message details</c>).</summary>
/// <param name="Place">active, delayed, in delivery, settling.</param>
/// <param name="NextAttempt"><see langword="null"/>: it does not wait for a time.</param>
/// <param name="LastCode">0: never tried.</param>
public sealed record MessageDetails(Envelope Envelope, StoredMessage Stored, string Domain, string Place, int Retries, int LastCode, DateTimeOffset? NextAttempt);
