namespace Veredus.ConfigServer.Tests;

/// <summary>What is asked before a commit, and what is done after one.</summary>
public sealed class PlanTests
{
    [Fact]
    public void Answers_of_nodes_are_put_together_to_what_a_cluster_would_see()
    {
        PlannedAddress At(string address, string name = "b1", string service = "esmtp", string preference = "") => new(address, address, [service], [name], preference, true);
        NodeEffect Node(string name, PlannedAddress[] before, PlannedAddress[] after, params string[] owned) =>
            new(name, "default", [], [], [new("max", "1", "2")], ["esmtp 198.51.100.1:25"], [], [], ["old"], [], ["spoolbase"], before, after, owned);
        var plan = PlanSummary.Of([
            new("a", Node("a", [At("198.51.100.1")], [At("198.51.100.2"), At("198.51.100.3", "b3")], "198.51.100.1"), null),
            new("b", Node("b", [At("198.51.100.1")], [At("198.51.100.1"), At("198.51.100.3", "b4", preference: "a")]), null),
            new("c", NodeEffect.Refusing("c", "default", ["CFG-0601 at default/veredus.conf:3"]) with { Before = [At("198.51.100.1")] }, null),
            new("d", null, "not reached"),
        ]);
        Assert.Equal(["a loads", "b loads", "c refuses", "d silent"], plan.Nodes.Select(node => $"{node.Node} {node.State}"));
        Assert.Equal(["c", "d"], plan.InTheWay([]).Select(node => node.Node));
        Assert.Equal(["c"], plan.InTheWay(["d"]).Select(node => node.Node));
        Assert.Equal(["a", "b"], Assert.Single(plan.Options, option => option.What == "max  1 -> 2").Nodes);
        Assert.Equal(["198.51.100.2", "198.51.100.3"], plan.Gained.Select(address => address.What));
        Assert.Empty(plan.Lost);
        Assert.Equal("198.51.100.1 leaves a; can go to b c", Assert.Single(plan.Moved));
        Assert.Contains("198.51.100.3 BROKEN: a: b3, b: b4", plan.Marks);
        Assert.Contains("198.51.100.1 and 198.51.100.2 BROKEN: binding b1 is at both", plan.Marks);
        Assert.Equal("spoolbase", Assert.Single(plan.Restart).What);
    }

    [Fact]
    public async Task Every_node_is_asked_and_a_commit_that_one_can_not_load_is_refused_unless_that_one_is_left_behind()
    {
        await using var one = await OneServer.StartAsync(null, "writer");
        Task<NodeEffect> Plan(string node, string tree) => Task.FromResult(node == "mta2" && File.ReadAllText(Path.Combine(tree, "default/a.conf")).Contains("bad", StringComparison.Ordinal)
            ? NodeEffect.Refusing(node, "default", ["CFG-0601 in default/a.conf at line 1: no such interface"])
            : new NodeEffect(node, "default", [], [], [new("max_outbound_connections", "10", "20")], [], [], [], [], [], [], [], [], []));
        await using var first = await one.FollowAsync("mta1", plan: (tree, _) => Plan("mta1", tree));
        await using (await one.FollowAsync("mta2", plan: (tree, _) => Plan("mta2", tree)))
        {
            one.Write("writer", "default/a.conf", "# good\n");
            var said = await one.RunAsync("writer", 0, "plan");
            Assert.Contains("mta1 ok   mta2 ok", said, StringComparison.Ordinal);
            Assert.Contains("max_outbound_connections  10 -> 20   on mta1 mta2", said, StringComparison.Ordinal);
            Assert.Equal(1, (await one.HeadAsync()).Revision);
            await one.RunAsync("writer", 0, "commit", "--add-all");

            one.Write("writer", "default/a.conf", "# bad\n");
            Assert.Contains("x mta2: CFG-0601 in default/a.conf at line 1: no such interface", await one.RunAsync("writer", 1, "plan"), StringComparison.Ordinal);
            Assert.Contains("--without mta2", await one.RunAsync("writer", 1, "commit"), StringComparison.Ordinal);
            Assert.Equal(2, (await one.HeadAsync()).Revision);
        }
        await one.Server.Desk.UntilAsync(nodes => nodes.Count == 1, one.Hang);
        Assert.Contains("mta2 not reached", await one.RunAsync("writer", 6, "plan"), StringComparison.Ordinal);
        Assert.Contains("mta2 was not asked", await one.RunAsync("writer", 0, "commit"), StringComparison.Ordinal);
        await one.RunAsync("writer", 0, "subcluster", "forget", "default", "mta2");
        one.Write("writer", "default/a.conf", "# more\n");
        Assert.DoesNotContain("mta2", await one.RunAsync("writer", 0, "plan"), StringComparison.Ordinal);
        Assert.Equal("", await one.Server.Store.Open("default").RunAsync(["for-each-ref", "refs/candidates"], default));
    }

    [Fact]
    public async Task The_host_that_commits_is_asked_as_well()
    {
        await using var one = await OneServer.StartAsync();
        var asked = 0;
        Task<NodeEffect> Plan(string tree)
        {
            Interlocked.Increment(ref asked);
            return Task.FromResult(File.ReadAllText(Path.Combine(tree, "default/a.conf")).Contains("bad", StringComparison.Ordinal) ? NodeEffect.Refusing("mta1", "default", ["no such interface"])
                : new NodeEffect("mta1", "default", [], [], [new("max_outbound_connections", "10", "20")], [], [], [], [], [], [], [], [], []));
        }

        await using var own = await one.FollowAsync("mta1", plan: (tree, _) => Plan(tree));
        one.Write("mta1", "default/a.conf", "# 1\n");
        Assert.Contains("max_outbound_connections  10 -> 20   on mta1", await one.RunAsync("mta1", 0, "plan"), StringComparison.Ordinal);
        Assert.Contains("Committed revision 2.", await one.RunAsync("mta1", 0, "commit", "--add-all"), StringComparison.Ordinal);
        Assert.Equal(2, asked);
        await own.UntilAsync(state => state is { Revision: 2, Code: "" }, one.Hang);
        one.Write("mta1", "default/a.conf", "# bad\n");
        Assert.Contains("mta1: no such interface", await one.RunAsync("mta1", 1, "commit"), StringComparison.Ordinal);
        Assert.Equal(2, (await one.HeadAsync()).Revision);
        Assert.Equal("# bad\n", one.Read("mta1", "default/a.conf"));
    }

    [Fact]
    public async Task A_host_whose_node_is_looking_waits_for_it_instead_of_giving_up()
    {
        var time = new ManualTime();
        await using var one = await OneServer.StartAsync(null, "mta1");
        var node = HostLock.Take(one.Below("mta1"));
        var status = one.RunAsync("mta1", 0, time, "status");
        await time.UntilTimerAsync(TimeSpan.FromMilliseconds(100), one.Hang);
        node.Dispose();
        time.Advance(TimeSpan.FromMilliseconds(100));
        Assert.Contains("revision 1", await status, StringComparison.Ordinal);

        using (HostLock.Take(one.Below("mta1")))
        {
            var refused = one.RunAsync("mta1", 1, time, "status");
            await time.UntilTimerAsync(TimeSpan.FromMilliseconds(100), one.Hang);
            time.Advance(TimeSpan.FromSeconds(16));
            Assert.Contains("another eccfg is at work on this host", await refused, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_commit_that_nobody_keeps_is_taken_back_and_meanwhile_it_is_the_last()
    {
        var time = new ManualTime();
        await using var one = await OneServer.StartAsync(time, "writer");
        one.Write("writer", "default/a.conf", "# old\n");
        await one.RunAsync("writer", 0, "commit", "--add-all");
        one.Write("writer", "default/a.conf", "# new\n");
        Assert.Contains("eccfg keep", await one.RunAsync("writer", 0, "commit", "--confirm-within", "5m"), StringComparison.Ordinal);
        one.Write("writer", "default/b.conf", "# b\n");
        Assert.Contains("waits for", await one.RunAsync("writer", 7, "commit", "--add-all"), StringComparison.Ordinal);
        await time.UntilTimerAsync(TimeSpan.FromMinutes(5), one.Hang);
        time.Advance(TimeSpan.FromMinutes(5));
        await one.Server.Replicator.UntilAsync(() => one.Server.Replicator.Replicas.GetValueOrDefault("default")?.Head.Revision == 4, one.Hang);
        Assert.Equal("# old\n", await one.Server.Store.Open("default").RunAsync(["show", "main:default/a.conf"], default));
        Assert.Contains("no commit waits", await one.RunAsync("writer", 7, "keep"), StringComparison.Ordinal);

        await one.RunAsync("writer", 0, "pull");
        await one.RunAsync("writer", 0, "commit", "--add-all", "--confirm-within", "300");
        Assert.Contains("kept", await one.RunAsync("writer", 0, "keep"), StringComparison.Ordinal);
        time.Advance(TimeSpan.FromMinutes(10));
        one.Write("writer", "default/c.conf", "# c\n");
        Assert.Contains("Committed revision 7.", await one.RunAsync("writer", 0, "commit", "--add-all"), StringComparison.Ordinal);
        Assert.Contains("24h", await one.RunAsync("writer", 2, "commit", "--confirm-within", "soon"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task History_can_be_seen_compared_and_taken_back()
    {
        await using var one = await OneServer.StartAsync(null, "writer");
        foreach (var (text, message) in new[] { ("# 1\n", "first"), ("# 2\n", "second"), ("# 2\n# 3\n", "third") })
        {
            one.Write("writer", "default/a.conf", text);
            await one.RunAsync("writer", 0, "commit", "--add-all", "-m", message);
        }
        var log = await one.RunAsync("writer", 0, "log", "-n", "2");
        Assert.Contains("    4  ", log, StringComparison.Ordinal);
        Assert.Contains("second", log, StringComparison.Ordinal);
        Assert.DoesNotContain("first", log, StringComparison.Ordinal);
        Assert.Contains("+# 2", await one.RunAsync("writer", 0, "diff", "2", "3"), StringComparison.Ordinal);
        Assert.Contains("+# 3", await one.RunAsync("writer", 12, "diff", "3", "--exit-code"), StringComparison.Ordinal);
        Assert.Contains("there is no revision 9", await one.RunAsync("writer", 2, "diff", "9"), StringComparison.Ordinal);
        Assert.Contains("admin", await one.RunAsync("writer", 0, "blame", "default/a.conf:2"), StringComparison.Ordinal);

        await one.RunAsync("writer", 0, "undo");
        Assert.Equal("# 2\n", await one.Server.Store.Open("default").RunAsync(["show", "main:default/a.conf"], default));
        Assert.Contains("the same lines", await one.RunAsync("writer", 7, "takeback", "2"), StringComparison.Ordinal);
        await one.RunAsync("writer", 0, "pull");
        await one.RunAsync("writer", 0, "takeback", "3");
        Assert.Equal("# 1\n", await one.Server.Store.Open("default").RunAsync(["show", "main:default/a.conf"], default));

        Assert.Contains("saved to running/writer", await one.RunAsync("writer", 0, "put", "running", "--auto"), StringComparison.Ordinal);
        Assert.Contains("unchanged", await one.RunAsync("writer", 0, "put", "running", "--auto"), StringComparison.Ordinal);
        Assert.Equal("running = true\n", await one.Server.Store.Open("default").RunAsync(["show", "running/writer:running.conf"], default));
        one.Write("writer", "default/z.conf", "# z\n");
        Assert.Contains("running/<node> only", await one.RunAsync("writer", 1, "commit", "--add-all", "--auto"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_damaged_working_copy_is_made_anew_and_local_changes_are_kept()
    {
        await using var one = await OneServer.StartAsync(null, "writer");
        one.Write("writer", "default/a.conf", "# 1\n");
        await one.RunAsync("writer", 0, "commit", "--add-all");
        one.Write("writer", "default/a.conf", "# mine\n");
        File.WriteAllText(one.Below("writer", "conf", ".eccfg"), "garbage");
        Directory.Delete(one.Below("writer", ".eccfg", "default.git", "objects"), recursive: true);
        Assert.Contains("--repair", await one.RunAsync("writer", 1, "status"), StringComparison.Ordinal);
        Assert.Contains("Local changes are in", await one.RunAsync("writer", 0, "bootstrap", "--repair"), StringComparison.Ordinal);
        Assert.Equal("# 1\n", one.Read("writer", "default/a.conf"));
        Assert.Contains("+# mine", File.ReadAllText(Directory.GetFiles(one.Below("writer", ".eccfg"), "local-changes.patch", SearchOption.AllDirectories).Single()), StringComparison.Ordinal);
        Assert.Contains("Nothing to commit", await one.RunAsync("writer", 0, "commit"), StringComparison.Ordinal);
    }
}
