using System.Net;
using Veredus.Delivery.Dns;
using static Veredus.Delivery.Tests.Dns.LoopbackDnsServer;

namespace Veredus.Delivery.Tests.Dns;

/// <summary>The real libunbound against a name server on loopback.</summary>
public sealed class UnboundResolverTests : IAsyncDisposable
{
    private readonly LoopbackDnsServer _server = new();
    private readonly UnboundResolver _resolver;

    public UnboundResolverTests() => _resolver = Resolver(TimeSpan.FromSeconds(20));

    public async ValueTask DisposeAsync()
    {
        _resolver.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Mail_hosts_come_with_their_preferences()
    {
        _server.Set("example.test", DnsType.Mx, new(Records: [(DnsType.Mx, Mx(10, "mx1.Example.test")), (DnsType.Mx, Mx(20, "mx2.example.test"))]));

        var answer = await Ask("example.test", DnsType.Mx);

        Assert.Equal(DnsStatus.Ok, answer.Status);
        Assert.Equal([new(10, "mx1.example.test"), new(20, "mx2.example.test")], answer.Mx.OrderBy(mx => mx.Preference));
        Assert.InRange(answer.TtlSeconds, 295u, 300u);
    }

    [Fact]
    public async Task Addresses_of_both_families_are_read()
    {
        _server.Set("mx.test", DnsType.A, new(Records: [(DnsType.A, Address("192.0.2.7"))]));
        _server.Set("mx.test", DnsType.Aaaa, new(Records: [(DnsType.Aaaa, Address("2001:db8::7"))]));

        Assert.Equal([IPAddress.Parse("192.0.2.7")], (await Ask("mx.test", DnsType.A)).Addresses.AsEnumerable());
        Assert.Equal([IPAddress.Parse("2001:db8::7")], (await Ask("mx.test", DnsType.Aaaa)).Addresses.AsEnumerable());
    }

    [Fact]
    public async Task A_name_that_does_not_exist_and_a_name_without_the_record_are_told_apart()
    {
        _server.Set("only-a.test", DnsType.A, new(Records: [(DnsType.A, Address("192.0.2.1"))]));

        Assert.Equal(DnsStatus.NxDomain, (await Ask("nothing.test", DnsType.Mx)).Status);
        Assert.Equal(DnsStatus.NoData, (await Ask("only-a.test", DnsType.Mx)).Status);
    }

    [Fact]
    public async Task An_alias_is_followed()
    {
        _server.Set("alias.test", DnsType.Mx, new(Records: [(DnsType.Cname, Name("real.test"))]));
        _server.Set("real.test", DnsType.Mx, new(Records: [(DnsType.Mx, Mx(5, "mx.real.test"))]));

        var answer = await Ask("alias.test", DnsType.Mx);

        Assert.Equal([new(5, "mx.real.test")], answer.Mx.AsEnumerable());
        Assert.Equal("real.test", answer.CanonicalName);
    }

    [Fact]
    public async Task The_null_MX_is_a_host_without_a_name()
    {
        _server.Set("no-mail.test", DnsType.Mx, new(Records: [(DnsType.Mx, Mx(0, ""))]));

        Assert.Equal([new(0, "")], (await Ask("no-mail.test", DnsType.Mx)).Mx.AsEnumerable());
    }

    [Fact]
    public async Task A_failing_server_is_a_temporary_answer()
    {
        _server.Set("broken.test", DnsType.Mx, new(RCode: 2));

        var answer = await Ask("broken.test", DnsType.Mx);

        Assert.Equal(DnsStatus.ServFail, answer.Status);
        Assert.True(answer.IsTemporary);
    }

    [Fact]
    public async Task A_truncated_answer_is_asked_again_over_TCP()
    {
        _server.Set("long.test", DnsType.Mx, new(Truncated: true, Records: [(DnsType.Mx, Mx(1, "mx.long.test"))]));

        Assert.Equal([new(1, "mx.long.test")], (await Ask("long.test", DnsType.Mx)).Mx.AsEnumerable());
    }

    [Fact]
    public async Task A_dead_server_ends_in_a_timeout_within_the_limit_given()
    {
        _server.Set("dead.test", DnsType.Mx, new(Dead: true));
        using var resolver = Resolver(TimeSpan.FromMilliseconds(300));

        var answer = await resolver.ResolveAsync(new("dead.test", DnsType.Mx), CancellationToken.None);

        Assert.Equal(DnsStatus.Timeout, answer.Status);
        Assert.Equal(0, resolver.Outstanding);
    }

    [Fact]
    public async Task An_answer_with_a_foreign_transaction_id_is_not_believed()
    {
        _server.Set("forged.test", DnsType.A, new(WrongId: true, Records: [(DnsType.A, Address("203.0.113.66"))]));
        using var resolver = Resolver(TimeSpan.FromMilliseconds(300));

        var answer = await resolver.ResolveAsync(new("forged.test", DnsType.A), CancellationToken.None);

        Assert.True(answer.IsTemporary);
        Assert.Empty(answer.Addresses);
    }

    [Fact]
    public async Task More_questions_than_slots_are_all_answered()
    {
        for (var i = 0; i < 200; i++)
            _server.Set($"d{i}.test", DnsType.A, new(Records: [(DnsType.A, Address($"192.0.2.{i}"))]));
        using var resolver = Resolver(TimeSpan.FromSeconds(20), maxOutstanding: 8);

        var answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => resolver.ResolveAsync(new($"d{i}.test", DnsType.A), CancellationToken.None).AsTask()));

        Assert.Equal(Enumerable.Range(0, 200).Select(i => IPAddress.Parse($"192.0.2.{i}")), answers.Select(answer => answer.Addresses.Single()));
    }

    [Fact]
    public async Task Cancelling_a_question_leaves_the_resolver_usable()
    {
        _server.Set("dead.test", DnsType.Mx, new(Dead: true));
        _server.Set("alive.test", DnsType.A, new(Records: [(DnsType.A, Address("192.0.2.9"))]));
        using var cancel = new CancellationTokenSource();
        var waiting = _resolver.ResolveAsync(new("dead.test", DnsType.Mx), cancel.Token).AsTask();
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        Assert.Equal(DnsStatus.Ok, (await Ask("alive.test", DnsType.A)).Status);
    }

    private ValueTask<DnsAnswer> Ask(string name, DnsType type) => _resolver.ResolveAsync(new(name, type), CancellationToken.None);

    private UnboundResolver Resolver(TimeSpan timeout, int maxOutstanding = 256) => new(new([_server.Endpoint], timeout, maxOutstanding));
}
