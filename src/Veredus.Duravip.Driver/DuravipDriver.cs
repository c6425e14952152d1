using System.Collections.Concurrent;
using System.Net;
using System.Threading.Channels;
using Veredus.Cluster;

namespace Veredus.Duravip.Driver;

/// <summary>
/// Runs the DuraVIP machine of one node: one loop feeds it what the bus, the guard, the kernel, timers and operators say, and carries out what it decides.
/// Nothing else touches the machine. Interfaces are touched only after a look at the bus shows that nothing waits there.
/// </summary>
public sealed partial class DuravipDriver : IAsyncDisposable
{
    private const int MaxWaiting = 4096;
    /// <summary>The daemon has something for this process and its reader has not passed it on: look again so soon.</summary>
    private static readonly TimeSpan Recheck = TimeSpan.FromMilliseconds(10);

    private readonly DuravipDriverSettings _settings;
    private readonly DuravipMachine _machine;
    private readonly AddressWork _addresses;
    private readonly Channel<Action> _local = Channel.CreateBounded<Action>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true });
    private readonly List<DuravipEffect> _effects = [];
    /// <summary>Lines and history wait until nothing is to be done: a takeover of a thousand addresses has some thousands of them.</summary>
    private readonly ConcurrentQueue<Action> _untold = new();
    private readonly CancellationTokenSource _ending = new();
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly long _origin;
    private DuravipConfiguration _configuration;
    private Task _running = Task.CompletedTask, _watching = Task.CompletedTask, _leaving = Task.CompletedTask;
    private Task? _localWait, _busWait;
    private IGroupBus? _bus;
    private Incarnation _incarnation;
    private TaskCompletionSource<(bool, string)>? _asking;
    private HashSet<uint> _hosts = [];
    private string _lastFault = "";
    private ulong _ownersStamp;
    private long _timerAt = long.MaxValue;
    private long _evidenceAt = -1;
    private bool _isJoined, _isOver;
    private volatile ClusterMembership _membership = ClusterMembership.Disconnected;

    public DuravipDriver(DuravipDriverSettings settings, DuravipConfiguration configuration)
    {
        (_settings, _configuration, _origin) = (settings, configuration, settings.Time.GetTimestamp());
        _machine = new(settings.NodeName, MemberRole.Node, configuration.Vips, configuration.Options);
        _addresses = new(settings, Post, _untold.Enqueue);
    }

    /// <summary>Who is in the cluster.</summary>
    public ClusterMembership Membership => _membership;

    /// <summary>Completes when everything was handed over and the group was left.</summary>
    public Task Stopped => _stopped.Task;

    /// <summary>Starts the guard, cleans the host and joins.</summary>
    /// <exception cref="IOException">The guard cannot be started or refuses.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _addresses.StartAsync(_configuration, cancellationToken);
        if (_settings.Network is { } network)
        {
            foreach (var link in network.Current.Links.Values.Where(link => !link.HasCarrier))
                Post(new CarrierChangedEvent(link.Name, false));
            _watching = WatchAsync(network);
        }
        _running = Task.Run(RunAsync, CancellationToken.None);
    }

    /// <summary>Takes a new configuration into use.</summary>
    public async Task ReconfigureAsync(DuravipConfiguration configuration, CancellationToken cancellationToken)
    {
        await _addresses.ConfigureAsync(configuration, cancellationToken);
        await PostAsync(() =>
        {
            _configuration = configuration;
            Apply(new ReconfiguredEvent(configuration.Vips, configuration.Options));
        }, cancellationToken);
    }

    /// <summary>Gives an operator's command to the machine and returns its answer.</summary>
    public async Task<(bool Ok, string Text)> AskAsync(OperatorCommand command, CancellationToken cancellationToken)
    {
        var answer = new TaskCompletionSource<(bool, string)>(TaskCreationOptions.RunContinuationsAsynchronously);
        await PostAsync(() =>
        {
            _asking = answer;
            Apply(command);
            answer.TrySetResult((false, "no answer"));
            _asking = null;
        }, cancellationToken);
        var (ok, text) = await answer.Task.WaitAsync(cancellationToken);
        _settings.Observer?.Ordered(command, ok, text);
        return (ok, text);
    }

    /// <summary>Reads the machine between two events.</summary>
    /// <param name="query">Gets the machine and the time on its clock, in milliseconds; must not change it.</param>
    public async Task<T> QueryAsync<T>(Func<DuravipMachine, long, T> query, CancellationToken cancellationToken)
    {
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        await PostAsync(() =>
        {
            try
            {
                answer.SetResult(query(_machine, NowMs));
            }
            catch (Exception failure)
            {
                answer.SetException(failure);  // the asker's, not the addresses'
            }
        }, cancellationToken);
        return await answer.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Hands every address over and leaves; see <see cref="Stopped"/>.</summary>
    public void RequestStop() => Post(new StopRequestedEvent());

    /// <summary>Ends at once: the guard takes off what is still here.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        _local.Writer.TryComplete();
        await _running;
        await _watching;
        if (_bus is not null)
            await _bus.DisposeAsync();
        await _leaving;
        await _addresses.DisposeAsync();
        _stopped.TrySetResult();
        _ending.Dispose();
    }

    /// <summary>The wall clock's time of a time on the machine's clock.</summary>
    public DateTimeOffset WallClock(long ms) => _settings.Time.GetUtcNow() - TimeSpan.FromMilliseconds(NowMs - ms);

    private long NowMs => (long)_settings.Time.GetElapsedTime(_origin).TotalMilliseconds;

    private void Post(DuravipEvent happened) => Post(() => Apply(happened));

    /// <summary>Together: what follows from all of them is decided, and told to the others, once.</summary>
    private void Post(IReadOnlyList<DuravipEvent> happened) => Post(() =>
    {
        foreach (var one in happened)
            Apply(one);
    });

    private void Post(Action action)
    {
        // Full: whoever has news waits, not the loop. Closed: nobody is interested any more.
        if (!_local.Writer.TryWrite(action))
            _ = PostAsync(action, CancellationToken.None).ContinueWith(static _ => { }, TaskScheduler.Default);
    }

    private async Task PostAsync(Action action, CancellationToken cancellationToken)
    {
        try
        {
            await _local.Writer.WriteAsync(action, cancellationToken);
        }
        catch (ChannelClosedException e)
        {
            throw new IOException("DuraVIP has ended on this node.", e);
        }
    }

    private async Task RunAsync()
    {
        try
        {
            Apply(new StartedEvent());
            while (!_isOver && !_ending.IsCancellationRequested)
            {
                var isDrained = Turn();
                if (!_isOver && !TellSome())
                    await WaitAsync(isDrained);
            }
        }
        catch (OperationCanceledException) when (_ending.IsCancellationRequested)
        {
            // Disposed.
        }
        catch (Exception failure)
        {
            // A bug: without the loop nothing beats the guard, which takes the addresses off; the others claim them.
            _settings.Log(LogLevelHint.Error, $"duravip: stopped by a fault, this node serves no virtual address any more: {failure}");
            _leaving = _addresses.DisposeAsync().AsTask();
        }
        _local.Writer.TryComplete();
        while (_local.Reader.TryRead(out _))
        {
        }
        while (_untold.TryDequeue(out var tell))
            tell();
        await _leaving;
        _stopped.TrySetResult();
    }

    /// <summary>Applies everything that is here and, when the bus has nothing more either, lets the machine act.</summary>
    private bool Turn()
    {
        bool more;
        do
        {
            more = false;
            while (_local.Reader.TryRead(out var happened))
            {
                happened();
                more = true;
            }
            while (_bus is { } bus && bus.Events.TryRead(out var happened))
            {
                OnBus(bus, happened);
                more = true;
            }
        }
        while (more);
        if (NowMs >= _timerAt)
        {
            _timerAt = long.MaxValue;
            Apply(new TimerFiredEvent());
        }
        if (_bus is { IsDrained: false })
            return false;
        if (_evidenceAt >= 0)
        {
            _addresses.Beat(_origin + (long)(_evidenceAt * (_settings.Time.TimestampFrequency / 1000.0)));
            _evidenceAt = -1;
        }
        Apply(new QueueDrainedEvent());
        if (_machine.OwnersStamp is var stamp && stamp != _ownersStamp)
        {
            _ownersStamp = stamp;
            _settings.Services.OwnersChanged(_machine.Owners());
        }
        return true;
    }

    /// <summary>Until something comes, or is due.</summary>
    private bool TellSome()
    {
        var told = false;
        while (_local.Reader.Count == 0 && _bus?.Events.Count is not > 0 && NowMs < _timerAt && _untold.TryDequeue(out var tell))
        {
            tell();
            told = true;
        }
        return told;
    }

    private async Task WaitAsync(bool isDrained)
    {
        _localWait ??= _local.Reader.WaitToReadAsync().AsTask();
        _busWait ??= _bus?.Events.WaitToReadAsync().AsTask();
        var wait = isDrained ? _timerAt == long.MaxValue ? TimeSpan.FromSeconds(1) : TimeSpan.FromMilliseconds(Math.Max(0, _timerAt - NowMs)) : Recheck;
        using var delay = CancellationTokenSource.CreateLinkedTokenSource(_ending.Token);
        var timer = Task.Delay(wait, _settings.Time, delay.Token);
        await Task.WhenAny(_busWait is null ? [_localWait, timer] : [_localWait, _busWait, timer]);
        await delay.CancelAsync();
        if (_localWait.IsCompleted)
            _localWait = null;
        if (_busWait is { IsCompleted: true } ended)
        {
            _busWait = null;
            if (!ended.IsCompletedSuccessfully)
                OnBusFault(ended.Exception?.InnerException?.Message ?? "the bus has ended");
        }
    }

    private void OnBus(IGroupBus bus, GroupEvent happened)
    {
        if (happened is GroupEvent.Message(var speaker, var payload) && payload.Length > 0 && payload.Span[0] == (byte)ClusterChannel.Duravip)
        {
            Apply(new DeliveredEvent(Id(speaker), payload[1..]));
            return;
        }
        var before = _membership;
        _membership = before.Apply(happened, bus.Self);
        Tell(happened, before);
        switch (happened)
        {
            case GroupEvent.View(var view):
                OnView(bus, view);
                break;
            case GroupEvent.Hosts(var hosts):
                _hosts = [.. hosts];
                if (_isJoined)
                    Apply(new QuorumChangedEvent(IsQuorate));
                break;
            case GroupEvent.Lost(var reason):
                OnBusFault(reason);
                break;
            case GroupEvent.Message when _membership.NameConflict() is { } conflict:
                _settings.Log(LogLevelHint.Error, $"{conflict}; this node leaves: give it another nodename and start it again");
                Apply(new StopRequestedEvent());
                break;
        }
    }

    private void Tell(GroupEvent happened, ClusterMembership before)
    {
        if (_settings.Observer is not { } observer)
            return;
        switch (happened)
        {
            case GroupEvent.View(var view):
                foreach (var left in view.Left)
                    if (before.Members.FirstOrDefault(member => member.Id == left.Member)?.Hello is { } gone)
                        observer.Left(gone.NodeName, left.Why);
                break;
            case GroupEvent.Message(var sender, _) when before.Members.FirstOrDefault(member => member.Id == sender) is { Hello: null }
                && _membership.Members.FirstOrDefault(member => member.Id == sender)?.Hello is { } hello:
                observer.Joined(hello);
                break;
            case GroupEvent.Lost(var reason) when _isJoined:
                observer.BusLost(reason);
                break;
        }
    }

    private void OnView(IGroupBus bus, GroupView view)
    {
        _lastFault = "";
        if (!_isJoined)
        {
            _isJoined = true;
            _incarnation = Incarnation.New(_settings.Time, Random.Shared);
            Apply(new JoinedEvent(Id(bus.Self), _incarnation.Value));
        }
        // The list of hosts follows; until then, whoever is certainly gone.
        _hosts.ExceptWith(view.Left.Where(left => left.Why == Cluster.Departure.NodeDown).Select(left => left.Member.NodeId));
        _hosts.UnionWith(view.Members.Select(member => member.NodeId));
        Apply(new QuorumChangedEvent(IsQuorate));
        Apply(new ViewChangedEvent(
            [.. view.Members.Select(Id)],
            [.. view.Left.Select(left => new Departure(Id(left.Member), left.Why switch
            {
                Cluster.Departure.Leave => DepartureReason.Leave,
                Cluster.Departure.ProcessDown => DepartureReason.ProcessDeath,
                _ => DepartureReason.NodeDown,
            }))],
            [.. view.Joined.Select(Id)]));
        bus.Send(new Hello(MemberKind.Veredus, _settings.NodeName, "default", _settings.Version, new(IPAddress.Any, 0), [bus.Group], _incarnation).Encode());
    }

    /// <summary>A majority of hosts, as corosync's votequorum has it with one vote each; a node that is being restarted costs no vote.</summary>
    private bool IsQuorate => _hosts.Count * 2 > _settings.ExpectedHosts;

    /// <summary>Before the first view the bus tries again by itself; after it, this node is no member any more.</summary>
    private void OnBusFault(string reason)
    {
        if (reason != _lastFault)
            _settings.Log(LogLevelHint.Error, $"cluster: bus: {reason}; trying again");
        _lastFault = reason;
        if (!_isJoined && _bus is { } bus && !bus.Events.Completion.IsCompleted)
            return;
        LeaveBus();
        Apply(new BusLostEvent());
    }

    private void LeaveBus()
    {
        var bus = _bus;
        (_bus, _busWait, _isJoined, _evidenceAt, _membership, _hosts) = (null, null, false, -1, ClusterMembership.Disconnected, []);
        if (bus is not null)
            _leaving = LeaveAsync(_leaving, bus);
    }

    private async Task LeaveAsync(Task earlier, IGroupBus bus)
    {
        await earlier;
        try
        {
            await bus.DisposeAsync();
        }
        catch (Exception failure)
        {
            // This stay is over either way; the next one must not depend on how it ended.
            _settings.Log(LogLevelHint.Error, $"cluster: leaving the bus: {failure.Message}");
        }
    }

    private async Task JoinAsync()
    {
        await _leaving;
        Post(() =>
        {
            try
            {
                _bus ??= _settings.OpenBus();
            }
            catch (IOException e)
            {
                OnBusFault(e.Message);
            }
        });
    }

    private static MemberId Id(Cluster.MemberId id) => new(id.NodeId, id.ProcessId);
}
