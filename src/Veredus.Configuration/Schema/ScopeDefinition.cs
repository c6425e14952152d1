using static Veredus.Configuration.ScopeKinds;

namespace Veredus.Configuration;

/// <summary>One kind of scope: its name, where it may stand, and whether it is named.</summary>
/// <param name="Name">In lower case.</param>
/// <param name="Parents">Kinds of scopes it may stand in.</param>
/// <param name="InstanceKind"><see cref="InstanceKind.None"/> for singletons.</param>
/// <param name="InstanceOptional">Whether the instance may be left out (modules).</param>
internal sealed record ScopeDefinition(string Name, ScopeKinds Kind, ScopeKinds Parents, InstanceKind InstanceKind, bool InstanceOptional, OptionStatus Status, string Summary)
{
    private const ScopeKinds AnyListener = ScopeKinds.AnyListener;

    public string DisplayName => Names.Display(Name);
    public bool TakesInstance => InstanceKind != InstanceKind.None;

    public static readonly ScopeDefinition Root = new("", Global, None, InstanceKind.None, false, OptionStatus.Active, "Everything at top level.");

    public static readonly IReadOnlyList<ScopeDefinition> All =
    [
        Plain("esmtp_listener", EsmtpListener, "SMTP reception."),
        Plain("control_listener", ControlListener, "The console."),
        Plain("http_listener", HttpListener, "Metrics and health over HTTP."),
        Plain("eccluster_listener", EcClusterListener, "Connections between nodes."),
        Plain("msgcserver_listener", MsgcListener, "The reference system's bus.", OptionStatus.ClusterNotYet),
        Named("listen", Listen, AnyListener, InstanceKind.Endpoint, "One socket."),
        Named("peer", Peer, AnyListener | Listen, InstanceKind.Network, "Settings for clients of a network."),
        Named("pathway_group", PathwayGroup, Global, InstanceKind.Free, "Pathways with common settings."),
        Named("pathway", Pathway, Global | PathwayGroup, InstanceKind.Free, "Inbound settings attached by the option pathway."),
        Named("binding_group", BindingGroup, Global, InstanceKind.BindingGroup, "Bindings with common settings."),
        Named("binding", Binding, Global | BindingGroup, InstanceKind.Binding, "A source of outbound connections."),
        Named("domain", Domain, Global | BindingGroup | Binding, InstanceKind.Domain, "Settings for a destination domain."),
        Named("host", Host, Global | BindingGroup | Binding, InstanceKind.Host, "Limits for an MX host."),
        Named("binding_rule", ScopeKinds.BindingRule, Global, InstanceKind.Free, "Which binding a message belongs to."),
        Plain("security", Security, "User, group, capabilities."),
        Plain("debug_flags", DebugFlags, "Which subsystems speak at which level."),
        Plain("authorization", Authorization, "Who may give which console commands."),
        Named("role", Role, Authorization, InstanceKind.Free, "Console commands of one role or user."),
        Named("threadpool", ScopeKinds.ThreadPool, Global, InstanceKind.Free, "Worker pools.", OptionStatus.NotYet),
        Module("ec_logger", EcLogger, "The native logs."),
        Module("bounce_logger", BounceLogger, "The bounce log."),
        Module("custom_bounce_logger", CustomBounceLogger, "A bounce log with an own last field.", OptionStatus.NotYet),
        Module("custom_logger", CustomLogger, "Logs in own formats."),
        Module("http_logger", HttpLogger, "The HTTP log.", OptionStatus.NotYet),
        Plain("mail_loop", MailLoop, "Loop detection."),
        Plain("static_routes", StaticRoutes, "All traffic to one place.", OptionStatus.NotYet),
        Plain("compress_spool", CompressSpool, "Compressed bodies in the spool.", OptionStatus.NotYet),
        Plain("cluster", Cluster, "Membership in a cluster."),
        Named("topology", Topology, Cluster, InstanceKind.Network, "Interface of a block of virtual addresses."),
        Named("replicate", Replicate, Cluster, InstanceKind.Free, "One replicated object.", OptionStatus.ClusterNotYet),
        Plain("msgc_server", MsgcServer, "Members of the bus."),
        Plain("msgc_client", MsgcClient, "Access to the bus.", OptionStatus.ClusterNotYet),
        Plain("logs", Logs, "Aggregated logs of a manager, and its control cache."),
        Named("manager", LogsManager, ScopeKinds.Logs, InstanceKind.Free, "Settings of one manager."),
        Named("node", LogsNode, ScopeKinds.Logs | LogsManager, InstanceKind.Free, "Subscribers for one node."),
        Plain("as_logger", AsLogger, "Audit series on disk.", OptionStatus.ClusterNotYet),
        Plain("inbound_audit", InboundAudit, "Counts of inbound events.", OptionStatus.ClusterNotYet),
        .. IgnoredScopes(),
    ];

    private static ScopeDefinition Plain(string name, ScopeKinds kind, string summary, OptionStatus status = OptionStatus.Active) =>
        new(name, kind, Global, InstanceKind.None, false, status, summary);

    private static ScopeDefinition Named(string name, ScopeKinds kind, ScopeKinds parents, InstanceKind instance, string summary, OptionStatus status = OptionStatus.Active) =>
        new(name, kind, parents, instance, false, status, summary);

    private static ScopeDefinition Module(string name, ScopeKinds kind, string summary, OptionStatus status = OptionStatus.Active) =>
        new(name, kind, Global, InstanceKind.Free, true, status, summary);

    /// <summary>What the reference system has and Veredus does without (configuration.md section 13, OMIT).</summary>
    private static IEnumerable<ScopeDefinition> IgnoredScopes() =>
        ((string[])["ecstream_listener", "xmpp_listener", "eventloop", "snmp", "suppress_spool", "mxip", "ipv6_lookup", "dnsbuf", "script", "scriptlet", "adaptive"])
        .Select(name => new ScopeDefinition(name, Ignored, Global | Ignored, InstanceKind.Free, true, OptionStatus.Ignored, "Not part of Veredus."));
}
