using System.Net;
using Veredus.Delivery.Dns;

namespace Veredus.Delivery.Tests.Routing;

public sealed class RoutePlannerTests
{
    private static readonly NodePolicy Node = new("node.example.org") { OwnEndpoints = [new IPEndPoint(IPAddress.Parse("198.51.100.1"), 25)] };
    private readonly Dictionary<DnsQuestion, DnsAnswer> _dns = [];

    [Fact]
    public void Hosts_are_tried_in_the_order_of_their_preference()
    {
        Mx("d.test", (20, "b.test"), (10, "a.test"));
        A("a.test", "192.0.2.1");
        A("b.test", "192.0.2.2", "192.0.2.3");

        var route = Plan("d.test");

        Assert.Equal(["a.test 192.0.2.1", "b.test 192.0.2.2 192.0.2.3"], Show(route));
        Assert.Equal(300u, route.TtlSeconds);
    }

    [Fact]
    public void What_is_not_known_yet_is_asked_for()
    {
        Assert.Equal([new("d.test", DnsType.Mx)], RoutePlanner.Plan(Request("d.test"), _dns).Missing.AsEnumerable());
        Mx("d.test", (10, "a.test"), (20, "b.test"));
        Assert.Equal([new("a.test", DnsType.A), new("b.test", DnsType.A)], RoutePlanner.Plan(Request("d.test"), _dns).Missing.OrderBy(q => q.Name));
    }

    [Fact]
    public void A_domain_without_MX_is_its_own_host()
    {
        _dns[new("d.test", DnsType.Mx)] = DnsAnswer.Failed(DnsStatus.NoData);
        A("d.test", "192.0.2.1");

        Assert.Equal(["d.test 192.0.2.1"], Show(Plan("d.test")));
    }

    [Theory]
    [InlineData(DnsStatus.NxDomain, "554 5.4.4 [internal] Domain Lookup Failed", false)]
    [InlineData(DnsStatus.ServFail, "451 4.4.3 [internal] DNS lookup failed temporarily", true)]
    [InlineData(DnsStatus.Bogus, "451 4.4.3 [internal] DNS lookup failed temporarily", true)]
    [InlineData(DnsStatus.Timeout, "451 4.4.3 [internal] DNS lookup failed temporarily", true)]
    public void A_failed_lookup_says_whether_it_is_final(DnsStatus status, string reply, bool isDns)
    {
        _dns[new("d.test", DnsType.Mx)] = DnsAnswer.Failed(status);

        var failure = Plan("d.test").Failure!;

        Assert.Equal(reply, failure.Reply.ToString());
        Assert.Equal(isDns, failure.IsDns);
    }

    [Fact]
    public void A_null_MX_refuses_all_mail()
    {
        Mx("d.test", (0, ""));

        var failure = Plan("d.test").Failure!;

        Assert.Equal("550 5.4.4 [internal] NULL MX", failure.Reply.ToString());
        Assert.Equal("5.1.10", failure.DsnStatus.ToString());
    }

    [Fact]
    public void Mail_hosts_without_any_address_are_a_reason_to_wait()
    {
        Mx("d.test", (10, "a.test"));
        _dns[new("a.test", DnsType.A)] = DnsAnswer.Failed(DnsStatus.NxDomain);

        Assert.Equal("454 4.4.4 [internal] no MX or A for domain", Plan("d.test").Failure!.Reply.ToString());
    }

    [Fact]
    public void One_mail_host_that_cannot_be_looked_up_does_not_stop_the_others()
    {
        Mx("d.test", (10, "a.test"), (20, "b.test"));
        _dns[new("a.test", DnsType.A)] = DnsAnswer.Failed(DnsStatus.Timeout);
        A("b.test", "192.0.2.2");

        Assert.Equal(["b.test 192.0.2.2"], Show(Plan("d.test")));
    }

    [Fact]
    public void Hosts_not_better_than_this_node_are_left_out()
    {
        Mx("d.test", (10, "a.test"), (20, "me.test"), (20, "b.test"), (30, "c.test"));
        A("a.test", "192.0.2.1");
        A("me.test", "198.51.100.1");
        A("b.test", "192.0.2.2");
        A("c.test", "192.0.2.3");

        Assert.Equal(["a.test 192.0.2.1"], Show(Plan("d.test")));
    }

    [Fact]
    public void A_domain_whose_best_host_is_this_node_is_a_loop()
    {
        Mx("d.test", (10, "node.example.org"), (20, "b.test"));
        A("node.example.org", "192.0.2.9");
        A("b.test", "192.0.2.2");

        Assert.Equal("554 5.4.6 [internal] routing loop detected", Plan("d.test").Failure!.Reply.ToString());
    }

    [Fact]
    public void The_same_address_on_another_port_is_not_this_node()
    {
        Mx("d.test", (10, "a.test"));
        A("a.test", "198.51.100.1");

        Assert.Null(RoutePlanner.Plan(Request("d.test") with { Port = 2525 }, _dns).Route!.Failure);
    }

    [Fact]
    public void Prohibited_addresses_are_never_used_and_fail_the_mail_when_nothing_else_is_left()
    {
        var node = Node with { ProhibitedHosts = [IPNetwork.Parse("127.0.0.0/8")] };
        Mx("d.test", (10, "a.test"), (20, "b.test"));
        A("a.test", "127.0.0.1");
        A("b.test", "192.0.2.2");
        Assert.Equal(["b.test 192.0.2.2"], Show(Plan("d.test", node)));

        A("b.test", "127.0.0.2");
        Assert.Equal("551 5.4.6 [internal] Private/Loopback Address", Plan("d.test", node).Failure!.Reply.ToString());
    }

    [Fact]
    public void Skipped_addresses_leave_the_other_hosts()
    {
        var node = Node with { SkipHosts = [IPNetwork.Parse("192.0.2.1/32")] };
        Mx("d.test", (10, "a.test"));
        A("a.test", "192.0.2.1", "192.0.2.2");

        Assert.Equal(["a.test 192.0.2.2"], Show(Plan("d.test", node)));
        A("a.test", "192.0.2.1");
        Assert.True(Plan("d.test", node).Failure!.Reply.IsTransient);
    }

    [Fact]
    public void IPv6_addresses_are_asked_for_only_when_wanted()
    {
        Mx("d.test", (10, "a.test"));
        A("a.test", "192.0.2.1");
        var request = Request("d.test") with { Node = Node with { UseIpv6 = true } };

        Assert.Equal([new("a.test", DnsType.Aaaa)], RoutePlanner.Plan(request, _dns).Missing.AsEnumerable());
        _dns[new("a.test", DnsType.Aaaa)] = DnsAnswer.OfAddresses(60, IPAddress.Parse("2001:db8::1"));
        Assert.Equal(["a.test 192.0.2.1 2001:db8::1"], Show(RoutePlanner.Plan(request, _dns).Route!));
    }

    [Theory]
    [InlineData("192.0.2.1", "192.0.2.1", null)]
    [InlineData("[192.0.2.1]", "192.0.2.1", null)]
    [InlineData("[192.0.2.1]:2525", "192.0.2.1", 2525)]
    [InlineData("192.0.2.1:2525", "192.0.2.1", 2525)]
    [InlineData("[IPv6:2001:db8::1]", "2001:db8::1", null)]
    [InlineData("[2001:db8::1]:26", "2001:db8::1", 26)]
    public void A_literal_is_used_as_it_is(string domain, string address, int? port)
    {
        var host = Assert.Single(Plan(domain).Hosts);

        Assert.Equal(IPAddress.Parse(address), Assert.Single(host.Addresses));
        Assert.Equal(port, host.Port);
    }

    [Fact]
    public void A_gateway_name_may_carry_a_port()
    {
        _dns[new("relay.test", DnsType.Mx)] = DnsAnswer.Failed(DnsStatus.NoData);
        A("relay.test", "192.0.2.1");

        Assert.Equal(2525, Assert.Single(Plan("relay.test:2525").Hosts).Port);
    }

    [Fact]
    public void Routes_are_tried_in_list_order_unless_a_preference_is_given()
    {
        A("first.test", "192.0.2.1");
        A("second.test", "192.0.2.2");
        A("third.test", "192.0.2.3");
        Mx("d.test", (10, "mx.test"));
        A("mx.test", "192.0.2.9");
        RouteEntry[] entries = [new("first.test"), new("second.test", Preference: 5, Port: 26), new(RouteEntry.MxPlaceholder), new("third.test")];

        var route = RoutePlanner.Plan(Request("d.test") with { Entries = [.. entries] }, _dns).Route!;

        Assert.Equal(["second.test 192.0.2.2", "first.test 192.0.2.1", "mx.test 192.0.2.9", "third.test 192.0.2.3"], Show(route));
        Assert.Equal(26, route.Hosts[0].Port);
    }

    private static RouteRequest Request(string domain, NodePolicy? node = null) => new(domain, [], node ?? Node, 25);

    private Route Plan(string domain, NodePolicy? node = null)
    {
        var plan = RoutePlanner.Plan(Request(domain, node), _dns);
        Assert.Empty(plan.Missing);
        return plan.Route!;
    }

    private void Mx(string name, params (ushort Preference, string Host)[] hosts)
    {
        var records = new MxRecord[hosts.Length];
        for (var i = 0; i < hosts.Length; i++)
            records[i] = new(hosts[i].Preference, hosts[i].Host);
        _dns[new(name, DnsType.Mx)] = DnsAnswer.OfMx(300, records);
    }

    private void A(string name, params string[] addresses) => _dns[new(name, DnsType.A)] = DnsAnswer.OfAddresses(300, [.. addresses.Select(IPAddress.Parse)]);

    private static IEnumerable<string> Show(Route route) => route.Hosts.Select(host => string.Join(' ', [host.Name, .. host.Addresses.Select(a => a.ToString())]));
}
