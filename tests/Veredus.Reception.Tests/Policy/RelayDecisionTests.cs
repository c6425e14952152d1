using Veredus.Reception.Policy;
using Veredus.Smtp;

namespace Veredus.Reception.Tests.Policy;

public sealed class RelayDecisionTests
{
    private static readonly InboundPolicy Closed = new() { Endpoint = "*:25", Options = new() { HostName = "mta" }, Hostname = "mta.example.org" };

    private static readonly InboundPolicy Ours = Closed with
    {
        RelayDomains = new(["ours.example.com", "*.ours.example.com"]),
        BounceDomains = new(["bounces.example.com"]),
        RelayForSendingDomains = new(["customer.example.com"]),
    };

    [Theory]
    [InlineData("x@elsewhere.example.net", "a@example.com", RelayReason.Denied)]
    [InlineData("x@ours.example.com", "a@example.com", RelayReason.RecipientDomain)]
    [InlineData("x@OURS.example.com", "", RelayReason.RecipientDomain)]
    [InlineData("x@deep.ours.example.com", "a@example.com", RelayReason.RecipientDomain)]
    [InlineData("x@bounces.example.com", "", RelayReason.RecipientDomain)]
    [InlineData("x@elsewhere.example.net", "a@customer.example.com", RelayReason.SendingDomain)]
    [InlineData("postmaster", "a@example.com", RelayReason.Postmaster)]
    [InlineData("PostMaster", "", RelayReason.Postmaster)]
    [InlineData("somebody", "a@example.com", RelayReason.Denied)]
    public void Mail_is_taken_for_our_domains_our_customers_and_the_postmaster(string recipient, string sender, RelayReason expected)
    {
        Assert.Equal(expected, RelayDecision.Decide(Ours, mayRelay: false, new(sender), new(recipient)).Reason);
    }

    [Fact]
    public void A_session_that_may_relay_may_relay_anywhere()
    {
        Assert.Equal(RelayReason.SessionMayRelay, RelayDecision.Decide(Closed, mayRelay: true, new("a@b"), new("x@anywhere.example")).Reason);
    }

    [Fact]
    public void An_unqualified_recipient_is_completed_before_it_is_judged()
    {
        var policy = Ours with { RecipientDomain = "ours.example.com" };

        Assert.Equal(new RelayVerdict(RelayReason.RecipientDomain, new("ann@ours.example.com")), RelayDecision.Decide(policy, false, new("a@b"), new("ann")));
        Assert.Equal("postmaster@ours.example.com", RelayDecision.Decide(policy, false, new("a@b"), new("postmaster")).Recipient.Value);
        Assert.Equal("postmaster@mta.example.org", RelayDecision.Decide(Ours, false, EnvelopeAddress.Null, new("postmaster")).Recipient.Value);
    }

    [Fact]
    public void A_clients_address_may_allow_it()
    {
        var policy = Closed with { RelayHosts = new([System.Net.IPNetwork.Parse("192.0.2.0/24")]) };

        Assert.True(RelayDecision.AddressMayRelay(policy, System.Net.IPAddress.Parse("192.0.2.9")));
        Assert.False(RelayDecision.AddressMayRelay(policy, System.Net.IPAddress.Parse("198.51.100.9")));
        Assert.True(RelayDecision.AddressMayRelay(policy with { OpenRelay = true }, System.Net.IPAddress.Parse("198.51.100.9")));
    }
}
