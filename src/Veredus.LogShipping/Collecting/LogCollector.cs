using Veredus.Journal;

namespace Veredus.LogShipping;

/// <summary>
/// A manager's log gathering (logging.md 5): pulls every published log of every node into files, each record exactly once as long as this manager's disk survives,
/// whatever is killed meanwhile. Nodes come and go with the cluster's membership.
/// </summary>
public sealed class LogCollector : IAsyncDisposable
{
    private static readonly TimeSpan LookForNodes = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<LogNode, (LogNodeWatch Watch, CancellationTokenSource Stop, Task Running)> _nodes = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly ILogSource _source;
    private readonly LogWriter _writer;
    private readonly TimeProvider _time;
    private readonly Action<string> _report;
    private readonly Task _running;
    private volatile LogCollectorSettings _settings;

    private LogCollector(LogCollectorSettings settings, LogWriter writer, ILogSource source, TimeProvider time, Action<string> report)
    {
        (_settings, _writer, _source, _time, _report) = (settings, writer, source, time, report);
        if (writer.CutAtStart > 0)
            report($"logs: {writer.CutAtStart} octets that an earlier run had not finished storing were taken back; they come again");
        _running = Task.Run(RunAsync);
    }

    /// <summary>Starts to collect.</summary>
    /// <param name="stateDirectory">Holds the positions; this manager's own, on the disk that has the files.</param>
    /// <param name="report">Takes lines for the operator; from any thread.</param>
    /// <exception cref="IOException">Another process uses the directory, or it is damaged.</exception>
    public static LogCollector Start(LogCollectorSettings settings, string stateDirectory, ILogSource source, TimeProvider time, Action<string> report)
    {
        LogCollector? collector = null;
        var first = settings;
        var store = PositionStore.Open(stateDirectory);
        try
        {
            var writer = new LogWriter(store, () => collector?._settings ?? first, time);
            return collector = new(settings, writer, source, time, report);
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    /// <summary>Records up to this one are on disk here, and the node is being told. From any thread; must be quick.</summary>
    public event Action<LogKey, RecordId>? Acknowledged;

    /// <summary>The settings in force; new ones count from the next answer of a node on.</summary>
    public LogCollectorSettings Settings
    {
        get => _settings;
        set => _settings = value;
    }

    /// <summary>Every published log of every node, in the order of their names.</summary>
    public IReadOnlyList<CollectedLog> Status
    {
        get
        {
            lock (_gate)
                return [.. _nodes.OrderBy(entry => entry.Key.Name, StringComparer.Ordinal).SelectMany(entry => entry.Value.Watch.Status)];
        }
    }

    /// <summary>Nodes that can't be asked, with why.</summary>
    public IReadOnlyList<(string Node, string Why)> Unreachable
    {
        get
        {
            lock (_gate)
                return [.. _nodes.Where(entry => entry.Value.Watch.Error is not null).Select(entry => (entry.Key.Name, entry.Value.Watch.Error!))];
        }
    }

    /// <summary>Commits to disk so far, each for everything that waited.</summary>
    public long Commits => _writer.Commits;

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running;
        await _writer.DisposeAsync();
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            await FollowAsync(_source.Nodes);
            await Task.Delay(LookForNodes, _time, _stopping.Token).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
        await FollowAsync([]);
    }

    private async Task FollowAsync(IReadOnlyList<LogNode> nodes)
    {
        List<(CancellationTokenSource Stop, Task Running)> gone = [];
        lock (_gate)
        {
            foreach (var (node, entry) in _nodes.Where(entry => !nodes.Contains(entry.Key)).ToList())
            {
                gone.Add((entry.Stop, entry.Running));
                _nodes.Remove(node);
            }
        }
        foreach (var (stop, running) in gone)
        {
            await stop.CancelAsync();
            await running;
            stop.Dispose();
        }
        lock (_gate)
        {
            foreach (var node in nodes.Where(node => !_nodes.ContainsKey(node)))
            {
                if (!LogNames.IsSafe(node.Name) || !LogNames.IsSafe(node.Subcluster))
                    continue;  // such a name is in no path
                var (watch, stop) = (new LogNodeWatch(node, _source, _writer, () => _settings, _time, _report, (key, last) => Acknowledged?.Invoke(key, last)), new CancellationTokenSource());
                _nodes[node] = (watch, stop, Task.Run(() => watch.RunAsync(stop.Token), CancellationToken.None));
            }
        }
    }
}
