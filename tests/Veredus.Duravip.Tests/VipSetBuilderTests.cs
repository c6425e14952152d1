using System.Globalization;

namespace Veredus.Duravip.Tests;

public sealed class VipSetBuilderTests
{
    private static readonly TopologyValue[] Topology =
    [
        new(VipAddress.Parse("192.0.2.0"), 24, "eth0"), new(VipAddress.Parse("198.51.100.0"), 24, "eth1"),
        new(VipAddress.Parse("198.51.100.128"), 25, "eth2", 25), new(VipAddress.Parse("203.0.113.0"), 24, "eth9"),
        new(VipAddress.Parse("2001:db8::"), 64, "eth0"),
    ];

    private static readonly HostValues Host = new(new HashSet<string> { "eth0", "eth1", "eth2" }, new HashSet<VipAddress> { VipAddress.Parse("192.0.2.250") });

    private static VipAddress A(string text) => VipAddress.Parse(text);
    private static ListenValue Listen(string address, bool enable = false, string? preference = null, string? follow = null) =>
        new(A(address), 25, "esmtp", enable, preference, follow);
    private static BindingValue Binding(string name, string address, bool enable = true, string? preference = null, string? follow = null) =>
        new(name, A(address), enable, preference, follow);

    private static VipSetResult Build(params object[] values) =>
        VipSetBuilder.Build([.. values.OfType<ListenValue>()], [.. values.OfType<BindingValue>()], Topology, Host);

    [Fact]
    public void An_address_enabled_once_is_a_VIP_for_every_service_on_it()
    {
        var set = Build(Listen("192.0.2.10"), Binding("a", "192.0.2.10"), Binding("b", "192.0.2.10", enable: false)).Set!;
        var vip = Assert.Single(set.Vips);
        Assert.Equal(["esmtp", "multivip"], vip.Entry.Services.ToArray());
        Assert.Equal(["a", "b"], vip.Entry.Names.ToArray());
        Assert.Equal(new Placement("eth0", 32), vip.Placement);
    }

    [Fact]
    public void A_listener_follows_a_binding_by_name_or_by_address()
    {
        var set = Build(Binding("cust-a", "198.51.100.21"), Listen("192.0.2.11", follow: "cust-a"), Listen("192.0.2.12", follow: "198.51.100.21")).Set!;
        Assert.Equal(A("198.51.100.21"), set.Find(A("192.0.2.11"))!.Entry.Unit);
        Assert.Equal(A("198.51.100.21"), set.Find(A("192.0.2.12"))!.Entry.Unit);
    }

    [Fact]
    public void The_longest_prefix_places_an_address_and_IPv6_gets_a_host_mask()
    {
        var set = Build(Binding("a", "198.51.100.200"), Binding("b", "198.51.100.20"), Binding("c", "2001:db8::5")).Set!;
        Assert.Equal(new Placement("eth2", 25), set.Find(A("198.51.100.200"))!.Placement);
        Assert.Equal(new Placement("eth1", 32), set.Find(A("198.51.100.20"))!.Placement);
        Assert.Equal(new Placement("eth0", 128), set.Find(A("2001:db8::5"))!.Placement);
    }

    [Fact]
    public void Addresses_without_topology_or_interface_load_but_are_not_placeable()
    {
        var result = Build(Binding("a", "10.0.0.1"), Binding("b", "203.0.113.1"));
        Assert.Equal(Placeability.NoTopology, result.Set!.Find(A("10.0.0.1"))!.Entry.Placeability);
        Assert.Equal(Placeability.NoInterface, result.Set.Find(A("203.0.113.1"))!.Entry.Placeability);
        Assert.Equal(["duravip: 10.0.0.1: no Topology for this address", "duravip: 203.0.113.1: interface eth9 does not exist"], result.Warnings.ToArray());
    }

    [Fact]
    public void Differing_preferences_on_one_node_are_warned_of_and_ignored()
    {
        var result = Build(Listen("192.0.2.10", enable: true, preference: "mta1"), Binding("a", "192.0.2.10", preference: "mta2"));
        Assert.Equal("", Assert.Single(result.Set!.Vips).Entry.Preference);
        Assert.Contains("duravip: 192.0.2.10: conflicting Duravip_Preference 'mta1' and 'mta2'", result.Warnings);
    }

    public static TheoryData<object[], string> Errors() => new()
    {
        { [Binding("b", "192.0.2.1"), Listen("192.0.2.10", enable: true, follow: "b")], "duravip: listen 192.0.2.10: Enable_Duravip and Duravip_Follow are mutually exclusive" },
        { [Binding("b", "192.0.2.1", follow: "c")], "duravip: binding b: a binding cannot follow" },
        { [Binding("b", "192.0.2.1"), Listen("192.0.2.1", follow: "b")], "duravip: listen 192.0.2.1 follows binding b which has the same address" },
        { [Binding("b", "192.0.2.1"), Binding("c", "192.0.2.2", enable: false), Listen("192.0.2.2", follow: "b")], "duravip: 192.0.2.2 follows b but is also the address of binding c" },
        { [Binding("b", "192.0.2.1"), Listen("192.0.2.2", preference: "mta1", follow: "b")], "duravip: listen 192.0.2.2: Duravip_Preference is not allowed with Duravip_Follow" },
        { [Listen("192.0.2.2", follow: "nobody")], "duravip: listen 192.0.2.2: follow target 'nobody' is not a DuraVIP binding" },
        { [Binding("b", "192.0.2.1", enable: false), Listen("192.0.2.2", follow: "b")], "duravip: listen 192.0.2.2: follow target 'b' is not a DuraVIP binding" },
        { [Binding("a", "192.0.2.1"), Binding("b", "192.0.2.3"), Listen("192.0.2.2", follow: "a"), Listen("192.0.2.2", follow: "b")], "duravip: 192.0.2.2 cannot follow both a and b" },
        { [Binding("a", "192.0.2.250")], "duravip: 192.0.2.250 is a main address of this host" },
        { [Binding("a", "192.0.2.1", preference: "MTA 1")], "duravip: binding a: 'MTA 1' is not a node name (1-63 of a-z, 0-9, hyphen, dot)" },
    };

    [Theory]
    [MemberData(nameof(Errors))]
    public void What_cannot_work_fails_the_load_and_says_why(object[] values, string message)
    {
        var result = Build(values);
        Assert.Null(result.Set);
        Assert.Contains(message, result.Errors);
    }

    [Fact]
    public void One_address_too_many_fails_the_load()
    {
        var bindings = Enumerable.Range(0, VipSet.MaxVips + 1)
            .Select(i => (object)Binding(string.Create(CultureInfo.InvariantCulture, $"b{i}"), string.Create(CultureInfo.InvariantCulture, $"2001:db8::{i:x}"))).ToArray();
        Assert.Equal(["duravip: 10241 addresses exceed the limit of 10240"], Build(bindings).Errors.ToArray());
        Assert.Equal(VipSet.MaxVips, Build(bindings[1..]).Set!.Vips.Count);
    }

    [Fact]
    public void A_wildcard_listener_is_never_a_VIP_and_a_shared_port_is_warned_of()
    {
        var result = Build(Listen("192.0.2.10", enable: true), new ListenValue(null, 25, "esmtp"));
        Assert.Single(result.Set!.Vips);
        Assert.Contains(result.Warnings, warning => warning.StartsWith("duravip: listen *:25 shares its port with VIP listener 192.0.2.10", StringComparison.Ordinal));
    }
}
