using System.Text;
using System.Threading.Channels;

namespace Veredus.Node;

/// <summary>
/// The last events of a node, in memory and in a file of one JSON document a line. An event that grows (a placement gets its next step) is written again with
/// its id; the last line of an id counts. The file is made anew when it holds many times what is kept. A disk that fails costs the file, not the events.
/// </summary>
public sealed class EventLog : IAsyncDisposable
{
    /// <summary>Placements kept, and as many of all other kinds together.</summary>
    public const int Kept = 1_000;
    private const int MaxLines = 10 * Kept;
    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(300);

    private readonly Lock _gate = new();
    private readonly SortedDictionary<long, ClusterEvent> _events = [];
    private readonly Queue<long> _placements = new(), _others = new();
    private readonly HashSet<long> _unwritten = [];
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private readonly string? _path;
    private readonly Action<string> _report;
    private readonly Task _writing;
    private TaskCompletionSource _news = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _last;
    private int _lines;
    private string _fault = "";

    /// <param name="path">The file; <see langword="null"/>: only in memory.</param>
    /// <param name="report">Told once when the file cannot be read or written.</param>
    public EventLog(string? path, Action<string> report)
    {
        (_path, _report) = (path, report);
        if (path is not null)
            Load(path);
        _writing = path is null ? Task.CompletedTask : Task.Run(WriteAsync);
    }

    /// <summary>The newest id; 0 before the first event.</summary>
    public long Last
    {
        get
        {
            lock (_gate)
                return _last;
        }
    }

    /// <summary>Adds an event and returns it with its id.</summary>
    public ClusterEvent Add(ClusterEvent happened)
    {
        TaskCompletionSource news;
        lock (_gate)
        {
            happened = happened with { Id = ++_last };
            Keep(happened);
            _unwritten.Add(happened.Id);
            news = RenewNews();
        }
        news.TrySetResult();
        _wake.Writer.TryWrite(true);
        return happened;
    }

    /// <summary>Replaces an event by what is known of it now; nothing if it is no longer kept.</summary>
    public void Update(long id, Func<ClusterEvent, ClusterEvent> change)
    {
        TaskCompletionSource news;
        lock (_gate)
        {
            if (!_events.TryGetValue(id, out var known))
                return;
            _events[id] = change(known);
            _unwritten.Add(id);
            news = RenewNews();
        }
        news.TrySetResult();
        _wake.Writer.TryWrite(true);
    }

    /// <summary>The newest events that satisfy <paramref name="wanted"/>, at most <paramref name="limit"/>, oldest first.</summary>
    public IReadOnlyList<ClusterEvent> Find(Func<ClusterEvent, bool> wanted, int limit)
    {
        lock (_gate)
            return [.. _events.Values.Reverse().Where(wanted).Take(limit).Reverse()];
    }

    /// <summary>Completes at once when there is an event after <paramref name="id"/>; else when one comes or grows, or when <paramref name="cancellationToken"/> fires.</summary>
    public async Task WaitAsync(long id, CancellationToken cancellationToken)
    {
        Task news;
        lock (_gate)
        {
            if (_last > id)
                return;
            news = _news.Task;
        }
        await news.WaitAsync(cancellationToken).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private TaskCompletionSource RenewNews()
    {
        var news = _news;
        _news = new(TaskCreationOptions.RunContinuationsAsynchronously);
        return news;
    }

    private void Keep(ClusterEvent happened)
    {
        if (!_events.TryAdd(happened.Id, happened))
        {
            _events[happened.Id] = happened;
            return;
        }
        var queue = happened.Kind == ClusterEvent.Placement ? _placements : _others;
        queue.Enqueue(happened.Id);
        if (queue.Count > Kept)
            _events.Remove(queue.Dequeue());
    }

    private void Load(string path)
    {
        try
        {
            if (!File.Exists(path))
                return;
            foreach (var line in File.ReadLines(path))
            {
                _lines++;
                if (EventJson.TryRead(line) is not { } read)
                    continue;
                Keep(read);
                _last = Math.Max(_last, read.Id);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Fail(e.Message);
        }
    }

    private async Task WriteAsync()
    {
        while (await _wake.Reader.WaitToReadAsync())
        {
            // A placement grows by several steps within moments, a thousand of them at once: written when they have come, not while addresses wait.
            await Task.WhenAny(Task.Delay(Gathering), _wake.Reader.Completion);
            _wake.Reader.TryRead(out _);
            ClusterEvent[] batch;
            lock (_gate)
            {
                batch = [.. _unwritten.Order().Where(_events.ContainsKey).Select(id => _events[id])];
                _unwritten.Clear();
            }
            try
            {
                Append(batch);
                _fault = "";
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Fail(e.Message);
            }
        }
    }

    private void Append(ClusterEvent[] batch)
    {
        if (_lines + batch.Length > MaxLines)
        {
            Rewrite();
            return;
        }
        using var file = new FileStream(_path!, new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.Read, UnixCreateMode = Mode });
        var text = new StringBuilder();
        // A line that a crash cut short ends here, so that it does not swallow the next one.
        if (file.Length > 0 && file.Seek(-1, SeekOrigin.End) >= 0 && file.ReadByte() != '\n')
            text.Append('\n');
        file.Seek(0, SeekOrigin.End);
        foreach (var one in batch)
            text.Append(EventJson.Serialize(one)).Append('\n');
        file.Write(Encoding.UTF8.GetBytes(text.ToString()));
        file.Flush(flushToDisk: true);
        _lines += batch.Length;
    }

    private void Rewrite()
    {
        ClusterEvent[] all;
        lock (_gate)
            all = [.. _events.Values];
        var temporary = $"{_path}.new";
        File.Delete(temporary);
        using (var file = new FileStream(temporary, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = Mode }))
        {
            foreach (var one in all)
                file.Write(Encoding.UTF8.GetBytes(EventJson.Serialize(one) + "\n"));
            file.Flush(flushToDisk: true);
        }
        File.Move(temporary, _path!, overwrite: true);
        _lines = all.Length;
    }

    private static UnixFileMode Mode => UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;

    private void Fail(string why)
    {
        if (_fault != why)
            _report($"cluster: the events cannot be kept in {_path}: {why}; they are in memory only");
        _fault = why;
    }

    /// <summary>Writes what is not written yet.</summary>
    public async ValueTask DisposeAsync()
    {
        _wake.Writer.TryComplete();
        await _writing;
    }
}
