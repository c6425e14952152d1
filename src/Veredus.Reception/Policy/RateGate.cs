using Veredus.Configuration;

namespace Veredus.Reception.Policy;

/// <summary>Lets at most N events pass in any S seconds (<c>inbound_throttle_messages</c>): one for all sessions that resolve to its scope. Thread-safe.</summary>
public sealed class RateGate(Rate rate, TimeProvider time)
{
    private readonly Lock _gate = new();
    // When the last N events passed, as a ring: an event may pass once the oldest is S seconds old.
    private readonly long[] _passed = new long[Math.Min(rate.Events, 100_000)];
    private int _next;

    public Rate Rate => rate;

    /// <summary>Takes a place for one event.</summary>
    /// <param name="longest">If it would have to wait longer, no place is taken.</param>
    /// <returns>How long to wait before it may pass; <see langword="null"/> when that is longer than <paramref name="longest"/>.</returns>
    public TimeSpan? Reserve(TimeSpan longest)
    {
        var window = rate.Seconds * time.TimestampFrequency;
        lock (_gate)
        {
            var now = time.GetTimestamp();
            var oldest = _passed[_next];
            var at = oldest == 0 ? now : Math.Max(now, oldest + window);
            var wait = time.GetElapsedTime(now, at);
            if (wait > longest)
                return null;
            _passed[_next] = at;
            _next = (_next + 1) % _passed.Length;
            return wait;
        }
    }
}
