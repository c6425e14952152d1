using System.Net;
using Veredus.Delivery.Dns;

namespace Veredus.Delivery.Tests.Dns;

public sealed class CachingResolverTests
{
    private readonly ManualTime _time = new();
    private readonly ScriptedResolver _inner = new();

    [Fact]
    public async Task An_answer_is_asked_for_again_only_after_its_TTL()
    {
        var cache = new CachingResolver(_inner, new(), _time);
        _inner.Set("a.test", DnsType.A, DnsAnswer.OfAddresses(300, IPAddress.Parse("192.0.2.1")));

        await Ask(cache);
        _time.Advance(TimeSpan.FromSeconds(299));
        Assert.Equal(1u, (await Ask(cache)).TtlSeconds);
        Assert.Equal(1, _inner.Count);
        _time.Advance(TimeSpan.FromSeconds(2));
        await Ask(cache);
        Assert.Equal(2, _inner.Count);
    }

    [Theory]
    [InlineData(DnsStatus.Ok, 5u, 60u, 3600u, 60u)]
    [InlineData(DnsStatus.Ok, 90000u, 0u, 3600u, 3600u)]
    [InlineData(DnsStatus.NxDomain, 900000u, 0u, uint.MaxValue, DnsCacheOptions.MaxNegativeTtlSeconds)]
    [InlineData(DnsStatus.NoData, 30u, 0u, uint.MaxValue, 30u)]
    [InlineData(DnsStatus.ServFail, 0u, 0u, uint.MaxValue, DnsCacheOptions.FailureTtlSeconds)]
    public async Task The_life_of_an_answer_is_clamped(DnsStatus status, uint ttl, uint min, uint max, uint expected)
    {
        var cache = new CachingResolver(_inner, new(min, max), _time);
        _inner.Set("a.test", DnsType.A, status is DnsStatus.Ok ? DnsAnswer.OfAddresses(ttl, IPAddress.Loopback) : DnsAnswer.Failed(status, ttlSeconds: ttl));

        Assert.Equal(expected, (await Ask(cache)).TtlSeconds);
    }

    [Fact]
    public async Task Many_who_ask_at_once_cause_one_question()
    {
        var cache = new CachingResolver(_inner, new(), _time);
        _inner.Hold = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _inner.Set("a.test", DnsType.A, DnsAnswer.OfAddresses(300, IPAddress.Loopback));

        var asking = Enumerable.Range(0, 50).Select(_ => Ask(cache).AsTask()).ToArray();
        _inner.Hold.SetResult();
        await Task.WhenAll(asking);

        Assert.Equal(1, _inner.Count);
    }

    [Fact]
    public async Task The_number_of_answers_kept_is_bounded()
    {
        var cache = new CachingResolver(_inner, new(MaxEntries: 100), _time);
        for (var i = 0; i < 1000; i++)
            await cache.ResolveAsync(new($"d{i}.test", DnsType.A), CancellationToken.None);

        Assert.InRange(cache.Statistics.Entries, 1, 101);
    }

    private static ValueTask<DnsAnswer> Ask(CachingResolver cache) => cache.ResolveAsync(new("a.test", DnsType.A), CancellationToken.None);
}

/// <summary>Answers from a table; what is not in it does not exist.</summary>
internal sealed class ScriptedResolver : IDnsResolver
{
    private readonly Dictionary<DnsQuestion, DnsAnswer> _answers = [];

    public int Count { get; private set; }
    public TaskCompletionSource? Hold { get; set; }

    public void Set(string name, DnsType type, DnsAnswer answer)
    {
        lock (_answers)
            _answers[new(name, type)] = answer;
    }

    public async ValueTask<DnsAnswer> ResolveAsync(DnsQuestion question, CancellationToken cancellationToken)
    {
        lock (_answers)
            Count++;
        if (Hold is { } hold)
            await hold.Task.WaitAsync(cancellationToken);
        lock (_answers)
            return _answers.GetValueOrDefault(question) ?? DnsAnswer.Failed(_answers.Keys.Any(key => key.Name == question.Name) ? DnsStatus.NoData : DnsStatus.NxDomain, ttlSeconds: 60);
    }
}
