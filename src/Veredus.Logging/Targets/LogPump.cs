namespace Veredus.Logging;

/// <summary>Writes the streams in the background: a second after the first waiting line, or at once when much waits. Idle while nothing does.</summary>
internal sealed class LogPump : IAsyncDisposable
{
    /// <summary>A line is in its file at most this long after it was logged.</summary>
    public static readonly TimeSpan FlushInterval = TimeSpan.FromSeconds(1);

    private const int Idle = 0;
    private const int Later = 1;
    private const int Soon = 2;

    private readonly ITimer _timer;
    private readonly Action<LogTrouble> _report;
    private LogStream[] _streams = [];
    private int _due;
    private int _running;

    /// <param name="time">Drives the flush.</param>
    /// <param name="report">Told about targets that begin or cease to fail; called while nothing may wait.</param>
    public LogPump(TimeProvider time, Action<LogTrouble> report)
    {
        _report = report;
        _timer = time.CreateTimer(static state => ((LogPump)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The streams that are drained; replaced as a whole.</summary>
    public IReadOnlyList<LogStream> Streams
    {
        get => Volatile.Read(ref _streams);
        set => Volatile.Write(ref _streams, [.. value]);
    }

    public void WriteLater()
    {
        if (Interlocked.CompareExchange(ref _due, Later, Idle) == Idle)
            _timer.Change(FlushInterval, Timeout.InfiniteTimeSpan);
    }

    public void WriteSoon()
    {
        if (Interlocked.Exchange(ref _due, Soon) != Soon)
            _timer.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Writes what waits, on the caller's thread.</summary>
    /// <returns>False when a target failed.</returns>
    public bool Drain()
    {
        var all = true;
        foreach (var stream in Volatile.Read(ref _streams))
            all &= stream.Drain(_report);
        return all;
    }

    public async ValueTask DisposeAsync()
    {
        await _timer.DisposeAsync();
        Drain();
    }

    private void OnTimer()
    {
        // First idle, then drain: a line that comes in between sets the timer again.
        Interlocked.Exchange(ref _due, Idle);
        if (Interlocked.Exchange(ref _running, 1) == 1)
        {
            WriteLater();  // a slow disk still holds the last round
            return;
        }
        var done = Drain();
        Interlocked.Exchange(ref _running, 0);
        if (!done)
            WriteLater();
    }
}
