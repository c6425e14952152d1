namespace Veredus.Logging;

/// <summary>The lines of one log on their way to a target. Writers only copy into memory; the pump drains.</summary>
/// <remarks>
/// Two buffers: one is filled while the other is written. While the target fails, the second waits, the first grows to
/// <see cref="MaxPendingBytes"/>, and what comes then is dropped and counted.
/// </remarks>
internal sealed class LogStream(ILogTarget target, LogPump pump, int maxPendingBytes = LogStream.MaxPendingBytes) : IDisposable
{
    /// <summary>Most octets that wait for a target that does not take them.</summary>
    public const int MaxPendingBytes = 4 * 1024 * 1024;

    private const int WriteSoonBytes = 64 * 1024;
    private const int KeptBytes = 256 * 1024;

    private readonly Lock _filling = new();
    private readonly Lock _writing = new();
    private byte[] _fill = [];
    private byte[] _send = [];
    private int _filled;
    private int _toSend;
    private long _lines;
    private long _dropped;
    private long _droppedReported;
    private bool _failing;

    public ILogTarget Target => target;

    /// <summary>Lines taken since the start.</summary>
    public long Lines => Interlocked.Read(ref _lines);

    /// <summary>Lines that found no room since the start.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <summary>Takes one line without its LF. Never waits for the target.</summary>
    public void Append(ReadOnlySpan<byte> line, bool soon = false)
    {
        int before;
        lock (_filling)
        {
            before = _filled;
            var after = before + line.Length + 1;
            if (after > maxPendingBytes)
            {
                _dropped++;
                return;
            }
            if (after > _fill.Length)
                Array.Resize(ref _fill, Math.Min(maxPendingBytes, Math.Max(after, Math.Max(4096, _fill.Length * 2))));
            line.CopyTo(_fill.AsSpan(before));
            _fill[after - 1] = (byte)'\n';
            _filled = after;
            _lines++;
        }
        if (soon || (before < WriteSoonBytes && before + line.Length + 1 >= WriteSoonBytes))
            pump.WriteSoon();
        else if (before == 0)
            pump.WriteLater();
    }

    /// <summary>Writes what waits. Failures are reported when they begin and when they end.</summary>
    /// <returns>False when lines still wait because the target failed.</returns>
    public bool Drain(Action<LogTrouble> report)
    {
        lock (_writing)
        {
            if (_toSend == 0)
            {
                lock (_filling)
                {
                    (_fill, _send) = (_send, _fill);
                    (_toSend, _filled) = (_filled, 0);
                    if (_fill.Length > KeptBytes)
                        _fill = [];
                }
            }
            if (_toSend == 0)
                return true;
            try
            {
                target.Write(_send.AsSpan(0, _toSend));
                _toSend = 0;
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ObjectDisposedException)
            {
                if (!_failing)
                    report(new(target.Name, exception.Message, 0));
                _failing = true;
                return false;
            }
            if (_failing)
            {
                var lost = Dropped - _droppedReported;
                _droppedReported += lost;
                report(new(target.Name, null, lost));
            }
            _failing = false;
            if (target.TakeNotice() is { } notice)
                report(new(target.Name, notice, 0) { IsNotice = true });
            lock (_filling)
            {
                if (_filled > 0)
                    pump.WriteLater();
            }
            return true;
        }
    }

    /// <summary>Writes what waits to the old file, then opens the new one.</summary>
    public void Reopen(Action<LogTrouble> report)
    {
        Drain(report);
        lock (_writing)
        {
            try
            {
                target.Reopen();
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                report(new(target.Name, $"could not be reopened, the old file stays in use: {exception.Message}", 0));
            }
        }
    }

    public void Dispose()
    {
        lock (_writing)
            target.Dispose();
    }
}

/// <summary>A target began to fail (<paramref name="Error"/>) or works again (null), with the number of lines lost meanwhile.</summary>
internal readonly record struct LogTrouble(string Target, string? Error, long Lost)
{
    /// <summary>The target works; what stands in <see cref="Error"/> is for the operator to know.</summary>
    public bool IsNotice { get; init; }
}
