namespace Veredus.ConfigServer.Tests;

public sealed class EccfgTests
{
    [Theory]
    [InlineData("-m", "text")]
    [InlineData("-mess", "text")]
    [InlineData("--message", "text")]
    [InlineData("--message=text", null)]
    public void Long_options_may_be_shortened_and_have_one_hyphen(string option, string? value)
    {
        var arguments = EccfgArguments.Parse(value is null ? ["commit", option] : ["commit", option, value]);
        Assert.Equal("text", arguments["message"]);
        Assert.Equal(["commit"], arguments.Words);
        Assert.Equal("/x", EccfgArguments.Parse(["pull", "-wc", "/x"])["working-copy"]);
    }

    [Theory]
    [InlineData("--nonsense", "unknown option")]
    [InlineData("--ma", "unknown option", "x")]
    [InlineData("--pass", "may be --password-stdin or --password")]
    [InlineData("--message", "needs a value")]
    [InlineData("--mine", "exclude each other", "--theirs")]
    public void Unknown_and_ambiguous_options_are_usage_errors(string option, string said, string? more = null)
    {
        var refused = Assert.Throws<EccfgException>(() => EccfgArguments.Parse(more is null ? [option] : [option == "--ma" ? "--mx" : option, more]));
        Assert.Equal(EccfgExit.Usage, refused.ExitCode);
        Assert.Contains(said, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("remote: default.conf:1: option expired: 403, certificate not found\nTo https://localhost:42901/config/default.git\n! [remote rejected] 40142940 -> main", EccfgExit.Failed, "option expired: 403")]
    [InlineData("fatal: unable to access 'https://localhost:42901/config/default.git/': The requested URL returned error: 429", EccfgExit.NotAllowed, "too many wrong passwords")]
    [InlineData("remote: you may read it only\nfatal: unable to access 'https://localhost:42901/config/default.git/': The requested URL returned error: 403", EccfgExit.NotAllowed, "you may read it only")]
    [InlineData("fatal: unable to access 'https://localhost:42901/config/default.git/': Failed to connect to localhost port 42901 after 0 ms", EccfgExit.Unreachable, "can't be reached")]
    public void What_git_said_is_not_read_from_ports_hashes_or_the_servers_words(string errors, int exitCode, string message)
    {
        var explained = new Remote("https://localhost:42901/config", new Dictionary<string, string>()).Explain("default", errors);
        Assert.Equal(exitCode, explained.ExitCode);
        Assert.Contains(message, explained.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task From_bootstrap_to_commit_and_pull_with_the_exit_codes_of_the_manual()
    {
        using var scratch = new Scratch();
        await using var server = await ConfigServerHost.StartAsync(new() { NodeName = "mgr1", HostName = "localhost", Directory = scratch.Below("server"), Port = 0, ServicePassword = "service" }, default);
        server.Users.Set("admin", "secret", ["*"]);
        using var hang = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await server.Replicator.UntilAsync(() => server.Replicator.WhyNoCommit("default") is null, hang.Token);
        foreach (var host in new[] { "one", "two" })
            Assert.Equal((0, true), await RunAsync(host, "Checked out revision 1.", "bootstrap", "-clustername", "default", $"localhost:{server.Port}", "--node", host));
        Assert.Equal((1, true), await RunAsync("one", "working copy already exists", "bootstrap", "--singlenode", $"localhost:{server.Port}"));

        File.WriteAllText(scratch.Below("one", "conf", "veredus.conf"), "# at the root\n");
        Directory.CreateDirectory(scratch.Below("one", "conf", "default"));
        File.WriteAllText(scratch.Below("one", "conf", "default", "veredus.conf"), "relay_hosts = ( 127.0.0.1 )\n");
        Assert.Equal((0, true), await RunAsync("one", "?  default/veredus.conf", "status"));
        Assert.Equal((8, true), await RunAsync("one", "nobody is here to ask", "commit", "-m", "first"));
        Assert.Equal((0, true), await RunAsync("one", "Committed revision 2.", "commit", "--add-all", "-mess", "first"));
        Assert.Equal((0, true), await RunAsync("one", "Nothing to commit", "commit"));
        Assert.Equal((0, true), await RunAsync("two", "OK (revision 2)", "pull"));
        Assert.Equal((0, true), await RunAsync("two", "already at revision 2", "pull"));
        Assert.Equal((0, true), await RunAsync("two", "default", "subcluster", "clusters"));
        Assert.Equal((0, true), await RunAsync("two", "mgr1", "subcluster", "master", "default"));
        Assert.Equal((0, true), await RunAsync("two", "first", "log"));
        Assert.Equal((2, true), await RunAsync("two", "is no eccfg command", "fly"));

        File.WriteAllText(scratch.Below("one", "conf", "default", "veredus.conf"), "nonsense = 1\n");
        Assert.Equal((1, true), await RunAsync("one", "'nonsense' is not a valid option", "commit"));
        Assert.Equal((0, true), await RunAsync("one", "+nonsense = 1", "diff"));
        Assert.Equal((0, true), await RunAsync("one", "Reverted 'default/veredus.conf'", "revert", "default/veredus.conf"));
        Assert.Equal((4, true), await RunAsync("one", "password", "pull", "--password", "wrong"));

        async Task<(int, bool)> RunAsync(string host, string expected, params string[] words)
        {
            using var output = new StringWriter();
            var code = await Eccfg.RunAsync(new(output, output, TextReader.Null, null, null, name => name switch { "USER" => "admin", "ECCFG_PASSWORD" => "secret", _ => null }, TimeProvider.System), [.. words, "--etc", scratch.Below(host)], default);
            var text = output.ToString();
            return (code, text.Contains(expected, StringComparison.Ordinal) ? true : throw new Xunit.Sdk.XunitException($"'{string.Join(' ', words)}' ended with {code}: {text}"));
        }
    }
}
