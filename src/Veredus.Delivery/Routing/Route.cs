using System.Collections.Immutable;
using System.Net;
using Veredus.Delivery.Dns;
using Veredus.Smtp;

namespace Veredus.Delivery;

public enum RouteLookup { Address, Mx }

/// <summary>One element of <c>routes</c>.</summary>
/// <param name="Host">Name, IP address or bracketed literal; <c>__mx__</c> stands for the DNS result of the domain itself.</param>
/// <param name="Preference"><see langword="null"/>: the place in the list decides.</param>
public sealed record RouteEntry(string Host, int? Preference = null, uint? TtlSeconds = null, int? Port = null, RouteLookup Lookup = RouteLookup.Address)
{
    public const string MxPlaceholder = "__mx__";
}

/// <summary>One host that mail may be handed to.</summary>
/// <param name="Rank">Order of trying: lower first, equal ones share the load.</param>
/// <param name="Preference">As the DNS or the configuration says it, for display.</param>
/// <param name="Port"><see langword="null"/>: the binding's port.</param>
public sealed record RouteHost(long Rank, int Preference, string Name, int? Port, uint TtlSeconds, ImmutableArray<IPAddress> Addresses);

/// <summary>Why a domain has no route.</summary>
/// <param name="IsDns">The DNS could not be asked: counts towards <c>dns_failures_to_purge</c>.</param>
/// <param name="DsnStatus">Enhanced status for the DSN where it differs from the reply's; else none.</param>
public sealed record RouteFailure(SmtpReply Reply, bool IsDns = false, EnhancedStatus DsnStatus = default);

/// <summary>Where the mail of one routing domain goes. Hosts are in order of trying.</summary>
public sealed record Route(string Domain, ImmutableArray<RouteHost> Hosts, uint TtlSeconds, RouteFailure? Failure = null)
{
    public static Route Failed(string domain, RouteFailure failure, uint ttlSeconds) => new(domain, [], ttlSeconds, failure);
}

/// <summary>All that a route depends on besides the DNS.</summary>
/// <param name="Domain">Routing domain: name, <c>name:port</c>, IP address or literal.</param>
/// <param name="Port">Port that mail is sent to where the route says none; for the loop guard.</param>
/// <param name="MxFailureMeansNone">The MX lookup failed so often that the address is used (<c>mx_failures_fallback_to_a</c>).</param>
public sealed record RouteRequest(string Domain, EquatableArray<RouteEntry> Entries, NodePolicy Node, int Port, bool MxFailureMeansNone = false);

/// <summary>Either a finished route, or the questions to be answered before it can be told.</summary>
public readonly record struct RoutePlan(Route? Route, ImmutableArray<DnsQuestion> Missing);
