using System.Threading.Channels;
using Veredus.Cluster;

namespace Veredus.ConfigServer;

/// <summary>How a host follows its configuration servers.</summary>
public sealed record FollowerOptions
{
    /// <summary>E.g. <c>/etc/veredus</c>; holds <c>cluster.boot</c>.</summary>
    public required string Etc { get; init; }
    /// <summary>The working copy.</summary>
    public required string Conf { get; init; }
    /// <summary>Whether files in a directory, put in place of the working copy, would load here; null, or what is wrong with them.</summary>
    public Func<string, CancellationToken, Task<string?>>? Rehearse { get; init; }
    /// <summary>Reads the new files; null, or what is wrong with them.</summary>
    public Func<CancellationToken, Task<string?>>? Reload { get; init; }
    /// <summary>What the files of a directory, put in place of the working copy, would do here; null: only whether they load.</summary>
    public Func<string, CancellationToken, Task<NodeEffect>>? Plan { get; init; }
    /// <summary>Joins the group where servers tell their heads; null: only the clock tells when to look.</summary>
    public Func<IGroupBus>? OpenBus { get; init; }
    /// <summary>Longest time between two looks; a little less by chance, so that hosts do not all ask at once.</summary>
    public TimeSpan Period { get; init; } = TimeSpan.FromMinutes(1);
    /// <summary>Longest wait after a notice, for the same reason.</summary>
    public TimeSpan Jitter { get; init; } = TimeSpan.FromMilliseconds(200);
    public TimeProvider Time { get; init; } = TimeProvider.System;
    public Random Random { get; init; } = Random.Shared;
    public Action<string> Log { get; init; } = _ => { };
}

/// <summary>Keeps a host's working copy at the servers' state: at once when a server tells of a new head, and every minute when none does.</summary>
public sealed class Follower : IAsyncDisposable
{
    private readonly FollowerOptions _options;
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<TaskCompletionSource?> _wake = Channel.CreateBounded<TaskCompletionSource?>(64);
    private readonly List<Task> _running;
    private readonly List<Task> _planning = [];
    private IGroupBus? _bus;
    private FollowState? _state, _refused;
    private (string Commit, string Global)? _loaded;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Begins, with a look at once.</summary>
    public Follower(FollowerOptions options)
    {
        _options = options;
        // The host has just read what lies there.
        if (Marker.TryRead(options.Conf) is { } marker)
            _loaded = (marker.Base, marker.GlobalBase);
        _bus = options.OpenBus?.Invoke();
        _running = [Task.Run(LoopAsync), Task.Run(ReadBusAsync)];
    }

    /// <summary>What this host runs; null before the first look.</summary>
    public FollowState? State => Volatile.Read(ref _state);

    /// <summary>Looks now; returns when it has.</summary>
    public async Task<FollowState?> PullNowAsync(CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await _wake.Writer.WriteAsync(done, cancellationToken);
        await done.Task.WaitAsync(cancellationToken);
        return State;
    }

    /// <summary>Waits until the state is as asked.</summary>
    public async Task UntilAsync(Func<FollowState, bool> condition, CancellationToken cancellationToken)
    {
        while (true)
        {
            var changed = Volatile.Read(ref _changed).Task;
            if (State is { } state && condition(state))
                return;
            await changed.WaitAsync(cancellationToken);
        }
    }

    private async Task LoopAsync()
    {
        var waiting = new List<TaskCompletionSource>();
        try
        {
            while (true)
            {
                await LookAsync();
                waiting.ForEach(one => one.TrySetResult());
                waiting.Clear();
                using var period = new CancellationTokenSource(_options.Period * (0.9 + (0.1 * _options.Random.NextDouble())), _options.Time);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(period.Token, _stop.Token);
                try
                {
                    await _wake.Reader.WaitToReadAsync(either.Token);
                }
                catch (OperationCanceledException) when (!_stop.IsCancellationRequested)
                {
                    continue;
                }
                var isAsked = Drain(waiting);
                if (!isAsked)
                    await Task.Delay(_options.Jitter * _options.Random.NextDouble(), _options.Time, _stop.Token);
                Drain(waiting);
            }
        }
        catch (OperationCanceledException)
        {
            // The host stops.
        }
        finally
        {
            _wake.Writer.TryComplete();
            Drain(waiting);
            waiting.ForEach(one => one.TrySetCanceled());
        }
    }

    private bool Drain(List<TaskCompletionSource> waiting)
    {
        while (_wake.Reader.TryRead(out var one))
            if (one is not null)
                waiting.Add(one);
        return waiting.Count > 0;
    }

    private async Task LookAsync()
    {
        ClusterBoot? boot;
        try
        {
            boot = AutoPull.ReadBoot(_options.Etc);
        }
        catch (Exception exception) when (exception is EccfgException or IOException or UnauthorizedAccessException)
        {
            if (State is { } last)
                Publish(last with { Code = FollowCodes.Drift, Text = exception.Message, At = _options.Time.GetUtcNow() });
            return;
        }
        if (boot is null)
            return;
        var pulled = await AutoPull.RunAsync(_options.Etc, _options.Conf, boot, CheckAsync, _options.Time, _stop.Token);
        Publish(await LoadAsync(pulled.State, pulled.Reload));
    }

    /// <summary>Files that are not in use yet are loaded, whoever put them there: this pull, one by hand, or a commit from this host.</summary>
    private async Task<FollowState> LoadAsync(FollowState state, bool mayReload)
    {
        if (_options.Reload is not { } reload || _loaded == (state.Commit, state.Global))
            return state;
        if (!mayReload)
            return state with { Code = FollowCodes.Drift, Text = "new files wait for 'config reload' (reload_config_on_update is off)" };
        if (_refused is { } refused && refused.Commit == state.Commit && refused.Global == state.Global)
            return refused;
        if (await reload(_stop.Token) is { } problem)
            return _refused = state with { Code = FollowCodes.NotLoaded, Text = problem, Wanted = state.Commit };
        (_loaded, _refused) = ((state.Commit, state.Global), null);
        return state;
    }

    private async Task CheckAsync(string tree)
    {
        if (_options.Rehearse is { } rehearse && await rehearse(tree, _stop.Token) is { } problem)
            throw new NotLoadedException(problem);
    }

    private void Publish(FollowState state)
    {
        if (State is { } before && before with { At = state.At } == state)
            return;
        if (state.Code.Length > 0 && (state.Code, state.Text) != (State?.Code, State?.Text))
            _options.Log($"configuration: {state.Code}: {state.Text}");
        else if (State is { } old && old.Commit != state.Commit)
            _options.Log($"configuration: revision {state.Revision} ({state.Commit[..7]}) is in force");
        Volatile.Write(ref _state, state);
        Tell();
        Interlocked.Exchange(ref _changed, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }

    private void Tell()
    {
        if (State is { } state)
            _bus?.Send(new FollowMessage(State: state with { Text = state.Text.Length > 4000 ? state.Text[..4000] : state.Text }).ToBytes());
    }

    private async Task ReadBusAsync()
    {
        if (_bus is not { } bus)
            return;
        await foreach (var happened in bus.Events.ReadAllAsync())
        {
            if (happened is GroupEvent.View)
                Tell();
            else if (happened is GroupEvent.Message message && FollowMessage.Parse(message.Payload.Span) is { } said)
            {
                if (said.Head is { } head && IsNews(head))
                    _wake.Writer.TryWrite(null);
                if (said.Ask is { } ask)
                {
                    _planning.RemoveAll(task => task.IsCompleted);
                    _planning.Add(Task.Run(() => AnswerAsync(ask)));
                }
            }
        }
    }

    /// <summary>Fetches the commit, builds the tree that it would make of this host's working copy, and says what that would do.</summary>
    private async Task AnswerAsync(PlanAsk ask)
    {
        try
        {
            if (AutoPull.ReadBoot(_options.Etc) is not { } boot || (ask.Repository != boot.ClusterName && ask.Repository != WorkingCopy.GlobalName))
                return;
            var effect = await AutoPull.PlanAsync(_options.Etc, _options.Conf, boot, ask, _options.Plan ?? LooksAsync, _options.Time, _stop.Token);
            _bus?.Send(new FollowMessage(Reply: new(ask.Id, effect)).ToBytes());
        }
        catch (Exception exception) when (exception is OperationCanceledException or EccfgException or IOException)
        {
            _options.Log($"configuration: a plan was not answered: {exception.Message}");
        }
    }

    /// <summary>A host that can't say more than whether it would load the files.</summary>
    private async Task<NodeEffect> LooksAsync(string tree, CancellationToken cancellationToken)
    {
        var (node, subcluster) = (State?.Node ?? "", State?.Subcluster ?? "");
        var problem = _options.Rehearse is { } rehearse ? await rehearse(tree, cancellationToken) : null;
        return NodeEffect.Refusing(node, subcluster, problem is null ? [] : problem.Split('\n'));
    }

    private bool IsNews(HeadNotice head) => State is not { } state
        || (head.Repository == WorkingCopy.GlobalName ? head.Commit != state.Global : head.Repository == state.Subcluster && head.Commit != state.Commit)
        || (head.Conflict != (state.Code == FollowCodes.Conflict) && (head.Repository == state.Subcluster || head.Repository == WorkingCopy.GlobalName));

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        if (_bus is { } bus)
            await bus.DisposeAsync();
        await Task.WhenAll(_running);
        await Task.WhenAll(_planning);
        _bus = null;
        _stop.Dispose();
    }
}
