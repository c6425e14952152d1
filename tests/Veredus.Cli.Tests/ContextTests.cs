using System.Net;
using System.Net.Sockets;
using Veredus.Contexts;

namespace Veredus.Cli.Tests;

/// <summary>Contexts: which cluster the tool talks to.</summary>
public sealed class ContextTests : IAsyncDisposable
{
    private readonly string _home = Directory.CreateTempSubdirectory("veredus-context-").FullName;
    private readonly FakeNodeProcess _manager = new(), _node = new();

    public ContextTests() => _manager.Answers["delegate"] = """{"complete":true,"missing":[],"nodes":[]}""";

    private string Settings => Path.Combine(_home, "veredus", "cli.toml");

    private string Tokens => Path.Combine(_home, "veredus", "tokens.toml");

    [Fact]
    public async Task Contexts_are_added_listed_used_and_removed()
    {
        Assert.Contains("no contexts", (await RunAsync("context", "list")).Out);
        Assert.Equal(0, (await RunAsync("context", "add", "prod", "ops@mgr1.example.net:2025", "[2001:db8::2]:2025", "--production", "--use")).ExitCode);
        Assert.Equal(0, (await RunAsync("context", "add", "lab", _manager.Socket)).ExitCode);
        var listed = await RunAsync("context", "list");
        Assert.Matches(@"(?m)^ +lab +\S+control\.sock *$", listed.Out);
        Assert.Matches(@"(?m)^\* +prod +ops@mgr1\.example\.net:2025 \[2001:db8::2\]:2025 +production *$", listed.Out);
        Assert.Contains("""{"name":"prod","isCurrent":true,"managers":["ops@mgr1.example.net:2025","[2001:db8::2]:2025"],"isProduction":true,"hasToken":false}""", (await RunAsync("context", "list", "--json")).Out);

        Assert.Equal(7, (await RunAsync("context", "add", "lab", "/other")).ExitCode);
        Assert.Equal(2, (await RunAsync("context", "add", "no/name", "/other")).ExitCode);
        Assert.Equal(2, (await RunAsync("context", "add", "other", "no endpoint:x")).ExitCode);
        Assert.Equal(3, (await RunAsync("context", "use", "nobody")).ExitCode);
        Assert.Equal(2, (await RunAsync("context", "use")).ExitCode);
        Assert.Equal(0, (await RunAsync("context", "use", "lab")).ExitCode);
        Assert.Matches(@"(?m)^\* +lab ", (await RunAsync("context", "list")).Out);
        Assert.Equal(0, (await RunAsync("context", "remove", "lab")).ExitCode);
        Assert.DoesNotContain("lab", await File.ReadAllTextAsync(Settings));
        Assert.DoesNotContain("current", await File.ReadAllTextAsync(Settings));
        Assert.Equal(3, (await RunAsync("context", "remove", "lab")).ExitCode);
    }

    [Fact]
    public async Task The_order_of_the_ways_is_option_environment_context_current_context()
    {
        await RunAsync("context", "add", "here", _manager.Socket, "--use");
        await RunAsync("context", "add", "away", "/nowhere/away.sock");
        string[] run = ["run", "--on", "all", "--json", "version"];

        Assert.Equal(0, (await RunAsync(run)).ExitCode);
        Assert.Contains("/nowhere/away.sock", await FailsAsync([], [.. run[..4], "--context", "away", "version"]));
        Assert.Contains("/nowhere/away.sock", await FailsAsync(new() { ["VEREDUS_CONTEXT"] = "away" }, run));
        Assert.Contains("/nowhere/mgr.sock", await FailsAsync(new() { ["VEREDUS_MANAGER"] = "/nowhere/mgr.sock", ["VEREDUS_CONTEXT"] = "here" }, [.. run[..4], "--context", "here", "version"]));
        Assert.Contains("/nowhere/opt.sock", await FailsAsync(new() { ["VEREDUS_MANAGER"] = _manager.Socket }, [.. run[..4], "--manager", "/nowhere/opt.sock", "version"]));
        Assert.Equal(0, (await RunAsync(new() { ["VEREDUS_CONTEXT"] = "away" }, [.. run[..4], "--context", "here", "version"])).ExitCode);
        Assert.Equal(3, (await RunAsync([.. run[..4], "--context", "nobody", "version"])).ExitCode);
    }

    [Fact]
    public async Task A_console_goes_to_the_context_and_the_classic_name_to_the_node_of_this_host()
    {
        await RunAsync("context", "add", "here", _manager.Socket, "--use");
        _manager.Answers["show cluster membership"] = """{"members":[]}""";
        Assert.Equal(0, (await RunAsync("console", "json show cluster membership")).ExitCode);
        Assert.Equal(3, (await RunAsync("console", "--socket", _node.Socket, "json show cluster membership")).ExitCode);
        var classic = await _node.RunAsync(new CallSettings { CalledAs = "ec_console", Environment = { ["XDG_CONFIG_HOME"] = _home } }, "json show cluster membership");
        Assert.Equal(1, classic.ExitCode);
    }

    [Fact]
    public async Task The_next_manager_is_tried_when_one_is_gone_or_silent_for_two_seconds()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        await RunAsync("context", "add", "three", "/nowhere/gone.sock", $"127.0.0.1:{((IPEndPoint)silent.LocalEndpoint).Port}", _manager.Socket, "--use");
        Assert.Equal(0, (await RunAsync("run", "--on", "all", "--json", "version")).ExitCode);
        await RunAsync("context", "add", "two", "/nowhere/a.sock", "/nowhere/b.sock");
        var error = await FailsAsync([], ["run", "--on", "all", "--context", "two", "version"]);
        Assert.Contains("No manager of the context 'two' answers", error);
        Assert.Contains("/nowhere/a.sock", error);
        Assert.Contains("/nowhere/b.sock", error);
        Assert.DoesNotContain(_node.Socket, error);
    }

    [Fact]
    public async Task A_command_that_asks_a_node_refuses_a_context_and_none_of_them_minds_a_broken_file()
    {
        await RunAsync("context", "add", "lab", _manager.Socket);
        var refused = await RunAsync("vip", "list", "--context", "lab");
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("--context lab names managers, and this command asks a node", refused.Error, StringComparison.Ordinal);

        await File.WriteAllTextAsync(Settings, "current = = 1\n");
        Assert.Equal(0, (await RunAsync("version")).ExitCode);
        Assert.Contains("cli.toml:1", (await RunAsync("run", "--on", "all", "version")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Production_wants_a_reason_for_a_change_and_leaves_it_in_the_paniclog()
    {
        await RunAsync("context", "add", "prod", _manager.Socket, "--production");
        string[] purge = ["message", "purge", FakeQueues.Id, "--yes", "--socket", _node.Socket, "--context", "prod"];
        var refused = await RunAsync(purge);
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("The context 'prod' is production", refused.Error);
        Assert.Equal(0, (await RunAsync([.. purge, "--reason", "OPS-12"])).ExitCode);
        Assert.Contains(_node.Logs.RecentPanics(Logging.PanicLevel.Notice), entry => entry.ToString().Contains("OPS-12", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Tokens_are_kept_apart_and_only_their_owner_may_read_them()
    {
        var added = await _node.RunAsync(new CallSettings { Input = "s3cret\n", Environment = { ["XDG_CONFIG_HOME"] = _home } }, "context", "add", "far", "ops@mgr1.example.net:2025", "--token-stdin", "--use");
        Assert.Equal(0, added.ExitCode);
        Assert.DoesNotContain("s3cret", await File.ReadAllTextAsync(Settings));
        Assert.Equal("far = \"s3cret\"\n", await File.ReadAllTextAsync(Tokens));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Tokens));
        Assert.Contains("kept", (await RunAsync("context", "list")).Out);

        File.SetUnixFileMode(Tokens, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
        var open = await RunAsync("context", "list");
        Assert.Equal(4, open.ExitCode);
        Assert.Contains("chmod 600", open.Error);
        File.SetUnixFileMode(Tokens, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await RunAsync("context", "remove", "far");
        Assert.Equal("", await File.ReadAllTextAsync(Tokens));
    }

    [Fact]
    public void What_a_user_wrote_stays_as_it_is()
    {
        const string text = "# mine\ncurrent = \"a\"  # the usual\n\n[contexts.a]\nmanagers = [\n  '/a',  # first\n  \"/b\",\n]\n\n# production!\n[contexts.b]\nproduction = true\nmanagers = [\"/c\"]\n";
        var (contexts, current) = ClusterContext.Read(text);
        Assert.Equal("a", current);
        Assert.Equal(["/a", "/b"], contexts[0].Managers);
        Assert.True(contexts[1].IsProduction);
        var without = ClusterContext.WithCurrent(ClusterContext.Without(text, "a"), "b");
        Assert.StartsWith("current = \"b\"\n# mine\n", without, StringComparison.Ordinal);
        Assert.Equal(["b"], ClusterContext.Read(without).Contexts.Select(context => context.Name));
        var odd = new ClusterContext("odd", ["/with \"quotes\" and \\"], true, "/ca", "ab");
        Assert.Equivalent(odd, ClusterContext.Read(odd.Render()).Contexts.Single());
    }

    [Theory]
    [InlineData("colour = true", "1: 'colour' is not known here")]
    [InlineData("\n[contexts.a]\nmanagers = \"/a\"", "3: 'managers' in [contexts.a] is not known here, or has another kind of value")]
    [InlineData("[contexts.a]\nmanagers = [\"a b:\"]", "2: 'a b:' is not an endpoint")]
    [InlineData("[contexts.a]\nproduction = true", "1: the context 'a' has no managers")]
    [InlineData("current = \"a", "1: a string does not end on its line")]
    [InlineData("current = 12", "1: a string in quotes, true, false or an array of strings was expected")]
    [InlineData("current = \"a\"\ncurrent = \"b\"", "2: 'current' is set twice")]
    [InlineData("[contexts.a", "1: ']' was expected")]
    public void What_is_wrong_is_named_with_its_line(string text, string expected) =>
        Assert.StartsWith(expected, Assert.Throws<FormatException>(() => ClusterContext.Read(text)).Message, StringComparison.Ordinal);

    public async ValueTask DisposeAsync()
    {
        await _manager.DisposeAsync();
        await _node.DisposeAsync();
        Directory.Delete(_home, recursive: true);
    }

    private Task<Outcome> RunAsync(params string[] arguments) => RunAsync([], arguments);

    /// <summary>As on a host without a node of its own that was named.</summary>
    private Task<Outcome> RunAsync(Dictionary<string, string> environment, string[] arguments)
    {
        var settings = new CallSettings { Socket = "" };
        foreach (var (name, value) in environment.Append(new("XDG_CONFIG_HOME", _home)))
            settings.Environment[name] = value;
        return _node.RunAsync(settings, arguments);
    }

    private async Task<string> FailsAsync(Dictionary<string, string> environment, string[] arguments)
    {
        var outcome = await RunAsync(environment, arguments);
        Assert.Equal(5, outcome.ExitCode);
        return outcome.Error;
    }
}
