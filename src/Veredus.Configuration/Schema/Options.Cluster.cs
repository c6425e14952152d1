using static Veredus.Configuration.ScopeKinds;

namespace Veredus.Configuration;

public static partial class Options
{
    private static readonly OptionSection Membership = new(13, "Cluster");

    public static readonly Option<string> ClusterGroup = Membership.TextOr("cluster_group", Cluster, "ec_cluster", "Bus group for membership, addresses and replication.", Active, nonDynamic: true);
    public static readonly Option<string> ControlGroup = Membership.TextOr("control_group", Cluster, "ec_console", "Bus group of all nodes and managers: commands, and who is there.", nonDynamic: true);
    public static readonly Option<string?> LogGroup = Membership.Text("log_group", Cluster, "Bus group that gets every line of the panic log.", InCluster);
    public static readonly Option<string> ClusterName = Membership.TextOr("cluster_name", Cluster, "veredus", "Name of the cluster: in the bus' configuration and in what the tools say.");
    public static readonly Option<string> ClusterDirectory = Membership.TextOr("cluster_directory", Cluster, "/etc/veredus/cluster", "Keys and certificates of the cluster, and the bus' configuration.", type: "dir");
    public static readonly Option<string?> EventLog = Membership.Text("event_log", Cluster, "File of the last events (placements, members, operators); unset = events.jsonl beside the panic log.", Active, type: "path");
    public static readonly Option<string?> Nodename = Membership.Name("nodename", Cluster, "Name of this node; unset = VEREDUS_NODE_NAME, else the short host name.");
    public static readonly Option<string?> Nodeaddr = Membership.HostName("nodeaddr", Cluster, "Address of this node in the cluster network.");
    public static readonly Option<bool> VerifyPeers = Membership.Bool("verify_peers", Cluster, true, "Only addresses of members may use the ECCluster listener.", nonDynamic: true);
    public static readonly Option<bool> EcClusterTls = Membership.Bool("eccluster_tls", Cluster, false, "Mutual TLS between nodes with the cluster's own authority.", InCluster);
    public static readonly Option<DelegatedAuthorization> DelegatedAuthorizationMode = Membership.Word("delegated_authorization", Cluster, "Whether commands of managers are checked again on the node.", Active,
        ("", DelegatedAuthorization.Auto), ("trust", DelegatedAuthorization.Trust), ("check", DelegatedAuthorization.Check));
    public static readonly Option<ValueDictionary> PublishedLogs = Membership.Dictionary("logs", Cluster, "Journals offered to managers: [ mainlog = \"/path\" ... ].");
    public static readonly Option<TimeSpan> LogActiveInterval = Membership.Seconds("log_active_interval", Cluster, 1, "Pause before the next send once a manager has everything.");
    public static readonly Option<TimeSpan> LogIdleInterval = Membership.Seconds("log_idle_interval", Cluster, 10, "Pause before looking again when there was nothing new.");
    public static readonly Option<TimeSpan> HeartbeatStartDelay = Membership.Seconds("heartbeat_start_delay", Cluster, 15, "Time after the start before members are suspected.");
    public static readonly Option<double> HeartbeatsPerSec = Membership.Number("heartbeats_per_sec", Cluster, 1, "Heartbeats through the bus.", 0.01, 100);
    public static readonly Option<long> ClusterTcpBufferSize = Membership.Bytes("tcp_buffer_size", Cluster, 32768, "Socket buffer for message moves.", InCluster);

    private static readonly OptionSection Duravip = new(14, "DuraVIP");

    public static readonly Option<bool> ArpAllHosts = Duravip.Bool("arp_all_hosts", Cluster, true, "Announces a new address to the whole segment.");
    public static readonly Option<int> DuravipBalanceSetSize = Duravip.Int("duravip_balance_set_size", Cluster, 1, "Moves that one balancing round may contain.", min: 1, max: 10240);
    public static readonly Option<TimeSpan> IfCheckInterval = Duravip.Seconds("if_check_interval", Cluster, 30, "Period of the interface check.", 1);
    public static readonly Option<TimeSpan> IfDownLimit = Duravip.Seconds("if_down_limit", Cluster, 4, "How long an address must be missing before it is plumbed again.");
    public static readonly Option<TimeSpan> ViewMatureTime = Duravip.Seconds("view_mature_time", Cluster, 5, "How long a view must be unchanged to count as mature.");
    public static readonly Option<TimeSpan> ViewBalanceInterval = Duravip.Seconds("view_balance_interval", Cluster, 10, "Period of balancing rounds.", 1);
    public static readonly Option<TimeSpan> ViewBroadcastInterval = Duravip.Seconds("view_broadcast_interval", Cluster, 0, "Period at which every node announces its view; 0 = off.");
    public static readonly Option<bool> UnconditionalRebind = Duravip.Bool("unconditional_rebind", Cluster, true, "Queued messages get their binding anew after a move.");
    public static readonly Option<TimeSpan> DuravipDrainTime = Duravip.Seconds("duravip_drain_time", Cluster, 2, "Time that sessions on a released address may take to finish.");
    public static readonly Option<TimeSpan> DuravipLease = Duravip.Seconds("duravip_lease", Cluster, 5, "Kernel lifetime of plumbed addresses; 0 = permanent.");
    public static readonly Option<bool> DuravipClaimGuard = Duravip.Bool("duravip_claim_guard", Cluster, false, "Waits until the leases of a member that vanished have run out.");
    public static readonly Option<PartitionPolicy> DuravipPartitionPolicy = Duravip.Word("duravip_partition_policy", Cluster, "Who owns addresses in a partition: every component, or only the majority.", Active,
        ("component", PartitionPolicy.Component), ("quorum", PartitionPolicy.Quorum));
    public static readonly Option<bool> DuravipProbe = Duravip.Bool("duravip_probe", Cluster, true, "Looks for a duplicate before an address is plumbed.");
    public static readonly Option<TimeSpan> DuravipGatherTimeout = Duravip.Seconds("duravip_gather_timeout", Cluster, 10, "Wait for a member's state before it is excluded.", 1);
    public static readonly Option<TimeSpan> DuravipSuspectTime = Duravip.Seconds("duravip_suspect_time", Cluster, 10, "Missing heartbeats before a member is suspected.", 1);
    public static readonly Option<TimeSpan> DuravipBrokenGrace = Duravip.Seconds("duravip_broken_grace", Cluster, 60, "How long an owned address tolerates a name mismatch.");
    public static readonly Option<double> DuravipWeight = Duravip.Number("duravip_weight", Cluster, 1, "Share of addresses that this node carries relative to others.", 0, 1000);
    public static readonly Option<string?> TopologyInterface = Duravip.Name("interface", Topology, "Linux interface for addresses of this block.");
    public static readonly Option<int> TopologyCidrmask = Duravip.Int("cidrmask", Topology, 32, "Prefix length of a plumbed address (128 for IPv6 unless set).", min: 0, max: 128);

    private static readonly OptionSection Replication = new(15, "Replication");

    public static readonly Option<string?> ReplicateType = Replication.Name("type", Replicate, "Replication type; unset = name of the stanza.", InCluster);
    public static readonly Option<string?> ReplicateClass = Replication.Name("class", Replicate, "Real type when the name is free.", InCluster);
    public static readonly Option<string?> ReplicateParameters = Replication.Text("parameters", Replicate, "List with ';' of what is replicated.", InCluster);
    public static readonly Option<string?> ReplicateBindingGroup = Replication.Name("binding_group", Replicate, "Restricts to one group.", InCluster);
    public static readonly Option<TimeSpan> ReplicateMaxDelay = Replication.Seconds("max_delay", Replicate, 1, "Longest buffering of updates.", status: InCluster);
    public static readonly Option<int> ReplicateMaxPending = Replication.Int("max_pending", Replicate, 100, "Buffered updates that force a send.", min: 1, status: InCluster);
    public static readonly Option<int> ReplicateMaxSize = Replication.Int("max_size", Replicate, -1, "Entries of a replicated cache; -1 = no limit.", min: -1, status: InCluster);
    public static readonly Option<ReplicationScope> ReplicateScope = Replication.Word("scope", Replicate, "Who takes part.", InCluster, ("cluster", ReplicationScope.Cluster), ("subcluster", ReplicationScope.Subcluster));

    private static readonly OptionSection Bus = new(16, "Bus");
    private const ScopeKinds Msgc = MsgcServer | MsgcClient;

    public static readonly Option<ValueDictionary> BusPeers = Bus.Dictionary("peers", MsgcServer, "Members of the bus: [ name = \"address\" ... ], names in lower case.");
    public static readonly Option<int> BusPort = Bus.Int("port", Msgc, 4809, "Port of the bus.", min: 1, max: 65535);
    public static readonly Option<BusProfile> BusTiming = Bus.Word("timing", MsgcServer, "How soon a lost node is noticed: default (2.3 s), or fast (0.3 s) on a quiet network of its own. Unset heartbeat, lease and suspicion times follow.", Active,
        ("default", BusProfile.Default), ("fast", BusProfile.Fast));
    public static readonly Option<TimeSpan> BusConnectTimeout = Bus.Seconds("connect_timeout", Msgc, 60, "Connecting to another node.", 1, InCluster);
    public static readonly Option<TimeSpan> BusIdleTimeout = Bus.Seconds("idle_timeout", Msgc, 30, "A connection to another node counts as dead after this silence.", 1, InCluster);
    public static readonly Option<TimeSpan> BusKeepaliveInterval = Bus.Seconds("keepalive_interval", Msgc, 5, "Period of no-ops between nodes.", 1, InCluster);
    public static readonly Option<int> BusMaxBacklog = Bus.Int("max_backlog", Msgc, 5000, "Outgoing messages that count as a stuck bus.", min: 1);
    public static readonly Option<int> BusMessagesPerIter = Bus.Int("messages_per_iter", Msgc, 20, "Messages per turn.", min: 1, status: InCluster);
    public static readonly Option<TimeSpan> BusReconnectInterval = Bus.Seconds("reconnect_interval", Msgc, 5, "Pause before the bus is joined again.", 1);
    public static readonly Option<long> BusTcpbufSize = Bus.Bytes("tcpbuf_size", Msgc, 131072, "Socket buffer between nodes.", InCluster);
    public static readonly Option<HostAddress> BusBindAddress = Bus.Address("bind_address", MsgcClient, "Address of the bus link.", InCluster);

    private static readonly OptionSection Managers = new(17, "Manager");

    public static readonly Option<string> AggregatedLogfile = Managers.TextOr("logfile", Logs | LogsManager, "/var/log/eccluster/%Y/%m/%d/%{l}/%{s}/%{n}", "Path pattern of aggregated logs.", type: "path");
    public static readonly Option<UnixFileMode> AggregatedFileMode = Managers.Mode("file_mode", Logs | LogsManager, "0640", "Mode of new files.");
    public static readonly Option<UnixFileMode> AggregatedDirMode = Managers.Mode("dir_mode", Logs | LogsManager, "0755", "Mode of new directories.");
    public static readonly Option<int> AggregatedMaxOpen = Managers.Int("max_open", Logs | LogsManager, 512, "Most files open at a time.", min: 1);
    public static readonly Option<TimeSpan> AggregatedMaxIdle = Managers.Seconds("max_idle", Logs | LogsManager, 300, "A file not written for so long is closed.", 1);
    public static readonly Option<string?> ControlCache = Managers.Text("control_cache", Logs | LogsManager, "File that keeps the answers to delegated commands over restarts of a manager.", Active, nonDynamic: true, type: "path");
    public static readonly Option<string?> AggregatedTimezone = Managers.Text("timezone", Logs | LogsManager | AsLogger, "Time zone of path patterns and file names.");
    public static readonly Option<IReadOnlyList<string>> LogSubscriber = Managers.List("subscriber", LogsNode, "Subscriber names to try for that node, in order; ( ) = pull nothing.");
    public static readonly Option<string> AsLoggerBaseDir = Managers.TextOr("base_dir", AsLogger, "/var/log/eccluster/aslogger", "Directory of audit series.", InCluster, type: "dir");
    public static readonly Option<TimeSpan> AsLoggerInterval = Managers.Seconds("log_interval", AsLogger, 900, "Period of one file.", 1, InCluster);
    public static readonly Option<SeriesDefault> AsLoggerIncludeDefault = Managers.Word("series_include_default", AsLogger, "Which series are written.", InCluster, ("none", SeriesDefault.None), ("all", SeriesDefault.All));
    public static readonly Option<PatternList> AsLoggerExclude = Managers.Patterns("series_exclude", AsLogger, "Series left out; with all.", InCluster);
    public static readonly Option<PatternList> AsLoggerInclude = Managers.Patterns("series_include", AsLogger, "Series written; with none.", InCluster);
    public static readonly Option<IReadOnlyList<string>> AuditMonitors = Managers.List("monitors", InboundAudit, "Windows \"seconds,count\".", InCluster);
    public static readonly Option<string> AuditLogDir = Managers.TextOr("log_dir", InboundAudit, "/var/log/veredus/audit_series_logs", "Files of series.", InCluster, type: "dir");
    public static readonly Option<string> AuditSerializeDir = Managers.TextOr("serialize_dir", InboundAudit, "/var/log/veredus/audit_series_persist", "Persisted state.", InCluster, type: "dir");
    public static readonly Option<TimeSpan> AuditMaintenanceInterval = Managers.Seconds("maintenance_interval", InboundAudit, 300, "Expiry of empty keys.", 1, InCluster);

#pragma warning disable CA1823, IDE0052 // registers rows
    private static readonly bool ClusterRowsIgnored = IgnoreRows(() =>
    {
        Membership.Ignore(Cluster, "Replaced by corosync and the ECCluster listener.", "mbus_daemon", "subcluster", "cluster_listener");
        Bus.Ignore(MsgcClient, "The local daemon is reached by IPC.", "server");
    });
}
