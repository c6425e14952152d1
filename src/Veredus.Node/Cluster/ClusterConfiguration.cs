using System.Net;
using System.Net.Sockets;
using Veredus.Cluster;
using Veredus.Configuration;
using Veredus.Duravip;
using Veredus.Duravip.Driver;
using Veredus.Network;

namespace Veredus.Node;

/// <summary>Translates a configuration into what bus, guard and DuraVIP want.</summary>
internal static class ClusterConfiguration
{
    public static string NodeName(ConfigurationSnapshot configuration) =>
        (configuration.Get(ScopeKinds.Cluster, Options.Nodename) ?? Environment.GetEnvironmentVariable("VEREDUS_NODE_NAME") ?? Dns.GetHostName().Split('.')[0]).ToLowerInvariant();

    /// <summary>The bus' members; empty where the configuration names none.</summary>
    /// <exception cref="StartupException">The list is wrong.</exception>
    public static IReadOnlyList<BusPeer> Peers(ConfigurationSnapshot configuration)
    {
        var peers = configuration.Get(ScopeKinds.MsgcServer, Options.BusPeers);
        if (peers.Count == 0)
            return [];
        return BusPeer.ParseAll(peers.Select(peer => KeyValuePair.Create(peer.Key, string.Join(' ', peer.Value))), out var error)
            ?? throw new StartupException(ExitCode.Configuration, $"msgc_server: {error}");
    }

    public static IGroupBus OpenBus(ConfigurationSnapshot configuration, bool hasPeers)
    {
        var group = configuration.Get(ScopeKinds.Cluster, Options.ClusterGroup);
        var backlog = configuration.Get(ScopeKinds.MsgcServer, Options.BusMaxBacklog);
        return hasPeers
            ? new CorosyncBus(new(group, backlog, configuration.Get(ScopeKinds.MsgcServer, Options.BusReconnectInterval)))
            : new InProcessBus(group, backlog);
    }

    /// <summary>Builds the local set and all that goes with it.</summary>
    public static (DuravipConfiguration? Built, VipSetResult Result) Build(ConfigurationSnapshot configuration, HostSnapshot host, int members)
    {
        var stanzas = (configuration.Singleton(ScopeKinds.Cluster)?.Children ?? []).Where(scope => scope.Kind == ScopeKinds.Topology)
            .Select(scope => (Scope: scope, Network: CidrList.TryParseNetwork(scope.Instance, out var network) ? network : default))
            .Where(stanza => stanza.Scope.Get(Options.TopologyInterface) is not null).ToList();
        var topology = new Topology(stanzas.Select(stanza => new TopologyBlock(stanza.Network, stanza.Scope.Get(Options.TopologyInterface)!, AliasPrefix(stanza.Scope, stanza.Network))));
        IPAddress[] reserved = IPAddress.TryParse(configuration.Get(ScopeKinds.Cluster, Options.Nodeaddr), out var own) ? [own] : [];
        var main = host.Addresses.Keys.Where(address => host.IsMainAddress(address, topology)).Concat(reserved).Select(VipAddress.From).ToHashSet();
        var result = VipSetBuilder.Build(
            [.. configuration.Listens.Where(listen => listen.Endpoint.UnixPath is null).Select(ToListen)],
            [.. configuration.Bindings.Where(binding => binding.Scope is not null).Select(ToBinding)],
            [.. stanzas.Select(stanza => new TopologyValue(VipAddress.From(stanza.Network.BaseAddress), stanza.Network.PrefixLength,
                stanza.Scope.Get(Options.TopologyInterface)!, AliasPrefix(stanza.Scope, stanza.Network)))],
            new(host.Links.Keys.ToHashSet(StringComparer.Ordinal), main));
        if (result.Set is not { } set)
            return (null, result);
        var options = ReadOptions(configuration, members);
        return (new(set, options, new(topology, reserved, TimeSpan.FromMilliseconds(options.EffectiveLeaseMs), TimeSpan.FromMilliseconds(options.AliveWindowMs))) { ProbeWait = BusTimings.Of(configuration).ProbeWait }, result);
    }

    private static int AliasPrefix(ScopeNode scope, IPNetwork network) => scope.Find(Options.TopologyCidrmask) is not null
        ? scope.Get(Options.TopologyCidrmask) : network.BaseAddress.AddressFamily == AddressFamily.InterNetworkV6 ? 128 : 32;

    private static ListenValue ToListen(ListenDefinition listen) => new(
        listen.Endpoint.IsWildcard ? null : VipAddress.From(listen.Endpoint.Address!), listen.Endpoint.Port, Kind(listen),
        listen.Scope.Get(Options.EnableDuravip), listen.Scope.Get(Options.DuravipPreference), listen.Scope.Get(Options.DuravipFollow));

    private static string Kind(ListenDefinition listen) =>
        (listen.Scope.Parent?.Name ?? "").ToLowerInvariant().Replace("_listener", "", StringComparison.Ordinal);

    private static BindingValue ToBinding(BindingDefinition binding) => new(
        binding.Name, binding.Scope!.Get(Options.BindAddress).Address is { } address ? VipAddress.From(address) : null,
        binding.Scope.Get(Options.EnableDuravip), binding.Scope.Get(Options.DuravipPreference));

    private static DuravipOptions ReadOptions(ConfigurationSnapshot configuration, int members)
    {
        var cluster = configuration.Singleton(ScopeKinds.Cluster);
        var timings = BusTimings.Of(configuration);
        long Ms(Option<TimeSpan> option, TimeSpan? unset = null) =>
            (long)(unset is { } other && cluster?.Find(option) is null ? other : configuration.Get(ScopeKinds.Cluster, option)).TotalMilliseconds;
        var heartbeats = cluster?.Find(Options.HeartbeatsPerSec) is null ? timings.HeartbeatsPerSecond : configuration.Get(ScopeKinds.Cluster, Options.HeartbeatsPerSec);
        return new()
        {
            BalanceSetSize = configuration.Get(ScopeKinds.Cluster, Options.DuravipBalanceSetSize),
            IfCheckIntervalMs = Ms(Options.IfCheckInterval),
            IfDownLimitMs = Ms(Options.IfDownLimit),
            ViewMatureMs = Ms(Options.ViewMatureTime),
            ViewBalanceIntervalMs = Ms(Options.ViewBalanceInterval),
            ViewBroadcastIntervalMs = Ms(Options.ViewBroadcastInterval),
            ArpAllHosts = configuration.Get(ScopeKinds.Cluster, Options.ArpAllHosts),
            HeartbeatStartDelayMs = Ms(Options.HeartbeatStartDelay),
            HeartbeatPeriodMs = Math.Max(50, (long)(1000 / heartbeats)),
            DrainMs = Ms(Options.DuravipDrainTime),
            LeaseMs = Ms(Options.DuravipLease, timings.Lease),
            ClaimGuard = configuration.Get(ScopeKinds.Cluster, Options.DuravipClaimGuard),
            PartitionPolicy = configuration.Get(ScopeKinds.Cluster, Options.DuravipPartitionPolicy) == Configuration.PartitionPolicy.Quorum
                ? Duravip.PartitionPolicy.Quorum : Duravip.PartitionPolicy.Component,
            Probe = configuration.Get(ScopeKinds.Cluster, Options.DuravipProbe),
            GatherTimeoutMs = Ms(Options.DuravipGatherTimeout, timings.Gather),
            SuspectMs = Ms(Options.DuravipSuspectTime, timings.Suspect),
            BrokenGraceMs = Ms(Options.DuravipBrokenGrace),
            Weight = Math.Max(1, (int)configuration.Get(ScopeKinds.Cluster, Options.DuravipWeight)),
            BusDetectMs = members > 1 ? (long)timings.Bus.Detection(members).TotalMilliseconds : 0,
        };
    }
}
