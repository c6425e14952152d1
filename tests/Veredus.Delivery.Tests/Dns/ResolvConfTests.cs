using Veredus.Delivery.Dns;

namespace Veredus.Delivery.Tests.Dns;

public sealed class ResolvConfTests
{
    [Fact]
    public void Name_servers_may_carry_a_port()
    {
        var options = ResolvConf.Parse("# private\nnameserver 192.0.2.1\nnameserver 192.0.2.2:5353 ; second\nnameserver [2001:db8::1]:54\nnameserver 2001:db8::2\nnameserver 127.0.0.1@55\n", out var errors);

        Assert.Empty(errors);
        Assert.Equal(["192.0.2.1:53", "192.0.2.2:5353", "[2001:db8::1]:54", "[2001:db8::2]:53", "127.0.0.1:55"], options.Servers.Select(server => server.ToString()));
    }

    [Fact]
    public void The_time_for_a_question_is_timeout_times_attempts()
    {
        Assert.Equal(TimeSpan.FromSeconds(9), ResolvConf.Parse("options ndots:1 timeout:3 attempts:3", out _).Timeout);
        Assert.Equal(TimeSpan.FromSeconds(4), ResolvConf.Parse("options retrans:2 retry:2", out _).Timeout);
    }

    [Fact]
    public void A_line_that_cannot_be_used_is_named()
    {
        ResolvConf.Parse("search a b\nnameserver dns.example\n", out var errors);

        Assert.Equal("line 2: 'dns.example' is not an IP address, with or without a port", Assert.Single(errors));
    }

    [Fact]
    public void Record_data_is_read_whole_or_not_at_all()
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = new byte[random.Next(0, 40)];
            random.NextBytes(bytes);
            if (DnsRdata.TryReadName(bytes, out var name))
                Assert.True(name.Length < 255 && !name.EndsWith('.'), $"seed {seed}");
            DnsRdata.TryReadMx(bytes, out _);
            DnsRdata.TryReadText(bytes, out _);
            DnsRdata.TryReadAddress(DnsType.A, bytes, out _);
        }
    }
}
