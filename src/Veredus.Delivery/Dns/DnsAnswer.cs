using System.Collections.Immutable;
using System.Net;

namespace Veredus.Delivery.Dns;

/// <summary>Record types that delivery asks for, with their numbers on the wire (RFC 1035 §3.2.2, RFC 3596).</summary>
public enum DnsType : ushort
{
    A = 1,
    Cname = 5,
    Ptr = 12,
    Mx = 15,
    Txt = 16,
    Aaaa = 28,
}

/// <summary>How a lookup ended. Everything a server or the network can do is one of these; none is an exception.</summary>
public enum DnsStatus
{
    /// <summary>At least one record of the type asked for.</summary>
    Ok,

    /// <summary>The name exists and has no such record. Definite.</summary>
    NoData,

    /// <summary>The name does not exist. Definite.</summary>
    NxDomain,

    /// <summary>SERVFAIL, REFUSED, no server reachable, or data that cannot be read.</summary>
    ServFail,

    /// <summary>DNSSEC validation failed. Treated as temporary: a domain with broken signatures is repaired, not gone.</summary>
    Bogus,

    /// <summary>No answer within the resolver's own limit.</summary>
    Timeout,
}

/// <summary>One question; names are lower case without a trailing dot.</summary>
public readonly record struct DnsQuestion(string Name, DnsType Type)
{
    public override string ToString() => $"{Name} {Type.ToString().ToUpperInvariant()}";
}

/// <summary>One MX record. A null MX (RFC 7505) has the host name <c>""</c>.</summary>
/// <param name="Host">Lower case, no trailing dot; empty for the root.</param>
public readonly record struct MxRecord(ushort Preference, string Host);

/// <summary>The answer to one question. CNAMEs were followed; <see cref="CanonicalName"/> says where they led.</summary>
/// <param name="TtlSeconds">How long the answer may be used; for negative answers the negative TTL (RFC 2308).</param>
/// <param name="IsSecure">Validated with DNSSEC.</param>
/// <param name="Detail">For people: why it failed; empty otherwise.</param>
public sealed record DnsAnswer(
    DnsStatus Status,
    uint TtlSeconds,
    ImmutableArray<IPAddress> Addresses,
    ImmutableArray<MxRecord> Mx,
    ImmutableArray<string> Names,
    string CanonicalName = "",
    bool IsSecure = false,
    string Detail = "")
{
    /// <summary>The same question may have another answer soon: never a reason to fail a message at once.</summary>
    public bool IsTemporary => Status is DnsStatus.ServFail or DnsStatus.Bogus or DnsStatus.Timeout;

    public static DnsAnswer Failed(DnsStatus status, string detail = "", uint ttlSeconds = 0) => new(status, ttlSeconds, [], [], [], Detail: detail);

    public static DnsAnswer OfAddresses(uint ttlSeconds, params ReadOnlySpan<IPAddress> addresses) => new(DnsStatus.Ok, ttlSeconds, [.. addresses], [], []);

    public static DnsAnswer OfMx(uint ttlSeconds, params ReadOnlySpan<MxRecord> records) => new(DnsStatus.Ok, ttlSeconds, [], [.. records], []);
}

/// <summary>Answers DNS questions. Safe for use from any thread.</summary>
public interface IDnsResolver
{
    /// <summary>Asks. Failures of servers and networks come back as <see cref="DnsAnswer.Status"/>; only cancellation throws.</summary>
    ValueTask<DnsAnswer> ResolveAsync(DnsQuestion question, CancellationToken cancellationToken);
}
