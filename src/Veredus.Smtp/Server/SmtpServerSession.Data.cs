using System.Globalization;
using System.Runtime.CompilerServices;

namespace Veredus.Smtp;

/// <summary>DATA and BDAT: content goes to the handler's sink as it arrives.</summary>
public sealed partial class SmtpServerSession
{
    private IMessageSink? _sink;
    private DataScanner? _scanner;
    private bool _tooLarge;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask DataAsync()
    {
        if (!await OpenSinkAsync(dotStuffed: true))
        {
            await RefuseEarlyContentAsync();
            return;
        }

        State = SessionState.ReadingBody;
        Reply(SmtpReplies.StartData);
        while (true)
        {
            var (buffer, taken) = (_buffer, 0L);
            foreach (var segment in buffer)
            {
                taken += ScanInto(segment.Span);
                if (_scanner!.IsComplete)
                    break;
            }

            (_buffer, _examined) = (buffer.Slice(taken), 0);
            if (taken > 0)
                await FlushSinkAsync();
            if (_scanner!.IsComplete)
                break;
            if (!await FillAsync(wholeLine: false))
                return;
        }

        await EndContentAsync();
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask BdatAsync(long size, bool isLast)
    {
        if (_phase != SmtpPhase.Chunking)
        {
            if (!await OpenSinkAsync(dotStuffed: false, refuseNow: false))
            {
                if (await DropChunkAsync(size))
                    Reply(_chunkRefusal!);
                return;
            }

            _phase = SmtpPhase.Chunking;
        }

        State = SessionState.ReadingBody;
        for (var left = size; left > 0;)
        {
            if (!HasInput && !await FillAsync(wholeLine: false))
                return;
            var part = _buffer.Slice(0, Math.Min(left, _buffer.Length));
            foreach (var segment in part)
                ScanInto(segment.Span);
            left -= part.Length;
            (_buffer, _examined) = (_buffer.Slice(part.End), 0);
            await FlushSinkAsync();
        }

        if (_tooLarge || isLast)
            await EndContentAsync();
        else
            Reply(new(250, new(2, 0, 0), string.Create(CultureInfo.InvariantCulture, $"{size} octets received")));
    }

    private SmtpReply? _chunkRefusal;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> OpenSinkAsync(bool dotStuffed, bool refuseNow = true)
    {
        State = SessionState.DataPhase;
        var start = await _handler.DataAsync(this, _aborted);
        if (start.Sink is { } sink)
        {
            (_sink, _scanner, _tooLarge) = (sink, new(dotStuffed), false);
            return true;
        }

        _chunkRefusal = start.Refusal ?? SmtpReplies.LocalError;
        if (refuseNow)
            Reply(_chunkRefusal);
        AbortTransaction();
        return false;
    }

    private int ScanInto(ReadOnlySpan<byte> octets)
    {
        var taken = _scanner!.Scan(octets, _sink);
        if (Options.MaxMessageSize > 0 && _scanner.Size > Options.MaxMessageSize)
            (_tooLarge, _sink) = (true, null);
        return taken;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask FlushSinkAsync()
    {
        if (_sink is { } sink && !await sink.FlushAsync(_aborted))
            _sink = null;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask EndContentAsync()
    {
        State = SessionState.SendingBodyResponse;
        if (_tooLarge)
        {
            Reply(SmtpReplies.TooLarge);
            AbortTransaction();
            return;
        }

        var result = _scanner!.Finish(_sink);
        if (_sink is not null && !_scanner.IsComplete)
            await FlushSinkAsync();
        State = SessionState.AsyncBodyHandler;
        var reply = await _handler.EndOfDataAsync(this, result, _aborted);
        State = SessionState.AsyncBodyResponse;
        EndTransaction();
        if (reply.IsPositive)
            MessageCount++;
        Reply(reply);
    }

    /// <summary>Reads a chunk that nobody wants.</summary>
    private async ValueTask<bool> DropChunkAsync(long size)
    {
        for (var left = size; left > 0;)
        {
            if (!HasInput && !await FillAsync(wholeLine: false))
                return false;
            var part = _buffer.Slice(0, Math.Min(left, _buffer.Length));
            left -= part.Length;
            (_buffer, _examined) = (_buffer.Slice(part.End), 0);
        }

        return true;
    }

    /// <summary>Ends the session when content follows a refused DATA without waiting for the go-ahead: it must not be run as commands.</summary>
    private async ValueTask RefuseEarlyContentAsync()
    {
        if (_end is null && (HasInput || TryPeek()))
        {
            Reply(SmtpReplies.InputAfterData);
            await FlushAsync();
        }
    }
}
