using System.Net;

namespace Veredus.Cluster.Tests;

public sealed class ClusterMembershipTests
{
    private static readonly MemberId s_one = new(1, 4242), s_two = new(2, 4242), s_three = new(3, 99);

    [Fact]
    public void A_hello_comes_back_as_it_was_and_never_from_torn_bytes()
    {
        var hello = Node("mta1", 7);
        var bytes = hello.Encode();

        var read = Hello.TryRead(bytes)!;
        Assert.Equal(hello with { Groups = read.Groups }, read);
        Assert.Equal(hello.Groups, read.Groups);
        for (var length = 0; length < bytes.Length; length++)
            Assert.Null(Hello.TryRead(bytes.AsSpan(0, length)));
        bytes[0] = (byte)ClusterChannel.Duravip;
        Assert.Null(Hello.TryRead(bytes));
    }

    [Fact]
    public void Members_show_once_they_have_introduced_themselves()
    {
        var membership = Joined([s_one, s_two]);
        membership = Says(membership, s_two, Node("mta2", 5));

        Assert.Equal("""
            Private Name: #2-4242#mta2
            Node Name: mta2
            Subcluster: default
            Node Type: Veredus
            Version: 1.0.0
            Address: 192.0.2.12:4802
            Groups: ec_console, ec_sc_default, ec_cluster


            """, membership.Render());
        Assert.Equal(s_one, membership.Leader!.Id);
        Assert.Equal(s_two, membership.Find("mta2")!.Id);
    }

    [Fact]
    public void Who_stays_need_not_introduce_himself_again_and_who_returns_must()
    {
        var membership = Says(Says(Joined([s_one, s_two]), s_one, Node("mta1", 1)), s_two, Node("mta2", 2));

        membership = membership.Apply(new GroupEvent.View(new([s_one, s_two, s_three], [s_one], [s_two, s_three], [])), s_one);

        Assert.Equal(["mta1", null, null], membership.Members.Select(member => member.Hello?.NodeName));
    }

    [Fact]
    public void Nothing_shows_when_the_bus_is_lost()
    {
        var membership = Says(Joined([s_one]), s_one, Node("mta1", 1)).Apply(new GroupEvent.Lost("gone"), s_one);

        Assert.Empty(membership.Render());
        Assert.Null(membership.Leader);
    }

    [Fact]
    public void Of_two_with_one_name_the_later_leaves()
    {
        var both = Says(Says(Joined([s_one, s_two]), s_one, Node("mta1", 9)), s_two, Node("mta1", 5));

        Assert.Equal("cluster: node name 'mta1' is already in use by 192.0.2.12:4802", both.NameConflict());
        Assert.Null((both with { Self = s_two }).NameConflict());
    }

    [Fact]
    public void The_leader_shows_in_the_info()
    {
        var membership = Says(Joined([s_one, s_two]), s_one, Node("mta1", 1));

        Assert.Equal("""
            Daemon: corosync [#1-4242#mta1 #2-4242#]
            Control Group: ec_console
            Cluster Group: ec_cluster (mta1 is leader)
            Logger Group: none

            """, membership.RenderInfo("corosync", "ec_console", "ec_cluster", null));
    }

    [Fact]
    public void A_later_start_has_the_larger_incarnation_and_its_text_reads_back()
    {
        var random = new Random(1);
        var (first, second) = (Incarnation.New(new FixedTime(1000), random), Incarnation.New(new FixedTime(1001), random));

        Assert.True(first < second);
        Assert.True(Incarnation.TryParse(second.ToString(), out var read) && read == second);
        Assert.False(Incarnation.TryParse("12", out _));
    }

    private sealed class FixedTime(long unixMs) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds(unixMs);
    }

    private static ClusterMembership Joined(MemberId[] members) =>
        ClusterMembership.Disconnected.Apply(new GroupEvent.View(new(members, [members[0]], [members[0]], [])), members[0]);

    private static ClusterMembership Says(ClusterMembership membership, MemberId sender, Hello hello) =>
        membership.Apply(new GroupEvent.Message(sender, hello.Encode()), membership.Self);

    private static Hello Node(string name, ulong incarnation) => new(
        MemberKind.Veredus, name, "default", "1.0.0", IPEndPoint.Parse("192.0.2.12:4802"), ["ec_console", "ec_sc_default", "ec_cluster"], new(incarnation));
}
