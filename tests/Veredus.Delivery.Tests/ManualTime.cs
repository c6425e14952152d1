namespace Veredus.Delivery.Tests;

/// <summary>A clock that stands until the test moves it; timers due on the way run in order, on the caller's thread.</summary>
internal sealed class ManualTime : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<ManualTimer> _timers = [];
    private readonly DateTimeOffset _start = new(2026, 9, 21, 14, 13, 20, TimeSpan.Zero);
    private long _ticks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    public override long GetTimestamp() => Interlocked.Read(ref _ticks);
    public override DateTimeOffset GetUtcNow() => _start.AddTicks(GetTimestamp());

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    public void Advance(TimeSpan by)
    {
        var end = GetTimestamp() + by.Ticks;
        while (true)
        {
            ManualTimer? next;
            lock (_gate)
            {
                next = _timers.MinBy(timer => timer.Due);
                Interlocked.Exchange(ref _ticks, next is null || next.Due > end ? end : Math.Max(next.Due, _ticks));
                if (next is null || next.Due > end)
                    return;
                next.Step(_timers);
            }
            next.Run();
        }
    }

    private sealed class ManualTimer(ManualTime owner, Action run) : ITimer
    {
        private TimeSpan _period;
        public long Due { get; private set; }
        public Action Run { get; } = run;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (owner._gate)
            {
                owner._timers.Remove(this);
                _period = period;
                if (dueTime == Timeout.InfiniteTimeSpan)
                    return true;
                Due = owner.GetTimestamp() + dueTime.Ticks;
                owner._timers.Add(this);
                return true;
            }
        }

        public void Step(List<ManualTimer> timers)
        {
            if (_period > TimeSpan.Zero)
                Due += _period.Ticks;
            else
                timers.Remove(this);
        }

        public void Dispose() => Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
