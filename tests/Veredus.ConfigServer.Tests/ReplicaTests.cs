using System.Collections.Immutable;
using Veredus.Cluster;
using Xunit.Abstractions;

namespace Veredus.ConfigServer.Tests;

public sealed class ReplicaTests(ITestOutputHelper output)
{
    private static readonly MemberId One = new(1, 1), Two = new(2, 1), Three = new(3, 1);

    [Fact]
    public void Through_splits_merges_and_crashes_no_confirmed_commit_is_lost_and_divergence_is_always_CONFLICT()
    {
        var (confirmed, conflicts) = (0, 0);
        for (var seed = 1; seed <= 60; seed++)
        {
            var simulation = new ReplicaSimulation(seed, servers: 2 + seed % 4);
            try
            {
                simulation.Run(400);
            }
            catch (Exception)
            {
                output.WriteLine($"seed {seed}");
                throw;
            }
            confirmed += simulation.Confirmed;
            conflicts += simulation.Conflicts;
        }
        output.WriteLine($"{confirmed} confirmed commits, {conflicts} conflicts");
        Assert.True(confirmed > 100 && conflicts > 20, $"{confirmed} confirmed commits and {conflicts} conflicts: the runs show too little");
    }

    [Fact]
    public void The_one_with_all_the_history_leads_then_the_present_master_then_the_lowest_name()
    {
        Assert.Equal(Two, Elect(Report("a", 1), Report("b", 2, contains: 1), Report("c", 1)));
        Assert.Equal(Three, Elect(Report("a", 1), Report("b", 1), Report("c", 1, master: true)));
        Assert.Equal(Two, Elect(Report("b", 1), Report("a", 1), Report("c", 1)));
        Assert.Equal(One, Elect(Report("a", 1, master: true, term: 5), Report("b", 1, master: true, term: 4), Report("c", 1)));
    }

    [Fact]
    public void An_override_wins_over_everything_while_its_node_is_a_member()
    {
        Assert.Equal(Three, Elect(Report("a", 1, master: true) with { Override = new(1, "c") }, Report("b", 2, contains: 1), Report("c", 1)));
        Assert.Equal(Two, Elect(Report("a", 1) with { Override = new(1, "gone") }, Report("b", 2, contains: 1), Report("c", 1)));
        Assert.Equal(One, Elect(Report("a", 1) with { Override = new(2, null) }, Report("b", 1) with { Override = new(1, "c") }, Report("c", 1)));
    }

    [Fact]
    public void A_minority_takes_no_commit_when_three_servers_are_known()
    {
        var replica = Settle(Replica.Start(One, "a", HeadOf(1), ReplicaMemory.Empty), [One]);
        Assert.Null(replica.WhyNoCommit(knownServers: 1, requireMajority: null));
        Assert.Null(replica.WhyNoCommit(knownServers: 2, requireMajority: null));
        Assert.Contains("majority", replica.WhyNoCommit(knownServers: 3, requireMajority: null), StringComparison.Ordinal);
        Assert.Null(replica.WhyNoCommit(knownServers: 3, requireMajority: false));
    }

    [Fact]
    public void Nobody_takes_a_commit_before_all_members_have_reported()
    {
        var (replica, effects) = Replica.Start(One, "a", HeadOf(1), ReplicaMemory.Empty).Apply(new ReplicaEvent.ViewChanged([One, Two]));
        Assert.Single(effects.OfType<ReplicaEffect.SendReport>());
        (replica, _) = replica.Apply(new ReplicaEvent.Reported(One, Report("a", 1)));
        Assert.Contains("agreeing", replica.WhyNoCommit(2, null), StringComparison.Ordinal);
        (replica, _) = replica.Apply(new ReplicaEvent.Reported(Two, Report("b", 1)));
        Assert.Null(replica.WhyNoCommit(2, null));
    }

    [Fact]
    public void A_freeze_stops_commits_until_a_history_contains_its_mark()
    {
        var replica = Settle(Replica.Start(One, "a", HeadOf(1), ReplicaMemory.Empty), [One]);
        (replica, _) = replica.Apply(new ReplicaEvent.Frozen("freeze:1"));
        Assert.Contains("CONFLICT", replica.WhyNoCommit(1, null), StringComparison.Ordinal);
        (replica, _) = replica.Apply(new ReplicaEvent.Reported(One, Report("a", 1) with { Contains = ImmutableDictionary<string, bool>.Empty.Add("freeze:1", false), Conflict = ["freeze:1"] }));
        Assert.Contains("CONFLICT", replica.WhyNoCommit(1, null), StringComparison.Ordinal);
        (replica, _) = replica.Apply(new ReplicaEvent.HeadMoved(HeadOf(2)));
        (replica, _) = replica.Apply(new ReplicaEvent.Reported(One, Report("a", 2) with { Contains = ImmutableDictionary<string, bool>.Empty.Add("freeze:1", true), Conflict = ["freeze:1"] }));
        Assert.Null(replica.WhyNoCommit(1, null));
    }

    [Fact]
    public void The_end_of_an_override_names_the_master_for_the_moment_and_a_term_is_above_those_that_left()
    {
        var replica = Settle(Replica.Start(One, "a", HeadOf(1), ReplicaMemory.Empty), [One]);
        Assert.Equal(1, replica.Memory.Term);
        (replica, _) = replica.Apply(new ReplicaEvent.ViewChanged([One, Two]));
        (replica, _) = replica.Apply(new ReplicaEvent.Reported(Two, Report("b", 1, master: true, term: 7)));
        (replica, _) = replica.Apply(new ReplicaEvent.Reported(One, Report("a", 1, master: true)));
        Assert.Equal(("b", 7L), (replica.MasterName, replica.Memory.Term));
        (replica, _) = replica.Apply(new ReplicaEvent.Overridden(new(1, null), "a"));
        Assert.Equal(("a", 8L), (replica.MasterName, replica.Memory.Term));
        (replica, _) = replica.Apply(new ReplicaEvent.Overridden(new(1, null), "b"));
        Assert.Equal("a", replica.MasterName);  // said twice
    }

    [Fact]
    public void The_end_of_an_override_holds_though_reports_that_were_under_way_still_show_it()
    {
        var (replica, _) = Replica.Start(One, "a", HeadOf(1), ReplicaMemory.Empty).Apply(new ReplicaEvent.ViewChanged([One, Two]));
        foreach (var (member, name) in new[] { (One, "a"), (Two, "b") })
            (replica, _) = replica.Apply(new ReplicaEvent.Reported(member, Report(name, 1) with { Override = new(1, "b") }));
        Assert.Equal("b", replica.MasterName);
        (replica, _) = replica.Apply(new ReplicaEvent.Overridden(new(2, null), "a"));
        Assert.Equal("a", replica.MasterName);
        (replica, _) = replica.Apply(new ReplicaEvent.Reported(Two, Report("b", 1) with { Override = new(1, "b") }));
        Assert.Equal("a", replica.MasterName);
    }

    private static Replica Settle(Replica replica, ImmutableSortedSet<MemberId> members)
    {
        (replica, var effects) = replica.Apply(new ReplicaEvent.ViewChanged(members));
        while (effects.OfType<ReplicaEffect.SendReport>().LastOrDefault() is { } report)
            (replica, effects) = replica.Apply(new ReplicaEvent.Reported(replica.Self, new(replica.Name, replica.Head, report.Questions.ToImmutableDictionary(q => q, _ => true), report.ClaimsMaster, report.Term, report.Override, report.Conflict)));
        return replica;
    }

    private static MemberId? Elect(params ServerReport[] reports)
    {
        var byMember = reports.Select((report, i) => KeyValuePair.Create(new MemberId((uint)i + 1, 1), report)).ToImmutableSortedDictionary();
        return Mastership.Decide([.. byMember.Keys], byMember, Mastership.FindIncumbent(byMember), reports.Aggregate(MasterOverride.Never, (newest, report) => newest.Newer(report.Override))).Master;
    }

    private static ServerReport Report(string name, int head, int contains = 0, bool master = false, long term = 1) => new(
        name, HeadOf(head), contains == 0 ? ImmutableDictionary<string, bool>.Empty : ImmutableDictionary<string, bool>.Empty.Add(HeadOf(contains).Commit.Hex, true), master, term, MasterOverride.Never, []);

    private static Head HeadOf(int revision) => new(revision, new(revision.ToString("x40", System.Globalization.CultureInfo.InvariantCulture)));
}
