namespace Veredus.ConfigServer.Tests;

/// <summary>Two real servers: HTTPS and git between them, the bus alone is the test's.</summary>
public sealed class ReplicationTests : IAsyncLifetime, IDisposable
{
    private static readonly TimeSpan Hang = TimeSpan.FromSeconds(60);
    private readonly Scratch _scratch = new();
    private readonly SwitchBus _bus = new();
    private readonly List<string> _log = [];
    private ConfigServerHost _one = null!;
    private ConfigServerHost _two = null!;

    public async Task InitializeAsync()
    {
        _one = await StartAsync("mgr1");
        _two = await StartAsync("mgr2");
        await ReadyAsync(_one);
        await UntilAsync(_two, () => _two.Replicator.Replicas.GetValueOrDefault("default")?.MasterName == "mgr1" && _two.Replicator.MasterUrl("global") is not null);
    }

    public async Task DisposeAsync()
    {
        await _one.DisposeAsync();
        await _two.DisposeAsync();
    }

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task A_commit_is_on_the_slave_before_the_client_hears_of_it_and_survives_the_master()
    {
        var host = await BootstrapAsync("host", _one);
        var done = await CommitAsync(host, "default/a.conf", "# 1\n", _one);
        Assert.Equal(done.Revision, await _two.Store.Open("default").HeadAsync(default));

        await _one.DisposeAsync();
        await ReadyAsync(_two);
        Assert.Equal(3, (await CommitAsync(host, "default/b.conf", "# 2\n", _two)).Revision.Revision);
        _one = await StartAsync("mgr1");
        await UntilAsync(_one, () => _one.Replicator.Replicas.GetValueOrDefault("default")?.Head.Revision == 3);
        Assert.Equal("mgr2", _one.Replicator.Replicas["default"].MasterName);  // sticky
    }

    [Fact]
    public async Task A_push_to_a_slave_is_sent_on_to_the_master()
    {
        var host = await BootstrapAsync("host", _two);
        Assert.Equal(_one.Port, new Uri(_two.Replicator.MasterUrl("default")!).Port);
        host.Write("default/a.conf", "# 1\n");
        await Assert.ThrowsAnyAsync<EccfgException>(() => host.CommitAsync(RemoteOf(_two), Hosts.By("x"), _ => true, default));
        using var client = Client(_two);
        var status = await client.StatusAsync(default);
        Assert.Equal(("mgr1", "mgr2"), (status.Repositories[0].Master, status.Repositories[0].Slaves.Single()));
        Assert.Equal(_one.Port, status.Servers.Single(server => server.Name == "mgr1").Port);
    }

    [Fact]
    public async Task A_commit_to_two_repositories_goes_to_the_master_of_each()
    {
        using (var client = Client(_one))
            await client.ActAsync("override", "global", default, node: "mgr2");
        await UntilAsync(_two, () => _two.Replicator.Replicas.GetValueOrDefault("global") is { IsMaster: true } && _two.Replicator.WhyNoCommit("global") is null);
        await UntilAsync(_one, () => _one.Replicator.Replicas.GetValueOrDefault("global")?.MasterName == "mgr2");
        await EccfgAsync("bootstrap", "--clustername", "default", $"localhost:{_one.Port}", "--node", "host");
        var copy = new WorkingCopy(_scratch.Below("host"), _scratch.Below("host", "conf"));
        copy.Write("default/a.conf", "# 1\n");
        copy.Write("global/b.conf", "# 1\n");
        await EccfgAsync("plan");
        await EccfgAsync("commit", "--add-all");
        Assert.Equal(2, _one.Replicator.Replicas["default"].Head.Revision);
        Assert.Equal(2, _two.Replicator.Replicas["global"].Head.Revision);

        async Task EccfgAsync(params string[] words)
        {
            using var output = new StringWriter();
            var host = new EccfgHost(output, output, TextReader.Null, null, null, name => name switch { "USER" => "admin", "ECCFG_PASSWORD" => "secret", _ => null }, TimeProvider.System);
            Assert.True(await Eccfg.RunAsync(host, [.. words, "--etc", _scratch.Below("host")], default) == 0, output.ToString());
        }
    }

    [Fact]
    public async Task Commits_on_both_sides_of_a_split_are_a_CONFLICT_on_both_and_resolve_merges_them()
    {
        var (left, right) = (await BootstrapAsync("left", _one), await BootstrapAsync("right", _two));
        await SplitAsync();
        await CommitAsync(left, "default/left.conf", "# l\n", _one);
        await CommitAsync(right, "default/right.conf", "# r\n", _two);
        await MergeIntoConflictAsync();
        left.Write("default/more.conf", "# m\n");
        Assert.Equal(EccfgExit.Conflict, (await Assert.ThrowsAnyAsync<EccfgException>(() => left.CommitAsync(RemoteOf(_one.Replicator.Replicas["default"].IsMaster ? _one : _two), Hosts.By("x"), _ => true, default))).ExitCode);
        Assert.Contains(_log, line => line.Contains("default is in CONFLICT", StringComparison.Ordinal));

        await ResolveAsync("");
        await AssertResolvedAsync();
        await left.PullAsync(RemoteOf(_one), ConflictChoice.Refuse, AutoUpdate.True, null, default);
        Assert.True(left.Has("default/left.conf") && left.Has("default/right.conf") && left.Has("default/more.conf"));
        await right.PullAsync(RemoteOf(_two), ConflictChoice.Refuse, AutoUpdate.True, null, default);
        Assert.True(right.Has("default/left.conf") && right.Has("default/right.conf"));
        Assert.Equal("", await right.StatusTextAsync());
    }

    [Fact]
    public async Task Sides_that_overlap_need_a_choice_and_the_other_side_is_kept_as_a_patch()
    {
        var (left, right) = (await BootstrapAsync("left", _one), await BootstrapAsync("right", _two));
        await SplitAsync();
        await CommitAsync(left, "default/same.conf", "# left\n", _one);
        var lost = await CommitAsync(right, "default/same.conf", "# right\n", _two);
        await MergeIntoConflictAsync();
        var refused = await Assert.ThrowsAnyAsync<EccfgException>(() => ResolveAsync(""));
        Assert.Equal(EccfgExit.Conflict, refused.ExitCode);
        Assert.Contains("cannot resolve automatically: default/same.conf", refused.Message, StringComparison.Ordinal);
        await ResolveAsync("mgr1");
        await AssertResolvedAsync();
        Assert.Equal("# left", (await _two.Store.Open("default").RunAsync(["show", "main:default/same.conf"], default)).Trim());
        Assert.Contains("# right", File.ReadAllText(Directory.GetFiles(_scratch.Path, "default-*.patch", SearchOption.AllDirectories).Single()), StringComparison.Ordinal);
        Assert.Equal("commit", (await _two.Store.Open("default").RunAsync(["cat-file", "-t", lost.Revision.Commit.Hex], default)).Trim());
    }

    [Fact]
    public async Task The_sides_of_an_earlier_CONFLICT_stay_reachable_after_the_next_one()
    {
        var (left, right) = (await BootstrapAsync("left", _one), await BootstrapAsync("right", _two));
        var sides = new List<Committed>();
        foreach (var round in new[] { 1, 2 })
        {
            await SplitAsync();
            sides.Add(await CommitAsync(left, "default/same.conf", $"# left {round}\n", _one));
            sides.Add(await CommitAsync(right, "default/same.conf", $"# right {round}\n", _two));
            await MergeIntoConflictAsync();
            await ResolveAsync(round == 1 ? "mgr1" : "mgr2");
            await AssertResolvedAsync();
            await left.PullAsync(RemoteOf(_one), ConflictChoice.Theirs, AutoUpdate.True, null, default);
            await right.PullAsync(RemoteOf(_two), ConflictChoice.Theirs, AutoUpdate.True, null, default);
        }
        foreach (var server in new[] { _one, _two })
        {
            var reachable = (await server.Store.Open("default").RunAsync(["rev-list", "--all"], default)).Split('\n');
            Assert.All(sides, side => Assert.Contains(side.Revision.Commit.Hex, reachable));
        }
    }

    private async Task SplitAsync()
    {
        _bus.Arrange(0, 1);
        await ReadyAsync(_one);
        await ReadyAsync(_two);
    }

    private async Task MergeIntoConflictAsync()
    {
        _bus.Arrange(0, 0);
        foreach (var server in new[] { _one, _two })
            await UntilAsync(server, () => server.Replicator.Replicas.GetValueOrDefault("default") is { InConflict: true, Standing: { IsComplete: true, Tops.Length: 2 } });
        Assert.False(_one.Replicator.Replicas["global"].InConflict);
    }

    private async Task ResolveAsync(string take)
    {
        var master = _one.Replicator.Replicas["default"].IsMaster ? _one : _two;
        var other = master == _one ? _two : _one;
        // Both sides are there as soon as they have been fetched; until then the answer is "not arrived".
        var side = Path.Combine(master.Store.Open("default").Directory, "refs", "conflict", other == _one ? "mgr1" : "mgr2");
        var wanted = other.Replicator.Replicas["default"].Head.Commit;
        await UntilAsync(master, () => File.Exists($"{side}-{wanted.Short}"));
        using var client = Client(master);
        await client.ActAsync("resolve", "default", default, node: take);
    }

    private async Task AssertResolvedAsync()
    {
        foreach (var server in new[] { _one, _two })
            await UntilAsync(server, () => server.Replicator.Replicas.GetValueOrDefault("default") is { InConflict: false });
        // Each of them may be the last to change.
        for (var change = NextChangeOfEither(); _one.Replicator.Replicas["default"].Head != _two.Replicator.Replicas["default"].Head; change = NextChangeOfEither())
            await change.WaitAsync(Hang);
        foreach (var server in new[] { _one, _two })
            Assert.Equal(0, (await server.Store.Open("default").TryAsync(["fsck", "--strict"], default)).ExitCode);
    }

    private async Task<ConfigServerHost> StartAsync(string name)
    {
        var server = await ConfigServerHost.StartAsync(new() { NodeName = name, HostName = "localhost", Directory = _scratch.Below(name), Port = 0, ServicePassword = "service", Bus = _bus.Join(), RequireMajority = false, Log = Note }, default);
        server.Users.Set("admin", "secret", ["*"]);
        return server;
    }

    private void Note(string line)
    {
        lock (_log)
            _log.Add(line);
    }

    private static Task ReadyAsync(ConfigServerHost server) => UntilAsync(server, () => server.Replicator.WhyNoCommit("default") is null && server.Replicator.WhyNoCommit("global") is null);

    private static async Task UntilAsync(ConfigServerHost server, Func<bool> condition)
    {
        using var hang = new CancellationTokenSource(Hang);
        await server.Replicator.UntilAsync(condition, hang.Token);
    }

    private Task NextChangeOfEither() => Task.WhenAny(_one.Replicator.NextChange, _two.Replicator.NextChange);

    private Remote RemoteOf(ConfigServerHost server)
    {
        var pem = _scratch.Below($"{server.Port}.pem");
        File.WriteAllText(pem, server.CertificatePem);
        return Remote.Https("localhost", server.Port, "admin", "secret", pem);
    }

    private static ConfigClient Client(ConfigServerHost server) => new("localhost", server.Port, "admin", "secret", server.CertificatePem);

    private async Task<WorkingCopy> BootstrapAsync(string host, ConfigServerHost server)
    {
        var copy = new WorkingCopy(_scratch.Below(host), _scratch.Below(host, "conf"));
        await copy.BootstrapAsync(RemoteOf(server), "default", default);
        return copy;
    }

    private async Task<Committed> CommitAsync(WorkingCopy copy, string path, string text, ConfigServerHost server)
    {
        copy.Write(path, text);
        return (await copy.CommitAsync(RemoteOf(server), Hosts.By(path), _ => true, default)).Single();
    }
}
