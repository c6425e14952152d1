namespace Veredus.Configuration;

public static partial class Options
{
    private static readonly OptionSection Routing = new(6, "Bindings and routing");

    public static readonly Option<HostAddress> BindAddress = Routing.Address("bind_address", B | BG | G, "Source address of outbound connections.");
    public static readonly Option<HostAddress> BindAddressSecondary = Routing.Address("bind_address_secondary", B, "Second source address, of the other family.");
    public static readonly Option<string> EhloHostname = Routing.TextOr("ehlo_hostname", SND, "__hostname__", "EHLO name; __hostname__ = this host, __message__ = the sender's domain.");
    public static readonly Option<DefaultBindingMode> DefaultBinding = Routing.Word("default_binding", G, "Mail that ends on the default binding: queued, queued but not sent, or refused with 451.", Active,
        ("normal", DefaultBindingMode.Normal), ("suspended", DefaultBindingMode.Suspended), ("none", DefaultBindingMode.None));
    public static readonly Option<bool> BindingAutoReplumb = Routing.Bool("binding_auto_replumb", G, false, "Adds a static address again that vanished from its interface.", NotYet);
    public static readonly Option<TimeSpan> BindingAutoReplumbInterval = Routing.Seconds("binding_auto_replumb_interval", G, 60, "How often binding_auto_replumb looks.", 1, NotYet);
    public static readonly Option<bool> SuspendDelivery = Routing.Bool("suspend_delivery", SND, false, "No delivery attempts; a group prefers its other bindings.");
    public static readonly Option<string?> Gateway = Routing.HostName("gateway", SND, "Smart host; becomes the routing domain. IPv6 in brackets.");
    public static readonly Option<IReadOnlyList<Route>> Routes = Routing.Other<IReadOnlyList<Route>>("routes", D | G, "route list", "( )", [],
        Readers.List<IReadOnlyList<Route>, Route>("a list of hosts, __mx__ or smtp://host?pref=P&ttl=T&port=O&type=mx|a", Route.TryParse, items => items), "Ordered next hops; the queue stays under the domain.");
    public static readonly Option<DeliveryMethod> Delivery = Routing.Word("delivery_method", SND, "Protocol to the next hop.", Active,
        ("esmtp", DeliveryMethod.Esmtp), ("smtp", DeliveryMethod.Smtp), ("lmtp", DeliveryMethod.Lmtp));
    public static readonly Option<int> RemoteSmtpPort = Routing.Int("remote_smtp_port", SND, 25, "Port of the next hop.", min: 1, max: 65535);
    public static readonly Option<int> LmtpPort = Routing.Int("lmtp_port", SND, 2003, "Port of the next hop with LMTP.", min: 1, max: 65535);
    public static readonly Option<CidrList> ProhibitedHosts = Routing.Networks("prohibited_hosts", G, "A destination address inside fails the message for good.");
    public static readonly Option<CidrList> SkipHosts = Routing.Networks("skip_hosts", G, "Destination addresses that are left out; others of the domain are tried.");
    public static readonly Option<BlackholeMode> Blackhole = Routing.Word("blackhole", SND, "inline (or true): reject at RCPT; internal: accept, drop and log a failure.", Active,
        ("false", BlackholeMode.No), ("no", BlackholeMode.No), ("off", BlackholeMode.No), ("0", BlackholeMode.No), ("disabled", BlackholeMode.No),
        ("true", BlackholeMode.Inline), ("yes", BlackholeMode.Inline), ("on", BlackholeMode.Inline), ("1", BlackholeMode.Inline), ("enabled", BlackholeMode.Inline),
        ("inline", BlackholeMode.Inline), ("internal", BlackholeMode.Internal));
    public static readonly Option<XClientPolicy> XClient = Routing.Word("xclient", SND, "Sends the original client's data (XCLIENT).", NotYet,
        ("no", XClientPolicy.No), ("ifavailable", XClientPolicy.IfAvailable), ("required", XClientPolicy.Required));
    public static readonly Option<EightBitPolicy> Send8bitmime = Routing.Word("send_8bitmime", SND, "Adds BODY=8BITMIME where the next hop knows it.", Active,
        ("ifavailable", EightBitPolicy.IfAvailable), ("no", EightBitPolicy.No));
    public static readonly Option<EightBitTransform> Transform8bitmimeContent = Routing.Word("transform_8bitmime_content", SND, "Conversion when the next hop lacks 8BITMIME.", OptionStatus.DefaultOnly,
        ("no", EightBitTransform.No), ("strict", EightBitTransform.Strict), ("ifneeded", EightBitTransform.Strict));
    public static readonly Option<bool> UseIpv6 = Routing.Bool("use_ipv6", G, false, "Uses AAAA records for outbound connections; unset = where a binding has an IPv6 source.");
    public static readonly Option<bool> OnlyUseBestMxForRelayDomains = Routing.Bool("only_use_best_mx_for_relay_domains", G, true, "For domains in relay_domains only the most preferred MX.", NotYet);
    public static readonly Option<bool> FullyResolveBeforeSmtp = Routing.Bool("fully_resolve_before_smtp", SND, true, "Waits for all addresses of the MX hosts before connecting.", OptionStatus.DefaultOnly);
    public static readonly Option<SmtpAuthType> OutboundSmtpAuthType = Routing.Word("outbound_smtp_auth_type", SND, "Authenticates to the next hop.", NotYet,
        ("", SmtpAuthType.None), ("plain", SmtpAuthType.Plain), ("login", SmtpAuthType.Login));
    public static readonly Option<string?> OutboundSmtpAuthUser = Routing.Text("outbound_smtp_auth_user", SND, "User for outbound_smtp_auth_type.", NotYet);
    public static readonly Option<string?> OutboundSmtpAuthPass = Routing.Text("outbound_smtp_auth_pass", SND, "Password for outbound_smtp_auth_type.", NotYet, secret: true);
    public static readonly Option<string?> OutboundSmtpAuthKey = Routing.Text("outbound_smtp_auth_key", SND, "Key for outbound_smtp_auth_type.", NotYet, secret: true);
    public static readonly Option<Pattern?> ResponseTranscodePattern = Routing.Regex("response_transcode_pattern", SND, "Which 4xx and 5xx replies are rewritten before they are judged.", NotYet);
    public static readonly Option<string?> ResponseTranscodeReplace = Routing.Text("response_transcode_replace", SND, "Text for response_transcode_pattern.", NotYet);

    public static readonly Option<int> MailLoopMaxReceivedHeaders = Routing.Int("max_received_headers", ScopeKinds.MailLoop, 100, "More Received headers than this mean a loop.", min: 1, max: 10_000);
    public static readonly Option<CidrList> MailLoopUseIp = Routing.Networks("use_ip", ScopeKinds.MailLoop, "Own addresses; one of them as the client means a loop.", NotYet);
    public static readonly Option<int> MailLoopCode = Routing.Int("code", ScopeKinds.MailLoop, 554, "Reply to a loop; 250 only sets context.", min: 250, max: 599);
    public static readonly Option<string?> StaticRoutesTarget = Routing.Text("target", ScopeKinds.StaticRoutes, "All traffic goes to this ip:port.", NotYet, type: "endpoint");

    private static readonly OptionSection Shaping = new(7, "Connection limits, throttles, shaping");

    public static readonly Option<int> MaxOutboundConnections = Shaping.Limit("max_outbound_connections", SND | H, 32, "Connections for each binding and domain; in a host stanza per MX host (default there: no limit).");
    public static readonly Option<int> ScopeMaxOutboundConnections = Shaping.Limit("scope_max_outbound_connections", SND | H, -1, "Connections shared by the whole scope; -1 = off.");
    public static readonly Option<int> ServerMaxOutboundConnections = Shaping.Int("server_max_outbound_connections", B | BG | G, 20000, "Connections of this node; in a binding or group the total of that.");
    public static readonly Option<int> ServerReserveOutboundConnections = Shaping.Int("server_reserve_outbound_connections", G, 0, "Connections above the total for queues that got none.", status: NotYet);
    public static readonly Option<TimeSpan> ReserveMaintenanceInterval = Shaping.Seconds("reserve_maintenance_interval", G, 15, "How often the reserve is handed out.", 1, NotYet);
    public static readonly Option<int> MaxDeliveriesPerConnection = Shaping.Int("max_deliveries_per_connection", SND, 0, "Messages per connection, then QUIT; 0 = no limit.");
    public static readonly Option<int> MaxRecipientsPerBatch = Shaping.Int("max_recipients_per_batch", SND, 100, "RCPT commands per transaction of a message.", min: 1);
    public static readonly Option<Rate> OutboundThrottleConnections = Shaping.Rate("outbound_throttle_connections", SND, "New connections per time; one counter for the scope where it is written.");
    public static readonly Option<Rate> OutboundThrottleMessages = Shaping.Rate("outbound_throttle_messages", SND, "Messages per time; one counter for the scope where it is written.");
    public static readonly Option<ConnectionGrowth> ConnectionAllocationAggressiveness = Shaping.Word("connection_allocation_aggressiveness", SND, "Slow or fast growth up to the limit.", Active,
        ("normal", ConnectionGrowth.Normal), ("high", ConnectionGrowth.High));
    public static readonly Option<bool> MigrateConnectionsBetweenSiblingDomains = Shaping.Bool("migrate_connections_between_sibling_domains", G, true, "An idle connection may serve another domain on the same MX.", NotYet);
    public static readonly Option<TimeSpan> IdleTimeout = Shaping.Seconds("idle_timeout", SND, 5, "How long an idle outbound session is kept.");
    public static readonly Option<TimeSpan> HostFailureRetry = Shaping.Seconds("host_failure_retry", D | G, 120, "How long a failed address is left alone.");
    public static readonly Option<int> MxFailuresToDelay = Shaping.Int("mx_failures_to_delay", D | G, 50, "Failures of every MX in a row before the active queue is delayed; 0 = never.");
    public static readonly Option<TimeSpan> ConnectTimeoutToDelay = Shaping.Seconds("connect_timeout_to_delay", SND, 900, "Time without any contact before the active queue is delayed.");
    public static readonly Option<TimeSpan> AddressMetricsLifetime = Shaping.Seconds("address_metrics_lifetime", G, 1800, "Memory of each address's speed and failures.", status: NotYet);
    public static readonly Option<TimeSpan> AddressMetricsCleanseInterval = Shaping.Seconds("address_metrics_cleanse_interval", G, 3600, "How often that memory is cleaned.", status: NotYet);
    public static readonly Option<int> ServerMaxFileDescriptors = Shaping.Int("server_max_file_descriptors", G, 3_000_000, "Open files to ask the system for; at least 4 times server_max_outbound_connections.", min: 1024, max: 1_000_000_000);

    public static readonly Option<int> ClusterMaxOutboundConnections = Shaping.Limit("cluster_max_outbound_connections", B | D | G | H, -1, "Connections of the whole cluster for a domain, binding or MX host.", InCluster);
    public static readonly Option<int> ClusterServerMaxOutboundConnections = Shaping.Limit("cluster_server_max_outbound_connections", B | BG | G, -1, "All connections of the cluster, or of a binding.", InCluster);
    public static readonly Option<int> ClusterScopeMaxOutboundConnections = Shaping.Limit("cluster_scope_max_outbound_connections", SND | H, -1, "Connections of the whole cluster shared by the scope.", InCluster);
    public static readonly Option<Rate> ClusterOutboundThrottleConnections = Shaping.Rate("cluster_outbound_throttle_connections", G | D | BG, "New connections of the whole cluster per time.", InCluster);
    public static readonly Option<Rate> ClusterOutboundThrottleMessages = Shaping.Rate("cluster_outbound_throttle_messages", G | D | BG, "Messages of the whole cluster per time.", InCluster);

    private static readonly OptionSection Assignment = new(8, "Binding assignment");

    public static readonly Option<string?> AssignBinding = Assignment.Name("assign_binding", IN, "Binding for mail received here.");
    public static readonly Option<string?> AssignBindingGroup = Assignment.Name("assign_binding_group", IN, "A member of this group for mail received here.");
    public static readonly Option<string?> BindingHeader = Assignment.Name("binding_header", IN, "Header that names a binding or group:NAME; removed from the message.");
    public static readonly Option<BindingHeaderTrust> BindingHeaderFrom = Assignment.Word("binding_header_from", IN, "Whose header is trusted: sessions that may relay, or any.", Active,
        ("relay", BindingHeaderTrust.Relay), ("any", BindingHeaderTrust.Any));
    public static readonly Option<int> RuleOrder = Assignment.Int("order", ScopeKinds.BindingRule, 100, "Rules are tried in ascending order.", min: int.MinValue);
    public static readonly Option<IReadOnlyList<string>> RuleSender = Assignment.List("sender", ScopeKinds.BindingRule, "Globs or /regex/ for the sender's address.");
    public static readonly Option<IReadOnlyList<string>> RuleRecipientDomain = Assignment.List("recipient_domain", ScopeKinds.BindingRule, "Globs or /regex/ for the recipient's domain.");
    public static readonly Option<IReadOnlyList<string>> RuleAuthUser = Assignment.List("auth_user", ScopeKinds.BindingRule, "Authenticated users.");
    public static readonly Option<CidrList> RulePeer = Assignment.Networks("peer", ScopeKinds.BindingRule, "Client addresses.");
    public static readonly Option<ValueDictionary> RuleHeader = Assignment.Dictionary("header", ScopeKinds.BindingRule, "[ Name = \"regex\" ]; all must match.");
    public static readonly Option<ValueDictionary> RuleContext = Assignment.Dictionary("context", ScopeKinds.BindingRule, "[ key = \"regex\" ]; all must match.");
    public static readonly Option<string?> RuleBinding = Assignment.Name("binding", ScopeKinds.BindingRule, "The binding to take.");
    public static readonly Option<string?> RuleBindingGroup = Assignment.Name("binding_group", ScopeKinds.BindingRule, "The group to choose from.");

#pragma warning disable CA1823, IDE0052 // registers rows
    private static readonly bool RoutingRowsIgnored = IgnoreRows(() =>
    {
        Routing.Ignore(SND, "Only e-mail is delivered.", "ecstream_*", "http_method", "http_uri", "http_host", "http_version", "http_basic_auth", "delivery_response_timeout", "apn_*", "gcm_*", "mm7_*", "xmpp_*", "smpp*");
        Shaping.Ignore(G, "Batches are compared by the hash of the body.", "expensive_batch_assessment");
        Shaping.Ignore(G, "There are no script throttles.", "siv_throttle_cache_size");
    });
}
