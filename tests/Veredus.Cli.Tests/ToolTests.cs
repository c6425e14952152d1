using System.Text.Json;

namespace Veredus.Cli.Tests;

public sealed class ToolTests
{
    private static readonly string[][] Commands =
    [
        ["status"], ["check"], ["queue", "list"], ["queue", "list", "--by", "domain"], ["queue", "show", "bulk-1/example.net"], ["queue", "retry", "--everything"],
        ["queue", "bounce", "--domain", "example.net", "--dry-run"], ["message", "list"], ["message", "show", FakeQueues.Id], ["message", "body", FakeQueues.Id],
        ["message", "retry", FakeQueues.Id], ["console", "summary"], ["console", "showqueue", "binding", "all", "example.org"], ["version"], ["doctor"],
        ["nonsense"], ["message", "show", "nothing"],
    ];

    [Fact]
    public async Task Status_tells_the_worst_in_its_first_line_and_its_exit_code()
    {
        await using var node = new FakeNodeProcess();
        var fine = await node.RunAsync("status", "--check");
        Assert.Equal(0, fine.ExitCode);
        Assert.Matches(@"^node      mta01          OK +as of \d\d:\d\d:\d\dZ from .*control\.sock\n", fine.Out);
        Assert.Contains("queues    452            130 active, 322 delayed; longest default/example.org 310\n", fine.Out);
        node.Logs.Panic(Logging.PanicLevel.Error, Logging.PanicSubsystems.Net, "", "no resolver answers");
        var warned = await node.RunAsync("status", "--check");
        Assert.Equal(10, warned.ExitCode);
        Assert.Contains("WARN", warned.Out.Split('\n')[0]);
        Assert.Contains("WARN  NODE_PANICLOG  no resolver answers\n", warned.Out);
        node.Logs.Panic(Logging.PanicLevel.Critical, Logging.PanicSubsystems.Net, "", "the disk is full");
        Assert.Equal(11, (await node.RunAsync("status", "--check")).ExitCode);
    }

    [Fact]
    public async Task Status_shows_who_has_not_read_the_published_logs()
    {
        await using var node = new FakeNodeProcess();
        Assert.DoesNotContain("logs ", (await node.RunAsync("status")).Out);
        node.Answers["cluster show logs"] = """
            [{"log":"mainlog","journal":"/j","bytes":9,"subscribers":[{"name":"mgr1","checkpoint":"00000000:00000001","waitingBytes":0},
             {"name":"dr","checkpoint":"00000000:00000001","waitingBytes":2048,"waitingSeconds":90.5}]}]
            """.ReplaceLineEndings("");
        var fine = await node.RunAsync("status", "--check");
        Assert.Equal(0, fine.ExitCode);
        Assert.Contains("logs      1m30s behind   2 readers of 1 published logs; for dr 2.0 KB of mainlog wait\n", fine.Out);
        node.Answers["cluster show logs"] = node.Answers["cluster show logs"].Replace("2048", "2147483648", StringComparison.Ordinal);
        var late = await node.RunAsync("status", "--check");
        Assert.Equal(10, late.ExitCode);
        Assert.Contains("WARN  LOG_BEHIND  mainlog: dr is 1m30s behind, 2.0 GB wait\n", late.Out);
        Assert.Contains("\"waitingBytes\":2147483648", (await node.RunAsync("status", "--json")).Out);
    }

    [Fact]
    public async Task Status_of_a_manager_is_that_of_the_cluster_with_the_lag_of_the_logs()
    {
        await using var manager = new FakeNodeProcess();
        manager.Answers["show cluster membership"] = """{"members":[{"node":"mta1","type":"veredus"},{"node":"mta2","type":"veredus"},{"node":"mgr1","type":"manager"}]}""";
        manager.Answers["delegate"] = """
            {"complete":false,"missing":["mta2"],"nodes":[{"node":"mta1","state":"answered","code":0,"data":{"activeQueueSize":3,"delayedQueueSize":4}},{"node":"mta2","state":"pending"}]}
            """.ReplaceLineEndings("");
        var alone = await manager.RunAsync("status", "--manager", manager.Socket);
        Assert.Contains("logs      not gathered   by this manager\n", alone.Out);
        manager.Answers["logs collection"] = """
            {"manager":"mgr1","logs":[{"log":"mainlog","node":"mta1","subscriber":"mgr1","waitingBytes":4096,"behindSeconds":2.4},
             {"log":"mainlog","node":"mta2","subscriber":"mgr1","waitingBytes":0,"behindSeconds":7200,"error":"the disk is full"}],"unreachable":[{"node":"mta3","why":"refused"}]}
            """.ReplaceLineEndings("");
        var outcome = await manager.RunAsync("status", "--manager", manager.Socket);
        Assert.Equal(6, outcome.ExitCode);
        Assert.Matches(@"^cluster   from mta01 +WARN  3 problems", outcome.Out);
        Assert.Contains("nodes     1 answered     mta1 mta2\n", outcome.Out);
        Assert.Contains("queues    7              3 active, 4 delayed\n", outcome.Out);
        Assert.Contains("logs      2h00m behind   4.0 KB wait; 2 of 2 nodes collected\n", outcome.Out);
        Assert.Contains("WARN  NODE_SILENT  mta2: no answer after 5 s\n", outcome.Out);
        Assert.Contains("WARN  LOG_STOPPED  mainlog of mta2: the disk is full\n", outcome.Out);
        Assert.Contains("WARN  LOG_UNREACHABLE  mta3 can't be asked for its logs: refused\n", outcome.Out);
        Assert.Equal(10, (await manager.RunAsync("status", "--check", "--manager", manager.Socket)).ExitCode);
        var json = (await manager.RunAsync("status", "--json", "--manager", manager.Socket)).Out;
        Assert.Contains("\"missing\":[\"mta2\"]", json);
        Assert.Contains("\"behindSeconds\":7200", json);

        // A manager that is gone: the node's view, and it says so.
        var fallback = await manager.RunAsync("status", "--manager", "/nowhere.sock");
        Assert.Equal(0, fallback.ExitCode);
        Assert.Contains("no manager reachable", fallback.Error);
        Assert.StartsWith("node      mta01", fallback.Out);
    }

    [Fact]
    public async Task Status_and_check_show_what_servers_say_of_the_configuration_and_what_is_only_to_be_known_is_no_warning()
    {
        await using var node = new FakeNodeProcess();
        node.Answers["config status"] = State("", "\"unconfirmed\": \"revision 3 (abc) of default is taken back\"");
        var known = await node.RunAsync("status", "--check");
        Assert.Equal(0, known.ExitCode);
        Assert.Matches(@"^node      mta01          OK +as of ", known.Out);
        Assert.Contains("INFO  CONFIG_UNCONFIRMED  revision 3 (abc) of default is taken back\n", known.Out);
        Assert.StartsWith("VEREDUS OK - 452 messages queued", (await node.RunAsync("check")).Out, StringComparison.Ordinal);

        node.Answers["config status"] = State("CONFIG_NOT_LOADED", "\"unconfirmed\": \"revision 3\", \"behind\": \"mgr2's copy of default lags\"");
        var wrong = await node.RunAsync("status", "--check");
        Assert.Equal(11, wrong.ExitCode);
        Assert.Contains("  2 problems", wrong.Out.Split('\n')[0]);
        Assert.Equal(["ERROR CONFIG_NOT_LOADED", "WARN  CONFIG_REPLICA_BEHIND", "INFO  CONFIG_UNCONFIRMED"], wrong.Out.Split('\n').Where(line => line.Contains(" CONFIG_", StringComparison.Ordinal)).Select(line => line[..line.IndexOf("  ", 6, StringComparison.Ordinal)]));

        static string State(string code, string more) => $$"""
            { "node": "mta01", "subcluster": "default", "revision": 2, "commit": "{{new string('a', 40)}}", "global": "{{new string('b', 40)}}", "code": "{{code}}", "text": "why", "at": "2031-05-04T00:00:00+00:00", {{more}} }
            """.Trim();
    }

    [Fact]
    public async Task Status_of_the_cluster_shows_which_nodes_do_not_run_the_servers_configuration()
    {
        await using var manager = new FakeNodeProcess();
        manager.Answers["delegate config status"] = $$"""
            {"complete":true,"missing":[],"nodes":[{{Node("mta1", "CONFIG_DRIFT")}},{{Node("mta2", "CONFIG_DRIFT")}},{{Node("mta3", "")}},{"node":"mta4","state":"answered","code":404}]}
            """.Trim();
        var outcome = await manager.RunAsync("status", "--check", "--manager", manager.Socket);
        Assert.Equal(10, outcome.ExitCode);
        Assert.Matches(@"^cluster   from mta01 +WARN  1 problem ", outcome.Out);
        Assert.Contains("WARN  CONFIG_DRIFT  mta1 mta2: local changes\nINFO  CONFIG_UNCONFIRMED  revision 3 waits\n", outcome.Out);

        static string Node(string name, string code) => $$"""
            {"node":"{{name}}","state":"answered","code":0,"data":{"node":"{{name}}","subcluster":"default","revision":2,"commit":"c","global":"g","code":"{{code}}","text":"local changes","at":"2031-05-04T00:00:00+00:00","unconfirmed":"revision 3 waits"} }
            """.Trim();
    }

    [Fact]
    public async Task Check_speaks_as_monitoring_plugins_do()
    {
        await using var node = new FakeNodeProcess();
        var outcome = await node.RunAsync("check", "--warn-queue", "400", "--crit-queue", "9000");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Equal("VEREDUS WARNING - 452 messages queued | queue=452;400;9000 active=130 delayed=322 received=5567c delivered=5098c failed=17c\n", outcome.Out);
        Assert.Equal(2, (await node.RunAsync(new CallSettings { Socket = "/nowhere.sock" }, "check")).ExitCode);
    }

    [Fact]
    public async Task A_piped_list_is_not_cut_and_a_terminal_gets_what_fits()
    {
        await using var node = new FakeNodeProcess();
        Assert.Contains($"bulk-1/{node.Queues.LongDomain}", (await node.RunAsync("queue", "list")).Out);
        var shown = (await node.RunAsync(new CallSettings { IsOutTerminal = true }, "queue", "list", "--color", "never")).Out;
        Assert.Contains("…", shown);
        Assert.All(shown.Split('\n'), line => Assert.True(line.Length <= 100, line));
    }

    [Fact]
    public async Task Lists_come_as_values_for_programs_too()
    {
        await using var node = new FakeNodeProcess();
        Assert.StartsWith("binding/domain,group,active,delayed\ndefault/example.org,default,0,310\n", (await node.RunAsync("queue", "list", "--format", "csv")).Out);
        Assert.StartsWith("default/example.org\nbulk-1/example.net\n", (await node.RunAsync("queue", "list", "--format", "names")).Out);
        Assert.Contains("1 of 3 shown; --all for the rest", (await node.RunAsync("queue", "list", "--limit", "1")).Out);
        Assert.StartsWith("bulk-1\t130\t13", (await node.RunAsync("queue", "list", "--by", "binding", "--format", "tsv", "--no-header")).Out.Split('\n')[1]);
    }

    [Fact]
    public async Task Every_JSON_answer_is_one_document_in_the_envelope()
    {
        await using var node = new FakeNodeProcess();
        foreach (var command in Commands.Where(command => command[0] is not ("nonsense" or "check" or "console") && !command.Contains("nothing")))
        {
            var outcome = await node.RunAsync([.. command, "--json"]);
            using var json = JsonDocument.Parse(outcome.Out);
            Assert.Matches(@"^veredus\.[a-z.]+/1$", json.RootElement.GetProperty("schema").GetString());
            Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", json.RootElement.GetProperty("at").GetString());
            Assert.True(json.RootElement.GetProperty("source").GetProperty("complete").GetBoolean());
            Assert.Equal(JsonValueKind.Object, json.RootElement.GetProperty("data").ValueKind);
            Assert.Equal("", outcome.Error);
        }
    }

    [Fact]
    public async Task The_fields_of_a_status_are_a_promise()
    {
        await using var node = new FakeNodeProcess();
        using var json = JsonDocument.Parse((await node.RunAsync("status", "--json")).Out);
        var data = json.RootElement.GetProperty("data");
        Assert.Equal("mta01", json.RootElement.GetProperty("source").GetProperty("node").GetString());
        Assert.Equal(["node", "version", "severity", "summary", "problems"], data.EnumerateObject().Select(field => field.Name));
        Assert.Equal(
            ["outboundConcurrency", "inboundConcurrency", "activeDomains", "activeQueueSize", "delayedQueueSize", "destagedQueueSize", "totalQueueSize", "dnsAQueries",
             "dnsMxQueries", "pendingDnsQueries", "deliveredMessages", "failedMessages", "rejectedMessages", "receivedMessages", "statisticsSeconds", "uptimeSeconds",
             "dnsResolver", "queryRate", "deliveryRate", "receptionRate"],
            data.GetProperty("summary").EnumerateObject().Select(field => field.Name));
    }

    [Fact]
    public async Task An_error_under_JSON_is_a_document_on_the_other_stream()
    {
        await using var node = new FakeNodeProcess();
        var outcome = await node.RunAsync("message", "show", "nothing", "--json");
        Assert.Equal((3, ""), (outcome.ExitCode, outcome.Out));
        using var json = JsonDocument.Parse(outcome.Error);
        Assert.Equal("veredus.error/1", json.RootElement.GetProperty("schema").GetString());
        Assert.Equal(3, json.RootElement.GetProperty("code").GetInt32());
    }

    [Fact]
    public async Task No_command_writes_an_escape_byte_to_a_redirected_stream()
    {
        await using var node = new FakeNodeProcess();
        foreach (var command in Commands)
        {
            var outcome = await node.RunAsync(command);
            Assert.DoesNotContain('\u001b', command[0] is "console" or "message" ? outcome.Error : outcome.Out + outcome.Error);
        }
        Assert.Contains("\u001b[", (await node.RunAsync("status", "--color", "always")).Out);
        var quiet = new CallSettings { IsOutTerminal = true, IsErrorTerminal = true, Environment = new() { ["NO_COLOR"] = "1" } };
        Assert.DoesNotContain('\u001b', (await node.RunAsync(quiet, "status")).Out);
        var onlyError = await node.RunAsync(new CallSettings { IsErrorTerminal = true }, "queue", "retry");
        Assert.Contains("\u001b[31m", onlyError.Error);
    }

    [Fact]
    public async Task Text_from_outside_never_drives_the_terminal()
    {
        await using var node = new FakeNodeProcess();
        foreach (var command in (string[][])[["message", "show", FakeQueues.Id], ["console", "message", "details", FakeQueues.Id]])
        {
            var shown = (await node.RunAsync(new CallSettings { IsOutTerminal = true, Environment = new() { ["NO_COLOR"] = "1" } }, command)).Out;
            Assert.Contains(@"451 4.7.1 [too many] \x1B]0;owned\x07 \u{202E}retry", shown);
            Assert.DoesNotContain('\u001b', shown);
            Assert.DoesNotContain('\u202e', shown);
        }
        Assert.Contains(@"bob\x1B[2J@example.org", (await node.RunAsync("message", "list")).Out);
    }

    [Fact]
    public async Task What_cannot_be_undone_wants_its_number()
    {
        await using var node = new FakeNodeProcess();
        string[] bounce = ["queue", "bounce", "--binding", "bulk-1", "--domain", "example.net", "--reason", "test"];
        Assert.Equal(8, (await node.RunAsync(bounce)).ExitCode);
        Assert.Equal(8, (await node.RunAsync([.. bounce, "--yes"])).ExitCode);
        Assert.Equal(7, (await node.RunAsync([.. bounce, "--yes", "--expect", "141"])).ExitCode);
        Assert.Equal(2, (await node.RunAsync("queue", "bounce", "--domain", "example.net")).ExitCode);
        Assert.Equal(2, (await node.RunAsync("queue", "bounce", "--reason", "x")).ExitCode);
        Assert.Empty(node.Queues.Deeds);
        var done = await node.RunAsync([.. bounce, "--reply", "554 5.1.2 closed", "--yes", "--expect", "142"]);
        Assert.Equal((0, "142 messages given up\n"), (done.ExitCode, done.Out));
        Assert.Equal(["fail bulk-1 example.net 554 5.1.2 closed loud"], node.Queues.Deeds);
        Assert.Contains("bounce of 142 messages (bulk-1/example.net): test", node.Logs.RecentPanics(Logging.PanicLevel.Notice)[0].Text);
    }

    [Fact]
    public async Task A_question_is_answered_on_a_terminal()
    {
        await using var node = new FakeNodeProcess();
        var terminal = new CallSettings { IsInTerminal = true, IsErrorTerminal = true };
        Assert.Equal(8, (await node.RunAsync(terminal with { Input = "n\n" }, "queue", "reroute", "a.example", "b.example")).ExitCode);
        Assert.Equal(0, (await node.RunAsync(terminal with { Input = "y\n" }, "queue", "reroute", "a.example", "b.example")).ExitCode);
        Assert.Equal(["reroute a.example b.example"], node.Queues.Deeds);
    }

    [Fact]
    public async Task A_dead_node_is_exit_5_with_what_to_do()
    {
        await using var node = new FakeNodeProcess();
        var outcome = await node.RunAsync(new CallSettings { Socket = "/nowhere/control.sock" }, "status");
        Assert.Equal(5, outcome.ExitCode);
        Assert.StartsWith("x  /nowhere/control.sock: there is no such socket\n   Is the node running", outcome.Error);
    }

    [Fact]
    public async Task Who_may_not_is_exit_4_and_by_the_console_name_3()
    {
        await using var node = new FakeNodeProcess(new([new(Environment.UserName, ["summary", "domain .*"])], []));
        Assert.Equal(0, (await node.RunAsync("console", "summary")).ExitCode);
        Assert.Equal(4, (await node.RunAsync("console", "shutdown")).ExitCode);
        var refused = await node.RunAsync(new CallSettings { CalledAs = "ec_console" }, "shutdown");
        Assert.Equal((3, "Not Authorized for this command\n"), (refused.ExitCode, refused.Error));
        Assert.Equal(2, (await node.RunAsync(new CallSettings { CalledAs = "ec_console", Socket = "/nowhere" }, "summary")).ExitCode);
        Assert.Equal(1, (await node.RunAsync(new CallSettings { CalledAs = "veredus-console" }, "domain", "nowhere")).ExitCode);
    }

    [Fact]
    public async Task A_relative_path_that_is_taken_for_a_command_is_told_how_a_path_is_typed()
    {
        await using var node = new FakeNodeProcess();
        var refused = await node.RunAsync("console", "a/run/control.sock", "summary");
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("'a/run/control.sock' is neither a command nor an endpoint.", refused.Error);
        Assert.Contains("veredus console ./a/run/control.sock", refused.Error);
        Assert.DoesNotContain("neither a command", (await node.RunAsync("console", "domain a/b")).Error);
    }

    [Fact]
    public async Task Batch_mode_stops_at_the_first_failure_unless_told_to_go_on()
    {
        await using var node = new FakeNodeProcess();
        var lines = new CallSettings { Input = "version\n# a remark\nnonsense\nflush \\\ndomain all\nquit\nversion\n" };
        var stopped = await node.RunAsync(lines, "console");
        Assert.Equal((2, "veredus 0.1.0\n"), (stopped.ExitCode, stopped.Out));
        var all = await node.RunAsync(lines, "console", "--keep-going");
        Assert.Equal((2, "veredus 0.1.0\nall flushed. 322 messages requeued.\n"), (all.ExitCode, all.Out));
    }

    [Theory]
    [InlineData("ec_console", "2025/[2001:db8::1]", "[2001:db8::1]:2025")]
    [InlineData("ec_console", "25/[2001:db8::1]:25", "[2001:db8::1]:25")]
    public async Task A_bracketed_address_reaches_its_target(string name, string endpoint, string shown)
    {
        await using var node = new FakeNodeProcess();
        var outcome = await node.RunAsync(new CallSettings { CalledAs = name }, endpoint.Split('/')[1], "version");
        Assert.Equal(2, outcome.ExitCode);
        Assert.StartsWith($"x  {shown}: ", outcome.Error);
    }

    [Fact]
    public async Task A_word_that_begins_with_at_is_no_response_file()
    {
        await using var node = new FakeNodeProcess();
        Assert.Contains("there is no message '@example.com' here", (await node.RunAsync("message", "show", "@example.com")).Error);
    }

    [Theory]
    [InlineData("queu", "Did you mean \"queue\"?")]
    [InlineData("status --chek", "Did you mean \"--check\"?")]
    [InlineData("queue lst", "Did you mean \"list\"?")]
    [InlineData("as eccfgg", "is not a program that veredus can be called as")]
    public async Task A_wrong_word_is_exit_2_with_a_suggestion(string line, string suggestion)
    {
        await using var node = new FakeNodeProcess();
        var outcome = await node.RunAsync(line.Split(' '));
        Assert.Equal((2, ""), (outcome.ExitCode, outcome.Out));
        Assert.Contains(suggestion, outcome.Error);
    }

    [Fact]
    public async Task Every_command_explains_itself_with_an_example()
    {
        await using var node = new FakeNodeProcess();
        var root = CommandLine.CommandTree.Build(new() { Out = TextWriter.Null, Error = TextWriter.Null, In = TextReader.Null });
        foreach (var command in Leaves(root))
        {
            var words = CommandLine.CommandTree.PathOf(command).Split(' ')[1..];
            var outcome = await node.RunAsync([.. words, "--help"]);
            Assert.Equal(0, outcome.ExitCode);
            Assert.Contains("Examples:", outcome.Out);
            Assert.Contains($"veredus {words[0]}", outcome.Out);
        }

        static IEnumerable<System.CommandLine.Command> Leaves(System.CommandLine.Command command) =>
            command.Subcommands.Count == 0 ? [command] : command.Subcommands.SelectMany(Leaves);
    }

    [Fact]
    public async Task Called_with_nothing_it_welcomes_a_newcomer()
    {
        await using var node = new FakeNodeProcess();
        var outcome = await node.RunAsync();
        Assert.Equal(0, outcome.ExitCode);
        Assert.Contains("First steps:", outcome.Out);
    }
}
