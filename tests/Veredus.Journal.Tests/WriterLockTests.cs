using System.Globalization;
using System.Runtime.InteropServices;

namespace Veredus.Journal.Tests;

/// <summary>Appends that follow each other closely keep the segment's lock, for a short and bounded time, and alone.</summary>
public sealed partial class WriterLockTests : JournalFixture
{
    private const int Many = 10 * JournalWriter.CheckEvery;

    public WriterLockTests() => JournalDirectory.Create(Log);

    [Fact]
    public void Close_appends_keep_the_lock_and_give_it_back_when_they_pause()
    {
        var time = new StandingTime();
        using var writer = JournalWriter.Open(Log, time);
        writer.Append("first"u8, 1);
        Assert.False(IsLocked());
        AppendMany(writer);
        Assert.True(IsLocked());
        time.Advance(JournalWriter.LongestHold);
        Assert.False(IsLocked());
    }

    [Fact]
    public async Task What_was_appended_is_synced_within_a_second_and_not_on_a_thread_of_the_pool()
    {
        var time = new StandingTime();
        using var writer = JournalWriter.Open(Log, time);
        writer.Append("record"u8, 1);
        Assert.False(writer.IsSynced);
        time.Advance(TimeSpan.FromSeconds(1));
        var behind = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        SyncThread.Enqueue(() => behind.SetResult(Thread.CurrentThread.IsThreadPoolThread));
        Assert.False(await behind.Task.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.True(writer.IsSynced);
    }

    [Fact]
    public void A_burst_without_end_gives_the_lock_back_between()
    {
        var time = new StandingTime();
        using var writer = JournalWriter.Open(Log, time);
        AppendMany(writer);
        time.AdvanceWithoutTimers(JournalWriter.LongestHold);  // the timer is late: the appends themselves look at the clock
        for (var n = 0; n < JournalWriter.CheckEvery && IsLocked(); n++)
            writer.Append("more"u8, 1);
        Assert.False(IsLocked());
        for (var n = 1; n < JournalWriter.CheckEvery; n++)
        {
            writer.Append("more"u8, 1);
            Assert.False(IsLocked());
        }
    }

    [Fact]
    public void Appends_far_between_keep_no_lock()
    {
        var time = new StandingTime();
        using var writer = JournalWriter.Open(Log, time);
        for (var n = 0; n < Many; n++)
        {
            writer.Append("record"u8, 1);
            time.Advance(TimeSpan.FromMilliseconds(1));
            Assert.False(IsLocked());
        }
    }

    [Fact]
    public void Next_to_another_writer_each_append_gives_the_lock_back_until_that_one_was_quiet_for_a_second()
    {
        var time = new StandingTime();
        using var writer = JournalWriter.Open(Log, time);
        writer.Append("mine"u8, 1);
        Append("the other's");
        AppendMany(writer);
        Assert.False(IsLocked());
        time.Advance(TimeSpan.FromSeconds(1));
        AppendMany(writer);
        AppendMany(writer);
        Assert.True(IsLocked());
    }

    [Fact]
    public void A_group_of_records_gives_the_lock_back_also_within_a_burst()
    {
        var time = new StandingTime();
        using var writer = JournalWriter.Open(Log, time);
        AppendMany(writer);
        using var buffer = writer.CreateBuffer();
        buffer.Add("group"u8, 1);
        writer.Append(buffer);
        Assert.False(IsLocked());
    }

    [Fact]
    public void A_full_segment_is_left_in_a_burst_as_elsewhere()
    {
        JournalDirectory.Change(Log, unitLimit: 1000);
        JournalDirectory.AddSubscriber(Log, "s");
        using (var writer = JournalWriter.Open(Log, new StandingTime()))
        {
            for (var n = 0; n < 5000; n++)
                writer.Append(System.Text.Encoding.UTF8.GetBytes(n.ToString(CultureInfo.InvariantCulture)), 1);
        }
        Assert.Equal(Enumerable.Range(0, 5000).Select(n => n.ToString(CultureInfo.InvariantCulture)), Drain("s"));
    }

    [Fact]
    public async Task A_burst_without_end_lets_a_process_with_posix_locks_in()
    {
        using var hang = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        using var writer = JournalWriter.Open(Log);
        AppendMany(writer);
        var others = 0;
        var other = Task.Run(() =>
        {
            using var file = File.Open(Segment(0), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            for (; others < 50; others++)
                LockAndUnlock(file.SafeFileHandle.DangerousGetHandle());
        });
        while (!other.IsCompleted)
        {
            hang.Token.ThrowIfCancellationRequested();
            writer.Append("burst"u8, 1);
        }
        await other;
        Assert.Equal(50, others);
    }

    private static void AppendMany(JournalWriter writer)
    {
        for (var n = 0; n < Many; n++)
            writer.Append("record"u8, 1);
    }

    /// <summary>As the C library would find it: a lock of the process, which conflicts with the writer's own.</summary>
    private bool IsLocked()
    {
        using var file = File.Open(Segment(0), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        Span<long> request = stackalloc long[4];
        MemoryMarshal.AsBytes(request)[0] = 1;  // F_WRLCK
        Assert.Equal(0, Control((int)file.SafeFileHandle.DangerousGetHandle(), 5 /* F_GETLK */, ref request[0]));
        return MemoryMarshal.AsBytes(request)[0] != 2;
    }

    private static void LockAndUnlock(nint file)
    {
        Span<long> request = stackalloc long[4];
        foreach (var type in (ReadOnlySpan<byte>)[1, 2])
        {
            request.Clear();
            MemoryMarshal.AsBytes(request)[0] = type;
            while (Control((int)file, 7 /* F_SETLKW */, ref request[0]) != 0)
                Assert.Equal(4 /* EINTR */, Marshal.GetLastPInvokeError());
        }
    }

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(int file, int command, ref long request);

    /// <summary>A clock that stands still until it is moved.</summary>
    private sealed class StandingTime : TimeProvider
    {
        private readonly List<StandingTimer> _timers = [];
        private long _now = 1;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _now;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = new StandingTimer(this, callback, state);
            _timers.Add(timer);
            timer.Change(dueTime, period);
            return timer;
        }

        public void AdvanceWithoutTimers(TimeSpan by) => _now += by.Ticks;

        public void Advance(TimeSpan by)
        {
            _now += by.Ticks;
            foreach (var timer in _timers.ToArray())
                timer.FireIfDue();
        }

        private sealed class StandingTimer(StandingTime time, TimerCallback callback, object? state) : ITimer
        {
            private long? _due;

            public bool Change(TimeSpan dueTime, TimeSpan period)
            {
                _due = dueTime < TimeSpan.Zero ? null : time._now + dueTime.Ticks;
                return true;
            }

            public void FireIfDue()
            {
                if (_due > time._now || _due is null)
                    return;
                _due = null;
                callback(state);
            }

            public void Dispose() => time._timers.Remove(this);

            public ValueTask DisposeAsync()
            {
                Dispose();
                return default;
            }
        }
    }
}
