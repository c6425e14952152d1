using System.Globalization;
using Veredus.Journal;

namespace Veredus.LogShipping;

/// <summary>Follows one node: asks what it publishes, and pulls each log that has a subscriber of ours.</summary>
internal sealed class LogNodeWatch(LogNode node, ILogSource source, LogWriter writer, Func<LogCollectorSettings> settings, TimeProvider time, Action<string> report, Action<LogKey, RecordId> acknowledged)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, (LogPull Pull, CancellationTokenSource Stop, Task Running)> _pulls = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (long Disk, IReadOnlyList<LogSubscriber> Subscribers)> _listed = new(StringComparer.Ordinal);
    private string? _error;

    public IReadOnlyList<CollectedLog> Status
    {
        get
        {
            lock (_gate)
                return [.. _listed.Keys.Order(StringComparer.Ordinal).Select(Describe)];
        }
    }

    /// <summary>Why the node can't be asked; <see langword="null"/> when it can.</summary>
    public string? Error => _error;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await WatchAsync(cancellationToken);
            }
            catch (Exception failure) when (failure is IOException or OperationCanceledException or InvalidDataException)
            {
                if (cancellationToken.IsCancellationRequested)
                    break;
                var why = failure is OperationCanceledException ? "it does not answer" : failure.Message;
                if (why != _error)
                    report($"logs: {node.Name} can't be asked for its logs: {why}");
                _error = why;
            }
            await Task.Delay(settings().RetryInterval, time, cancellationToken).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
        foreach (var pull in _pulls.Values)
            await StopAsync(pull);
    }

    private async Task WatchAsync(CancellationToken cancellationToken)
    {
        if (settings().SubscribersFor(node.Name).Count == 0)
        {
            await FollowAsync([]);
            lock (_gate)
                _listed.Clear();
            return;
        }
        using var patience = new Patience(time, cancellationToken);
        await using var connection = await source.ConnectAsync(node, patience.Token);
        while (true)
        {
            patience.Renew();
            await LogProtocol.WriteLineAsync(connection.Transport.Output, "LIST", patience.Token);
            var head = await LogProtocol.ReadLineAsync(connection.Transport.Input, patience.Token);
            if (head.Split(' ') is not ["200", var number] || !int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var count))
                throw new IOException(head);
            var listed = new Dictionary<string, (long, IReadOnlyList<LogSubscriber>)>(StringComparer.Ordinal);
            for (; count > 0; count--)
                Parse(await LogProtocol.ReadLineAsync(connection.Transport.Input, patience.Token), listed);
            if (_error is not null)
                report($"logs: {node.Name} answers again");
            _error = null;
            await FollowAsync(listed);
            patience.Renew();
            var pause = settings().ListInterval;
            await Task.Delay(pause, time, cancellationToken);
        }
    }

    private async Task FollowAsync(Dictionary<string, (long Disk, IReadOnlyList<LogSubscriber> Subscribers)> listed)
    {
        var wanted = settings().SubscribersFor(node.Name);
        List<(LogPull, CancellationTokenSource, Task)> gone = [];
        lock (_gate)
        {
            _listed.Clear();
            foreach (var (log, state) in listed)
                _listed[log] = state;
            foreach (var (log, pull) in _pulls.ToList())
            {
                if (Choose(wanted, listed.GetValueOrDefault(log).Subscribers) == pull.Pull.Subscriber)
                    continue;
                gone.Add(pull);
                _pulls.Remove(log);
            }
        }
        foreach (var pull in gone)
            await StopAsync(pull);
        lock (_gate)
        {
            foreach (var (log, state) in listed)
            {
                if (_pulls.ContainsKey(log) || Choose(wanted, state.Subscribers) is not { } subscriber)
                    continue;
                var (pull, stop) = (new LogPull(node, log, subscriber, source, writer, settings, time, report, acknowledged), new CancellationTokenSource());
                _pulls[log] = (pull, stop, Task.Run(() => pull.RunAsync(stop.Token), CancellationToken.None));
            }
        }
    }

    private static string? Choose(IReadOnlyList<string> wanted, IReadOnlyList<LogSubscriber>? there) =>
        there is null ? null : wanted.FirstOrDefault(name => there.Any(subscriber => subscriber.Name == name));

    private static async Task StopAsync((LogPull Pull, CancellationTokenSource Stop, Task Running) pull)
    {
        await pull.Stop.CancelAsync();
        await pull.Running;
        pull.Stop.Dispose();
    }

    private static void Parse(string line, Dictionary<string, (long, IReadOnlyList<LogSubscriber>)> listed)
    {
        var words = line.Split(' ');
        if (words is not ["LOG", var log, var size, ..] || !LogNames.IsSafe(log) || !long.TryParse(size, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var disk))
            throw new IOException($"'{line}' is no answer of this protocol");
        var subscribers = new List<LogSubscriber>();
        foreach (var word in words.AsSpan(3))
        {
            if (word.Split('@', ',') is not [var name, var position, var waiting, var oldest] || !LogNames.IsSafe(name) || !RecordId.TryParse(position, out var id)
                || !long.TryParse(waiting, NumberStyles.None, CultureInfo.InvariantCulture, out var bytes) || !long.TryParse(oldest, NumberStyles.None, CultureInfo.InvariantCulture, out var second))
                throw new IOException($"'{line}' is no answer of this protocol");
            subscribers.Add(new(name, id, bytes, second > 0 ? DateTimeOffset.FromUnixTimeSeconds(second) : null));
        }
        listed[log] = (disk, subscribers);
    }

    private CollectedLog Describe(string log)
    {
        var (disk, subscribers) = _listed[log];
        if (!_pulls.TryGetValue(log, out var entry))
            return new(node.Name, node.Subcluster, log, "", CollectionState.NotSubscribed, null, 0, 0, 0, 0, 0, disk, subscribers, _error);
        var pull = entry.Pull;
        var until = pull.UntilUnixMicroseconds > 0 ? DateTimeOffset.FromUnixTimeMilliseconds(pull.UntilUnixMicroseconds / 1000) : (DateTimeOffset?)null;
        var own = subscribers.FirstOrDefault(subscriber => subscriber.Name == pull.Subscriber);
        var state = pull.State;
        var waiting = state == CollectionState.UpToDate ? 0 : Math.Max(pull.Waiting, own?.WaitingBytes ?? 0);
        var oldest = state == CollectionState.UpToDate ? null : state == CollectionState.CatchingUp && until is not null ? until : own?.OldestWaiting;
        return new(node.Name, node.Subcluster, log, pull.Subscriber, state, until, waiting,
            waiting > 0 && oldest is { } since ? Math.Max(0, (time.GetUtcNow() - since).TotalSeconds) : 0,
            pull.BytesPerSecond, pull.Records, pull.Bytes, disk, subscribers, pull.Error ?? _error);
    }
}
