using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Veredus.Cluster;

/// <summary>Carries out a delegated command on this node; what the command prints comes back as a whole.</summary>
public delegate Task<CommandOutput> DelegationExecutor(DelegatedCommand command, CancellationToken cancellationToken);

/// <summary>What a member brings to delegation.</summary>
public sealed record DelegationSettings
{
    /// <summary>Runs commands; <see langword="null"/> on managers, which carry out none.</summary>
    public DelegationExecutor? Executor { get; init; }

    /// <summary>Fetches large answers from other members and serves one's own; <see langword="null"/>: there are no certificates, and answers over 1 MB are cut.</summary>
    public ClusterIdentity? Identity { get; init; }

    /// <summary>Told of every command and every answer in the cluster, whoever gave it (the control cache of managers); on the link's task, must be quick.</summary>
    public Action<DelegatedCommand, NodeAnswer>? Observer { get; init; }

    /// <summary>Takes one line for the operator.</summary>
    public required Action<string> Log { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;
}

/// <summary>Delegation can't begin: this process is not in the control group.</summary>
public sealed class DelegationException(string message) : Exception(message);

/// <summary>
/// Console commands for other nodes (cluster.md 10): any member of the control group gives one, the nodes meant carry it out once each, in the one order of the group
/// and one after another, with the caller's identity, and their answers come back one by one.
/// </summary>
/// <example><code>
/// await foreach (var answer in delegation.RunAsync(DelegationTarget.All, "config plan 9c41e7", caller, TimeSpan.FromSeconds(10), stop))
///     // answer.Node, answer.State (Answered, Pending, Left, Absent), answer.Code (0 is +OK), answer.Text, answer.Lines
/// </code></example>
public sealed class Delegation : IClusterLinkListener, IAsyncDisposable
{
    /// <summary>Commands that may wait for their turn on this node.</summary>
    private const int MaxWaiting = 1000;
    private static readonly TimeSpan s_settle = TimeSpan.FromSeconds(2), s_shortestLimit = TimeSpan.FromSeconds(60), s_grace = TimeSpan.FromSeconds(2), s_fetch = TimeSpan.FromSeconds(60);

    private readonly ClusterLink _link;
    private readonly DelegationSettings _settings;
    private readonly DelegationCore _core;
    private readonly ResultStore _results = new();
    private readonly Lock _gate = new();
    private readonly List<DelegationEffect> _effects = [];
    private readonly Dictionary<CommandId, ChannelWriter<NodeAnswer>> _waiters = [];
    private readonly Channel<DelegatedCommand> _toRun = Channel.CreateBounded<DelegatedCommand>(MaxWaiting);
    private readonly HashSet<Task> _fetching = [];
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _running;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Joins in; create it before the link is started.</summary>
    public Delegation(ClusterLink link, DelegationSettings settings)
    {
        (_link, _settings) = (link, settings);
        _core = new(link.Settings.NodeName, link.Settings.Incarnation,
            settings.Identity is null || link.Settings.Address.Port == 0 ? DelegationLimits.MaxMulticastBytesAlone : DelegationLimits.MaxMulticastBytes, settings.Observer is not null);
        Service = new ResultService(_results);
        link.Add(this);
        _running = settings.Executor is { } executor ? Task.Run(() => RunCommandsAsync(executor)) : Task.CompletedTask;
    }

    /// <summary>For the ECCluster listener: hands out this node's large answers.</summary>
    public IClusterService Service { get; }

    /// <summary>Who is in the control group.</summary>
    public ClusterMembership Membership => _link.Membership;

    /// <summary>Gives a command to nodes and returns their answers as they come, each node's once.</summary>
    /// <param name="target">Which nodes. Names that are not in the cluster come back as <see cref="AnswerState.Absent"/>; so do nodes that were there before, unless names were given.</param>
    /// <param name="command">One line, as on the node's console; with the prefix <c>json</c> for a JSON answer.</param>
    /// <param name="caller">Whose command it is; nodes may check it again (<c>delegated_authorization</c>).</param>
    /// <param name="wait">How long answers are awaited. Nodes that have not answered by then come last, as <see cref="AnswerState.Pending"/>; they go on with the command.</param>
    /// <exception cref="DelegationException">This process is not in the control group.</exception>
    /// <exception cref="ArgumentException">The command is longer than 64 KiB, or more than one line.</exception>
    public async IAsyncEnumerable<NodeAnswer> RunAsync(
        DelegationTarget target, string command, DelegationCaller caller, TimeSpan wait, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await SettleAsync(cancellationToken);
        using var deadline = new CancellationTokenSource(wait, _settings.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        var answers = Channel.CreateUnbounded<NodeAnswer>();
        CommandId id;
        IReadOnlyList<NodeAnswer> begun;
        lock (_gate)
        {
            if (_core.Membership.Members.Count == 0)
                throw new DelegationException("this process is not in the cluster's control group: is the bus (corosync) running here?");
            (var issued, begun) = _core.Issue(target, command, caller, wait > s_shortestLimit ? wait : s_shortestLimit, _effects);
            _waiters[id = issued.Id] = answers.Writer;
            CarryOut();
        }
        try
        {
            foreach (var absent in begun.Where(answer => answer.State is AnswerState.Absent))
                yield return absent;
            var open = begun.Where(answer => answer.State is AnswerState.Pending).Select(answer => answer.Node).ToHashSet();
            while (open.Count > 0 && await NextAsync(answers.Reader, either.Token, cancellationToken) is { } answer)
                if (open.Remove(answer.Node))
                    yield return answer;
            foreach (var node in open.Order(StringComparer.Ordinal))
                yield return new(node, AnswerState.Pending);
        }
        finally
        {
            lock (_gate)
                _waiters.Remove(id);
        }
    }

    /// <summary>As <see cref="RunAsync"/>, all answers together, by node name.</summary>
    public async Task<IReadOnlyList<NodeAnswer>> RunToEndAsync(
        DelegationTarget target, string command, DelegationCaller caller, TimeSpan wait, CancellationToken cancellationToken = default)
    {
        var answers = new List<NodeAnswer>();
        await foreach (var answer in RunAsync(target, command, caller, wait, cancellationToken))
            answers.Add(answer);
        return [.. answers.OrderBy(answer => answer.Node, StringComparer.Ordinal)];
    }

    /// <summary>Nodes that have left are missed no longer.</summary>
    public void ForgetAbsent()
    {
        lock (_gate)
            _core.ForgetAbsent();
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        _toRun.Writer.TryComplete();
        await _running;
        Task[] fetching;
        lock (_gate)
            fetching = [.. _fetching];
        await Task.WhenAll(fetching);
        _ending.Dispose();
    }

    void IClusterLinkListener.OnMembership(ClusterMembership membership, bool isView)
    {
        lock (_gate)
        {
            _core.OnMembership(membership, isView, _effects);
            CarryOut();
            _changed.TrySetResult();
            _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    void IClusterLinkListener.OnMessage(MemberId sender, ReadOnlyMemory<byte> payload)
    {
        lock (_gate)
        {
            _core.OnMessage(payload, _effects);
            CarryOut();
        }
    }

    private static async ValueTask<NodeAnswer?> NextAsync(ChannelReader<NodeAnswer> answers, CancellationToken either, CancellationToken cancellationToken)
    {
        if (answers.TryRead(out var here))
            return here;  // in time, although its reader is late
        try
        {
            return await answers.ReadAsync(either);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>Waits, but not long, until all members have introduced themselves: a command names those that shall carry it out.</summary>
    private async Task SettleAsync(CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(s_settle, _settings.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            while (true)
            {
                Task changed;
                lock (_gate)
                {
                    if (_core.IsSettled || _link.Expelled.IsCompleted)
                        return;
                    changed = _changed.Task;
                }
                await changed.WaitAsync(either.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Someone joined and does not speak: it is named as absent.
        }
    }

    /// <summary>Under the gate; nothing here waits.</summary>
    private void CarryOut()
    {
        foreach (var effect in _effects)
        {
            switch (effect)
            {
                case DelegationEffect.Send(var message):
                    _link.Send(message.Span);  // refused: it is sent again after the next view
                    break;
                case DelegationEffect.Execute(var command):
                    Enqueue(command);
                    break;
                case DelegationEffect.Answer(var command, var answer):
                    if (answer.State is not AnswerState.Pending && _waiters.TryGetValue(command.Id, out var waiter))
                        waiter.TryWrite(answer);
                    _settings.Observer?.Invoke(command, answer);
                    break;
                case DelegationEffect.Fetch(_, var result):
                    Fetch(result);
                    break;
                case DelegationEffect.Keep(var id, var body):
                    _results.Keep(id, body);
                    break;
            }
        }
        _effects.Clear();
    }

    private void Enqueue(DelegatedCommand command)
    {
        if (_settings.Executor is not null && _toRun.Writer.TryWrite(command))
            return;
        _ = Task.Run(() => Finish(command, new(DelegationCodes.TimedOut, $"not carried out: {MaxWaiting} commands wait on this node")));
    }

    private async Task RunCommandsAsync(DelegationExecutor executor)
    {
        await foreach (var command in _toRun.Reader.ReadAllAsync())
        {
            if (_ending.IsCancellationRequested)
                return;
            Finish(command, await RunOneAsync(executor, command));
        }
    }

    private async Task<CommandOutput> RunOneAsync(DelegationExecutor executor, DelegatedCommand command)
    {
        using var limit = new CancellationTokenSource(command.Limit, _settings.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _ending.Token);
        var work = Task.Run(() => executor(command, either.Token), CancellationToken.None);
        try
        {
            return await work.WaitAsync(command.Limit + s_grace, _settings.Time, _ending.Token);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            // A command that does not heed its cancellation is left to itself; those behind it go on.
            _ = work.ContinueWith(static late => _ = late.Exception, TaskScheduler.Default);
            return new(DelegationCodes.TimedOut, _ending.IsCancellationRequested ? "the node is shutting down" : $"the node gave up after {command.Limit.TotalSeconds:0} s");
        }
        catch (Exception fault)
        {
            // The fence between one command and the node.
            _settings.Log($"cluster: the command '{command.Text}' of {command.Caller.User} at {command.Origin} failed: {fault}");
            return new(500, $"the command failed: {fault.Message.ReplaceLineEndings(" ")}");
        }
    }

    private void Finish(DelegatedCommand command, CommandOutput output)
    {
        lock (_gate)
        {
            if (_settings.Identity is null || _link.Settings.Address.Port == 0)
                output = output.CutTo(DelegationLimits.MaxMulticastBytesAlone, "this node has no ECCluster listener to fetch more from");
            _core.Finish(command.Id, output.Code, output.Text, output.Body, _effects);
            CarryOut();
        }
    }

    private void Fetch(DelegatedResult result)
    {
        var fetching = Task.Run(() => FetchAsync(result));
        _fetching.Add(fetching);
        _ = fetching.ContinueWith(done =>
        {
            lock (_gate)
                _fetching.Remove(done);
        }, TaskScheduler.Default);
    }

    private async Task FetchAsync(DelegatedResult result)
    {
        ReadOnlyMemory<byte>? body = null;
        var why = "";
        try
        {
            if (result.Node == _link.Settings.NodeName)
                body = _results.Find(result.Id);
            else if (_settings.Identity is not { } identity)
                why = "this process has no cluster certificate (tls_certificate, tls_client_ca in eccluster_listener)";
            else if (_link.Membership.Find(result.Node)?.Hello is not { } hello)
                why = "the node has left";
            else
            {
                using var deadline = new CancellationTokenSource(s_fetch, _settings.Time);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, _ending.Token);
                body = await ResultService.FetchAsync(hello, identity, _link.Settings.Incarnation, result, either.Token);
            }
        }
        catch (Exception e) when (e is IOException or InvalidDataException or OperationCanceledException)
        {
            why = e is OperationCanceledException ? $"not done within {s_fetch.TotalSeconds:0} s" : e.Message;
        }
        lock (_gate)
        {
            _core.Fetched(result, body, why, _effects);
            CarryOut();
        }
    }
}
