using Veredus.Cluster;
using Veredus.Configuration;
using Veredus.Control;
using Veredus.Control.Commands;
using Veredus.Logging;
using Veredus.Node;
using Veredus.Node.Control;
using Veredus.Node.Logs;

namespace Veredus.Manager;

/// <summary>How a manager is started.</summary>
public sealed record ManagerOptions
{
    public required ConfigurationLoader Loader { get; init; }

    /// <summary>The main file; <see langword="null"/>: <c>eccluster.conf</c> along the search path.</summary>
    public string? ConfigurationFile { get; init; }

    /// <summary><c>-g</c>: the control group, in place of the configured one.</summary>
    public string? Group { get; init; }

    public required string Version { get; init; }

    /// <summary>Opens the control group in place of corosync (tests).</summary>
    public Func<string, IGroupBus>? OpenBus { get; init; }

    /// <summary><c>-v</c>: 1 shows warnings of all subsystems, 2 notices, 3 information, 4 everything, whatever <c>debug_flags</c> says.</summary>
    public int Verbosity { get; init; }

    /// <summary>Entries of the paniclog also go to standard error.</summary>
    public bool LogToStderr { get; init; } = true;

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Parts that start with the manager, in this order, once it is in the group: log aggregation, HTTP. They stop in the other order.</summary>
    public IReadOnlyList<IManagerService> Services { get; init; } = [];
}

/// <summary>A part of the manager's process beside delegation.</summary>
public interface IManagerService : IAsyncDisposable
{
    /// <summary>Console commands of this part; asked before the start.</summary>
    IEnumerable<ControlCommand> Commands => [];

    /// <summary>Adds this part's figures to <c>/metrics</c>, in Prometheus' text format.</summary>
    void WriteMetrics(System.Text.StringBuilder text)
    {
    }

    /// <summary>Starts; configuration, logs and control group are there.</summary>
    /// <exception cref="StartupException">It can't start, and the manager must not run without it.</exception>
    ValueTask StartAsync(VeredusManager manager, CancellationToken cancellationToken);
}

/// <summary>One running manager (eccmgr): a member of the control group that carries no mail, with a console for all nodes.</summary>
public sealed class VeredusManager : IAsyncDisposable, IControlHost, IProcessConsole
{
    private readonly ManagerOptions _options;
    private readonly Stack<IAsyncDisposable> _parts = new();
    private readonly TaskCompletionSource _stopRequested = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ControlSockets _control = null!;
    private bool _isDisposed;

    private VeredusManager(ManagerOptions options) => (_options, Started) = (options, options.Time.GetUtcNow());

    public ConfigurationStore Configuration { get; private set; } = null!;

    public MailLogs Logs { get; private set; } = null!;

    /// <summary>The control group: membership, delegation, certificates for connections to nodes.</summary>
    public ControlGroup Group { get; private set; } = null!;

    public ControlCache Cache { get; private set; } = null!;

    public TimeProvider Time => _options.Time;

    public DateTimeOffset Started { get; }

    /// <summary>In the console's greeting.</summary>
    public string Hostname => Group.NodeName;

    string IProcessConsole.HostName => Group.NodeName;

    public string Version => _options.Version;

    /// <summary>What the configuration has that is accepted, but deserves a look.</summary>
    public IReadOnlyList<string> StartWarnings { get; private set; } = [];

    /// <summary>Completes when someone asked for a stop.</summary>
    public Task StopRequested => _stopRequested.Task;

    /// <summary>The control sockets, with the ports that the system chose.</summary>
    public IReadOnlyDictionary<string, System.Net.EndPoint> ControlEndpoints => _control.Endpoints;

    internal IReadOnlyList<IManagerService> Services => _options.Services;

    internal string ClusterGroupName => Configuration.Current.Get(ScopeKinds.Cluster, Options.ClusterGroup);

    /// <summary>Starts a manager; on return its console answers.</summary>
    /// <exception cref="StartupException">It cannot start; what it had opened is closed again.</exception>
    public static async Task<VeredusManager> StartAsync(ManagerOptions options, CancellationToken cancellationToken = default)
    {
        var manager = new VeredusManager(options);
        try
        {
            await manager.StartPartsAsync(cancellationToken);
            return manager;
        }
        catch
        {
            await manager.DisposeAsync();
            throw;
        }
    }

    /// <summary>Reads the configuration again, or says why not; then nothing has changed.</summary>
    public async Task<ReconfigureResult> ReloadAsync(CancellationToken cancellationToken = default)
    {
        var result = await Configuration.ReloadAsync(null, cancellationToken);
        foreach (var line in result.Text.Split('\n'))
            Logs.Panic(result.Success ? PanicLevel.Notice : PanicLevel.Error, PanicSubsystems.Start, "", line);
        return result;
    }

    public void ReopenLogs() => Logs.Reopen();

    /// <summary>Asks whoever runs the manager to stop it; returns at once.</summary>
    public void RequestStop() => _stopRequested.TrySetResult();

    void IProcessConsole.Shutdown(bool now) => RequestStop();

    public async ValueTask DisposeAsync()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        while (_parts.TryPop(out var part))
            await part.DisposeAsync();
    }

    private async Task StartPartsAsync(CancellationToken cancellationToken)
    {
        var snapshot = Load();
        Configuration = new(snapshot, _options.Loader);
        Own(new Disposing(Configuration));
        Logs = Own(new MailLogs(Time));
        var logs = new LogConfiguration(Logs, _options.LogToStderr, _options.Verbosity);
        try
        {
            logs.Start(snapshot);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StartupException(ExitCode.OperatingSystem, e.Message, e);
        }
        foreach (var warning in StartWarnings)
            Logs.Panic(PanicLevel.Warning, PanicSubsystems.Start, "", warning);
        Cache = new(Time);
        if (snapshot.Get(ScopeKinds.Logs, Options.ControlCache) is { } file)
            Own(ControlCacheFile.Open(Cache, file, text => Logs.Panic(PanicLevel.Error, PanicSubsystems.Error, "", text)));
        Group = Own(ControlGroup.Join(snapshot, MemberKind.Manager, Version, Logs, Time, _options.Group, _options.OpenBus, observer: Learn));
        Group.Start();
        _ = LeaveWhenExpelledAsync();
        var commands = new ManagerCommands(this, new(() => Group.Delegation, () => _control.Authorization, Time));
        _control = Own(new ControlSockets(this, Version, new([
            .. commands.Commands,
            .. new ProcessCommands(this, Logs, () => _control.Authorization, () => new ConfigConsoleSession(Configuration, Logs)).Commands,
            .. _options.Services.SelectMany(service => service.Commands),
        ])
        { Unknown = ManagerCommands.Unknown }));
        _control.Start();
        foreach (var service in _options.Services)
        {
            Own(service);
            await service.StartAsync(this, cancellationToken);
        }
        Configuration.Register(logs);
    }

    private ConfigurationSnapshot Load()
    {
        var file = _options.ConfigurationFile ?? _options.Loader.Locate("eccluster.conf")
            ?? throw new StartupException(ExitCode.Configuration, "No configuration found: there is no eccluster.conf along the search path; name one with -c FILE.");
        var loaded = _options.Loader.Load(file);
        if (loaded.Snapshot is not { } snapshot)
            throw new StartupException(ExitCode.Configuration, string.Join('\n', loaded.Diagnostics.Where(diagnostic => diagnostic.IsError).Select(diagnostic => diagnostic.ToString())));
        if (!snapshot.Listens.Any(listen => listen.Listener == ScopeKinds.ControlListener && listen.IsEnabled))
            throw new StartupException(ExitCode.Configuration, $"{file}: a manager without a console is of no use. Add: control_listener {{ listen \"{Veredus.Control.ControlEndpoint.ManagerPath}\" {{ }} }}");
        StartWarnings = [.. loaded.Diagnostics.Where(diagnostic => !diagnostic.IsError).Select(diagnostic => diagnostic.ToString().Replace('\n', ' '))];
        return snapshot;
    }

    private void Learn(DelegatedCommand command, NodeAnswer answer) =>
        Cache.Learn(command, Group.Membership.Find(answer.Node)?.Hello?.Subcluster ?? "", answer);

    /// <summary>A second manager of this name: the operator has to choose another; this one ends.</summary>
    private async Task LeaveWhenExpelledAsync()
    {
        Expulsion = await Group.Link.Expelled;
        RequestStop();
    }

    /// <summary>Why this manager had to leave the cluster; <see langword="null"/> while it has not.</summary>
    public string? Expulsion { get; private set; }

    private T Own<T>(T part)
        where T : IAsyncDisposable
    {
        _parts.Push(part);
        return part;
    }

    private sealed class Disposing(IDisposable inner) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            inner.Dispose();
            return default;
        }
    }
}
