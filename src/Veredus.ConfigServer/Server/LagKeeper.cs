namespace Veredus.ConfigServer;

/// <summary>Watches the copies of all servers: one that lags for more than a minute is logged, and shows in <c>status</c> and on the nodes.</summary>
internal sealed class LagKeeper : IAsyncDisposable
{
    private readonly Replicator _replicator;
    private readonly TimeProvider _time;
    private readonly Action<string> _log;
    private readonly CancellationTokenSource _stop = new();
    private readonly long _start;
    private readonly Task _running;
    private volatile ReplicaLag _lag = ReplicaLag.None;
    private TaskCompletionSource _looked = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public LagKeeper(Replicator replicator, TimeProvider time, Action<string> log)
    {
        (_replicator, _time, _log, _start) = (replicator, time, log, time.GetTimestamp());
        _running = Task.Run(LoopAsync);
    }

    /// <summary>Servers whose copy of a repository has lagged for more than a minute, and for how long.</summary>
    public IEnumerable<(string Server, TimeSpan For)> Behind(string repository) =>
        _lag.Lagging.Where(lag => lag.IsSaid && lag.Repository == repository).Select(lag => (lag.Server, TimeSpan.FromSeconds(Now - lag.Since)));

    /// <summary>Waits until a condition holds; it is looked at whenever the copies have been.</summary>
    public async Task UntilAsync(Func<bool> condition, CancellationToken cancellationToken)
    {
        while (true)
        {
            var looked = Volatile.Read(ref _looked).Task;
            if (condition())
                return;
            await looked.WaitAsync(cancellationToken);
        }
    }

    private double Now => _time.GetElapsedTime(_start).TotalSeconds;

    private async Task LoopAsync()
    {
        try
        {
            while (true)
            {
                var changed = _replicator.NextChange;
                (_lag, var behind, var over) = _lag.Look(_replicator.Replicas, Now);
                foreach (var lag in behind)
                    _log($"configd: {lag.Server} has lagged behind in {lag.Repository} for {Now - lag.Since:0} s: is it full, or does its log say that fetching fails?");
                foreach (var lag in over)
                    _log($"configd: {lag.Server} no longer lags behind in {lag.Repository}");
                Interlocked.Exchange(ref _looked, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
                await UntilAsync(changed, _lag.Due is { } due ? TimeSpan.FromSeconds(Math.Max(0, due - Now)) : Timeout.InfiniteTimeSpan);
            }
        }
        catch (OperationCanceledException)
        {
            // The server stops.
        }
    }

    private async Task UntilAsync(Task changed, TimeSpan limit)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        await Task.WhenAny(changed, Task.Delay(limit, _time, stop.Token));
        await stop.CancelAsync();
        _stop.Token.ThrowIfCancellationRequested();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }
}
