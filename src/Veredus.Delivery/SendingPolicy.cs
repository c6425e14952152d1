using System.Net;
using System.Security.Authentication;
using Veredus.Smtp;

namespace Veredus.Delivery;

public enum TlsUse { No, IfAvailable, Required }

public enum OriginalInDsn { None, Headers, All }

public enum Growth { Normal, High }

/// <summary>A limit or throttle that belongs to the scope where it is written: whoever resolves to that scope shares it (<c>configuration.md</c> 6.4).</summary>
/// <param name="Scope">Identity of the scope; equal for everybody who shares.</param>
public readonly record struct ScopedLimit(string Scope, int Max);

/// <param name="Scope">Identity of the scope; equal for everybody who shares.</param>
/// <param name="Count">Events per <paramref name="Seconds"/>, at least 1.</param>
public readonly record struct ScopedRate(string Scope, int Count, int Seconds);

/// <summary>TLS towards the next hop (<c>configuration.md</c> 13.5).</summary>
/// <param name="CaFile">Trust store; empty: the system's.</param>
/// <param name="CertificateFile">Client certificate; empty: none.</param>
public sealed record TlsPolicy(
    TlsUse Use = TlsUse.No,
    bool Fallback = true,
    TlsVerify Verify = TlsVerify.None,
    string CaFile = "",
    string CertificateFile = "",
    string KeyFile = "",
    SslProtocols Protocols = SslProtocols.Tls12 | SslProtocols.Tls13)
{
    public static TlsPolicy Default { get; } = new();
}

/// <summary>All options of one (group, binding, routing domain) that delivery uses, resolved.</summary>
/// <remarks>Names, meanings and defaults are those of <c>configuration.md</c> 13.6–13.9. 0 means "no limit" where that table says so.</remarks>
public sealed record SendingPolicy
{
    public static SendingPolicy Default { get; } = new();

    public bool Suspended { get; init; }

    /// <summary>Accept and drop, logged as failure.</summary>
    public bool Blackhole { get; init; }

    /// <summary>Source addresses; <see langword="null"/> is the system's choice for that family, unless the other family is set.</summary>
    public IPAddress? BindAddress { get; init; }
    public IPAddress? BindAddressSecondary { get; init; }

    /// <summary>Name for EHLO, or <c>__message__</c>: the sender's domain. <c>__hostname__</c> is already replaced.</summary>
    public string EhloHostname { get; init; } = "localhost";
    public SmtpDialect Method { get; init; }
    public int SmtpPort { get; init; } = 25;
    public int LmtpPort { get; init; } = 2003;
    public bool Send8BitMime { get; init; } = true;
    public TlsPolicy Tls { get; init; } = TlsPolicy.Default;

    public int MaxConnections { get; init; } = 32;
    public Growth Growth { get; init; }

    /// <summary>Every limit shared with others: node, group, binding totals and <c>scope_max_outbound_connections</c> of each scope that sets it.</summary>
    public EquatableArray<ScopedLimit> SharedLimits { get; init; } = [];
    public ScopedRate? ConnectionRate { get; init; }
    public ScopedRate? MessageRate { get; init; }
    public int MaxDeliveriesPerConnection { get; init; }
    public int MaxRecipientsPerConnection { get; init; }
    public int MaxRecipientsPerBatch { get; init; } = 100;
    public int IdleSeconds { get; init; } = 5;
    public int HostFailureRetrySeconds { get; init; } = 120;
    public int MxFailuresToDelay { get; init; } = 50;
    public int ConnectTimeoutToDelaySeconds { get; init; } = 900;

    public int ConnectTimeoutSeconds { get; init; } = 300;
    public int EhloTimeoutSeconds { get; init; } = 300;
    public int MailFromTimeoutSeconds { get; init; } = 300;
    public int RcptToTimeoutSeconds { get; init; } = 300;
    public int BodyTimeoutSeconds { get; init; } = 600;
    public int RsetTimeoutSeconds { get; init; } = 30;

    public RetryPolicy Retry { get; init; } = RetryPolicy.Default;
    public int DnsFailuresToPurge { get; init; } = 10;
    public int MxFailuresFallbackToA { get; init; }

    /// <summary>Active messages of a queue whose envelope stays in memory; −1 no limit.</summary>
    public int MaxResidentActive { get; init; } = 250;

    public bool GenerateBounces { get; init; } = true;
    public OriginalInDsn BounceOriginal { get; init; } = OriginalInDsn.Headers;
    public string MailerDaemon { get; init; } = "";
    public string DoubleBounceTo { get; init; } = "";

    /// <summary>Port of the chosen protocol.</summary>
    public int Port => Method is SmtpDialect.Lmtp ? LmtpPort : SmtpPort;
}

/// <summary>When a message is tried again (<c>mta.md</c> 5).</summary>
/// <param name="MaxRetries">−1: only expiry ends it (<c>none</c> and <c>auto</c>).</param>
public sealed record RetryPolicy(
    int IntervalSeconds = 1200,
    int MaxIntervalSeconds = 43200,
    int MaxRetries = -1,
    int ExpirationSeconds = 86400,
    bool NeverRetry = false,
    bool NeverAttemptExpired = false)
{
    public static RetryPolicy Default { get; } = new();
}

/// <summary>Options that hold for the whole node.</summary>
/// <param name="Hostname">Own name: Reporting-MTA, Message-ID, loop guard.</param>
public sealed record NodePolicy(string Hostname)
{
    public EquatableArray<IPNetwork> ProhibitedHosts { get; init; } = [];
    public EquatableArray<IPNetwork> SkipHosts { get; init; } = [];
    /// <summary>Where this node listens for SMTP; an MX entry that leads there is this node.</summary>
    public EquatableArray<IPEndPoint> OwnEndpoints { get; init; } = [];
    public bool UseIpv6 { get; init; }

    /// <summary>Envelopes kept in memory for active messages, node-wide; 0 = no limit.</summary>
    public int MaxResidentMessages { get; init; } = 32768;
}

/// <summary>Limits of one MX host (<c>configuration.md</c> 6.2); −1: none.</summary>
/// <param name="Shared"><c>scope_max_outbound_connections</c> of each host scope that sets it.</param>
public sealed record HostPolicy(int MaxConnections, EquatableArray<ScopedLimit> Shared);

/// <summary>Where delivery gets its options from. Answers must be cheap and must not block; called under the scheduler's lock.</summary>
public interface IPolicySource
{
    /// <summary>Another number whenever answers may differ from earlier ones.</summary>
    long Version { get; }
    NodePolicy Node { get; }

    /// <returns>The same object for places with the same options: there may be a queue for each of a million domains.</returns>
    SendingPolicy Sending(string group, string binding, string domain);

    /// <summary><see langword="null"/>: nothing is set for this host.</summary>
    HostPolicy? Host(string group, string binding, string host);

    /// <summary>The <c>routes</c> of a domain; empty: ask the DNS.</summary>
    EquatableArray<RouteEntry> Routes(string domain);

    /// <summary>Whether <c>gateway</c> is set anywhere.</summary>
    bool HasGateways { get; }

    /// <summary>The <c>gateway</c> for mail to this recipient domain; empty: none.</summary>
    string Gateway(string group, string binding, string recipientDomain);
}
