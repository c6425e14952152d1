namespace Veredus.Cli.Tests;

/// <summary>Taking a node out of service, as far as the tool goes; <c>tests/Veredus.Lab</c> does it.</summary>
public sealed class NodesTests
{
    [Theory]
    [InlineData("--deadline 0", "node", "drain", "mta01", "--yes", "--deadline", "0")]
    [InlineData("--deadline 0m", "node", "drain", "mta01", "--yes", "--deadline", "0m")]
    [InlineData("--for 0s", "vip", "pin", "198.18.7.101", "--to", "mta01", "--yes", "--for", "0s")]
    public async Task No_time_at_all_is_refused_before_anything_is_done(string option, params string[] arguments)
    {
        await using var node = new FakeNodeProcess();
        var outcome = await node.RunAsync(arguments);
        Assert.Equal(2, outcome.ExitCode);
        Assert.Contains($"{option} leaves no time.", outcome.Error);
    }

    [Fact]
    public async Task The_plan_of_a_drain_says_what_happens_to_addresses_and_mail()
    {
        await using var node = new FakeNodeProcess();
        node.Answers["cluster nodes"] = """[{"node":"mta01","kind":"node","state":"up","why":"","addresses":0,"weight":1,"version":"0.1.0","address":"192.0.2.1","isLeader":true,"isHere":true}]""";
        node.Answers["cluster duravip show"] = View("");
        var bare = await node.RunAsync("node", "drain", "mta01", "--dry-run");
        Assert.Equal((0, ""), (bare.ExitCode, bare.Out));
        Assert.Equal("  no address moves: mta01 has none\n  mta01 takes no address until undrained\n  mail of addresses that move follows them; other mail stays there (--queues hands over all)\n", bare.Error);
        Assert.Contains("  all mail that waits there is handed over to other nodes\n", (await node.RunAsync("node", "drain", "mta01", "--dry-run", "--deadline", "1m")).Error);

        node.Answers["cluster duravip show"] = View("""{"ip":"198.18.7.101","unit":"198.18.7.101","owner":"mta01","state":"owned","names":[],"services":[],"participants":[],"holders":["mta01"]}""");
        node.Answers["cluster duravip whatif"] = """{"down":["mta01"],"moves":[{"address":"198.18.7.101","from":"mta01","to":"mta02","rule":""}],"offPreferred":[]}""";
        var moving = await node.RunAsync("node", "drain", "mta01", "--dry-run", "--queues", "--json");
        Assert.Equal(0, moving.ExitCode);
        Assert.StartsWith("  198.18.7.101  mta01 -> mta02\n", moving.Error);
        Assert.Contains("\"veredus.node.plan/1\"", moving.Out);
        Assert.Contains("""{"node":"mta01","queues":true,"addresses":[{"address":"198.18.7.101","from":"mta01","to":"mta02"}]}""", moving.Out);
    }

    private static string View(string vip) => $$"""{"node":"mta01","view":"7","phase":"open","mature":true,"leader":"mta01","vips":[{{vip}}]}""";
}
