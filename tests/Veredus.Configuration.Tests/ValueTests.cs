using System.Net;
using System.Security.Authentication;

namespace Veredus.Configuration.Tests;

public class ValueTests
{
    private static T Read<T>(string text, Option<T> option) => ConfigurationSnapshot.FromText(text).Global.Get(option);

    [Theory]
    [InlineData("90", 90)]
    [InlineData("90s", 90)]
    [InlineData("15m", 900)]
    [InlineData("4h", 14400)]
    [InlineData("2d", 172800)]
    [InlineData("1w", 604800)]
    [InlineData("\"4 hours\"", 14400)]
    public void Seconds_may_have_a_unit(string text, int seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), Read("message_expiration = " + text, Options.MessageExpiration));

    [Theory]
    [InlineData("10", 10)]
    [InlineData("64K", 65536)]
    [InlineData("10m", 10485760)]
    [InlineData("2G", 2147483648)]
    public void Bytes_may_have_a_unit(string text, long bytes) =>
        Assert.Equal(bytes, Read("large_message_threshold = " + text, Options.LargeMessageThreshold));

    [Theory]
    [InlineData("\"30\"", 30, 1)]
    [InlineData("\"60/3\"", 60, 3)]
    [InlineData("0", 0, 0)]
    public void A_rate_is_events_per_window(string text, int events, int seconds) =>
        Assert.Equal(new Rate(events, seconds), Read("outbound_throttle_messages = " + text, Options.OutboundThrottleMessages));

    [Theory]
    [InlineData("true TRUE on Enabled 1 yes", true)]
    [InlineData("false off disabled 0 No", false)]
    public void Booleans_have_many_spellings(string words, bool expected) =>
        Assert.All(words.Split(' '), word => Assert.Equal(expected, Read($"never_retry = {word}", Options.NeverRetry)));

    [Theory]
    [InlineData("message_expiration = -5")]
    [InlineData("message_expiration = 5y")]
    [InlineData("message_expiration = 99999999999")]
    [InlineData("message_expiration = \"\"")]
    [InlineData("large_message_threshold = 9999999999G")]
    [InlineData("large_message_threshold = K")]
    [InlineData("outbound_throttle_messages = \"1/0\"")]
    [InlineData("outbound_throttle_messages = \"0/5\"")]
    [InlineData("outbound_throttle_messages = \"-1\"")]
    [InlineData("outbound_throttle_messages = \"1/2/3\"")]
    [InlineData("never_retry = maybe")]
    [InlineData("never_retry = \"\"")]
    [InlineData("spool_mode = 0888")]
    [InlineData("spool_mode = 77777")]
    [InlineData("relay_hosts = ( 10.1 )")]
    [InlineData("relay_hosts = ( 10.0.0.0/ )")]
    [InlineData("relay_hosts = ( ::1/129 )")]
    [InlineData("relay_hosts = ( example.com )")]
    [InlineData("relay_hosts = ( fe80::1%eth0 )")]
    [InlineData("relay_domains = ( \"a b\" )")]
    [InlineData("relay_domains = ( a.*.b )")]
    [InlineData("relay_domains = ( \"\" )")]
    [InlineData("gateway = 2001:db8::1")]
    [InlineData("gateway = 192.0.2.300")]
    [InlineData("gateway = -x.example")]
    [InlineData("routes = ( \"smtp://h?port=0\" )")]
    [InlineData("routes = ( \"smtp://h?color=red\" )")]
    [InlineData("tls_protocols = \"+SSLv3\"")]
    [InlineData("tls_protocols = \"-ALL\"")]
    [InlineData("max_retries = -1")]
    [InlineData("rfc2822_max_line_length = 10")]
    [InlineData("bounce_pattern = \"(\"")]
    [InlineData("debug_flags { error = ( EVERYTHING ) }")]
    [InlineData("hostname = \"a\nb\"")]
    [InlineData("esmtp_listener { context = ( a b ) }")]
    [InlineData("esmtp_listener { smtp_extensions = ( STARTLS ) }")]
    [InlineData("esmtp_listener { listen \":70000\" { } }")]
    [InlineData("esmtp_listener { listen \"example.com:25\" { } }")]
    [InlineData("domain \"a..b\" { }")]
    public void A_value_that_makes_no_sense_is_refused(string text) =>
        Assert.False(ConfigurationSnapshot.Parse(text).Success);

    [Fact]
    public void A_network_list_finds_addresses_of_both_families()
    {
        var list = Read("relay_hosts = ( 127.0.0.0/8 ::1 192.0.2.77/24 \"[2001:db8::]/32\" )", Options.RelayHosts);
        Assert.All(["127.9.9.9", "::1", "192.0.2.1", "2001:db8:1::5", "::ffff:192.0.2.9"], a => Assert.True(list.Contains(IPAddress.Parse(a))));
        Assert.All(["128.0.0.1", "::2", "192.0.3.1", "2001:db9::", "::ffff:192.0.3.9", "0.0.0.1"], a => Assert.False(list.Contains(IPAddress.Parse(a))));
        Assert.True(Read("relay_hosts = ( 0.0.0.0/0 ::/0 )", Options.RelayHosts).Contains(IPAddress.Parse("2001:db8::1")));
    }

    [Theory]
    [InlineData("example.com", "EXAMPLE.com", true)]
    [InlineData("example.com", "a.example.com", false)]
    [InlineData("*.example.com", "example.com", false)]
    [InlineData("*.example.com", "a.b.example.com", true)]
    [InlineData("*.example.com", "notexample.com", false)]
    [InlineData("*example.com", "notexample.com", true)]
    [InlineData("*example.com", "example.com", true)]
    [InlineData("*", "anything.test", true)]
    [InlineData("*.bücher.example", "www.xn--bcher-kva.example", true)]
    [InlineData("192.0.2.1", "192.0.2.1", true)]
    public void Only_a_leading_star_is_special_in_a_domain_list(string pattern, string domain, bool expected) =>
        Assert.Equal(expected, Read($"relay_domains = ( \"{pattern}\" )", Options.RelayDomains).Matches(domain));

    [Theory]
    [InlineData(":25", "*:25", true)]
    [InlineData("*:25", "*:25", true)]
    [InlineData("0.0.0.0:25", "*:25", true)]
    [InlineData("[*]:25", "[*]:25", true)]
    [InlineData("[::]:25", "[*]:25", true)]
    [InlineData("192.0.2.1:587", "192.0.2.1:587", false)]
    [InlineData("[2001:DB8:0::1]:25", "[2001:db8::1]:25", false)]
    [InlineData("/run/x.sock", "/run/x.sock", false)]
    public void An_endpoint_has_one_canonical_form(string text, string canonical, bool wildcard)
    {
        Assert.True(ListenEndpoint.TryParse(text, out var endpoint));
        Assert.Equal((canonical, wildcard), (endpoint.ToString(), endpoint.IsWildcard));
    }

    [Fact]
    public void Routes_carry_their_parameters()
    {
        var routes = ConfigurationSnapshot.FromText("""domain "example.com" { routes = ( mx1.example.com __mx__ "smtp://[2001:db8::1]/?pref=5&ttl=60&port=26&type=a" 192.0.2.9 ) }""")
            .Sending("g", "b", "example.com").Get(Options.Routes);
        Assert.Equal(
            [new("mx1.example.com", null, null, null, RouteLookup.Default), new(null, null, null, null, RouteLookup.Default),
                new("2001:db8::1", 5, TimeSpan.FromSeconds(60), 26, RouteLookup.Address), new("192.0.2.9", null, null, null, RouteLookup.Default)], routes);
    }

    [Fact]
    public void Words_and_numbers_of_mixed_options_are_told_apart()
    {
        Assert.Equal(new RetryLimit(RetryLimitMode.Auto, 0), Read("", Options.MaxRetries));
        Assert.Equal(new RetryLimit(RetryLimitMode.Count, 7), Read("max_retries = 7", Options.MaxRetries));
        Assert.Equal(new LineLengthRule(LineLengthMode.Limit, 2000), Read("rfc2822_max_line_length = 2000", Options.Rfc2822MaxLineLength));
        Assert.Equal(BlackholeMode.Inline, Read("blackhole = TRUE", Options.Blackhole));
        Assert.Equal(BlackholeMode.Internal, Read("blackhole = internal", Options.Blackhole));
        Assert.Equal(SslProtocols.Tls13, Read("tls_protocols = \"+ALL:-TLSv1.2\"", Options.TlsProtocols));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, Read("spool_mode = 600", Options.SpoolMode));
        Assert.Equal(IPAddress.Parse("2001:db8::1"), Read("bind_address = \"[2001:db8::1]\"", Options.BindAddress).Address);
        Assert.True(Read("bind_address = *", Options.BindAddress).IsAny);
        Assert.Null(ConfigurationSnapshot.FromText("tls_certificate = \"/x.pem\" domain \"a.test\" { tls_certificate = none }").Sending("g", "b", "a.test").Get(Options.TlsCertificate));
    }

    [Fact]
    public void A_pattern_that_backtracks_without_end_counts_as_not_matching()
    {
        Assert.True(Pattern.TryParse("^(a+)+$", ignoreCase: false, out var linear, out _));
        Assert.True(linear.IsLinear);
        Assert.False(linear.IsMatch(new string('a', 50_000) + "b"));
        Assert.True(Pattern.TryParse("^(?=a)(a+)+$", ignoreCase: false, out var backtracking, out _));
        Assert.False(backtracking.IsLinear);
        Assert.False(backtracking.IsMatch(new string('a', 50_000) + "b"));
    }

    [Fact]
    public void Asking_a_view_for_an_option_of_another_family_is_a_mistake_of_the_caller() =>
        Assert.Throws<ArgumentException>(() => ConfigurationSnapshot.Empty.Sending("g", "b", "").Get(Options.ListenBacklog));

    [Fact]
    public void Roles_allow_commands_by_pattern_and_nothing_else()
    {
        var console = ConfigurationSnapshot.FromText("authorization { role \"ops\" { allow = ( \"^summary\" \"^version$\" ) } }").Console;
        Assert.Equal("ops", console.RoleThatAllows(["ann", "ops"], "summary 5"));
        Assert.Null(console.RoleThatAllows(["ops"], "version 2"));
        Assert.Null(console.RoleThatAllows(["ann"], "summary"));
    }
}
