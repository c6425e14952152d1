using System.Collections.Concurrent;

namespace Veredus.Delivery.Dns;

/// <summary>Bounds for what is remembered of answers.</summary>
/// <param name="MinTtlSeconds"><c>min_dns_ttl</c>.</param>
/// <param name="MaxTtlSeconds"><c>max_dns_ttl</c>.</param>
/// <param name="MaxEntries">Answers kept; at the bound the stale ones go, then any.</param>
public sealed record DnsCacheOptions(uint MinTtlSeconds = 0, uint MaxTtlSeconds = uint.MaxValue, int MaxEntries = 100_000)
{
    /// <summary>Longest life of a negative answer (RFC 2308 §5 suggests one to three hours).</summary>
    public const uint MaxNegativeTtlSeconds = 3 * 3600;

    /// <summary>Life of a temporary failure: keeps a dead server from being asked by every message (RFC 2308 §7.1, at most 300 s).</summary>
    public const uint FailureTtlSeconds = 15;
}

/// <summary>Figures of the resolver for the console.</summary>
public readonly record struct DnsStatistics(long AddressQueries, long MxQueries, long OtherQueries, long CacheHits, int Pending, int Entries);

/// <summary>Remembers answers, negative ones too, and asks each question once however many want to know.</summary>
public sealed class CachingResolver(IDnsResolver inner, DnsCacheOptions options, TimeProvider time) : IDnsResolver
{
    private readonly ConcurrentDictionary<DnsQuestion, Entry> _entries = new();
    private long _addresses, _mx, _others, _hits;
    private int _pending;

    public DnsStatistics Statistics => new(
        Interlocked.Read(ref _addresses), Interlocked.Read(ref _mx), Interlocked.Read(ref _others), Interlocked.Read(ref _hits), Volatile.Read(ref _pending), _entries.Count);

    /// <summary>Answers with what is left of the TTL in <see cref="DnsAnswer.TtlSeconds"/>.</summary>
    public async ValueTask<DnsAnswer> ResolveAsync(DnsQuestion question, CancellationToken cancellationToken)
    {
        while (true)
        {
            var mine = new Entry();
            var entry = _entries.GetOrAdd(question, mine);
            if (ReferenceEquals(entry, mine))
            {
                Count(question.Type);
                // Not the caller's token: others may wait for the same answer. The inner resolver's own limit ends it.
                _ = AskAsync(question, entry);
            }
            else if (entry.IsStale(time))
            {
                _entries.TryRemove(new(question, entry));
                continue;
            }
            else
            {
                Interlocked.Increment(ref _hits);
            }
            var answer = await entry.Answer.Task.WaitAsync(cancellationToken);
            return answer with { TtlSeconds = entry.Remaining(time) };
        }
    }

    /// <summary>Forgets what is known about a name, so that the next question goes out.</summary>
    public void Forget(string name)
    {
        foreach (var type in (ReadOnlySpan<DnsType>)[DnsType.A, DnsType.Aaaa, DnsType.Mx, DnsType.Txt, DnsType.Ptr, DnsType.Cname])
            if (_entries.TryGetValue(new(name, type), out var entry) && entry.Answer.Task.IsCompleted)
                _entries.TryRemove(new(new(name, type), entry));
    }

    /// <summary>Drops stale answers (<c>dns_cache_purge_interval</c>).</summary>
    public void Purge()
    {
        foreach (var pair in _entries)
            if (pair.Value.IsStale(time))
                _entries.TryRemove(pair);
    }

    private async Task AskAsync(DnsQuestion question, Entry entry)
    {
        Interlocked.Increment(ref _pending);
        try
        {
            var answer = await inner.ResolveAsync(question, CancellationToken.None);
            entry.Set(answer, Life(answer), time);
        }
        catch (Exception error)  // a resolver that throws is a bug; whoever waits must still get an answer
        {
            entry.Set(DnsAnswer.Failed(DnsStatus.ServFail, error.Message), DnsCacheOptions.FailureTtlSeconds, time);
        }
        finally
        {
            Interlocked.Decrement(ref _pending);
        }
        if (_entries.Count > options.MaxEntries)
            MakeRoom();
    }

    private uint Life(DnsAnswer answer) => answer.Status switch
    {
        DnsStatus.Ok => Math.Clamp(answer.TtlSeconds, options.MinTtlSeconds, Math.Max(options.MinTtlSeconds, options.MaxTtlSeconds)),
        DnsStatus.NoData or DnsStatus.NxDomain => Math.Clamp(answer.TtlSeconds, Math.Min(options.MinTtlSeconds, DnsCacheOptions.MaxNegativeTtlSeconds), DnsCacheOptions.MaxNegativeTtlSeconds),
        _ => DnsCacheOptions.FailureTtlSeconds,
    };

    private void MakeRoom()
    {
        Purge();
        var surplus = _entries.Count - options.MaxEntries * 9 / 10;
        foreach (var pair in _entries)
        {
            if (surplus <= 0)
                return;
            if (pair.Value.Answer.Task.IsCompleted && _entries.TryRemove(pair))
                surplus--;
        }
    }

    private void Count(DnsType type)
    {
        ref var counter = ref (type is DnsType.Mx ? ref _mx : ref (type is DnsType.A or DnsType.Aaaa ? ref _addresses : ref _others));
        Interlocked.Increment(ref counter);
    }

    private sealed class Entry
    {
        private long _learned;
        private uint _life;

        public TaskCompletionSource<DnsAnswer> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Set(DnsAnswer answer, uint life, TimeProvider time)
        {
            (_life, _learned) = (life, time.GetTimestamp());
            Answer.TrySetResult(answer);
        }

        public bool IsStale(TimeProvider time) => Answer.Task.IsCompleted && time.GetElapsedTime(_learned).TotalSeconds > _life;

        public uint Remaining(TimeProvider time) => (uint)Math.Max(0, _life - time.GetElapsedTime(_learned).TotalSeconds);
    }
}
