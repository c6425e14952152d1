using System.ComponentModel;
using Veredus.Cluster;
using Veredus.Configuration;
using Veredus.Control;
using Veredus.Delivery;
using Veredus.Duravip;
using Veredus.Duravip.Driver;
using Veredus.Logging;
using Veredus.Network;
using Veredus.Node.Logs;
using Veredus.Node.Moves;

namespace Veredus.Node;

/// <summary>
/// The node as a member of a cluster: with a <c>cluster</c> scope and addresses that are enabled for DuraVIP it joins the group, and listeners and bindings follow
/// their addresses. Without them it does nothing, and every binding is here.
/// </summary>
public sealed class ClusterService : INodeService, IConfigurationParticipant
{
    private const int Rehearsals = 3;
    private static readonly TimeSpan BetweenRehearsals = TimeSpan.FromMilliseconds(300);

    private readonly string _version;
    private readonly BindingPresence _presence = new();
    private readonly PeerChannel? _channel;
    private readonly ClusterNetwork? _control;
    private VeredusNode _node = null!;
    private readonly CancellationTokenSource _ending = new();
    private Task _rehearsal = Task.CompletedTask;
    private HostNetwork? _network;
    private int _members = 1;

    /// <param name="version">In this node's introduction to the others.</param>
    /// <param name="network">The way to them, started before this; <see langword="null"/>: mail stays where it is.</param>
    public ClusterService(string version, ClusterNetwork? network = null)
    {
        (_version, _control) = (version, network);
        if (network is null)
            return;
        _channel = new(network);
        network.Listen(_channel);
    }

    /// <summary>For <see cref="NodeOptions.Presence"/>.</summary>
    public IBindingPresence Presence => _presence;

    /// <summary>The commands <c>cluster ...</c> of the console.</summary>
    public IEnumerable<ControlCommand> Commands => new ClusterConsole(this).Commands;

    /// <summary>Nodes and managers, as the control group has them; without it the nodes that share addresses. <see langword="null"/>: no cluster.</summary>
    internal Veredus.Cluster.ClusterMembership? Membership =>
        _control?.Group is { Membership: { Members.Count: > 0 } members } ? members : Driver?.Membership;

    internal PeerChannel? Channel => _channel;

    internal VeredusNode Node => _node;

    /// <summary>Gives commands to other nodes; <see langword="null"/>: this one is in no cluster.</summary>
    internal Delegation? Delegation => _channel?.Delegation;

    internal DuravipDriver? Driver { get; private set; }

    internal MailMoves? Moves { get; private set; }

    internal BindingPresence Places => _presence;

    /// <summary>The way to other nodes' consoles.</summary>
    internal ClusterNetwork? Network => _control;

    /// <summary>What happened; <see langword="null"/> for a node without addresses to share.</summary>
    internal EventLog? Events { get; private set; }

    internal ClusterObserver? Observer { get; private set; }

    internal IReadOnlyList<Cluster.BusPeer> Peers { get; private set; } = [];

    internal TimeProvider Time => _node.Time;

    internal ConfigurationSnapshot Configuration => _node.Configuration.Current;

    /// <summary>The host's interfaces and addresses; null where nobody watches them.</summary>
    internal HostSnapshot? Host => _network?.Current;

    /// <summary>The virtual addresses that this node has now.</summary>
    internal async Task<IReadOnlyList<string>> OwnedAsync(CancellationToken cancellationToken)
    {
        if (Driver is not { } driver)
            return [];
        var view = await driver.QueryAsync((machine, now) => machine.Describe(now), cancellationToken);
        return [.. view.Vips.Where(vip => vip.Owner == view.Node).Select(vip => vip.Address.ToString())];
    }

    internal bool HasBus => _members > 1;

    public async ValueTask StartAsync(VeredusNode node, CancellationToken cancellationToken)
    {
        _node = node;
        var configuration = node.Configuration.Current;
        _presence.Use(configuration);
        if (!configuration.Modules(ScopeKinds.Cluster).Any())
            return;
        StartMoves(node);
        if (VirtualAddresses.Of(configuration).IsEmpty)
            return;
        var peers = ClusterConfiguration.Peers(configuration);
        var name = ClusterConfiguration.NodeName(configuration);
        if (peers.Count > 0 && peers.All(peer => peer.Name != name))
            throw new StartupException(ExitCode.Configuration,
                $"cluster: this node's name '{name}' is not among the peers of msgc_server ({string.Join(", ", peers.Select(peer => peer.Name))}); set nodename or VEREDUS_NODE_NAME.");
        _members = Math.Max(1, peers.Count);
        Peers = peers;
        Events = new(EventFile(configuration), text => _node.Logs.Panic(PanicLevel.Warning, PanicSubsystems.Net, "", text));
        Observer = new(Events, node.Time);
        _network = new();
        var (built, result) = ClusterConfiguration.Build(configuration, _network.Current, _members);
        if (built is null)
            throw new StartupException(ExitCode.Configuration, string.Join('\n', result.Errors));
        Warn(result, built);
        node.Configuration.Register(this);
        var services = new VipServices(name, node.Listeners, node.Delivery, _presence);
        Driver = new(new()
        {
            NodeName = name,
            Version = _version,
            OpenBus = () => ClusterConfiguration.OpenBus(Configuration, peers.Count > 0),
            StartGuard = StartGuardAsync,
            Services = services,
            Log = Log,
            ExpectedHosts = _members,
            Network = _network,
            Observer = Observer,
            Time = node.Time,
        }, built);
        try
        {
            await Driver.StartAsync(cancellationToken);
            CompileAhead.InBackground(
                [typeof(DuravipMachine).Assembly, typeof(DuravipDriver).Assembly, typeof(HostNetwork).Assembly, typeof(IGroupBus).Assembly],
                typeof(Inbound.SmtpListeners), typeof(VipServices), typeof(BindingPresence), typeof(ClusterObserver), typeof(EventLog));
            _rehearsal = Task.Run(() => RehearseAsync(services), CancellationToken.None);
        }
        catch (Exception e) when (e is IOException or Win32Exception)
        {
            // Mail on static addresses goes on; the virtual ones are the other nodes'.
            Log(LogLevelHint.Error, $"duravip: the address guard vipd does not start: {e.Message}; this node serves no virtual address");
            Driver = null;
        }
    }

    private static async Task<IAddressGuard> StartGuardAsync(GuardSettings settings, CancellationToken cancellationToken)
    {
        var guard = await AddressGuardProcess.StartAsync(settings, null, cancellationToken);
        // Beside what the node does with it; a guard that ends meanwhile is reported by whoever needs it.
        _ = guard.RehearseAsync(cancellationToken).ContinueWith(static ended => ended.Exception, TaskScheduler.Default);
        return guard;
    }

    /// <summary>What was called often is compiled once more, optimised, a moment later: that too shall be over before the first takeover.</summary>
    private async Task RehearseAsync(VipServices services)
    {
        var begun = Time.GetTimestamp();
        try
        {
            await using var events = new EventLog(null, _ => { });
            for (var time = 0; time < Rehearsals; time++)
            {
                if (!await Rehearsal.RunAsync(services, new ClusterObserver(events, TimeProvider.System), _ending.Token))
                    throw new TimeoutException("it did not come to its end");
                await Task.Delay(BetweenRehearsals, _ending.Token);
            }
            // The line itself is one of the things to be done quickly then.
            Log(LogLevelHint.Info, $"duravip: rehearsed a takeover {Rehearsals} times in {Time.GetElapsedTime(begun).TotalSeconds:0.0} s");
        }
        catch (OperationCanceledException)
        {
            // The node ends.
        }
        catch (Exception e)
        {
            Log(LogLevelHint.Warning, $"duravip: the first takeover will be slow, because its rehearsal failed: {e.Message}");
        }
    }

    private void StartMoves(VeredusNode node)
    {
        if (Channel is not { IsOpen: true } channel)
            return;
        try
        {
            node.Moves = Moves = new(node, channel, _presence);
        }
        catch (IOException e)
        {
            throw new StartupException(ExitCode.Spool, $"mmove: {e.Message}", e);
        }
    }

    public async ValueTask StoppingAsync(TimeSpan wait)
    {
        if (Moves is { } moves)
            moves.IsLeaving = true;
        if (Driver is not { } driver)
            return;
        driver.RequestStop();
        try
        {
            await driver.Stopped.WaitAsync(wait, _node.Time);
        }
        catch (TimeoutException)
        {
            Log(LogLevelHint.Warning, $"duravip: addresses were not handed over within {wait.TotalSeconds:0} s; the guard takes them off");
        }
    }

    public ValueTask<IPreparedConfiguration?> PrepareAsync(ConfigurationChange change, PreparationProblems problems, CancellationToken cancellationToken)
    {
        if (Driver is not { } driver || _network is not { } network)
            return default;
        var (built, result) = ClusterConfiguration.Build(change.New, network.Current, _members);
        foreach (var error in result.Errors)
            problems.Add(change.New.Singleton(ScopeKinds.Cluster)?.Position ?? change.New.Root.Position, "cluster", error);
        return new(built is null ? null : new Prepared(this, driver, built, result, change.New));
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _rehearsal;
        if (Driver is { } driver)
            await driver.DisposeAsync();
        if (Moves is { } moves)
            await moves.DisposeAsync();

        if (Events is { } events)
            await events.DisposeAsync();
        _network?.Dispose();
        _ending.Dispose();
    }

    private void Warn(VipSetResult result, DuravipConfiguration built)
    {
        if (built.Options is { LeaseMs: > 0 } options && options.EffectiveLeaseMs > options.LeaseMs)
            Log(LogLevelHint.Warning, $"duravip: duravip_lease of {options.LeaseMs / 1000.0:0.#} s is raised to {options.EffectiveLeaseMs / 1000.0:0.#} s: the bus needs {options.BusDetectMs / 1000.0:0.#} s to notice a lost node, and the others must keep their addresses meanwhile");
        foreach (var warning in result.Warnings)
            Log(LogLevelHint.Warning, warning);
    }

    /// <summary>Every line begins with its module, <c>duravip: </c> or <c>cluster: </c>; traces come only after <c>cluster duravip debug on</c>.</summary>
    private void Log(LogLevelHint level, string text)
    {
        if (level is LogLevelHint.Error or LogLevelHint.Warning)
            Observer?.Warned(text);
        var module = text.IndexOf(": ", StringComparison.Ordinal);
        _node.Logs.Panic(level switch
        {
            LogLevelHint.Error => PanicLevel.Error,
            LogLevelHint.Warning => PanicLevel.Warning,
            _ => PanicLevel.Notice,
        }, PanicSubsystems.Net, text[..module], text[(module + 2)..]);
    }

    /// <summary>Beside the panic log, where this node may write; in memory only when that is no file.</summary>
    private static string? EventFile(ConfigurationSnapshot configuration)
    {
        if (configuration.Get(ScopeKinds.Cluster, Options.EventLog) is { Length: > 0 } named)
            return named;
        var panic = LoggerStanzas.Primary(configuration, ScopeKinds.EcLogger) is null ? Options.Paniclog.Default
            : LoggerStanzas.All(configuration, ScopeKinds.EcLogger).Select(logger => logger.PathOf(Options.Paniclog)).FirstOrDefault(path => Path.IsPathRooted(path));
        return panic is not null ? Path.Combine(Path.GetDirectoryName(panic)!, "events.jsonl") : null;
    }

    private async Task ReconfigureAsync(DuravipDriver driver, DuravipConfiguration built)
    {
        try
        {
            await driver.ReconfigureAsync(built, CancellationToken.None);
        }
        catch (IOException e)
        {
            Log(LogLevelHint.Error, $"duravip: the new configuration is not in use: {e.Message}");
        }
    }

    private sealed class Prepared(ClusterService service, DuravipDriver driver, DuravipConfiguration built, VipSetResult result, ConfigurationSnapshot configuration) : IPreparedConfiguration
    {
        public void Commit()
        {
            service.Warn(result, built);
            service._presence.Use(configuration);
            _ = service.ReconfigureAsync(driver, built);
        }

        public ValueTask AbortAsync() => default;
    }
}
