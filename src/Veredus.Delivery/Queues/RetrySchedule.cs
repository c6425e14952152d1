using Veredus.Smtp;

namespace Veredus.Delivery;

/// <summary>What follows a failed try.</summary>
/// <param name="Failure">Not <see langword="null"/>: give the message up with this reply.</param>
/// <param name="AtUnixMs">Else: try again then, Unix milliseconds.</param>
public readonly record struct RetryVerdict(SmtpReply? Failure, long AtUnixMs);

/// <summary>When a message is tried again (<c>mta.md</c> 5). Functions of their arguments.</summary>
public static class RetrySchedule
{
    /// <summary>Seconds between the <paramref name="failures"/>-th failure (from 1) and the next try, before jitter.</summary>
    public static long DelaySeconds(RetryPolicy policy, int failures)
    {
        var doublings = Math.Clamp(failures - 1, 0, 40);
        var delay = (long)Math.Max(policy.IntervalSeconds, 1) << doublings;
        return delay <= 0 || delay > policy.MaxIntervalSeconds ? Math.Max(policy.MaxIntervalSeconds, 1) : delay;
    }

    /// <summary>Decides after a transient failure.</summary>
    /// <param name="failures">Tries that failed so far, this one included.</param>
    /// <param name="seed">Decides the jitter of ± 5 %; the same for the messages of a batch, so that they meet again.</param>
    public static RetryVerdict Next(RetryPolicy policy, int failures, long receivedUnixMs, long nowUnixMs, ulong seed)
    {
        if (policy.NeverRetry || (policy.MaxRetries >= 0 && failures > policy.MaxRetries))
            return new(DeliveryReplies.MaxRetries, 0);
        var expires = Expiry(policy, receivedUnixMs);
        if (nowUnixMs >= expires)
            return new(DeliveryReplies.MaxTime, 0);
        // The last try comes at the expiry itself rather than not at all.
        return new(null, Math.Min(nowUnixMs + WithJitter(DelaySeconds(policy, failures), seed, failures), expires));
    }

    public static long Expiry(RetryPolicy policy, long receivedUnixMs) => receivedUnixMs + policy.ExpirationSeconds * 1000L;

    /// <summary>Milliseconds for a delay in seconds, spread evenly over ± 5 %.</summary>
    private static long WithJitter(long seconds, ulong seed, int failures)
    {
        // splitmix64: neighbouring seeds (message IDs) give unrelated results.
        var z = seed + (ulong)failures * 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        z ^= z >> 31;
        var share = (z >> 11) / (double)(1UL << 53);
        return (long)(seconds * (950 + 100 * share));
    }
}
