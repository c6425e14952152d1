using System.Collections.Immutable;
using System.Net;
using System.Net.NetworkInformation;
using Veredus.Configuration;
using Veredus.Delivery;
using Veredus.Delivery.Dns;
using Veredus.Logging;
using Veredus.Node.Doubts;
using Veredus.Node.Hosting;
using Veredus.Node.Logs;
using Veredus.Node.Control;
using Veredus.Node.Inbound;
using Veredus.Node.Moves;
using Veredus.Node.Settings;
using Veredus.Reception.Policy;
using Veredus.Smtp;
using Veredus.Spool;

namespace Veredus.Node;

/// <summary>One running node: reception, spool, queues, delivery and logs, put together and taken down in order (mta.md 10).</summary>
public sealed class VeredusNode : IAsyncDisposable, IControlHost
{
    private readonly NodeOptions _options;
    private readonly Stack<IAsyncDisposable> _parts = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource<bool> _stopRequested = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private LiveSettings _settings = null!;
    private SmtpListeners _listeners = null!;
    private ConfiguredPolicies _policies = null!;
    private Task _recovery = Task.CompletedTask;
    private bool _isStopped;
    private bool _isDisposed;

    private VeredusNode(NodeOptions options) => _options = options;

    public ConfigurationStore Configuration { get; private set; } = null!;

    public MailLogs Logs { get; private set; } = null!;

    public SpoolStore Spool { get; private set; } = null!;

    public DeliveryEngine Delivery { get; private set; } = null!;

    public CachingResolver Resolver { get; private set; } = null!;

    public MessageIdGenerator Ids { get; private set; } = null!;

    public MemoryGuard Memory { get; private set; } = null!;

    public NodeStatistics Statistics { get; } = new();

    /// <summary>Inbound sessions: their number and their closing.</summary>
    public SmtpSessions SmtpSessions { get; private set; } = null!;

    public TimeProvider Time => _options.Time;

    /// <summary>When <see cref="StartAsync"/> was called.</summary>
    public DateTimeOffset Started { get; private set; }

    /// <summary>This host's name as of the configuration in force.</summary>
    public string Hostname => _settings.Current.Files.Hostname;

    /// <summary>This node's name in the locks of spools.</summary>
    internal string Name => _options.NodeName ?? Hostname;

    /// <summary>Chooses bindings by the configuration in force.</summary>
    internal IBindingAssigner Assigner => _settings;

    /// <summary>The open inbound sessions of this moment.</summary>
    public IEnumerable<InboundSession> InboundSessions => _listeners.Sessions;

    /// <summary>The SMTP sockets, with the ports that the system chose where the configuration asks for port 0.</summary>
    public IReadOnlyDictionary<string, EndPoint> SmtpEndpoints => _listeners.Endpoints;

    /// <summary>Messages that may have been delivered twice.</summary>
    internal DoubtList Doubts { get; private set; } = null!;

    internal SmtpListeners Listeners => _listeners;

    /// <summary>Hands mail to other nodes and takes theirs; <see langword="null"/>: there are none.</summary>
    internal MailMoves? Moves { get; set; }

    /// <summary>Certificates in use for reception.</summary>
    public IEnumerable<string> CertificateFiles => _settings.Current.Files.CertificateFiles;

    /// <summary>What the configuration of the start has that is accepted, but deserves a look; one line each.</summary>
    public IReadOnlyList<string> StartWarnings { get; private set; } = [];

    /// <summary>Whether SMTP sockets are open and the spool takes mail.</summary>
    public bool IsReady { get; private set; }

    /// <summary>Messages found in the spool at start and queued so far.</summary>
    public long RecoveredMessages { get; private set; }

    /// <summary>Ends when the spool of an earlier process has been read to its end.</summary>
    public Task Recovery => _recovery;

    /// <summary>Completes when someone asked for a stop; true for "now".</summary>
    public Task<bool> StopRequested => _stopRequested.Task;

    /// <summary>Starts a node; on return it receives and delivers.</summary>
    /// <exception cref="StartupException">It cannot start; what it had opened is closed again.</exception>
    public static async Task<VeredusNode> StartAsync(NodeOptions options, CancellationToken cancellationToken = default)
    {
        var node = new VeredusNode(options) { Started = options.Time.GetUtcNow() };
        try
        {
            await node.StartPartsAsync(cancellationToken);
            return node;
        }
        catch
        {
            await node.DisposeAsync();
            throw;
        }
    }

    /// <summary>Reads the configuration again and takes it into use, or says why not; then nothing has changed. The paniclog gets the outcome.</summary>
    public async Task<ReconfigureResult> ReloadAsync(string? file = null, CancellationToken cancellationToken = default)
    {
        var result = await Configuration.ReloadAsync(file, cancellationToken);
        foreach (var line in result.Text.Split('\n'))
            Logs.Panic(result.Success ? PanicLevel.Notice : PanicLevel.Error, PanicSubsystems.Start, "", line);
        return result;
    }

    public void ReopenLogs() => Logs.Reopen();

    /// <summary>Reads certificates and user files again.</summary>
    /// <returns>What is wrong with them; nothing has changed then.</returns>
    public IReadOnlyList<string> RereadFiles()
    {
        Delivery.FlushTls();
        return _settings.RereadFiles();
    }

    /// <summary>Asks whoever runs the node to stop it; returns at once.</summary>
    /// <param name="now">Without waiting for transactions and messages under way.</param>
    public void RequestStop(bool now = false) => _stopRequested.TrySetResult(now);

    /// <summary>Stops: no new mail, transactions and messages under way end, everything is written and closed.</summary>
    /// <param name="grace">Longest wait for each; <see langword="null"/>: as configured at start.</param>
    public async Task StopAsync(TimeSpan? grace = null)
    {
        if (_isStopped)
            return;
        _isStopped = true;
        IsReady = false;
        var wait = grace ?? _options.ShutdownGrace;
        foreach (var service in _options.Services)
            await service.StoppingAsync(wait);
        await _stopping.CancelAsync();
        // Reception first: what it still accepts is durable and stays for the next start.
        await _listeners.StopAsync(wait);
        await Delivery.StopAsync(wait);
        await DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _isStopped = true;
        if (_isDisposed)
            return;
        _isDisposed = true;
        await _stopping.CancelAsync();
        await _recovery; // reads the spool, which goes next
        while (_parts.TryPop(out var part))
            await part.DisposeAsync();
        _stopping.Dispose();
    }

    private async Task StartPartsAsync(CancellationToken cancellationToken)
    {
        var time = _options.Time;
        var snapshot = LoadConfiguration();
        Configuration = new(snapshot, _options.Loader);
        Own(new Disposing(Configuration));
        _settings = Guard(ExitCode.Configuration, () => new LiveSettings(snapshot, _options.Presence, time));

        RaiseLimits(snapshot);
        Spool = Own(await OpenSpoolAsync(snapshot));
        Logs = Own(new MailLogs(time));
        var logConfiguration = new LogConfiguration(Logs, _options.LogToStderr);
        Guard(ExitCode.OperatingSystem, () => logConfiguration.Start(snapshot));
        Own(Guard(ExitCode.Spool, () => new SpoolKeeper(Spool, snapshot.Global.Get(Options.Spoolbase), Logs, TimeProvider.System)));
        foreach (var warning in StartWarnings)
            Logs.Panic(PanicLevel.Warning, PanicSubsystems.Start, "", warning);

        var number = Guard(ExitCode.Spool, () => NodeNumber.LoadOrCreate(snapshot.Global.Get(Options.Spoolbase)));
        Ids = new(number, time, Spool.LastSlot);
        Doubts = Guard(ExitCode.Spool, () => DoubtList.Open(snapshot.Global.Get(Options.Spoolbase), time.GetUtcNow(), text => Logs.Panic(PanicLevel.Error, PanicSubsystems.Error, "spool", text)));
        Memory = new(() => MemoryGuard.Read(), time);
        var clock = new DeadlineClock(time);
        Own(new Disposing(clock));
        SmtpSessions = new(clock);
        Resolver = new(OpenResolver(snapshot), new((uint)snapshot.Global.Get(Options.MinDnsTtl).TotalSeconds, (uint)snapshot.Global.Get(Options.MaxDnsTtl).TotalSeconds), time);
        _policies = new(snapshot, Hostname);
        _policies.SetOwnEndpoints(OwnEndpoints(snapshot));

        var received = new ReceivedMail(Spool, Ids, _settings, Logs, Statistics, time);
        Delivery = Own(new DeliveryEngine(new(Spool, _policies, Resolver, new DeliveryLog(Logs, Statistics, Doubts), received, clock, time)
        {
            Presence = _options.Presence,
            Assigner = _settings,
            TraceDirectory = TraceDirectory(snapshot),
        }));
        received.Connect(Delivery);
        _listeners = Own(new SmtpListeners(_settings, new(Spool, Ids, _settings, received, Logs, time) { Memory = Memory, Random = Random.Shared }, SmtpSessions));

        Configuration.Register(_settings);
        Configuration.Register(_listeners);
        Configuration.Register(logConfiguration);
        Configuration.Changed += TakeOver;
        foreach (var service in _options.Services)
        {
            Own(service);
            await service.StartAsync(this, cancellationToken);
        }

        if (!_options.ReceiveOnly)
            Delivery.Start();
        _recovery = Task.Run(() => RecoverAsync(_stopping.Token), CancellationToken.None);
        if (!_options.DrainOnly)
            Guard(ExitCode.OperatingSystem, _listeners.Start);
        IsReady = true;
    }

    private ConfigurationSnapshot LoadConfiguration()
    {
        var file = _options.ConfigurationFile ?? _options.Loader.LocateNodeFile()
            ?? throw new StartupException(ExitCode.Configuration, "No configuration found: there is no veredus.conf along the search path; name one with -c FILE.");
        var loaded = _options.Loader.Load(file);
        if (loaded.Snapshot is not { } snapshot)
            throw new StartupException(ExitCode.Configuration, string.Join('\n', loaded.Diagnostics.Where(diagnostic => diagnostic.IsError).Select(diagnostic => diagnostic.ToString())));
        StartWarnings = [.. loaded.Diagnostics.Where(diagnostic => !diagnostic.IsError).Select(diagnostic => diagnostic.ToString().Replace('\n', ' '))];
        return snapshot;
    }

    private static void RaiseLimits(ConfigurationSnapshot snapshot)
    {
        // As many as allowed: mail flows with fewer, and the limit in force shows in the metrics.
        ResourceLimits.RaiseOpenFiles((ulong)snapshot.Global.Get(Options.ServerMaxFileDescriptors));
    }

    private async Task<SpoolStore> OpenSpoolAsync(ConfigurationSnapshot snapshot)
    {
        var global = snapshot.Global;
        try
        {
            return await SpoolStore.OpenAsync(new()
            {
                Base = global.Get(Options.Spoolbase),
                NodeName = _options.NodeName ?? Hostname,
                TakeOver = _options.TakeOver,
                FileMode = global.Get(Options.SpoolMode),
                Sync = global.Get(Options.ForceFsync),
                LargeMessageThreshold = (int)Math.Clamp(global.Get(Options.LargeMessageThreshold), 4 << 10, 8 << 20),
                Notice = text => Logs?.Panic(PanicLevel.Critical, PanicSubsystems.Error, "spool", text),
            }, TimeProvider.System);  // storage and other hosts keep real time, also when the node's clock is a test's
        }
        catch (Exception e) when (e is SpoolOpenException or IOException or UnauthorizedAccessException)
        {
            throw new StartupException(ExitCode.Spool, e.Message, e);
        }
    }

    private IDnsResolver OpenResolver(ConfigurationSnapshot snapshot)
    {
        if (_options.Resolver is { } given)
            return given;
        var file = snapshot.Global.Get(Options.ResolvConf) ?? "/etc/resolv.conf";
        var options = ResolverOptions.Default;
        try
        {
            options = ResolvConf.Parse(File.ReadAllText(file), out var errors);
            foreach (var error in errors)
                Logs.Panic(PanicLevel.Error, PanicSubsystems.Dns, "", $"{file}, {error}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Logs.Panic(PanicLevel.Error, PanicSubsystems.Dns, "", $"cannot read {file}: {e.Message}; resolving from the root");
        }

        var resolver = new UnboundResolver(options, _options.Time);
        Own(new Disposing(resolver));
        return resolver;
    }

    private async Task RecoverAsync(CancellationToken cancellationToken)
    {
        var doubts = 0;
        try
        {
            await foreach (var found in Spool.RecoverAsync(cancellationToken))
            {
                var (message, envelope) = found;
                if (found.InDoubtSince is { } since)
                {
                    doubts++;
                    NoteDoubt(message, envelope, since);
                }
                if (Moves is { } moves)
                {
                    if (moves.Recover(message, envelope, out var doubtNode, out var doubtSince))
                        Delivery.Recover(message, envelope, doubtNode, doubtSince);
                    else
                        await Spool.RemoveAsync(message);
                }
                else
                {
                    Delivery.Recover(message, envelope);
                }
                RecoveredMessages++;
            }
            if (doubts > 0)
                Logs.Panic(PanicLevel.Warning, PanicSubsystems.Smtp, "delivery", $"{doubts} deliveries were under way when this node ended, and may be repeated: 'veredus message list --in-doubt' names them");
        }
        catch (OperationCanceledException)
        {
            // Stopped while reading: the rest waits for the next start.
        }
        catch (IOException e)
        {
            Logs.Panic(PanicLevel.Critical, PanicSubsystems.Error, "spool", $"reading the spool ended early: {e.Message}; what was not read is delivered after a restart");
        }
    }

    /// <summary>The list has it before the spool forgets it, and before it is delivered again.</summary>
    private void NoteDoubt(StoredMessage message, Envelope envelope, DateTimeOffset since)
    {
        Doubts.Add(new DoubtEvent(since, message.Id, envelope, DoubtCause.Stopped, ""));
        Spool.EndHandOver(message);
    }

    private void TakeOver(ConfigurationChange change)
    {
        _policies.Update(change.New);
        _policies.SetOwnEndpoints(OwnEndpoints(change.New));
        // Slices of the queues: the one who changed the configuration does not wait for them.
        _ = Delivery.ConfigurationChangedAsync();
    }

    private static EquatableArray<IPEndPoint> OwnEndpoints(ConfigurationSnapshot snapshot)
    {
        var own = NetworkInterface.GetAllNetworkInterfaces().SelectMany(one => one.GetIPProperties().UnicastAddresses).Select(unicast => unicast.Address).ToList();
        var endpoints = ImmutableArray.CreateBuilder<IPEndPoint>();
        foreach (var listen in snapshot.Listens.Where(listen => listen.Listener == ScopeKinds.EsmtpListener && listen.IsEnabled))
        {
            if (listen.Endpoint is { Address: { } address, IsWildcard: false })
                endpoints.Add(new(address, listen.Endpoint.Port));
            else if (listen.Endpoint is { Address: { } any })
                endpoints.AddRange(own.Where(one => one.AddressFamily == any.AddressFamily).Select(one => new IPEndPoint(one, listen.Endpoint.Port)));
        }

        return new(endpoints.ToImmutable());
    }

    /// <summary>Traces lie where the mainlog lies; a journal is no place for them.</summary>
    private static string? TraceDirectory(ConfigurationSnapshot snapshot) => LoggerStanzas.All(snapshot, ScopeKinds.EcLogger).Select(logger => logger.PathOf(Options.Mainlog))
        .Where(path => Path.IsPathRooted(path)).Select(Path.GetDirectoryName).FirstOrDefault(directory => !string.IsNullOrEmpty(directory));

    private T Own<T>(T part)
        where T : IAsyncDisposable
    {
        _parts.Push(part);
        return part;
    }

    private static void Guard(ExitCode code, Action action) => Guard(code, () =>
    {
        action();
        return 0;
    });

    private static T Guard<T>(ExitCode code, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ConfigurationException)
        {
            throw new StartupException(code, e.Message, e);
        }
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
