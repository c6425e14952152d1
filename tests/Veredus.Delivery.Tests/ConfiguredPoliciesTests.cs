using System.Net;
using Veredus.Configuration;
using Veredus.Smtp;

namespace Veredus.Delivery.Tests;

public sealed class ConfiguredPoliciesTests
{
    [Fact]
    public void Without_settings_the_defaults_of_the_tables_hold()
    {
        var policy = Policies("").Sending("default", "default", "d.test");

        Assert.Equal((32, 5, 120, 50, 900, 100), (policy.MaxConnections, policy.IdleSeconds, policy.HostFailureRetrySeconds, policy.MxFailuresToDelay, policy.ConnectTimeoutToDelaySeconds, policy.MaxRecipientsPerBatch));
        Assert.Equal(new RetryPolicy(1200, 43200, -1, 86400), policy.Retry);
        Assert.Equal([new ScopedLimit("server ", 20000)], policy.SharedLimits);
        Assert.Equal("host.example.org", policy.EhloHostname);
        Assert.Equal((TlsUse.No, true, OriginalInDsn.Headers, 25), (policy.Tls.Use, policy.GenerateBounces, policy.BounceOriginal, policy.Port));
        Assert.Null(policy.MessageRate);
    }

    [Fact]
    public void A_rate_belongs_to_the_scope_where_it_is_written()
    {
        var policies = Policies("""
            binding_group "bulk" {
              outbound_throttle_messages = "100/60"
              binding "b1" { }
              binding "b2" { }
              binding "own" { outbound_throttle_messages = "5" }
            }
            """);

        var (b1, b2, own) = (policies.Sending("bulk", "b1", "x.test"), policies.Sending("bulk", "b2", "y.test"), policies.Sending("bulk", "own", "x.test"));
        Assert.Equal((100, 60), (b1.MessageRate!.Value.Count, b1.MessageRate.Value.Seconds));
        Assert.Equal(b1.MessageRate, b2.MessageRate);
        Assert.NotEqual(b1.MessageRate.Value.Scope, own.MessageRate!.Value.Scope);
    }

    [Fact]
    public void Every_scope_that_sets_a_shared_limit_counts()
    {
        var policies = Policies("""
            scope_max_outbound_connections = 100
            server_max_outbound_connections = 50
            domain "d.test" { scope_max_outbound_connections = 7 }
            binding_group "bulk" { server_max_outbound_connections = 20  binding "b1" { server_max_outbound_connections = 10 } }
            """);

        Assert.Equal([7, 10, 20, 50, 100], policies.Sending("bulk", "b1", "d.test").SharedLimits.Select(limit => limit.Max).Order());
        Assert.Equal([50, 100], policies.Sending("default", "default", "x.test").SharedLimits.Select(limit => limit.Max).Order());
    }

    [Fact]
    public void Places_with_the_same_options_share_one_policy()
    {
        var policies = Policies("domain \"special.test\" { max_outbound_connections = 3 }");

        Assert.Same(policies.Sending("default", "default", "a.test"), policies.Sending("default", "default", "b.test"));
        Assert.Equal(3, policies.Sending("default", "default", "special.test").MaxConnections);
    }

    [Fact]
    public void Routes_hosts_gateways_and_addresses_are_read()
    {
        var policies = Policies("""
            prohibited_hosts = ( 127.0.0.0/8 )
            domain "d.test" { routes = ( "a.test" "smtp://b.test?pref=5&port=26&type=mx" __mx__ ) }
            domain "far.test" { gateway = "relay.test" }
            host "mx.shared.test" { max_outbound_connections = 2 }
            binding "v6" { bind_address = "2001:db8::1" delivery_method = lmtp tls = required tls_verify = host max_retries = 4 }
            """);

        Assert.Equal([new("a.test", null, null, null, RouteLookup.Mx), new("b.test", 5, null, 26, RouteLookup.Mx), new(RouteEntry.MxPlaceholder, null, null, null, RouteLookup.Mx)], policies.Routes("d.test").AsEnumerable());
        Assert.Equal((true, "relay.test", ""), (policies.HasGateways, policies.Gateway("default", "default", "far.test"), policies.Gateway("default", "default", "d.test")));
        Assert.Equal(2, policies.Host("default", "default", "mx.shared.test")!.MaxConnections);
        Assert.Null(policies.Host("default", "default", "mx.other.test"));
        var v6 = policies.Sending("default", "v6", "x.test");
        Assert.Equal((IPAddress.Parse("2001:db8::1"), SmtpDialect.Lmtp, 2003, TlsUse.Required, Smtp.TlsVerify.Host, 4), (v6.BindAddress, v6.Method, v6.Port, v6.Tls.Use, v6.Tls.Verify, v6.Retry.MaxRetries));
        Assert.True(policies.Node.UseIpv6);
        Assert.True(Assert.Single(policies.Node.ProhibitedHosts).Contains(IPAddress.Loopback));
    }

    [Fact]
    public void A_suspended_default_binding_stops_only_itself()
    {
        var policies = Policies("default_binding = suspended\nbinding \"b1\" { }");

        Assert.True(policies.Sending("default", "default", "d.test").Suspended);
        Assert.False(policies.Sending("default", "b1", "d.test").Suspended);
    }

    [Fact]
    public void A_new_configuration_has_a_new_version()
    {
        var policies = Policies("");
        var before = policies.Version;
        policies.Update(ConfigurationSnapshot.FromText("max_outbound_connections = 4"));

        Assert.NotEqual(before, policies.Version);
        Assert.Equal(4, policies.Sending("default", "default", "d.test").MaxConnections);
    }

    private static ConfiguredPolicies Policies(string text) => new(ConfigurationSnapshot.FromText(text), "host.example.org");
}
