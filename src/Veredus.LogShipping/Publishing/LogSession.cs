using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using Veredus.Cluster;
using Veredus.Journal;

namespace Veredus.LogShipping;

/// <summary>One connection of a manager to the service <c>logs</c>.</summary>
internal sealed class LogSession(LogService service, ClusterPeer peer, IDuplexPipe connection) : IDisposable
{
    private readonly CancellationTokenSource _ending = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private (string Directory, string Subscriber) _key;
    private JournalReader? _reader;
    private RecordBatch? _batch;
    private RecordId _last;
    private long _removed, _spoke;
    private bool _caughtUp;

    /// <summary>What this session reads; <see langword="null"/> before OPEN.</summary>
    public LogReading? Reading { get; private set; }

    private ClusterPeer Peer => peer;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _ending.Token);
        var output = connection.Output;
        try
        {
            while (await LogProtocol.TryReadLineAsync(connection.Input, either.Token) is { } line)
            {
                var answer = await AnswerAsync(line.Split(' '), either.Token);
                if (answer.Length > 0)
                    await LogProtocol.WriteLineAsync(output, answer, either.Token);
            }
        }
        catch (JournalException failure)
        {
            service.Report($"logs: {Reading?.Log} for {peer.NodeName}: {failure.Message}");
            await LogProtocol.WriteLineAsync(output, $"451 {OneLine(failure.Message)}", either.Token);
        }
        catch (OperationCanceledException) when (_ending.IsCancellationRequested)
        {
            // The same manager has opened this journal anew: this connection is a leftover.
        }
        finally
        {
            if (_reader is not null)
                service.Release(_key, this);
            _reader?.Dispose();
            _batch?.Dispose();
            _ended.SetResult();
        }
    }

    public void Dispose() => _ending.Dispose();

    private async Task EndAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _ending.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // It has ended by itself.
        }
        await _ended.Task.WaitAsync(cancellationToken);
    }

    private async ValueTask<string> AnswerAsync(string[] words, CancellationToken cancellationToken)
    {
        switch (words)
        {
            case ["LIST"]:
                return List();
            case ["OPEN", var log, var subscriber] when _reader is null:
                return await OpenAsync(log, subscriber, cancellationToken);
            case ["NEXT", var after, var size] when _reader is not null && RecordId.TryParse(after, out var id)
                && int.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out var bytes) && bytes > 0:
                await SendAsync(_reader, id, Math.Min(bytes, LogProtocol.MaxAnswerBytes), cancellationToken);
                return "";
            case ["CHECKPOINT", var last] when _reader is not null && RecordId.TryParse(last, out var id):
                return Acknowledge(_reader, id);
            default:
                return "500 LIST, OPEN log subscriber, NEXT after maxbytes, CHECKPOINT id";
        }
    }

    private string List()
    {
        var logs = service.Published.Logs.Where(log => LogNames.IsSafe(log.Key)).OrderBy(log => log.Key, StringComparer.Ordinal).ToList();
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"200 {logs.Count}");
        foreach (var (name, directory) in logs)
        {
            text.Append(CultureInfo.InvariantCulture, $"\r\nLOG {name} {Describe(directory)}");
        }
        return text.ToString();
    }

    /// <summary>Size and subscribers; -1 for a journal that is not made yet, or damaged: nobody can read it.</summary>
    private static string Describe(string directory)
    {
        try
        {
            var size = JournalDirectory.Size(directory);
            var subscribers = JournalBacklog.Read(directory).Where(entry => LogNames.IsSafe(entry.Subscriber)).Select(entry =>
                string.Create(CultureInfo.InvariantCulture, $" {entry.Subscriber}@{entry.Position ?? default},{entry.Bytes},{(entry.OldestUnixMicroseconds ?? 0) / 1_000_000}"));
            return string.Create(CultureInfo.InvariantCulture, $"{size}{string.Concat(subscribers)}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "-1";
        }
    }

    private async ValueTask<string> OpenAsync(string log, string subscriber, CancellationToken cancellationToken)
    {
        if (!service.Published.Logs.TryGetValue(log, out var directory))
            return $"550 no log {log} is published here";
        var key = (directory, subscriber);
        while (service.Claim(key, this) is { } other)
        {
            if (other.Peer.NodeName != peer.NodeName)
                return $"450 {log} is in use by {other.Peer.NodeName} as {subscriber}";
            await other.EndAsync(cancellationToken);
        }
        try
        {
            var reader = JournalReader.Open(directory, subscriber);
            (_reader, _batch, _key) = (reader, new(), key);
            var position = reader.Position;
            _last = reader.Last;
            Reading = new(log, subscriber, peer.NodeName, service.Time.GetUtcNow(), 0, position);
            return string.Create(CultureInfo.InvariantCulture, $"250 {reader.Identity:x16} {position} {_last}");
        }
        catch (JournalException failure) when (_reader is null)
        {
            service.Release(key, this);
            return $"{(failure.Error == JournalError.InvalidSubscriber ? 550 : 451)} {OneLine(failure.Message)}";
        }
    }

    /// <summary>Waits for records behind <paramref name="after"/> and sends them; says every few seconds that it is still there.</summary>
    private async ValueTask SendAsync(JournalReader reader, RecordId after, int maxBytes, CancellationToken cancellationToken)
    {
        var (batch, published) = (_batch!, service.Published);
        _spoke = service.Time.GetTimestamp();
        if (_caughtUp)
            await PauseAsync(published.ActiveInterval, cancellationToken);
        JournalInterval interval;
        while ((interval = reader.ReadAfter(after)).Count == 0)
        {
            _caughtUp = true;
            await PauseAsync(published.IdleInterval, cancellationToken);
        }
        if (reader.RemovedBytes > _removed)
        {
            service.Report($"logs: {Reading!.Log}: {reader.RemovedBytes - _removed} damaged octets were cut out of a finished segment and lie beside the journal");
            _removed = reader.RemovedBytes;
        }
        reader.Sync();  // a power cut must not give these ids to other records once a manager has them
        var next = reader.Read(interval.First, interval.Count, batch, maxBytes);
        var last = new RecordId(interval.First.Segment, next.Marker - 1);
        var more = last < interval.Last || reader.ReadAfter(last).Count > 0;
        var waiting = more ? Waiting() : 0;
        LogProtocol.WriteData(connection.Output, batch, last, more, waiting);
        (_last, _caughtUp) = (last > _last ? last : _last, !more);
        Reading = Reading! with { Records = Reading.Records + batch.Count };
        await connection.Output.FlushAsync(cancellationToken);
    }

    /// <summary>Octets that the subscriber has not acknowledged, as a look at the directory shows.</summary>
    private long Waiting() => JournalBacklog.Read(_key.Directory).FirstOrDefault(entry => entry.Subscriber == _key.Subscriber).Bytes;

    private async ValueTask PauseAsync(TimeSpan pause, CancellationToken cancellationToken)
    {
        while (true)
        {
            var quiet = LogProtocol.KeepAlive - service.Time.GetElapsedTime(_spoke);
            if (quiet <= TimeSpan.Zero)
            {
                await LogProtocol.WriteLineAsync(connection.Output, "KEEP", cancellationToken);
                _spoke = service.Time.GetTimestamp();
                continue;
            }
            var step = pause < quiet ? pause : quiet;
            await Task.Delay(step, service.Time, cancellationToken);
            pause -= step;
            if (pause <= TimeSpan.Zero)
                return;
        }
    }

    private string Acknowledge(JournalReader reader, RecordId id)
    {
        if (id > _last)
            return $"552 {id} was not sent";
        reader.Checkpoint(id);
        Reading = Reading! with { Acknowledged = id };
        return $"250 {id}";
    }

    private static string OneLine(string text) => text.ReplaceLineEndings(" ");
}
