namespace Veredus.Cluster.Tests;

/// <summary>Messages that a member has said it has no use for, on real corosyncs.</summary>
public sealed class UselessMessageTests(CorosyncCluster cluster) : IClassFixture<CorosyncCluster>
{
    [CorosyncFact]
    public async Task A_member_is_not_woken_for_what_it_has_no_use_for_but_keeps_its_own()
    {
        await using var choosy = cluster.Open(1, "useless", message => message[0] == (byte)'u');
        await using var plain = cluster.Open(2, "useless");
        BusListener[] members = [new(choosy), new(plain)];
        await members[0].HasMembers(1, 2);
        await members[1].HasMembers(1, 2);

        members[1].Say("u: of another");
        members[1].Say(new string('u', 200_000));  // in parts
        members[1].Say("i: of another");
        await members[0].Hears("i: of another");
        members[0].Say("u: own");
        await members[0].Hears("u: own");
        await members[1].Hears("u: own");

        Assert.Equal(["i: of another", "u: own"], members[0].Seen.OfType<GroupEvent.Message>().Select(BusListener.Text));
        Assert.Equal(4, members[1].Seen.OfType<GroupEvent.Message>().Count());
    }
}
