using System.Threading.Channels;

namespace Veredus.LogShipping;

/// <summary>Stores chunks of all journals, in one place and one order: lines to their files, sync, then positions and lengths in one commit. Chunks that wait together share the syncs.</summary>
internal sealed class LogWriter : IAsyncDisposable
{
    private const int MaxWaiting = 64, MaxGroupBytes = 64 << 20;

    private readonly Channel<LogChunk> _waiting = Channel.CreateBounded<LogChunk>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true });
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _gate = new();
    private readonly PositionStore _store;
    private readonly LogFiles _files;
    private readonly Func<LogCollectorSettings> _settings;
    private readonly TimeProvider _time;
    private readonly Task _running;

    /// <param name="store">Belongs to the writer from now on.</param>
    /// <exception cref="IOException">A file could not be brought to the length that its position accounts for.</exception>
    public LogWriter(PositionStore store, Func<LogCollectorSettings> settings, TimeProvider time)
    {
        (_store, _files, _settings, _time) = (store, new(store, settings, time), settings, time);
        CutAtStart = _files.Recover();
        _running = Task.Run(RunAsync);
    }

    /// <summary>Octets that an earlier process had written without their positions.</summary>
    public long CutAtStart { get; }

    /// <summary>Commits so far; with the chunks, how many share one.</summary>
    public long Commits { get; private set; }

    public LogPosition? Find(LogKey key)
    {
        lock (_gate)
            return _store.Find(key);
    }

    /// <summary>Hands a chunk over; <see cref="LogChunk.Stored"/> tells when it is on disk, and fails with an <see cref="IOException"/> when it can't be.</summary>
    public ValueTask WriteAsync(LogChunk chunk, CancellationToken cancellationToken) => _waiting.Writer.WriteAsync(chunk, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _stopping.CancelAsync();
        await _running;
        _files.Dispose();
        _store.Dispose();
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        var group = new List<LogChunk>();
        Task<bool>? more = null;
        while (true)
        {
            more ??= _waiting.Reader.WaitToReadAsync().AsTask();
            if (!more.IsCompleted)
            {
                using var tick = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
                await Task.WhenAny(more, Task.Delay(_settings().MaxIdle / 2, _time, tick.Token));
                await tick.CancelAsync();
                lock (_gate)
                    Guard(_files.CloseIdle);
                if (!more.IsCompleted)
                    continue;
            }
            if (!await more)
                return;
            more = null;
            long bytes = 0;
            while (bytes < MaxGroupBytes && _waiting.Reader.TryRead(out var chunk))
            {
                group.Add(chunk);
                bytes += chunk.Length;
            }
            if (Store(group) is { } failure)
            {
                // One file that can't be written must not hold up the others.
                foreach (var chunk in group)
                    Complete(chunk, group.Count > 1 ? Store([chunk]) : failure);
            }
            else
            {
                group.ForEach(chunk => Complete(chunk, null));
            }
            group.Clear();
        }
    }

    private IOException? Store(List<LogChunk> group)
    {
        lock (_gate)
        {
            return Guard(() =>
            {
                foreach (var chunk in group)
                {
                    // A chunk behind one that failed would leave a gap.
                    if (chunk.Follows is { Stored.Task: { IsCompleted: true, IsCompletedSuccessfully: false } })
                        throw new IOException("what came before it could not be stored");
                    foreach (var (path, start, end) in chunk.Runs)
                        _files.Append(path, chunk.Lines(start, end));
                }
                _files.Accept();
                foreach (var chunk in group)
                    _store.Set(chunk.Key, chunk.Position);
                _store.Commit();
                Commits++;
            });
        }
    }

    private IOException? Guard(Action action)
    {
        try
        {
            action();
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            _files.Abandon();
            try
            {
                _store.Revert();
            }
            catch (Exception again) when (again is IOException or UnauthorizedAccessException)
            {
                // Nothing was taken into account on disk; each further try comes back here until the disk answers.
                return new($"{e.Message}; and the positions can't be read back: {again.Message}", e);
            }
            return e as IOException ?? new(e.Message, e);
        }
    }

    private static void Complete(LogChunk chunk, IOException? failure)
    {
        if (failure is null)
            chunk.Stored.SetResult();
        else
            chunk.Stored.SetException(failure);
        chunk.Follows = null;
    }
}
