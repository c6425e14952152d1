using System.Threading.Channels;
using Veredus.Delivery.Bounces;
using Veredus.Smtp;
using Veredus.Spool;

namespace Veredus.Delivery;

/// <summary>What the engine works with. The engine owns none of it.</summary>
public sealed record DeliveryParts(ISpool Spool, IPolicySource Policies, Dns.IDnsResolver Dns, IDeliveryObserver Observer, IMessageInjector Injector, DeadlineClock Deadlines, TimeProvider Time)
{
    public IBindingPresence Presence { get; init; } = AlwaysHere.Instance;

    /// <summary><see langword="null"/>: <c>rebind</c> changes nothing.</summary>
    public IBindingAssigner? Assigner { get; init; }

    public BounceClassifier Classifier { get; init; } = BounceClassifier.Default;

    /// <summary>Where trace files may lie (the log directory); <see langword="null"/>: traces are refused.</summary>
    public string? TraceDirectory { get; init; }
}

/// <summary>Queues and delivers. Members are safe for use from any thread.</summary>
public sealed partial class DeliveryEngine : ISchedulerShell, IAsyncDisposable
{
    /// <summary>Timers run in one hold of the lock.</summary>
    private const int TimerBudget = 100;

    private const int Settlers = 2;

    private static readonly TimeSpan HeldCheck = TimeSpan.FromMilliseconds(100);

    /// <summary>Queues looked at in one hold of the lock.</summary>
    private const int QueueSlice = 100;

    private readonly DeliveryParts _parts;
    private readonly Lock _gate = new();
    private readonly Scheduler _scheduler;
    private readonly Outcomes _outcomes;
    private readonly ConnectionRunner _runner;
    private readonly RouteLookupRunner _routes;
    private readonly ITimer _timer;
    private readonly long _startStamp;
    private readonly Channel<Settlement> _settlements = Channel.CreateUnbounded<Settlement>(new() { AllowSynchronousContinuations = false });
    private readonly CancellationTokenSource _abort = new();
    private readonly List<Task> _settling = [];
    private readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _armedFor = long.MaxValue;
    private int _running;
    private bool _stopping;

    public DeliveryEngine(DeliveryParts parts)
    {
        _parts = parts;
        _startStamp = parts.Time.GetTimestamp();
        StartedAt = ResetAt = parts.Time.GetUtcNow();
        _scheduler = new(parts.Policies, parts.Presence, this);
        _outcomes = new(this, parts);
        Traces = new(parts.TraceDirectory, parts.Observer, parts.Time);
        _runner = new(this, parts, _outcomes);
        _routes = new(parts);
        _timer = parts.Time.CreateTimer(static engine => ((DeliveryEngine)engine!).RunTimers(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        parts.Presence.Changed += PresenceChanged;
    }

    /// <summary>Takes a message that has just become durable. Quick; never waits.</summary>
    public void Enqueue(StoredMessage message, Envelope envelope)
    {
        var domain = RoutingDomain(envelope);
        lock (_gate)
        {
            var now = Now();
            var queue = _scheduler.Queue(_scheduler.Binding(envelope.BindingGroup, envelope.Binding), _scheduler.Domain(domain), now);
            var queued = new QueuedMessage(message, envelope.BatchId);
            _scheduler.Enqueue(queued, envelope, queue, now);
            Relocate(queued, now);
            Arm(now);
        }
    }

    /// <summary>Takes a message that an earlier process left: never tried, it is due now; else its schedule goes on (<c>mta.md</c> 4).</summary>
    /// <param name="doubtNode">Who may have it as well: it was given it and had not answered when the process ended.</param>
    /// <param name="doubtSinceMs">Since when, Unix milliseconds.</param>
    public void Recover(StoredMessage message, Envelope envelope, string? doubtNode = null, long doubtSinceMs = 0)
    {
        var domain = RoutingDomain(envelope);
        lock (_gate)
        {
            var now = Now();
            var queue = _scheduler.Queue(_scheduler.Binding(envelope.BindingGroup, envelope.Binding), _scheduler.Domain(domain), now);
            var attempt = message.LastAttempt ?? envelope.Transfer?.LastAttempt;
            var queued = new QueuedMessage(message, envelope.BatchId) { Failures = attempt?.Count ?? 0 };
            var due = now.Ms;
            if (message.LastAttempt is null && envelope.Transfer?.NextAttempt is { } planned)
            {
                queued.LastCode = attempt?.Code ?? 0;
                due = now.MsOf(planned.ToUnixTimeMilliseconds());
            }
            else if (attempt is { } last)
            {
                queued.LastCode = last.Code;
                var verdict = RetrySchedule.Next(queue.Policy.Retry, queued.Failures, queued.ReceivedUnixMs, last.Time.ToUnixTimeMilliseconds(), queued.Batch);
                // A verdict to give up comes when it is tried again, so that it is logged and bounced as any other.
                due = verdict.Failure is null ? now.MsOf(verdict.AtUnixMs) : now.Ms;
            }
            _scheduler.Recover(queued, queue, due);
            if (doubtNode is not null || Moves.MoveRules.MustHold(envelope.Transfer?.Hops ?? 0))
            {
                queued.Move = new(queue)
                {
                    DoubtNode = doubtNode,
                    DoubtSince = doubtSinceMs,
                    HeldUntil = Moves.MoveRules.MustHold(envelope.Transfer?.Hops ?? 0) ? now.UnixMs + Moves.MoveRules.LoopHoldMs : 0,
                };
            }
            if (doubtNode is not null)
                _inDoubt.Add(queued);
            Relocate(queued, now);
            Arm(now);
        }
    }

    /// <summary>Whether a message is in a queue or in delivery.</summary>
    public bool Holds(MessageId id) => Locked(static (scheduler, _, id) => scheduler.Find(id) is not null, id);

    /// <summary>Begins to deliver what is queued.</summary>
    public void Start()
    {
        for (var i = 0; i < Settlers; i++)
            _settling.Add(Task.Run(SettleAsync));
        lock (_gate)
        {
            _scheduler.IsRunning = true;
            _scheduler.LookAtAll(Now());
            Arm(Now());
        }
    }

    /// <summary>Another configuration holds: queues take its options over, and what it allows begins.</summary>
    public Task ConfigurationChangedAsync() => InSlicesAsync(
        static scheduler => scheduler.AllQueues(), static (scheduler, queue, now) => scheduler.Advance(queue, now), static (scheduler, now) => scheduler.ServeAll(now));

    /// <summary>Opens no more connections, lets messages under way finish for at most <paramref name="grace"/>, and says QUIT.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        lock (_gate)
        {
            if (_stopping)
                return;
            _stopping = true;
            _scheduler.IsRunning = false;
            _scheduler.QuitIdle();
            if (_running == 0)
                _idle.TrySetResult();
        }
        _parts.Presence.Changed -= PresenceChanged;
        await _timer.DisposeAsync();
        try
        {
            await _idle.Task.WaitAsync(grace, _parts.Time);
        }
        catch (TimeoutException)
        {
            await _abort.CancelAsync();
            await _idle.Task;
        }
        _settlements.Writer.Complete();
        await Task.WhenAll(_settling);
        Traces.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(TimeSpan.Zero);
        _abort.Dispose();
    }

    /// <summary>Waits while it is not certain that the spool is still this process's (it was frozen, the storage is slow).</summary>
    /// <returns><see langword="false"/>: it is not, or the node stops.</returns>
    internal async ValueTask<bool> UntilSpoolHeldAsync()
    {
        while (!_parts.Spool.IsHeld)
        {
            if (_parts.Spool.Fault is not null || _stopping)
                return false;
            await Task.Delay(HeldCheck, _parts.Time, Aborting);
        }
        return true;
    }

    /// <summary>Cancelled when messages under way have to be given up for a shutdown.</summary>
    internal CancellationToken Aborting => _abort.Token;

    internal Traces Traces { get; }

    /// <summary>Runs <paramref name="action"/> under the scheduler's lock. It must be short.</summary>
    internal T Locked<T, TState>(Func<Scheduler, Moment, TState, T> action, TState state)
    {
        lock (_gate)
        {
            var now = Now();
            var result = action(_scheduler, now, state);
            Arm(now);
            return result;
        }
    }

    internal long Milliseconds => (long)_parts.Time.GetElapsedTime(_startStamp).TotalMilliseconds;

    internal Moment Now() => new(Milliseconds, _parts.Time.GetUtcNow().ToUnixTimeMilliseconds());

    /// <summary>Works through queues, letting go of the lock between slices.</summary>
    private async Task InSlicesAsync(Func<Scheduler, List<DeliveryQueue>> collect, Action<Scheduler, DeliveryQueue, Moment> each, Action<Scheduler, Moment>? atEnd = null)
    {
        var queues = Locked(static (scheduler, _, collect) => collect(scheduler), collect);
        for (var at = 0; at < queues.Count; at += QueueSlice)
        {
            Locked(static (scheduler, now, slice) =>
            {
                for (var i = slice.at; i < Math.Min(slice.at + QueueSlice, slice.queues.Count); i++)
                    slice.each(scheduler, slice.queues[i], now);
                return 0;
            }, (at, queues, each));
            await Task.Yield();
        }
        if (atEnd is not null)
            Locked(static (scheduler, now, atEnd) => { atEnd(scheduler, now); return 0; }, atEnd);
    }

    /// <summary>Where a message is queued: the override, else the gateway, else the recipient's domain.</summary>
    private ReadOnlySpan<char> RoutingDomain(Envelope envelope)
    {
        if (envelope.RoutingOverride is { Length: > 0 } chosen)
            return chosen;
        var recipient = new EnvelopeAddress(envelope.Recipient).Domain;
        if (recipient.IsEmpty)
            recipient = "localhost";
        if (_parts.Policies.HasGateways)
        {
            var domain = recipient.ToString().ToLowerInvariant();
            if (_parts.Policies.Gateway(envelope.BindingGroup, envelope.Binding, domain) is { Length: > 0 } gateway)
                return gateway;
        }
        return recipient;
    }

    private void PresenceChanged(string group, string binding)
    {
        lock (_gate)
        {
            var now = Now();
            _scheduler.PresenceChanged(_scheduler.Binding(group, binding), now);
            _placesChanged = true;
            Arm(now);
        }
    }

    private void RunTimers()
    {
        var more = true;
        while (more)
        {
            lock (_gate)
            {
                if (_stopping)
                    return;
                _armedFor = long.MaxValue;
                var now = Now();
                more = _scheduler.RunDue(now, TimerBudget);
                if (!more)
                    Arm(now);
            }
        }
    }

    /// <summary>Sets the one timer to the earliest thing due.</summary>
    private void Arm(Moment now)
    {
        var due = _scheduler.NextDue;
        if (due >= _armedFor || _stopping)
            return;
        _armedFor = due;
        _timer.Change(TimeSpan.FromMilliseconds(Math.Clamp(due - now.Ms, 0, 86_400_000)), Timeout.InfiniteTimeSpan);
    }

    void ISchedulerShell.Start(OutboundConnection connection)
    {
        _running++;
        // Not awaited: the engine counts it, and StopAsync waits until none is left.
        _ = Task.Run(() => RunConnectionAsync(connection));
    }

    void ISchedulerShell.Resolve(DomainState domain, DeliveryQueue onBehalfOf)
    {
        var (name, port) = (domain.Name, onBehalfOf.Policy.Port);
        var fallBack = onBehalfOf.Policy.MxFailuresFallbackToA > 0 && domain.DnsFailures >= onBehalfOf.Policy.MxFailuresFallbackToA;
        _running++;
        _ = Task.Run(() => ResolveAsync(domain, name, port, fallBack));
    }

    void ISchedulerShell.Settle(QueuedMessage message, Ending ending) => _settlements.Writer.TryWrite(new(message, ending));

    private async Task RunConnectionAsync(OutboundConnection connection)
    {
        var hostFailed = false;
        try
        {
            hostFailed = await _runner.RunAsync(connection);
        }
        catch (Exception error)  // fenced off: one connection ends, its messages go back
        {
            if (error is not OperationCanceledException)
                _parts.Observer.Notice(DeliveryNotice.Fault, $"connection to {connection.Target?.Address.Endpoint} for {connection.Queue}: {error}");
        }
        lock (_gate)
        {
            var now = Now();
            foreach (var message in connection.Batch.ToArray())
                if (message.Place is MessagePlace.InDelivery)
                    _scheduler.PutBack(message, now);
            connection.Batch.Clear();
            _scheduler.Closed(connection, hostFailed, now);
            Arm(now);
            Ended();
        }
    }

    private async Task ResolveAsync(DomainState domain, string name, int port, bool fallBack)
    {
        Route route;
        try
        {
            route = await _routes.LookUpAsync(name, port, fallBack, _abort.Token);
        }
        catch (Exception error)  // fenced off: one lookup
        {
            if (error is not OperationCanceledException)
                _parts.Observer.Notice(DeliveryNotice.Fault, $"route of {name}: {error}");
            route = Route.Failed(name, new(DeliveryReplies.DnsUnavailable, IsDns: true), RoutePlanner.FailureTtlSeconds);
        }
        lock (_gate)
        {
            var now = Now();
            _scheduler.RouteReady(domain, route, now);
            Arm(now);
            Ended();
        }
    }

    /// <summary>Under the lock: one connection or lookup less.</summary>
    private void Ended()
    {
        if (--_running == 0 && _stopping)
            _idle.TrySetResult();
    }

    private async Task SettleAsync()
    {
        await foreach (var settlement in _settlements.Reader.ReadAllAsync())
        {
            if (_stopping)
                continue;  // it stays in the spool, as it was
            try
            {
                await _outcomes.SettleAsync(settlement);
            }
            catch (Exception error)  // fenced off: one message
            {
                _parts.Observer.Notice(DeliveryNotice.Fault, $"message {settlement.Message.Stored.Id}: {error}");
                Locked(static (scheduler, now, message) => { scheduler.Requeue(message, now.Ms + Outcomes.TroubleDelayMs, now); return 0; }, settlement.Message);
            }
        }
    }
}

/// <summary>A message whose outcome was decided without a connection.</summary>
internal readonly record struct Settlement(QueuedMessage Message, Ending Ending);
