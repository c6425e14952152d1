using System.Diagnostics;
using System.Text.Json;
using Veredus.Cluster;
using Veredus.Control.Tests;
using Veredus.Node;
using Xunit.Abstractions;

namespace Veredus.Manager.Tests;

/// <summary>The manager as an operator meets it: through its console and the tool (cluster.md 10, cli.md 8 and C-14).</summary>
public sealed class ManagerTests(ITestOutputHelper output) : IAsyncLifetime, IAsyncDisposable
{
    private readonly ManagerCluster _cluster = new();

    [Fact]
    public async Task Same_answers_are_folded_a_silent_node_is_named_and_its_late_answer_can_be_fetched()
    {
        var time = new ManualTime();
        var manager = await _cluster.StartManagerAsync("mgr1", time: time);
        _cluster.AddNode("mta01");
        _cluster.AddNode("mta02");
        var silent = _cluster.AddNode("mta03");
        silent.Hold();
        await ManagerCluster.SettledAsync(manager, 4);

        var tool = await LateAsync("version", ManagerCluster.ToolAsync("veredus", "run", "--manager", _cluster.Socket("mgr1"), "--on", "all", "--wait", "2", "version"));
        var link = await LateAsync("pid", ManagerCluster.ToolAsync("ec_console", _cluster.Socket("mgr1"), "delegate --wait 2 pid"));

        Assert.Equal(6, tool.ExitCode);
        Assert.Matches(@"^2 nodes answered the same \(mta01 mta02\), \d+ ms:\n  version here\n$", tool.Out);
        Assert.Contains("no answer after 2 s: mta03 (fetch later: retrieve_node mta03 version)", tool.Error);
        Assert.Equal(1, link.ExitCode);
        Assert.Contains("mta03", link.Error);
        Assert.DoesNotContain("eccmgr", link.Out);  // no banner
        Assert.Matches("=== mta03 pending", (await RetrieveAsync("mgr1")).Out);

        silent.Release();
        await UntilAsync(manager, "version", "mta03");
        Assert.Matches(@"=== mta03 rc=0 age=\d+s\nversion here", (await RetrieveAsync("mgr1")).Out);

        // The time is over when the two others have answered, however long that takes.
        async Task<(int ExitCode, string Out, string Error)> LateAsync(string command, Task<(int, string, string)> asking)
        {
            await UntilAsync(manager, command, "mta01");
            await UntilAsync(manager, command, "mta02");
            time.Advance(TimeSpan.FromSeconds(2));
            return await asking;
        }
    }

    [Fact]
    public async Task A_batch_of_commands_stops_at_the_first_that_fails()
    {
        var manager = await _cluster.StartManagerAsync("mgr1");
        var node = _cluster.AddNode("mta01");
        node.Answer = command => command.Text == "bad" ? new(400, "there is no command 'bad'") : new(0, "fine");
        await ManagerCluster.SettledAsync(manager, 2);

        Assert.Equal((0, "fine\n"), Result(await ManagerCluster.ToolAsync("ec_console", _cluster.Socket("mgr1"), "broadcast good")));
        var bad = await ManagerCluster.ToolAsync("ec_console", _cluster.Socket("mgr1"), "broadcast bad");
        Assert.Equal(1, bad.ExitCode);
        Assert.Contains("there is no command 'bad'", bad.Error);

        static (int, string) Result((int ExitCode, string Out, string Error) tool) => (tool.ExitCode, tool.Out);
    }

    [Fact]
    public async Task Every_manager_can_fetch_the_answers_and_goes_on_when_another_dies()
    {
        var first = await _cluster.StartManagerAsync("mgr1");
        var second = await _cluster.StartManagerAsync("mgr2");
        _cluster.AddNode("mta01");
        await ManagerCluster.SettledAsync(first, 3);
        await ManagerCluster.SettledAsync(second, 3);
        Assert.Equal(0, (await ManagerCluster.ToolAsync("veredus", "run", "--manager", _cluster.Socket("mgr1"), "--on", "all", "version")).ExitCode);
        await UntilAsync(second, "version", "mta01");

        await first.DisposeAsync();

        Assert.Contains("=== mta01 rc=0", (await RetrieveAsync("mgr2")).Out);
        Assert.Equal(0, (await ManagerCluster.ToolAsync("veredus", "run", "--manager", _cluster.Socket("mgr2"), "--on", "mta01", "version")).ExitCode);
        var dead = await ManagerCluster.ToolAsync("veredus", "run", "--manager", _cluster.Socket("mgr1"), "--on", "all", "version");
        Assert.Equal(5, dead.ExitCode);
        Assert.Contains(_cluster.Socket("mgr1"), dead.Error);
    }

    [Fact]
    public async Task Answers_survive_the_end_of_the_manager_also_a_sudden_one()
    {
        var manager = await _cluster.StartManagerAsync("mgr1");
        _cluster.AddNode("mta01");
        await ManagerCluster.SettledAsync(manager, 2);
        await ManagerCluster.ToolAsync("veredus", "run", "--manager", _cluster.Socket("mgr1"), "--on", "all", "version");
        await manager.DisposeAsync();
        // As a crash in the middle of a write would leave it.
        var cache = Path.Combine(_cluster.Directory, "mgr1", "cache");
        await File.AppendAllBytesAsync(cache, [200, 0, 0, 0, 1, 2, 3]);

        await _cluster.StartManagerAsync("mgr1");

        Assert.Matches(@"=== mta01 rc=0 age=\d+s\nversion here", (await RetrieveAsync("mgr1")).Out);
        Assert.Equal("1 answers forgotten\n", (await ManagerCluster.ToolAsync("veredus", "--manager", _cluster.Socket("mgr1"), "console", "flush control cache")).Out);
        var gone = await RetrieveAsync("mgr1");
        Assert.Equal(3, gone.ExitCode);
        Assert.Contains("no such command", gone.Error);
    }

    [Fact]
    public async Task A_user_without_the_right_is_refused_and_both_are_recorded()
    {
        var manager = await _cluster.StartManagerAsync("mgr1", "enable_authorization = true",
            $$"""authorization { role "{{Environment.UserName}}" { allow = ( "broadcast version" "retrieve" ) } }""");
        var node = _cluster.AddNode("mta01");
        await ManagerCluster.SettledAsync(manager, 2);

        var allowed = await ManagerCluster.ToolAsync("veredus", "--manager", _cluster.Socket("mgr1"), "console", "broadcast version");
        var refused = await ManagerCluster.ToolAsync("veredus", "--manager", _cluster.Socket("mgr1"), "console", "broadcast shutdown");

        Assert.Equal((0, 4), (allowed.ExitCode, refused.ExitCode));
        Assert.Contains("Not Authorized for this command", refused.Error);
        Assert.Equal("version", Assert.Single(node.Ran).Text);
        Assert.Equal([Environment.UserName], node.Ran.Single().Caller.Roles);
        var log = _cluster.Log(manager, "mgr1", "acctlog.ec");
        Assert.Contains(log, line => line.EndsWith($"@{Environment.UserName}@1@broadcast version@{Environment.UserName}", StringComparison.Ordinal));
        Assert.Contains(log, line => line.EndsWith($"@{Environment.UserName}@0@broadcast shutdown", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_second_manager_of_one_name_ends_and_says_why()
    {
        await _cluster.StartManagerAsync("mgr1");
        var second = await _cluster.StartManagerAsync("mgr1", directory: "other");

        await second.StopRequested.WaitAsync(ManagerCluster.Hang);

        Assert.Contains("node name 'mgr1' is already in use", second.Expulsion);
    }

    [Fact]
    public async Task A_command_that_prints_100_MB_is_cut_and_says_so()
    {
        var manager = await _cluster.StartManagerAsync("mgr1");
        var node = _cluster.AddNode("mta01");
        node.Answer = _ => CommandOutput.Collect(0, "", Enumerable.Repeat(new string('x', 1000), 100_000), default);
        await ManagerCluster.SettledAsync(manager, 2);

        var tool = await ManagerCluster.ToolAsync("veredus", "run", "--manager", _cluster.Socket("mgr1"), "--on", "all", "mailq");

        Assert.Equal(1, tool.ExitCode);
        Assert.Contains("was cut there", tool.Error);
        Assert.InRange(tool.Out.Length, 1000, DelegationLimits.MaxOutputBytes);
    }

    [Fact]
    public async Task Sixteen_nodes_answer_a_broadcast()
    {
        var manager = await _cluster.StartManagerAsync("mgr1");
        for (var i = 1; i <= 16; i++)
            _cluster.AddNode($"mta{i:00}");
        await ManagerCluster.SettledAsync(manager, 17);
        var caller = new DelegationCaller("ana", []);
        var took = new List<double>();
        for (var i = 0; i < 20; i++)
        {
            var begun = Stopwatch.GetTimestamp();
            Assert.Equal(16, (await manager.Group.Delegation.RunToEndAsync(DelegationTarget.All, "version", caller, ManagerCluster.Hang)).Count(answer => answer.IsOk));
            took.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
        }
        output.WriteLine($"a broadcast to 16 nodes in one process: first {took[0]:0.0} ms, median {took.Order().ElementAt(10):0.0} ms");

        var tool = await ManagerCluster.ToolAsync("veredus", "run", "--manager", _cluster.Socket("mgr1"), "--on", "all", "version");
        Assert.StartsWith("16 nodes answered the same (mta01 mta02 ", tool.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task JSON_has_one_object_for_each_node_and_names_the_missing()
    {
        var manager = await _cluster.StartManagerAsync("mgr1");
        var (one, west) = (_cluster.AddNode("mta01"), _cluster.AddNode("mta02", "west"));
        one.Answer = _ => CommandOutput.Collect(0, "", ["{\"queue\":7}"], default);
        await ManagerCluster.SettledAsync(manager, 3);
        Assert.Equal(0, (await ManagerCluster.ToolAsync("veredus", "run", "--manager", _cluster.Socket("mgr1"), "--on", "west", "version")).ExitCode);
        Assert.Single(west.Ran);
        Assert.Empty(one.Ran);
        await west.DisposeAsync();
        await ManagerCluster.SettledAsync(manager, 2);

        var tool = await ManagerCluster.ToolAsync("veredus", "run", "--json", "--manager", _cluster.Socket("mgr1"), "--on", "all", "json", "summary");

        Assert.Equal(6, tool.ExitCode);
        using var document = JsonDocument.Parse(tool.Out);
        var source = document.RootElement.GetProperty("source");
        Assert.Equal(("mgr1", false, "mta02"), (source.GetProperty("node").GetString(), source.GetProperty("complete").GetBoolean(), source.GetProperty("missing")[0].GetString()));
        var nodes = document.RootElement.GetProperty("data").GetProperty("nodes");
        Assert.Equal(7, nodes[0].GetProperty("data").GetProperty("queue").GetInt32());
        Assert.Equal("absent", nodes[1].GetProperty("state").GetString());
    }

    [Theory]
    [InlineData(2, "'mailq' is a command of nodes", "console", "mailq")]
    [InlineData(2, "Use: broadcast cluster duravip move 1 to 2", "console", "cluster duravip move 1 to 2")]
    [InlineData(3, "mta99: no such node in the cluster; there are: mta01", "console", "unicast mta99 version")]
    [InlineData(3, "there is no such node in the cluster", "console", "subcluster broadcast east version")]
    [InlineData(2, "usage: unicast NODE COMMAND", "console", "unicast mta01")]
    [InlineData(2, "--wait takes seconds", "console", "delegate --wait soon version")]
    [InlineData(2, "usage: delegate", "console", "delegate --on all")]
    [InlineData(2, "--wait takes seconds", "run", "--on", "all", "--wait", "-1", "version")]
    [InlineData(2, "--on", "run", "version")]
    [InlineData(3, "no such node in the cluster", "run", "--on", "mta99", "version")]
    public async Task Wrong_input_gets_an_error_that_says_what_to_do(int exitCode, string says, params string[] words)
    {
        var manager = await _cluster.StartManagerAsync("mgr1");
        _cluster.AddNode("mta01");
        await ManagerCluster.SettledAsync(manager, 2);

        var tool = await ManagerCluster.ToolAsync("veredus", [words[0], "--manager", _cluster.Socket("mgr1"), .. words[1..]]);

        Assert.Equal((exitCode, ""), (tool.ExitCode, tool.Out));
        Assert.Contains(says, tool.Error);
    }

    [Fact]
    public async Task A_manager_without_a_console_or_without_its_file_does_not_start()
    {
        var file = Path.Combine(_cluster.Directory, "eccluster.conf");
        await File.WriteAllTextAsync(file, "cluster { nodename = mgr1 }");
        var options = new ManagerOptions { Loader = new(new Configuration.DiskFiles(), new([_cluster.Directory])), ConfigurationFile = file, Version = "1" };

        Assert.Contains("control_listener", (await Assert.ThrowsAsync<StartupException>(() => VeredusManager.StartAsync(options))).Message);
        Assert.Contains("No such file", (await Assert.ThrowsAsync<StartupException>(() => VeredusManager.StartAsync(options with { ConfigurationFile = "/nowhere/eccluster.conf" }))).Message);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _cluster.DisposeAsync();

    ValueTask IAsyncDisposable.DisposeAsync() => _cluster.DisposeAsync();

    private Task<(int ExitCode, string Out, string Error)> RetrieveAsync(string manager) =>
        ManagerCluster.ToolAsync("veredus", "--manager", _cluster.Socket(manager), "console", "retrieve version");

    /// <summary>Returns when the manager's cache has a node's answer.</summary>
    private static async Task UntilAsync(VeredusManager manager, string command, string node)
    {
        var came = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Action<CachedAnswer?> look = _ =>
        {
            if (manager.Cache.Find(command).Any(entry => entry.Answer.Node == node && entry.Answer.State is AnswerState.Answered))
                came.TrySetResult();
        };
        manager.Cache.Changed += look;
        look(null);
        await came.Task.WaitAsync(ManagerCluster.Hang);
        manager.Cache.Changed -= look;
    }
}
