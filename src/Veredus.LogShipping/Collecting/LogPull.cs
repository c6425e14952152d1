using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using Veredus.Journal;

namespace Veredus.LogShipping;

/// <summary>Pulls one log of one node: asks for records, hands them to the writer, and acknowledges them at the node once they are on disk here.</summary>
/// <remarks>While the node has more, up to <see cref="Depth"/> answers are on their way to the disk; at the end of the journal everything is stored and acknowledged before it is asked again.</remarks>
internal sealed class LogPull(LogNode node, string log, string subscriber, ILogSource source, LogWriter writer, Func<LogCollectorSettings> settings, TimeProvider time, Action<string> report, Action<LogKey, RecordId> acknowledged)
{
    private const int AnswerBytes = 2 << 20, Depth = 4;

    private readonly LogKey _key = new(node.Name, log, subscriber);
    private readonly Queue<LogChunk> _inFlight = [];
    private LogChunk? _latest;
    private long _records, _bytes, _waiting;
    private double _rate;
    private long _rated;
    private volatile string? _error;
    private volatile bool _connected, _caughtUp;
    private long _until;

    public string Subscriber => subscriber;

    public string? Error => _error;

    public CollectionState State => !_connected ? CollectionState.Disconnected : _caughtUp ? CollectionState.UpToDate : CollectionState.CatchingUp;

    public long Records => Interlocked.Read(ref _records);

    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Octets at the node behind the last answer.</summary>
    public long Waiting => Interlocked.Read(ref _waiting);

    public double BytesPerSecond => Volatile.Read(ref _rate) * Math.Exp(-time.GetElapsedTime(Interlocked.Read(ref _rated)).TotalSeconds / 10);

    /// <summary>Time of the last stored record, microseconds since 1970; 0 before the first.</summary>
    public long UntilUnixMicroseconds => Interlocked.Read(ref _until);

    /// <summary>Pulls until it is cancelled; trouble is reported when it begins and when it ends.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await PullAsync(cancellationToken);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception failure) when (failure is IOException or OperationCanceledException or InvalidDataException or ArgumentException)
            {
                Trouble(failure is OperationCanceledException ? $"nothing came for {LogProtocol.Patience.TotalSeconds:0} s" : failure.Message);
            }
            finally
            {
                _connected = false;
                await SettleAsync();
            }
            await Task.Delay(settings().RetryInterval, time, cancellationToken).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    private async Task PullAsync(CancellationToken cancellationToken)
    {
        using var patience = new Patience(time, cancellationToken);
        await using var connection = await source.ConnectAsync(node, patience.Token);
        var (input, output) = (connection.Transport.Input, connection.Transport.Output);
        await LogProtocol.WriteLineAsync(output, $"OPEN {log} {subscriber}", patience.Token);
        var (identity, checkpoint, last) = ParseOpen(await LogProtocol.ReadLineAsync(input, patience.Token));
        var at = Begin(identity, checkpoint, last);
        if (at > checkpoint)
            await LogProtocol.WriteLineAsync(output, $"CHECKPOINT {at}", patience.Token);
        if (_error is not null)
            report($"logs: {_key}: comes again");
        (_error, _connected, _caughtUp) = (null, true, at >= last);
        await AskAsync(output, at, patience);
        while (true)
        {
            patience.Renew();
            var line = await LogProtocol.ReadLineAsync(input, patience.Token);
            if (line.StartsWith("250", StringComparison.Ordinal))
                continue;
            if (line == "KEEP")
            {
                (_caughtUp, _waiting) = (true, 0);
                continue;
            }
            if (!LogProtocol.TryParseData(line, out at, out var count, out var bytes, out var more, out var waiting))
                throw new IOException(line.Length > 0 && line[0] is '4' or '5' ? line : $"'{line}' is no answer of this protocol");
            var chunk = await ReceiveAsync(input, count, bytes, new(identity, at), patience);
            (_caughtUp, _waiting) = (false, waiting);
            await writer.WriteAsync(chunk, cancellationToken);
            _inFlight.Enqueue(chunk);
            while (_inFlight.Count > (more ? Depth - 1 : 0) || (_inFlight.TryPeek(out var first) && first.Stored.Task.IsCompleted))
                await AcknowledgeAsync(output, _inFlight.Dequeue(), patience);
            if (!more)
                (_caughtUp, _waiting) = (true, 0);
            await AskAsync(output, at, patience);
        }
    }

    private async Task<LogChunk> ReceiveAsync(PipeReader input, int count, int bytes, LogPosition position, Patience patience)
    {
        var chunk = new LogChunk(bytes);
        try
        {
            for (var target = chunk.Received(bytes); target.Length > 0;)
            {
                patience.Renew();
                var read = await input.ReadAsync(patience.Token);
                var part = read.Buffer.Slice(0, Math.Min(read.Buffer.Length, target.Length));
                part.CopyTo(target.Span);
                target = target[(int)part.Length..];
                input.AdvanceTo(part.End);
                if (read.IsCompleted && target.Length > 0)
                    throw new IOException("the connection ended within an answer");
            }
            var pattern = settings().Logfile;
            if (!chunk.TryParse(bytes, count, _key, position, second => pattern.Expand(node, log, second)))
                throw new IOException("an answer's records are not as long as it says");
            chunk.Follows = _latest is { Stored.Task.IsCompletedSuccessfully: false } before ? before : null;
            return _latest = chunk;
        }
        catch
        {
            chunk.Dispose();
            throw;
        }
    }

    private async Task AcknowledgeAsync(PipeWriter output, LogChunk chunk, Patience patience)
    {
        using (chunk)
        {
            await chunk.Stored.Task;
            Interlocked.Add(ref _records, chunk.Records);
            Interlocked.Add(ref _bytes, chunk.Length);
            Interlocked.Exchange(ref _until, chunk.LastUnixMicroseconds);
            Volatile.Write(ref _rate, BytesPerSecond + (chunk.Length / 10.0));
            Interlocked.Exchange(ref _rated, time.GetTimestamp());
        }
        patience.Renew();
        await LogProtocol.WriteLineAsync(output, $"CHECKPOINT {chunk.Position.Last}", patience.Token);
        acknowledged(_key, chunk.Position.Last);
    }

    /// <summary>What is on its way to the disk ends there; whether it got there, the next connection asks the writer.</summary>
    private async Task SettleAsync()
    {
        while (_inFlight.TryDequeue(out var chunk))
        {
            using (chunk)
                await chunk.Stored.Task.ContinueWith(static done => _ = done.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
        _latest = null;
    }

    /// <summary>Where to go on: behind what is stored here, unless the node's journal is another one or ends earlier; then what it has not been told is stored comes, and nothing is left out.</summary>
    private RecordId Begin(ulong identity, RecordId checkpoint, RecordId last)
    {
        if (writer.Find(_key) is not { } stored)
            return checkpoint;
        if (stored.Identity != identity)
        {
            report($"logs: {_key}: the journal was made anew on the node; reading begins at its checkpoint {checkpoint}");
            return checkpoint;
        }
        if (stored.Last > last)
        {
            report($"logs: {_key}: the node's journal ends at {last}, before {stored.Last} that is stored here; it lost records, was repaired or was made anew. Reading begins at its checkpoint");
            return checkpoint < last ? checkpoint : last;
        }
        if (checkpoint > stored.Last)
            report($"logs: {_key}: acknowledged up to {checkpoint} by somebody else; what lies between {stored.Last} and there does not come here");
        return stored.Last > checkpoint ? stored.Last : checkpoint;
    }

    private static ValueTask AskAsync(PipeWriter output, RecordId after, Patience patience) =>
        LogProtocol.WriteLineAsync(output, string.Create(CultureInfo.InvariantCulture, $"NEXT {after} {AnswerBytes}"), patience.Token);

    private static (ulong Identity, RecordId Checkpoint, RecordId Last) ParseOpen(string line) =>
        line.Split(' ') is ["250", var identity, var checkpoint, var last] && ulong.TryParse(identity, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var id)
        && RecordId.TryParse(checkpoint, out var position) && RecordId.TryParse(last, out var end) ? (id, position, end) : throw new IOException(line);

    private void Trouble(string why)
    {
        if (_error != why)
            report($"logs: {_key}: {why}; trying again every {settings().RetryInterval.TotalSeconds:0} s");
        _error = why;
    }
}
