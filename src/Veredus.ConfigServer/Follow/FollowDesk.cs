using System.Collections.Immutable;
using Veredus.Cluster;

namespace Veredus.ConfigServer;

/// <summary>A server's place in the nodes' group: tells them of new heads, and keeps what they say they run.</summary>
internal sealed class FollowDesk : IAsyncDisposable
{
    public static readonly TimeSpan FollowWait = TimeSpan.FromSeconds(10);
    private readonly IGroupBus _bus;
    private readonly TimeProvider _time;
    private readonly Func<IEnumerable<HeadNotice>> _heads;
    private readonly Task _reading;
    private readonly string _knownFile;
    private readonly Action<string> _log;
    private ImmutableDictionary<string, string> _known = ImmutableDictionary<string, string>.Empty;
    private ImmutableDictionary<string, ImmutableDictionary<string, NodeEffect>> _plans = ImmutableDictionary<string, ImmutableDictionary<string, NodeEffect>>.Empty;
    private ImmutableDictionary<MemberId, FollowState> _nodes = ImmutableDictionary<MemberId, FollowState>.Empty;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="heads">All heads of this server: told anew when somebody joins.</param>
    /// <param name="knownFile">Keeps the names of nodes that were ever here, with their subclusters: one that is down is missed, not forgotten.</param>
    public FollowDesk(IGroupBus bus, TimeProvider time, Func<IEnumerable<HeadNotice>> heads, string knownFile, Action<string> log)
    {
        (_bus, _time, _heads, _knownFile, _log) = (bus, time, heads, knownFile, log);
        if (File.Exists(knownFile))
            _known = File.ReadAllLines(knownFile).Select(line => line.Split(' ')).Where(words => words.Length == 2).ToImmutableDictionary(words => words[0], words => words[1]);
        _reading = Task.Run(ReadAsync);
    }

    /// <summary>The nodes in the group, by name.</summary>
    public IReadOnlyList<FollowState> Nodes => [.. _nodes.Values.OrderBy(node => node.Node, StringComparer.Ordinal)];

    public void Announce(HeadNotice head) => _bus.Send(new FollowMessage(Head: head).ToBytes());

    /// <summary>Waits until every node of a subcluster runs a commit, or has said why it does not; at most ten seconds.</summary>
    /// <param name="repository">The subcluster's, or <c>global</c>: then all nodes count.</param>
    public async Task<IReadOnlyList<FollowState>> WaitAsync(string subcluster, string repository, string commit, CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(FollowWait, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        while (true)
        {
            var changed = Volatile.Read(ref _changed).Task;
            IReadOnlyList<FollowState> nodes = [.. Nodes.Where(node => repository == WorkingCopy.GlobalName || node.Subcluster == subcluster)];
            if (either.IsCancellationRequested || nodes.All(node => node.Runs(repository, commit) || (node.Code.Length > 0 && node.Wanted == commit)))
                return nodes;
            await Task.WhenAny(changed, Task.Delay(Timeout.Infinite, either.Token));
        }
    }

    /// <summary>Waits until the nodes are as asked.</summary>
    public async Task UntilAsync(Func<IReadOnlyList<FollowState>, bool> condition, CancellationToken cancellationToken)
    {
        while (true)
        {
            var changed = Volatile.Read(ref _changed).Task;
            if (condition(Nodes))
                return;
            await changed.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Asks every node of a subcluster what a commit would do there; those that are not here, or do not answer in time, say nothing.</summary>
    /// <param name="repository">For <c>global</c>, all nodes are asked.</param>
    public async Task<PlanAnswers> PlanAsync(string repository, string commit, string server, TimeSpan wait, CancellationToken cancellationToken)
    {
        var id = Guid.NewGuid().ToString("N");
        bool Concerns(string subcluster) => repository == WorkingCopy.GlobalName || subcluster == repository;
        var asked = Nodes.Where(node => Concerns(node.Subcluster)).Select(node => node.Node).ToList();
        ImmutableInterlocked.TryAdd(ref _plans, id, ImmutableDictionary<string, NodeEffect>.Empty);
        using var deadline = new CancellationTokenSource(wait, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            if (asked.Count > 0)
                _bus.Send(new FollowMessage(Ask: new(id, repository, commit, server)).ToBytes());
            // A node that leaves meanwhile is not waited for.
            await UntilAsync(nodes => asked.All(name => _plans[id].ContainsKey(name) || nodes.All(node => node.Node != name)), either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Those that are missing show as silent.
        }
        ImmutableInterlocked.TryRemove(ref _plans, id, out var effects);
        var names = asked.Union(_known.Where(entry => Concerns(entry.Value)).Select(entry => entry.Key)).Order(StringComparer.Ordinal);
        return new(repository, commit, [.. names.Select(name => effects!.TryGetValue(name, out var effect) ? new PlanAnswer(name, effect, null)
            : new(name, null, asked.Contains(name) ? $"no answer within {wait.TotalSeconds:0} s" : "not reached: it does not follow now"))]);
    }

    /// <summary>A node that will not come back is no longer missed.</summary>
    /// <returns>False: it is here, or was never.</returns>
    public bool Forget(string node)
    {
        if (Nodes.Any(here => here.Node == node) || !_known.ContainsKey(node))
            return false;
        Remember(_known.Remove(node));
        return true;
    }

    private void Remember(ImmutableDictionary<string, string> known)
    {
        _known = known;
        AtomicFile.Write(_knownFile, System.Text.Encoding.UTF8.GetBytes(string.Concat(known.OrderBy(entry => entry.Key, StringComparer.Ordinal).Select(entry => $"{entry.Key} {entry.Value}\n"))));
    }

    private async Task ReadAsync()
    {
        await foreach (var happened in _bus.Events.ReadAllAsync())
        {
            switch (happened)
            {
                case GroupEvent.View view:
                    _nodes = _nodes.RemoveRange(_nodes.Keys.Except(view.Membership.Members));
                    foreach (var head in _heads())
                        Announce(head);
                    break;
                case GroupEvent.Lost:
                    _nodes = _nodes.Clear();
                    break;
                case GroupEvent.Message message when FollowMessage.Parse(message.Payload.Span) is { } said && (said.State ?? (object?)said.Reply) is not null:
                    Take(message.Sender, said);
                    break;
                default:
                    continue;
            }
            Interlocked.Exchange(ref _changed, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
        }
    }

    private void Take(MemberId sender, FollowMessage said)
    {
        if (said.State is { Node.Length: > 0, Subcluster: not null, Code: not null } state)
        {
            if (!_nodes.ContainsKey(sender))
                _log($"configd: {state.Node} follows {state.Subcluster}: revision {state.Revision}");
            _nodes = _nodes.SetItem(sender, state);
            if (_known.GetValueOrDefault(state.Node) != state.Subcluster && !state.Node.Contains(' ', StringComparison.Ordinal))
                Remember(_known.SetItem(state.Node, state.Subcluster));
        }
        if (said.Reply is { Id: not null, Effect.Node: not null } reply && _plans.TryGetValue(reply.Id, out var effects))
            ImmutableInterlocked.TryUpdate(ref _plans, reply.Id, effects.SetItem(reply.Effect.Node, reply.Effect), effects);
    }

    public async ValueTask DisposeAsync()
    {
        await _bus.DisposeAsync();
        await _reading;
    }
}
