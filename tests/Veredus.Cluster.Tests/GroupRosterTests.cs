namespace Veredus.Cluster.Tests;

public sealed class GroupRosterTests
{
    private static readonly MemberId s_self = new(1, 10), s_two = new(2, 20), s_three = new(3, 30);

    [Fact]
    public void The_join_shows_oneself_as_the_only_one_who_came_along()
    {
        var view = new GroupRoster(s_self).Apply([s_two, s_self], [s_self], [])!;

        Assert.Equal([s_self, s_two], view.Members);
        Assert.Equal([s_self], view.Transitional);
    }

    [Fact]
    public void Those_who_stayed_came_along_and_those_who_joined_did_not()
    {
        var roster = new GroupRoster(s_self);
        roster.Apply([s_self, s_two], [s_self], []);

        var view = roster.Apply([s_self, s_three], [s_three], [new(s_two, Departure.ProcessDown)])!;

        Assert.Equal([s_self], view.Transitional);
        Assert.Equal([s_three], view.Joined);
        Assert.Equal([new(s_two, Departure.ProcessDown)], view.Left);
    }

    [Fact]
    public void A_member_whose_host_totem_does_not_have_is_a_ghost()
    {
        var roster = new GroupRoster(s_self);
        roster.Apply([s_self, s_two, s_three], [s_self], []);

        var view = roster.CheckHosts([1, 2])!;

        Assert.Equal([s_self, s_two], view.Members);
        Assert.Equal([new(s_three, Departure.NodeDown)], view.Left);
        Assert.Null(roster.CheckHosts([1, 2]));
        // The bus goes on listing it; nobody hears of it, nor of its end.
        Assert.Equal([s_self], roster.Apply([s_self, s_three], [], [new(s_two, Departure.Leave)])!.Members);
        Assert.Null(roster.Apply([s_self], [], [new(s_three, Departure.NodeDown)]));
    }

    [Fact]
    public void A_ghost_that_joins_anew_is_a_member()
    {
        var roster = new GroupRoster(s_self);
        roster.Apply([s_self, s_three], [s_self], []);
        roster.CheckHosts([1]);

        Assert.Equal([s_self, s_three], roster.Apply([s_self, s_three], [s_three], [])!.Members);
    }

    [Fact]
    public void A_member_whose_host_is_back_on_the_list_is_none_any_more_though_the_bus_never_said_that_it_had_left()
    {
        var roster = new GroupRoster(s_self);
        roster.Apply([s_self, s_two, s_three], [s_self], []);
        roster.CheckHosts([1, 2]);  // of the moment before the third came

        var view = roster.CheckHosts([1, 2, 3])!;

        Assert.Equal([s_self, s_two, s_three], view.Members);
        Assert.Equal([s_three], view.Joined);
        Assert.Equal([s_self, s_two], view.Transitional);
        Assert.Null(roster.CheckHosts([1, 2, 3]));
    }
}
