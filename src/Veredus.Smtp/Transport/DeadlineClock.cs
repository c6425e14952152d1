namespace Veredus.Smtp;

/// <summary>Something that a <see cref="DeadlineClock"/> watches.</summary>
internal interface IDeadline
{
    /// <summary>Clock time in milliseconds after which <see cref="Expired"/> is called; <see cref="long.MaxValue"/>: never.</summary>
    long Deadline { get; }

    /// <summary>Called on the clock's thread, at each tick while the deadline is past. Must not block or throw.</summary>
    void Expired();
}

/// <summary>
/// One timer for the timeouts of all sessions: it ticks once a second and looks at every deadline, so setting one is a
/// plain store. Timeouts are late by up to a tick. Share one per process.
/// </summary>
public sealed class DeadlineClock : IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);
    private readonly Lock _gate = new();
    private readonly HashSet<IDeadline> _watched = [];
    private readonly ITimer _timer;
    private readonly long _start;
    private IDeadline[] _checking = [];
    private long _now;

    public DeadlineClock(TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        Time = time;
        _start = time.GetTimestamp();
        _timer = time.CreateTimer(static clock => ((DeadlineClock)clock!).Tick(), this, Period, Period);
    }

    public TimeProvider Time { get; }

    /// <summary>Milliseconds since the clock was made, as of the last tick.</summary>
    internal long Now => Volatile.Read(ref _now);

    /// <summary>The deadline that lies <paramref name="timeout"/> ahead; zero and negative mean never.</summary>
    internal long After(TimeSpan timeout) => timeout <= TimeSpan.Zero ? long.MaxValue : Now + (long)timeout.TotalMilliseconds;

    internal void Watch(IDeadline deadline)
    {
        lock (_gate)
            _watched.Add(deadline);
    }

    internal void Forget(IDeadline deadline)
    {
        lock (_gate)
            _watched.Remove(deadline);
    }

    private void Tick()
    {
        int count;
        lock (_gate)
        {
            Volatile.Write(ref _now, (long)Time.GetElapsedTime(_start).TotalMilliseconds);
            count = 0;
            if (_checking.Length < _watched.Count)
                _checking = new IDeadline[_watched.Count * 2];
            foreach (var deadline in _watched)
                if (deadline.Deadline < _now)
                    _checking[count++] = deadline;
        }
        // Outside the lock: what a session does here may end it, and that calls Forget.
        for (var i = 0; i < count; i++)
            _checking[i].Expired();
        Array.Clear(_checking, 0, count);
    }

    public void Dispose() => _timer.Dispose();
}
