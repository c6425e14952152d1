using System.Diagnostics;

namespace Veredus.Vipd;

/// <summary>
/// When leases are renewed and when they are over. No clock of its own: time comes in as <see cref="Stopwatch"/> ticks, the same
/// monotonic clock that the node stamps its beats with.
/// </summary>
internal sealed class LeaseClock
{
    private long _lease, _hold;
    private long _beatAt = long.MinValue / 2, _extendedAt;

    /// <summary>Zero lease: addresses are permanent and nothing here ever falls due.</summary>
    public bool IsPermanent => _lease == 0;

    /// <summary>Lifetime for the kernel: whole seconds, rounded up; <see langword="null"/> is forever.</summary>
    public uint? KernelSeconds => IsPermanent ? null : (uint)((_lease + Stopwatch.Frequency - 1) / Stopwatch.Frequency);

    public void Configure(TimeSpan lease, TimeSpan hold) => (_lease, _hold) = (Ticks(lease), Ticks(hold));

    /// <summary>A sign of life, given at <paramref name="at"/>. One from the future (it can't be) counts as now.</summary>
    public void Beat(long at, long now) => _beatAt = Math.Max(_beatAt, Math.Min(at, now));

    /// <summary>All addresses got their full lifetime now.</summary>
    public void Extended(long now) => _extendedAt = now;

    /// <summary>The node was alive within the hold time: it may add, and its leases are renewed.</summary>
    public bool IsFresh(long now) => IsPermanent || now - _beatAt <= _hold;

    public bool IsRenewalDue(long now) => !IsPermanent && IsFresh(now) && now - _extendedAt >= _lease / 4;

    /// <summary>The last lifetimes given have run out.</summary>
    public bool IsOver(long now) => !IsPermanent && now - _extendedAt >= _lease;

    /// <summary>Ticks until something here falls due; never negative.</summary>
    public long UntilNext(long now)
    {
        if (IsPermanent)
            return long.MaxValue;
        var over = _extendedAt + _lease - now;
        var renewal = _extendedAt + _lease / 4 - now;
        // Without a fresh beat there is nothing to renew; the next beat wakes the loop by itself.
        return Math.Max(0, IsFresh(Math.Max(now, now + renewal)) ? Math.Min(over, renewal) : over);
    }

    private static long Ticks(TimeSpan time) => (long)(time.TotalSeconds * Stopwatch.Frequency);
}
