using System.Buffers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text;

namespace Veredus.Smtp;

/// <summary>Octets out, replies in, deadlines.</summary>
public sealed partial class SmtpClientSession
{
    /// <summary>The write buffer: commands and a small content leave in one write.</summary>
    private const int OutputSize = 64 * 1024;
    private const int InputSize = 4096;

    private readonly CancellationTokenSource _abort = new();
    private long _deadline = long.MaxValue;
    private bool _timedOut;
    private CancellationToken _caller;
    private SmtpOutcome _failure;
    private byte[] _output = [];
    private int _outputLength;
    private byte[] _input = [];
    private int _inputStart;
    private int _inputEnd;
    private int _replyLength;
    private int _replyCode;
    private ReplyParser _parser;
    private long _bytesSent;

    long IDeadline.Deadline => Volatile.Read(ref _deadline);

    void IDeadline.Expired()
    {
        if (_clock.Now <= Volatile.Read(ref _deadline))
            return;
        Volatile.Write(ref _timedOut, true);
        Abort();
    }

    private void Abort()
    {
        try
        {
            _abort.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The session ended at the same moment.
        }
    }

    /// <summary>One public call: listens to the caller's token and gives the buffers back at its end.</summary>
    private Call Begin(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!IsUsable)
            throw new InvalidOperationException("The session is unusable after a failure; open another.");
        cancellationToken.ThrowIfCancellationRequested();
        (_caller, _bytesSent, _outputLength) = (cancellationToken, 0, 0);
        return new(this, cancellationToken.UnsafeRegister(static session => ((SmtpClientSession)session!).Abort(), this));
    }

    private readonly struct Call(SmtpClientSession session, CancellationTokenRegistration registration) : IDisposable
    {
        public void Dispose()
        {
            registration.Dispose();
            session.Stage = session.IsUsable ? SmtpStage.Idle : SmtpStage.NotConnected;
            session.ReleaseBuffers();
        }
    }

    private void ReleaseBuffers()
    {
        if (_output.Length > 0)
            ArrayPool<byte>.Shared.Return(_output);
        _output = [];
        ForgetReply();
        if (_inputStart < _inputEnd && IsUsable)
            return;  // a reply that nobody asked for yet, such as an early 421
        if (_input.Length > 0)
            ArrayPool<byte>.Shared.Return(_input);
        (_input, _inputStart, _inputEnd) = ([], 0, 0);
    }

    private void ForgetReply()
    {
        (_inputStart, _replyLength) = (_inputStart + _replyLength, 0);
        if (_inputStart == _inputEnd)
            (_inputStart, _inputEnd) = (0, 0);
    }

    private Span<byte> OutputSpace(int length)
    {
        if (_output.Length == 0)
            _output = ArrayPool<byte>.Shared.Rent(OutputSize);
        if (_output.Length - _outputLength < length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(_outputLength + length);
            _output.AsSpan(0, _outputLength).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_output);
            _output = larger;
        }

        return _output.AsSpan(_outputLength);
    }

    private void Append(ReadOnlySpan<byte> octets)
    {
        octets.CopyTo(OutputSpace(octets.Length));
        _outputLength += octets.Length;
    }

    private void Append(string text) => _outputLength += Encoding.UTF8.GetBytes(text, OutputSpace(Encoding.UTF8.GetMaxByteCount(text.Length)));

    private void Append(long number)
    {
        number.TryFormat(OutputSpace(20), out var length, default, System.Globalization.CultureInfo.InvariantCulture);
        _outputLength += length;
    }

    /// <summary>Writes what was appended.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> FlushAsync(SmtpStage stage, TimeSpan timeout)
    {
        Stage = stage;
        Volatile.Write(ref _deadline, _clock.After(timeout));
        try
        {
            await _stream.WriteAsync(_output.AsMemory(0, _outputLength), _abort.Token);
            _bytesSent += _outputLength;
            _outputLength = 0;
            return true;
        }
        catch (Exception fault) when (IsConnectionFault(fault))
        {
            Fail(stage);
            return false;
        }
        finally
        {
            Volatile.Write(ref _deadline, long.MaxValue);
        }
    }

    /// <summary>Reads one reply; <see cref="Answer"/> makes a value of it, until the next read.</summary>
    /// <returns>Its code; 0 when there is none: then <c>_failure</c> says why and the session is unusable.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> ReadReplyAsync(SmtpStage stage, TimeSpan timeout)
    {
        Stage = stage;
        ForgetReply();
        Volatile.Write(ref _deadline, _clock.After(timeout));
        try
        {
            while (true)
            {
                switch (_parser.Read(_input.AsSpan(_inputStart, _inputEnd - _inputStart), out var length, out var code))
                {
                    case ReplyRead.Complete:
                        (_replyLength, _replyCode) = (length, code);
                        if (code == 421)
                            IsUsable = false;
                        return code;
                    case ReplyRead.Bad:
                        IsUsable = false;
                        _failure = new(InternalReplies.BadReply(stage), stage);
                        return 0;
                }

                MakeInputSpace();
                var read = await _stream.ReadAsync(_input.AsMemory(_inputEnd), _abort.Token);
                if (read == 0)
                {
                    Fail(stage);
                    return 0;
                }

                _inputEnd += read;
            }
        }
        catch (Exception fault) when (IsConnectionFault(fault))
        {
            Fail(stage);
            return 0;
        }
        finally
        {
            Volatile.Write(ref _deadline, long.MaxValue);
        }
    }

    private void MakeInputSpace()
    {
        if (_inputEnd < _input.Length)
            return;
        var kept = _inputEnd - _inputStart;
        var target = kept < _input.Length && _input.Length > 0 ? _input : ArrayPool<byte>.Shared.Rent(Math.Max(InputSize, kept * 2));
        _input.AsSpan(_inputStart, kept).CopyTo(target);
        if (target != _input && _input.Length > 0)
            ArrayPool<byte>.Shared.Return(_input);
        (_input, _inputStart, _inputEnd) = (target, 0, kept);
    }

    /// <summary>The reply read last, as a value.</summary>
    private SmtpOutcome Answer(SmtpStage stage) => new(ReplyParser.ToReply(_input.AsSpan(_inputStart, _replyLength), _replyCode), stage);

    /// <summary>A positive reply that makes no sense here: the two sides no longer agree where they are.</summary>
    private SmtpOutcome Unexpected(SmtpOutcome outcome)
    {
        IsUsable = false;
        return new(InternalReplies.Unexpected(outcome.Reply, outcome.Stage), outcome.Stage);
    }

    private void Fail(SmtpStage stage)
    {
        IsUsable = false;
        if (!_timedOut)
            _caller.ThrowIfCancellationRequested();
        _failure = new(_timedOut ? InternalReplies.TimedOut(stage) : InternalReplies.Broken(stage), stage);
    }

    private static bool IsConnectionFault(Exception fault) =>
        fault is IOException or SocketException or ObjectDisposedException or OperationCanceledException;
}
