using System.Collections.Concurrent;

namespace Veredus.ConfigServer;

/// <summary>On the master: takes a commit back when its time is over and nobody has confirmed it.</summary>
internal sealed class ConfirmationKeeper(RepositoryStore store, Replicator replicator, string nodeName, TimeProvider time, Action<string> log) : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private readonly Dictionary<string, (CommitId Commit, Task Waiting)> _waiting = [];
    private readonly ConcurrentDictionary<string, (CommitId Commit, TimeSpan? Within)> _asked = [];

    /// <summary>A head or a master has changed. A master counts from here on, also one that has just become it.</summary>
    public void Look(HeadNotice head)
    {
        if (!replicator.Replicas.TryGetValue(head.Repository, out var replica) || !replica.IsMaster || _stop.IsCancellationRequested)
            return;
        lock (_gate)
        {
            if (_waiting.TryGetValue(head.Repository, out var before) && before.Commit.Hex == head.Commit)
                return;
            _waiting[head.Repository] = (new(head.Commit), Task.Run(() => WaitAsync(head.Repository, new(head.Commit))));
        }
    }

    /// <summary>How long the tip of a repository waits to be kept; null: it does not. Known on every server, master or not.</summary>
    public async Task<TimeSpan?> OfTipAsync(string name, CommitId tip, CancellationToken cancellationToken)
    {
        // All nodes ask at every revision; git is asked once.
        if (!_asked.TryGetValue(name, out var known) || known.Commit != tip)
            _asked[name] = known = (tip, await Confirmation.OfAsync(store.Open(name), tip, cancellationToken));
        return known.Within;
    }

    private async Task WaitAsync(string name, CommitId commit)
    {
        try
        {
            var repository = store.Open(name);
            if (await Confirmation.OfAsync(repository, commit, _stop.Token) is not { } within)
                return;
            log($"configd: {name}: {commit.Short} is taken back in {within.TotalSeconds:0} s unless it is kept");
            await Task.Delay(within, time, _stop.Token);
            await replicator.DoAsync(() => TakeBackAsync(name, repository, commit));
        }
        catch (OperationCanceledException)
        {
            // The server stops; whoever is master next counts anew.
        }
        catch (Exception exception) when (exception is GitException or IOException)
        {
            log($"configd: {name}: {commit.Short} could not be taken back: {exception.Message}");
        }
    }

    private async Task<bool> TakeBackAsync(string name, GitRepository repository, CommitId commit)
    {
        if (!replicator.Replicas.TryGetValue(name, out var replica) || !replica.IsMaster || replica.InConflict || replica.Head.Commit != commit)
            return false;
        var undo = await repository.CommitTreeAsync($"{commit.Hex}^^{{tree}}", [commit], $"take back {commit.Short}: nobody kept it\n\n{Confirmation.Undoes}: {commit.Hex}\n", "ecconfigd", $"ecconfigd {nodeName}", time.GetUtcNow(), _stop.Token);
        await repository.RunAsync(["update-ref", "refs/heads/main", undo.Hex, commit.Hex], _stop.Token);
        log($"configd: {name}: {commit.Short} was taken back: nobody kept it in time");
        await replicator.ApplyAsync(name, new ReplicaEvent.HeadMoved(await repository.HeadAsync(_stop.Token)));
        return true;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        Task[] waiting;
        lock (_gate)
            waiting = [.. _waiting.Values.Select(entry => entry.Waiting)];
        await Task.WhenAll(waiting);
        _stop.Dispose();
    }
}
