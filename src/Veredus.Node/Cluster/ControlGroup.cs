using System.Net;
using System.Net.Sockets;
using Veredus.Cluster;
using Veredus.Configuration;
using Veredus.Control;
using Veredus.Logging;
using Veredus.Network;

namespace Veredus.Node;

/// <summary>
/// A node or a manager in the control group, as its configuration says: the link that introduces it, the ECCluster listener for everything point to point, and
/// delegation. Independent of virtual addresses.
/// </summary>
public sealed class ControlGroup : IAsyncDisposable
{
    /// <summary>Port of the ECCluster listener where the configuration names none.</summary>
    public const int DefaultPort = 4802;

    private readonly MailLogs _log;

    private ControlGroup(MailLogs log, string name, Incarnation incarnation, ClusterIdentity? identity) => (_log, NodeName, Incarnation, Identity) = (log, name, incarnation, identity);

    public string NodeName { get; }

    public Incarnation Incarnation { get; }

    /// <summary>Certificate and authority; <see langword="null"/> where no cluster was set up: then nothing goes point to point.</summary>
    public ClusterIdentity? Identity { get; }

    /// <summary>Serves other members; <see langword="null"/> without identity or address.</summary>
    public ClusterListener? Listener { get; private set; }

    public ClusterLink Link { get; private set; } = null!;

    public Delegation Delegation { get; private set; } = null!;

    /// <summary>Everybody that has introduced itself, nodes and managers, with their ECCluster addresses.</summary>
    public ClusterMembership Membership => Link.Membership;

    /// <summary>Whether the members talk by corosync; else this process is alone.</summary>
    public bool HasBus { get; private set; }

    /// <summary>Joins.</summary>
    /// <param name="kind">Node or manager. A node listens at its <c>nodeaddr</c>, port 4802, unless <c>eccluster_listener</c> says otherwise; a manager only where that says so.</param>
    /// <param name="group">Replaces the configured <c>control_group</c>.</param>
    /// <param name="openBus">Opens the control group in place of corosync (tests).</param>
    /// <param name="executor">Carries out commands of others; <see langword="null"/> for a manager.</param>
    /// <param name="observer">Told of every command and answer in the cluster.</param>
    /// <exception cref="StartupException">Peers, certificates or addresses are wrong.</exception>
    public static ControlGroup Join(
        ConfigurationSnapshot configuration, MemberKind kind, string version, MailLogs log, TimeProvider time, string? group = null,
        Func<string, IGroupBus>? openBus = null, DelegationExecutor? executor = null, Action<DelegatedCommand, NodeAnswer>? observer = null)
    {
        var peers = ClusterConfiguration.Peers(configuration);
        var name = ClusterConfiguration.NodeName(configuration);
        var incarnation = Incarnation.New(time, Random.Shared);
        var joined = new ControlGroup(log, name, incarnation, ReadIdentity(configuration, name)) { HasBus = peers.Count > 0 || openBus is not null };
        var own = Address(configuration, peers, name);
        var address = joined.Listen(configuration, kind, own);
        group ??= configuration.Get(ScopeKinds.Cluster, Options.ControlGroup);
        joined.Link = new(new()
        {
            Kind = kind,
            NodeName = name,
            Subcluster = Subcluster(),
            Version = version,
            Address = address,
            Groups = kind is MemberKind.Veredus ? [group, configuration.Get(ScopeKinds.Cluster, Options.ClusterGroup)] : [group],
            Incarnation = incarnation,
            OpenBus = () => openBus is not null ? openBus(group)
                : joined.HasBus ? new CorosyncBus(new(group, configuration.Get(ScopeKinds.MsgcServer, Options.BusMaxBacklog), configuration.Get(ScopeKinds.MsgcServer, Options.BusReconnectInterval))
                {
                    IsUseless = observer is null ? message => DelegationCodec.IsAnswerToOthers(message, incarnation) : null,
                })
                : new InProcessBus(group, configuration.Get(ScopeKinds.MsgcServer, Options.BusMaxBacklog)),
            Log = joined.Warn,
        });
        joined.Delegation = new(joined.Link, new() { Executor = executor, Identity = joined.Identity, Observer = observer, Log = joined.Warn, Time = time });
        joined.Listener?.Offer(joined.Delegation.Service);
        return joined;
    }

    /// <summary>Enters the group; what listens to the link has been added before.</summary>
    public void Start()
    {
        Link.Start();
        // The first commands of a process come from somebody who waits for all nodes.
        CompileAhead.InBackground([typeof(Delegation).Assembly, typeof(ControlCommand).Assembly], typeof(ControlGroup), typeof(ClusterNetwork));
    }

    public async ValueTask DisposeAsync()
    {
        if (Listener is not null)
            await Listener.DisposeAsync();
        await Delegation.DisposeAsync();
        await Link.DisposeAsync();
        Identity?.Dispose();
    }

    private static string Subcluster() => Environment.GetEnvironmentVariable("EC_SUB_CLUSTER") is { Length: > 0 } name ? name.ToLowerInvariant() : "default";

    private static ClusterIdentity? ReadIdentity(ConfigurationSnapshot configuration, string name)
    {
        var directory = configuration.Get(ScopeKinds.Cluster, Options.ClusterDirectory);
        try
        {
            var identity = new ClusterFiles(directory).ReadIdentity();
            return identity is null || identity.NodeName == name ? identity : throw new StartupException(ExitCode.Configuration,
                $"cluster: the certificate in {directory} is that of '{identity.NodeName}', and this member's name is '{name}'; set nodename, or set this host up again.");
        }
        catch (IOException e)
        {
            throw new StartupException(ExitCode.Configuration, $"cluster: {e.Message}", e);
        }
    }

    /// <summary>This member's own address in the cluster's network; <see langword="null"/> when nothing says which.</summary>
    private static IPAddress? Address(ConfigurationSnapshot configuration, IReadOnlyList<BusPeer> peers, string name)
    {
        if (configuration.Get(ScopeKinds.Cluster, Options.Nodeaddr) is not { } configured)
            return peers.FirstOrDefault(peer => peer.Name == name)?.Addresses[0];
        try
        {
            return IPAddress.TryParse(configured, out var address) ? address : Dns.GetHostAddresses(configured)[0];
        }
        catch (SocketException e)
        {
            throw new StartupException(ExitCode.Configuration, $"cluster: nodeaddr '{configured}' can't be resolved: {e.Message}", e);
        }
    }

    private IPEndPoint Listen(ConfigurationSnapshot configuration, MemberKind kind, IPAddress? own)
    {
        var nowhere = new IPEndPoint(own ?? IPAddress.Any, 0);
        var stanza = configuration.Root.Children.Any(scope => scope.Kind == ScopeKinds.EcClusterListener);
        var wanted = configuration.Listens.FirstOrDefault(listen => listen.Listener == ScopeKinds.EcClusterListener && listen.IsEnabled)?.Endpoint;
        var endpoint = wanted is { Address: { } place } ? new IPEndPoint(place, wanted.Port) : stanza || own is null || kind is not MemberKind.Veredus ? null : new(own, DefaultPort);
        if (endpoint is null)
            return nowhere;
        if (Identity is null)
        {
            if (stanza)
                Warn($"eccluster_listener: there is no certificate in {configuration.Get(ScopeKinds.Cluster, Options.ClusterDirectory)}, so nothing listens; 'veredus setup node' makes one");
            return nowhere;
        }
        try
        {
            Listener = new(new(endpoint, NodeName, Incarnation, configuration.Get(ScopeKinds.Cluster, Options.VerifyPeers)), Identity,
                () => Membership, [], (peer, why) => Notice($"eccluster: {peer}: {why}"));
        }
        catch (SocketException e)
        {
            throw new StartupException(ExitCode.OperatingSystem, $"cluster: cannot listen on {endpoint} for other members: {e.Message}", e);
        }
        var bound = Listener.Address;
        return bound.Address.Equals(IPAddress.Any) || bound.Address.Equals(IPAddress.IPv6Any) ? new(own ?? IPAddress.Loopback, bound.Port) : bound;
    }

    private void Warn(string text) => _log.Panic(PanicLevel.Error, PanicSubsystems.Net, "", text);

    private void Notice(string text) => _log.Panic(PanicLevel.Warning, PanicSubsystems.Net, "", text);
}
