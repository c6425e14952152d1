using System.Net;

namespace Veredus.Configuration.Tests;

public class FallbackTests
{
    [Theory]
    [InlineData("""binding_group "g" { binding "b" { domain "example.com" { retry_interval = 1 } } }""", "g", 1)]
    [InlineData("""binding "b" { domain "example.com" { retry_interval = 1 } }""", "default", 1)]
    [InlineData("""binding_group "g" { domain "example.com" { retry_interval = 2 } binding "b" { retry_interval = 3 } }""", "g", 2)]
    [InlineData("""binding_group "g" { retry_interval = 4 binding "b" { retry_interval = 3 } }""", "g", 3)]
    [InlineData("""binding_group "g" { retry_interval = 4 binding "b" { } } domain "example.com" { retry_interval = 5 }""", "g", 4)]
    [InlineData("""binding_group "g" { binding "b" { retry_interval = 3 } } domain "example.com" { retry_interval = 5 }""", "g", 3)]
    [InlineData("""domain "example.com" { retry_interval = 5 } retry_interval = 6""", "g", 5)]
    [InlineData("""domain "example.org" { retry_interval = 5 } retry_interval = 6""", "g", 6)]
    [InlineData("", "g", 1200)]
    [InlineData("""binding_group "g" { binding "b" { domain "/exa/" { retry_interval = 7 } domain "example.com" { idle_timeout = 1 } } }""", "g", 7)]
    [InlineData("""binding_group "g" { binding "b" { domain "/exa/" { retry_interval = 7 } domain "example.com" { retry_interval = 8 } } }""", "g", 8)]
    [InlineData("""domain "/nomatch/" { retry_interval = 7 } domain "/example/" { retry_interval = 8 } domain "/com$/" { retry_interval = 9 }""", "g", 8)]
    public void Sending_options_come_from_the_first_scope_that_sets_them(string text, string group, int expected)
    {
        var snapshot = ConfigurationSnapshot.FromText(text);
        Assert.Equal(TimeSpan.FromSeconds(expected), snapshot.Sending(group, "b", "Example.COM").Get(Options.RetryInterval));
    }

    [Fact]
    public void A_host_stanza_without_the_option_means_no_limit_and_never_falls_back()
    {
        var snapshot = ConfigurationSnapshot.FromText("""
            max_outbound_connections = 7
            host "mx.example.com" { scope_max_outbound_connections = 3 }
            binding_group "g" { host "mx2.example.com" { max_outbound_connections = 4 } binding "b" { host "/^mx2/" { max_outbound_connections = 5 } } }
            """);
        Assert.Equal(-1, snapshot.Host("g", "b", "mx.example.com").Get(Options.MaxOutboundConnections));
        Assert.Equal(3, snapshot.Host("g", "b", "mx.example.com").Get(Options.ScopeMaxOutboundConnections));
        Assert.Equal(5, snapshot.Host("g", "b", "mx2.example.com").Get(Options.MaxOutboundConnections));
        Assert.Equal(4, snapshot.Host("g", "other", "mx2.example.com").Get(Options.MaxOutboundConnections));
        Assert.Equal(-1, snapshot.Host("g", "b", "elsewhere.example").Get(Options.MaxOutboundConnections));
    }

    [Fact]
    public void Bindings_and_domains_that_resolve_to_one_scope_share_its_throttle()
    {
        var snapshot = ConfigurationSnapshot.FromText("""
            binding_group "g" {
              outbound_throttle_messages = "30/60"
              binding "b1" { }
              binding "b2" { outbound_throttle_messages = "5" }
              domain "/example/" { outbound_throttle_messages = "9/3" }
            }
            """);
        var shared = snapshot.Sending("g", "b1", "a.test").Resolve(Options.OutboundThrottleMessages);
        Assert.Equal(shared.ScopeId, snapshot.Sending("g", "b3", "b.test").Resolve(Options.OutboundThrottleMessages).ScopeId);
        Assert.NotEqual(shared.ScopeId, snapshot.Sending("g", "b2", "a.test").Resolve(Options.OutboundThrottleMessages).ScopeId);
        Assert.Equal(snapshot.Sending("g", "b1", "example.com").Resolve(Options.OutboundThrottleMessages).ScopeId,
            snapshot.Sending("g", "b2", "example.org").Resolve(Options.OutboundThrottleMessages).ScopeId);
        Assert.Equal(new Rate(30, 60), shared.Value);
    }

    [Theory]
    [InlineData("10.1.2.3", 1)]
    [InlineData("10.1.9.9", 2)]
    [InlineData("10.9.9.9", 3)]
    [InlineData("192.0.2.1", 4)]
    [InlineData("198.51.100.1", 4)]
    [InlineData("::ffff:10.1.2.3", 1)]
    [InlineData("2001:db8::5", 6)]
    public void Listener_options_come_from_the_most_specific_peer(string client, int expected)
    {
        var snapshot = ConfigurationSnapshot.FromText("""
            esmtp_listener {
              max_message_size = 5
              peer "192.0.2.0/24" { max_message_size = 6 }
              peer "2001:db8::/32" { max_message_size = 6 }
              listen ":25" {
                max_message_size = 4
                peer "10.1.2.3" { max_message_size = 1 }
                peer "10.1.0.0/16" { max_message_size = 2 }
                peer "10.0.0.0/8" { max_message_size = 3 open_relay = true }
              }
              listen "[::]:25" { }
            }
            """);
        var isV6 = client.StartsWith("2001", StringComparison.Ordinal);
        var view = snapshot.Listens[isV6 ? 1 : 0].For(IPAddress.Parse(client));
        Assert.Equal(expected, view.Get(Options.MaxMessageSize));
        Assert.Equal(client.Contains("10.", StringComparison.Ordinal), view.Get(Options.OpenRelay));
    }

    [Fact]
    public void A_pathway_comes_after_the_listener_and_before_the_global_scope()
    {
        var snapshot = ConfigurationSnapshot.FromText("""
            relay_domains = ( global.example )
            require_ehlo = true
            pathway_group "pg" { max_recipients_per_message = 9 max_message_size = 8 pathway "p" { relay_domains = ( "*.path.example" ) max_message_size = 7 } }
            esmtp_listener { listen ":25" { peer "10.0.0.0/8" { pathway = "p" } } }
            """);
        var inside = snapshot.Listens[0].For(IPAddress.Parse("10.0.0.1"));
        var outside = snapshot.Listens[0].For(IPAddress.Parse("192.0.2.1"));
        Assert.True(inside.Get(Options.RelayDomains).Matches("a.path.example"));
        Assert.Equal((7, 9), (inside.Get(Options.MaxMessageSize), inside.Get(Options.MaxRecipientsPerMessage)));
        Assert.True(inside.Get(Options.RequireEhlo));
        Assert.True(outside.Get(Options.RelayDomains).Matches("global.example"));
    }

    [Fact]
    public void A_client_on_a_unix_socket_counts_as_loopback()
    {
        var snapshot = ConfigurationSnapshot.FromText("""
            control_listener { peer "127.0.0.1" { always_allow = true } listen "/run/veredus/control.sock" { } }
            """);
        Assert.True(snapshot.Listens[0].For(null).Get(Options.AlwaysAllow));
        Assert.False(snapshot.Listens[0].Own.Get(Options.AlwaysAllow));
    }

    [Fact]
    public void Looking_up_the_options_of_a_message_allocates_nothing()
    {
        var snapshot = ConfigurationSnapshot.FromText("""binding_group "g" { binding "b" { } domain "example.com" { retry_interval = 2 } }""");
        var seconds = 0.0;
        for (var i = 0; i < 3; i++)
            seconds += snapshot.Sending("g", "b", "example.com").Get(Options.RetryInterval).TotalSeconds;
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
            seconds += snapshot.Sending("g", "b", "example.com").Get(Options.RetryInterval).TotalSeconds;
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(2006, seconds);
    }

    [Fact]
    public void Domains_without_an_own_stanza_share_one_view()
    {
        var snapshot = ConfigurationSnapshot.FromText("""domain "/example/" { retry_interval = 2 }""");
        Assert.Same(snapshot.Sending("g", "b", "a.test"), snapshot.Sending("g", "b", "b.test"));
        Assert.Same(snapshot.Sending("g", "b", "example.org"), snapshot.Sending("g", "b", "example.net"));
    }

    [Fact]
    public void The_cache_stays_bounded()
    {
        var snapshot = ConfigurationSnapshot.FromText("match_cache_size = 10");
        for (var i = 0; i < 10_000; i++)
            Assert.Equal(32, snapshot.Sending("g", "b", $"d{i}.example").Get(Options.MaxOutboundConnections));
        var cache = new BoundedCache<int, string>(10, EqualityComparer<int>.Default);
        for (var i = 0; i < 1000; i++)
            cache.Add(i, "x");
        Assert.InRange(Enumerable.Range(0, 1000).Count(i => cache.TryGet(i, out _)), 1, 20);
    }

    [Fact]
    public void The_default_binding_and_group_always_exist()
    {
        var snapshot = ConfigurationSnapshot.FromText("""binding "top" { } binding_group "g" { binding "b" { } }""");
        Assert.Equal(["default", "g"], snapshot.Groups.Select(g => g.Name));
        Assert.Equal(["default", "top"], snapshot.Groups[0].Bindings.Select(b => b.Name));
        Assert.Equal(("default", "g", null), (snapshot.GroupOf("top"), snapshot.GroupOf("b"), snapshot.GroupOf("nope")));
    }

    [Fact]
    public void Rules_are_tried_in_order_and_need_all_their_conditions()
    {
        var snapshot = ConfigurationSnapshot.FromText("""
            binding "a" { } binding_group "g" { binding "b" { } }
            binding_rule "late" { order = 20 sender = ( "*@example.com" ) binding = "a" }
            binding_rule "early" { order = 10 sender = ( "/^news@/" ) peer = ( 10.0.0.0/8 ) header = [ X-Kind = "^bulk$" ] binding_group = "g" }
            """);
        Assert.Equal(["early", "late"], snapshot.Rules.Select(r => r.Name));
        Assert.True(snapshot.Rules[0].Matches(new Subject("news@example.com", "10.1.1.1", "bulk")));
        Assert.False(snapshot.Rules[0].Matches(new Subject("news@example.com", "192.0.2.1", "bulk")));
        Assert.False(snapshot.Rules[0].Matches(new Subject("news@example.com", "10.1.1.1", "other")));
        Assert.True(snapshot.Rules[1].Matches(new Subject("News@Example.com", "192.0.2.1", "other")));
        Assert.False(snapshot.Rules[1].Matches(new Subject("a@example.comx", "192.0.2.1", "other")));
    }

    private sealed record Subject(string Sender, string Address, string Kind) : IRuleSubject
    {
        public string RecipientDomain => "example.org";
        public string? AuthUser => null;
        public IPAddress? Client => IPAddress.Parse(Address);
        public IEnumerable<string> Header(string name) => name == "X-Kind" ? [Kind] : [];
        public string? Context(string key) => null;
    }
}
