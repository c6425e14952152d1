using System.Numerics;

namespace Veredus.Configuration;

/// <summary>Kinds of scopes; a scope has exactly one, an option may be set in several.</summary>
[Flags]
public enum ScopeKinds : ulong
{
    None = 0,
    Global = 1UL << 0,
    BindingGroup = 1UL << 1,
    Binding = 1UL << 2,
    Domain = 1UL << 3,
    Host = 1UL << 4,
    EsmtpListener = 1UL << 5,
    ControlListener = 1UL << 6,
    HttpListener = 1UL << 7,
    EcClusterListener = 1UL << 8,
    MsgcListener = 1UL << 9,
    Listen = 1UL << 10,
    Peer = 1UL << 11,
    Pathway = 1UL << 12,
    PathwayGroup = 1UL << 13,
    Security = 1UL << 14,
    DebugFlags = 1UL << 15,
    Authorization = 1UL << 16,
    Role = 1UL << 17,
    ThreadPool = 1UL << 18,
    BindingRule = 1UL << 19,
    EcLogger = 1UL << 20,
    BounceLogger = 1UL << 21,
    CustomBounceLogger = 1UL << 22,
    CustomLogger = 1UL << 23,
    HttpLogger = 1UL << 24,
    MailLoop = 1UL << 25,
    StaticRoutes = 1UL << 26,
    CompressSpool = 1UL << 27,
    Cluster = 1UL << 28,
    Topology = 1UL << 29,
    Replicate = 1UL << 30,
    MsgcServer = 1UL << 31,
    MsgcClient = 1UL << 32,
    Logs = 1UL << 33,
    LogsManager = 1UL << 34,
    LogsNode = 1UL << 35,
    AsLogger = 1UL << 36,
    InboundAudit = 1UL << 37,
    /// <summary>Accepted and not read: parts of the reference system that Veredus doesn't have.</summary>
    Ignored = 1UL << 38,

    /// <summary>Where options for sending may stand.</summary>
    Sending = Global | BindingGroup | Binding | Domain,
    /// <summary>Where options for SMTP reception may stand.</summary>
    Inbound = EsmtpListener | Listen | Peer | Pathway | PathwayGroup,
    AnyListener = EsmtpListener | ControlListener | HttpListener | EcClusterListener | MsgcListener,
    AnyModule = EcLogger | BounceLogger | CustomBounceLogger | CustomLogger | HttpLogger | MailLoop | StaticRoutes | CompressSpool
        | Cluster | MsgcServer | MsgcClient | AsLogger | InboundAudit,
}

internal static class ScopeKindsExtensions
{
    public static bool Includes(this ScopeKinds kinds, ScopeKinds one) => (kinds & one) != 0;

    public static IEnumerable<ScopeKinds> Each(this ScopeKinds kinds)
    {
        for (var rest = (ulong)kinds; rest != 0; rest &= rest - 1)
            yield return (ScopeKinds)(1UL << BitOperations.TrailingZeroCount(rest));
    }
}
