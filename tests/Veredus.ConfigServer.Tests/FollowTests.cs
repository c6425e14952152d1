namespace Veredus.ConfigServer.Tests;

/// <summary>A server and hosts that follow it; the bus is the test's, and no clock wakes anybody.</summary>
public sealed class FollowTests : IAsyncLifetime, IDisposable
{
    private readonly Scratch _scratch = new();
    private readonly SwitchBus _nodes = new();
    private readonly CancellationTokenSource _hang = new(TimeSpan.FromSeconds(120));
    private readonly List<string> _reloads = [];
    private ConfigServerHost _server = null!;
    private WorkingCopy _writer = null!;
    private string? _refusal;

    public async Task InitializeAsync()
    {
        _server = await ConfigServerHost.StartAsync(new() { NodeName = "mgr1", HostName = "localhost", Directory = _scratch.Below("server"), Port = 0, ServicePassword = "service", NodeBus = _nodes.Join() }, default);
        _server.Users.Set("admin", "secret", ["*"]);
        await _server.Replicator.UntilAsync(() => _server.Replicator.WhyNoCommit("default") is null && _server.Replicator.WhyNoCommit("global") is null, _hang.Token);
        Assert.Equal(0, await RunAsync("writer", "bootstrap", "--clustername", "default", $"localhost:{_server.Port}", "--node", "writer"));
        _writer = new(_scratch.Below("writer"), _scratch.Below("writer", "conf"));
    }

    public async Task DisposeAsync()
    {
        await _server.DisposeAsync();
        _hang.Dispose();
    }

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task A_commit_reaches_every_follower_by_notice_and_is_loaded_and_the_server_knows_it()
    {
        await using var one = await FollowAsync("one");
        await using var two = await FollowAsync("two");
        _writer.Write("default/a.conf", "# 1\n");
        _writer.Write("global/g.conf", "# g\n");
        Assert.Equal(0, await RunAsync("writer", "commit", "--add-all"));
        var (head, global) = ((await _server.Store.Open("default").HeadAsync(default)).Commit.Hex, (await _server.Store.Open("global").HeadAsync(default)).Commit.Hex);
        foreach (var (host, follower) in new[] { ("one", one), ("two", two) })
        {
            await follower.UntilAsync(state => state.Commit == head && state.Global == global, _hang.Token);
            Assert.Equal("# 1\n", File.ReadAllText(_scratch.Below(host, "conf", "default", "a.conf")));
            Assert.Equal("# g\n", File.ReadAllText(_scratch.Below(host, "conf", "global", "g.conf")));
            Assert.Contains(host, _reloads);
        }
        var nodes = await _server.Desk.WaitAsync("default", "default", head, _hang.Token);
        Assert.Equal(["one", "two"], nodes.Select(node => node.Node));
        Assert.All(nodes, node => Assert.Equal((head, ""), (node.Commit, node.Code)));
    }

    [Fact]
    public async Task A_revision_that_does_not_load_leaves_the_old_one_in_place_and_says_why_until_a_better_one_comes()
    {
        await using var one = await FollowAsync("one");
        _refusal = "default/veredus.conf:3: no such address here";
        var bad = await CommitAsync("default/a.conf", "# bad\n");
        await one.UntilAsync(state => state.Code == FollowCodes.NotLoaded, _hang.Token);
        Assert.Equal((_refusal, bad), (one.State!.Text, one.State.Wanted));
        Assert.False(File.Exists(_scratch.Below("one", "conf", "default", "a.conf")));
        Assert.DoesNotContain("one", _reloads);
        Assert.Equal(FollowCodes.NotLoaded, (await _server.Desk.WaitAsync("default", "default", bad, _hang.Token)).Single().Code);

        _refusal = null;
        var good = await CommitAsync("default/a.conf", "# good\n");
        await one.UntilAsync(state => state is { Code: "" } && state.Commit == good, _hang.Token);
    }

    [Fact]
    public async Task In_CONFLICT_nothing_is_pulled_and_afterwards_it_goes_on()
    {
        await using var one = await FollowAsync("one");
        using var client = new ConfigClient("localhost", _server.Port, "admin", "secret", _server.CertificatePem);
        await client.ActAsync("conflict", "default", default);
        await one.UntilAsync(state => state.Code == FollowCodes.Conflict, _hang.Token);
        Assert.Equal(7, await RunAsync("writer", "pull"));
        await client.ActAsync("resolve", "default", default);
        await one.UntilAsync(state => state is { Code: "", Revision: 2 }, _hang.Token);
    }

    [Fact]
    public async Task The_policy_of_cluster_boot_is_kept_and_a_server_that_is_gone_is_said_to_be_gone()
    {
        await using var one = await FollowAsync("one");
        var boot = _scratch.Below("one", ClusterBoot.FileName);
        File.WriteAllText(boot, File.ReadAllText(boot).Replace("autoupdate=true", "autoupdate=false", StringComparison.Ordinal));
        await CommitAsync("default/a.conf", "# 1\n");
        Assert.Equal((FollowCodes.Drift, 1), (await one.PullNowAsync(_hang.Token)) is { } frozen ? (frozen.Code, frozen.Revision) : default);

        File.WriteAllText(boot, File.ReadAllText(boot).Replace("autoupdate=false", "autoupdate=ifunchanged", StringComparison.Ordinal));
        File.WriteAllText(_scratch.Below("one", "conf", "mine.conf"), "# mine\n");
        Assert.Equal((FollowCodes.Drift, "local changes present, not updated"), (await one.PullNowAsync(_hang.Token)) is { } drift ? (drift.Code, drift.Text) : default);
        File.Delete(_scratch.Below("one", "conf", "mine.conf"));
        Assert.Equal(2, (await one.PullNowAsync(_hang.Token))!.Revision);

        await _server.DisposeAsync();
        Assert.Equal(FollowCodes.Unreachable, (await one.PullNowAsync(_hang.Token))!.Code);
        Assert.Equal(2, one.State!.Revision);
        _server = await ConfigServerHost.StartAsync(new() { NodeName = "mgr1", HostName = "localhost", Directory = _scratch.Below("server"), Port = 0, ServicePassword = "service" }, default);
    }

    private async Task<string> CommitAsync(string path, string text)
    {
        _writer.Write(path, text);
        Assert.Equal(0, await RunAsync("writer", "commit", "--add-all", "--without", "one"));
        return (await _server.Store.Open("default").HeadAsync(default)).Commit.Hex;
    }

    /// <summary>A host that was bootstrapped and follows; it looks only when it is told.</summary>
    private async Task<Follower> FollowAsync(string host)
    {
        Assert.Equal(0, await RunAsync(host, "bootstrap", "--clustername", "default", $"localhost:{_server.Port}", "--node", host));
        var follower = new Follower(new()
        {
            Etc = _scratch.Below(host), Conf = _scratch.Below(host, "conf"), OpenBus = _nodes.Join, Period = TimeSpan.FromDays(1), Jitter = TimeSpan.Zero,
            Rehearse = (tree, _) => Task.FromResult(Directory.Exists(tree) ? _refusal : "no tree"),
            Reload = _ =>
            {
                lock (_reloads)
                    _reloads.Add(host);
                return Task.FromResult<string?>(null);
            },
        });
        await follower.UntilAsync(_ => true, _hang.Token);
        await _server.Desk.UntilAsync(nodes => nodes.Any(node => node.Node == host), _hang.Token);
        return follower;
    }

    private async Task<int> RunAsync(string host, params string[] words)
    {
        using var output = new StringWriter();
        return await Eccfg.RunAsync(new(output, output, TextReader.Null, null, null, name => name switch { "USER" => "admin", "ECCFG_PASSWORD" => "secret", _ => null }, TimeProvider.System), [.. words, "--etc", _scratch.Below(host)], default);
    }
}
