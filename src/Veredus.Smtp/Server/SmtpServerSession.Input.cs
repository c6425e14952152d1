using System.Buffers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Veredus.Smtp;

/// <summary>Reading, flushing and their deadlines.</summary>
public sealed partial class SmtpServerSession
{
    /// <summary>Base64 of SASL may be long (RFC 4954 §4).</summary>
    private const int MaxAuthLine = 12_288;
    /// <summary>A line that never ends is read and dropped up to here, then the session ends.</summary>
    private const int MaxDiscarded = 64 * 1024;
    /// <summary>Replies that may wait for the end of a pipelined batch, in octets.</summary>
    private const int MaxUnflushed = 4096;

    private enum LineRead : byte { NeedMore, Complete, Bad, TooLong }

    private ReadOnlySequence<byte> _buffer;
    private bool _reading;
    private bool _completed;
    private long _examined;
    private long _discarded = -1;
    private long _deadline = long.MaxValue;
    private long? _lineDeadline;

    long IDeadline.Deadline => Volatile.Read(ref _deadline);

    void IDeadline.Expired() => Wake();

    private bool HasInput => !_buffer.IsEmpty;

    /// <summary>Takes one line off the input.</summary>
    /// <param name="line">Without CRLF; a view that ends with the next read.</param>
    private LineRead TryTakeLine(out ReadOnlySequence<byte> line, int limit = 0)
    {
        line = default;
        if (_buffer.Slice(_examined).PositionOf((byte)'\n') is not { } end)
        {
            _examined = _buffer.Length;
            if (_discarded < 0 && _examined < (limit > 0 ? limit : LongestLine))
                return LineRead.NeedMore;
            // Too long whatever it is: keep nothing of it.
            _discarded = Math.Max(0, _discarded) + _buffer.Length;
            (_buffer, _examined) = (_buffer.Slice(_buffer.End), 0);
            if (_discarded < MaxDiscarded)
                return LineRead.NeedMore;
            _end = SmtpSessionEnd.Refused;
            return LineRead.TooLong;
        }

        line = _buffer.Slice(0, end);
        _lineDeadline = null;
        (_buffer, _examined) = (_buffer.Slice(_buffer.GetPosition(1, end)), 0);
        if (_discarded >= 0)
        {
            _discarded = -1;
            return LineRead.TooLong;
        }

        if (limit == 0)
            limit = CommandLimit(line);
        if (line.Length + 1 > limit)
            return LineRead.TooLong;
        // Whatever some servers take for the end of a line, and NUL, have no place in a command.
        var length = line.Length - 1;
        if (length < 0 || line.Slice(length).FirstSpan[0] != '\r')
            return LineRead.Bad;
        line = line.Slice(0, length);
        foreach (var segment in line)
            if (segment.Span.IndexOfAny((byte)'\r', (byte)0) >= 0)
                return LineRead.Bad;
        return LineRead.Complete;
    }

    private bool TakesMoves => (Options.Extensions & SmtpExtensions.Xecmmove) != 0;

    private int LongestLine => TakesMoves ? Options.MaxMoveLine : MaxAuthLine;

    private int CommandLimit(in ReadOnlySequence<byte> line)
    {
        Span<byte> verb = stackalloc byte[9];
        var start = line.Slice(0, Math.Min(9, line.Length));
        start.CopyTo(verb);
        return SmtpVerbs.Read(verb[..(int)start.Length], out _) switch
        {
            SmtpVerb.Auth => MaxAuthLine,
            SmtpVerb.Mail or SmtpVerb.Rcpt => Options.MaxCommandLineWithParameters,
            SmtpVerb.Xecmmove when TakesMoves => Options.MaxMoveLine,
            _ => Options.MaxCommandLine,
        };
    }

    /// <summary>Reads more, after sending what waits to be sent.</summary>
    /// <param name="wholeLine">One deadline for all of the line, not one for each portion.</param>
    /// <param name="closable">A request to close ends the wait, with <see langword="true"/>.</param>
    /// <returns><see langword="false"/>: there will be no more, or the session shall close; see <c>_end</c>.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> FillAsync(bool wholeLine, bool closable = false)
    {
        if (_completed)
        {
            _end ??= SmtpSessionEnd.Disconnected;
            return false;
        }

        if (!await FlushAsync())
            return false;
        ReleaseInput();
        var known = _examined;
        var deadline = _sessions.Clock.After(Options.IdleTimeout);
        if (wholeLine)
        {
            // One deadline for a whole command: a client that sends it octet by octet doesn't get more time.
            _lineDeadline ??= deadline;
            deadline = _lineDeadline.Value;
        }

        Volatile.Write(ref _deadline, deadline);
        try
        {
            while (true)
            {
                var result = await _input.ReadAsync(CancellationToken.None);
                (_buffer, _completed, _reading) = (result.Buffer, result.IsCompleted, true);
                if (_buffer.Length > known)
                    return true;
                if (result.IsCompleted || _aborted.IsCancellationRequested)
                {
                    _end ??= SmtpSessionEnd.Disconnected;
                    return false;
                }

                if (_sessions.Clock.Now > deadline)
                {
                    _end = SmtpSessionEnd.Idle;
                    Reply(SmtpReplies.IdleTimeout);
                    return false;
                }

                if (closable && !InTransaction && Volatile.Read(ref _closing) is not null)
                    return true;
                ReleaseInput();
            }
        }
        catch (Exception fault) when (IsConnectionFault(fault))
        {
            (_completed, _end, _reading, _buffer) = (true, _end ?? SmtpSessionEnd.Disconnected, false, default);
            return false;
        }
        finally
        {
            Volatile.Write(ref _deadline, long.MaxValue);
        }
    }

    private void ReleaseInput()
    {
        if (!_reading)
            return;
        _input.AdvanceTo(_buffer.Start, _buffer.End);
        (_reading, _buffer) = (false, default);
    }

    /// <summary>Looks for input without waiting.</summary>
    private bool TryPeek()
    {
        ReleaseInput();
        if (_input.TryRead(out var result))
            (_buffer, _completed, _reading) = (result.Buffer, result.IsCompleted, true);
        return HasInput;
    }

    /// <summary>Sends the replies that wait.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> FlushAsync()
    {
        if (_output.CanGetUnflushedBytes && _output.UnflushedBytes == 0)
            return true;
        var deadline = _sessions.Clock.After(Options.IdleTimeout);
        Volatile.Write(ref _deadline, deadline);
        try
        {
            while (true)
            {
                var result = await _output.FlushAsync(CancellationToken.None);
                if (result.IsCompleted || _aborted.IsCancellationRequested)
                    break;
                if (!result.IsCanceled)
                    return true;
                if (_sessions.Clock.Now > deadline)
                {
                    _end = SmtpSessionEnd.Stalled;
                    return false;
                }
            }
        }
        catch (Exception fault) when (IsConnectionFault(fault))
        {
            _completed = true;
        }
        finally
        {
            Volatile.Write(ref _deadline, long.MaxValue);
        }

        _end ??= SmtpSessionEnd.Disconnected;
        return false;
    }

    /// <summary>What a peer or the network can do to a transport; a handler's own faults don't pass here.</summary>
    private static bool IsConnectionFault(Exception fault) =>
        fault is IOException or SocketException or ObjectDisposedException or OperationCanceledException;
}
