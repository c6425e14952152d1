namespace Veredus.Configuration.Tests;

public sealed class StoreTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-config").FullName;

    private string Write(string name, string text)
    {
        var path = Path.Combine(_directory, name);
        File.WriteAllText(path, text);
        return path;
    }

    private ConfigurationStore Open(string text)
    {
        var loader = new ConfigurationLoader(DiskFiles.Instance, new([_directory]));
        var loaded = loader.Load(Write("veredus.conf", text));
        return new(loaded.Snapshot ?? throw new ConfigurationException(loaded.Diagnostics), loader);
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task A_reload_with_an_error_changes_nothing_and_says_why()
    {
        using var store = Open("retry_interval = 60");
        var before = store.Current;
        Write("veredus.conf", "retry_interval = 90\nretry_intervall = 1\nidle_timeout = soon\n");
        var result = await store.ReloadAsync();
        Assert.False(result.Success);
        Assert.Same(before, store.Current);
        Assert.Contains("'retry_intervall' is not a valid option or scope name at top level; did you mean 'retry_interval'?", result.Text, StringComparison.Ordinal);
        Assert.Contains("at line 3 column 16 near 'soon'", result.Text, StringComparison.Ordinal);
        Assert.EndsWith("Reconfigure failed.", result.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reload_swaps_the_snapshot_and_tells_what_changed()
    {
        using var store = Open("retry_interval = 60");
        ConfigurationChange? seen = null;
        store.Changed += change => seen = change;
        Write("veredus.conf", "retry_interval = 90\nspoolbase = \"/srv/spool\"\nbinding \"b\" { }\n");
        var result = await store.ReloadAsync();
        Assert.True(result.Success);
        Assert.Equal(TimeSpan.FromSeconds(90), store.Current.Global.Get(Options.RetryInterval));
        Assert.Equal(["Retry_Interval", "Spoolbase"], seen!.Differences.Select(d => d.Path).Order());
        Assert.True(seen.Affects(Options.RetryInterval));
        Assert.True(seen.ScopesChanged);
        Assert.StartsWith("Reconfigured: 2 options changed.", result.Text, StringComparison.Ordinal);
        Assert.Contains("CFG-0905", result.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_session_can_tell_whether_a_reload_concerns_it()
    {
        using var store = Open("esmtp_listener { listen \":25\" { peer 10.0.0.0/8 { max_message_size = 5 } } }");
        var client = System.Net.IPAddress.Parse("10.0.0.1");
        var before = store.Current.Listens[0].For(client);
        Write("veredus.conf", "binding \"b\" { retry_interval = 5 } esmtp_listener { listen \"*:25\" { peer 10.0.0.0/8 { max_message_size = 5 } peer 192.0.2.1 { open_relay = on } } }");
        await store.ReloadAsync();
        Assert.NotSame(before, store.Current.Listens[0].For(client));
        Assert.True(before.HasSameValues(store.Current.Listens[0].For(client)));
        Assert.False(before.HasSameValues(store.Current.Listens[0].For(System.Net.IPAddress.Parse("192.0.2.1"))));
    }

    [Fact]
    public async Task A_participant_can_veto_and_the_others_give_up_what_they_prepared()
    {
        using var store = Open("retry_interval = 60");
        var (first, second) = (new Participant(veto: false), new Participant(veto: true));
        store.Register(first);
        store.Register(second);
        Write("veredus.conf", "retry_interval = 90");
        var result = await store.ReloadAsync();
        Assert.False(result.Success);
        Assert.Contains("CFG-0601", result.Text, StringComparison.Ordinal);
        Assert.Equal(("aborted", "aborted"), (first.State, second.State));
        Assert.Equal(TimeSpan.FromSeconds(60), store.Current.Global.Get(Options.RetryInterval));
        second.Veto = false;
        Assert.True((await store.ReloadAsync()).Success);
        Assert.Equal(("committed", "committed"), (first.State, second.State));
    }

    [Fact]
    public async Task A_participant_that_throws_leaves_the_old_configuration_and_releases_the_store()
    {
        using var store = Open("retry_interval = 60");
        var first = new Participant(veto: false);
        store.Register(first);
        store.Register(new Thrower());
        await Assert.ThrowsAsync<InvalidOperationException>(() => store.ReloadAsync());
        Assert.Equal("aborted", first.State);
        await Assert.ThrowsAsync<InvalidOperationException>(() => store.ReloadAsync());
    }

    [Fact]
    public async Task The_second_of_two_conflicting_commits_fails_and_disjoint_ones_merge()
    {
        using var store = Open("""domain "example.com" { retry_interval = 60 }""");
        var (one, two, three) = (new ConfigConsole(store), new ConfigConsole(store), new ConfigConsole(store));
        foreach (var console in (ConfigConsole[])[one, two, three])
            Assert.True((await console.ExecuteAsync("config begin")).IsOk);
        await one.ExecuteAsync("config set domain example.com retry_interval 1");
        await two.ExecuteAsync("config set domain example.com retry_interval 2");
        await three.ExecuteAsync("config set domain example.com idle_timeout 3");
        Assert.Equal(TimeSpan.FromSeconds(60), store.Current.Sending("g", "b", "example.com").Get(Options.RetryInterval));
        Assert.True((await one.ExecuteAsync("config commit")).IsOk);
        var refused = await two.ExecuteAsync("config commit");
        Assert.Equal(409, refused.Code);
        Assert.Contains("domain example.com Retry_Interval", refused.Text, StringComparison.Ordinal);
        Assert.True((await three.ExecuteAsync("config commit")).IsOk);
        var view = store.Current.Sending("g", "b", "example.com");
        Assert.Equal((1, 3), (view.Get(Options.RetryInterval).TotalSeconds, view.Get(Options.IdleTimeout).TotalSeconds));
    }

    [Fact]
    public async Task Live_changes_go_to_the_local_changes_file_and_come_back_after_a_reload()
    {
        using var store = Open("local_changes_file = \"local.conf\"\nretry_interval = 60\nbinding \"b\" { domain \"/x\\d/\" { retry_interval = 5 } }\n");
        Write("local.conf", "# kept\nidle_timeout = 7   # also kept\nmax_retries = 3\n");
        Assert.True((await store.ReloadAsync()).Success);
        var console = new ConfigConsole(store);
        await console.ExecuteAsync("config set idle_timeout 8");
        await console.ExecuteAsync("config unset max_retries");
        await console.ExecuteAsync("config set binding b domain \"/x\\d/\" retry_interval 9");
        await console.ExecuteAsync("config set relay_hosts ( 10.0.0.0/8 \"::1\" )");
        await console.ExecuteAsync("config set outbound_smtp_auth_pass \"pa\\\"ss\"");
        var written = await console.ExecuteAsync("config writeback");
        Assert.True(written.IsOk, written.Text);
        var text = await File.ReadAllTextAsync(Path.Combine(_directory, "local.conf"));
        Assert.StartsWith("# kept\nidle_timeout = 8   # also kept\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("max_retries", text, StringComparison.Ordinal);
        Assert.Equal("Nothing to write: there are no live changes.", (await console.ExecuteAsync("config writeback")).Text);
        var reloaded = await store.ReloadAsync();
        Assert.True(reloaded.Success, reloaded.Text);
        Assert.Empty(reloaded.Change!.Differences);
        Assert.Equal(9, store.Current.Sending("default", "b", "x1").Get(Options.RetryInterval).TotalSeconds);
        Assert.Equal("pa\"ss", store.Current.Sending("default", "b", "x1").Get(Options.OutboundSmtpAuthPass));
    }

    [Fact]
    public async Task Writeback_refuses_a_file_that_changed_on_disk_and_reports_what_it_cannot_express()
    {
        using var store = Open("local_changes_file = \"local.conf\"\nretry_interval = 60\n");
        Write("local.conf", "idle_timeout = 7\n");
        await store.ReloadAsync();
        var console = new ConfigConsole(store);
        await console.ExecuteAsync("config unset retry_interval");
        Write("local.conf", "idle_timeout = 9\n");
        var refused = await console.ExecuteAsync("config writeback");
        Assert.Contains("changed on disk", refused.Text, StringComparison.Ordinal);
        Write("local.conf", "idle_timeout = 7\n");
        var written = await console.ExecuteAsync("config writeback");
        Assert.Contains("config unset Retry_Interval", written.Text, StringComparison.Ordinal);
        Assert.Equal("idle_timeout = 7\n", await File.ReadAllTextAsync(Path.Combine(_directory, "local.conf")));
    }

    [Fact]
    public async Task Writeback_notices_that_another_file_still_sets_what_was_removed()
    {
        using var store = Open("local_changes_file = \"local.conf\"\nretry_interval = 60\n");
        Write("local.conf", "retry_interval = 5\n");
        await store.ReloadAsync();
        var console = new ConfigConsole(store);
        await console.ExecuteAsync("config unset retry_interval");
        await console.ExecuteAsync("config set idle_timeout 3");
        var written = await console.ExecuteAsync("config writeback");
        Assert.StartsWith("Wrote 1 changes", written.Text, StringComparison.Ordinal);
        Assert.EndsWith("config unset Retry_Interval", written.Text, StringComparison.Ordinal);
        Assert.Equal("\nIdle_Timeout = 3\n", await File.ReadAllTextAsync(Path.Combine(_directory, "local.conf")));
    }

    [Fact]
    public async Task Many_sessions_at_once_lose_no_change()
    {
        using var store = Open("");
        var domains = Enumerable.Range(0, 20).Select(i => $"d{i}.example").ToList();
        var results = await Task.WhenAll(domains.Select(d => Task.Run(() => new ConfigConsole(store).ExecuteAsync($"config set domain {d} retry_interval 7"))));
        Assert.All(results, r => Assert.True(r.IsOk, r.Text));
        Assert.All(domains, d => Assert.Equal(7, store.Current.Sending("g", "b", d).Get(Options.RetryInterval).TotalSeconds));
    }

    private sealed class Participant(bool veto) : IConfigurationParticipant, IPreparedConfiguration
    {
        public bool Veto { get; set; } = veto;
        public string State { get; private set; } = "";

        public ValueTask<IPreparedConfiguration?> PrepareAsync(ConfigurationChange change, PreparationProblems problems, CancellationToken cancellationToken)
        {
            State = "prepared";
            if (Veto)
                problems.Add(new("veredus.conf", 1, 1), "192.0.2.1:25", "Can't listen on 192.0.2.1:25: address in use.");
            return ValueTask.FromResult<IPreparedConfiguration?>(this);
        }

        public void Commit() => State = "committed";

        public ValueTask AbortAsync()
        {
            State = "aborted";
            return ValueTask.CompletedTask;
        }
    }

    private sealed class Thrower : IConfigurationParticipant
    {
        public ValueTask<IPreparedConfiguration?> PrepareAsync(ConfigurationChange change, PreparationProblems problems, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("bug");
    }
}
