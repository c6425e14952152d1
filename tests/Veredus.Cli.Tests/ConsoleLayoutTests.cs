namespace Veredus.Cli.Tests;

/// <summary>Console commands through the socket, in the layouts that operators' scripts parse (mta.md 9.5).</summary>
public sealed class ConsoleLayoutTests
{
    [Theory]
    [InlineData("mailq -l 2", """
        Group/Binding                 Domain                       AQ       DQ
        ----------------------------------------------------------------------
        default/default               example.org                   0      310
        bulk/bulk-1                   example.net                 130       12
        """)]
    [InlineData("active 0", """
        Domain:      example.net  C:   4  A:    130  D:     12  S:    5021
                          Total:  C:   4  A:    130  D:    322  S:    5098
        """)]
    [InlineData("domain all", """
        Domain:      example.net  C:   4  A:    130  D:     12  S:    5021
        Domain:      example.org  C:   0  A:      0  D:    310  S:      77
                          Total:  C:   4  A:    130  D:    322  S:    5098
        """)]
    [InlineData("domain example.net", """
        Domain 'example.net' has 1 MXs and a TTL of 512 seconds
          [10 mx.example.net TTL:512]
         =>     [203.0.113.25]:25 IPv4 (31.20ms con 240.75ms dlv)
         *      [203.0.113.26]:25 IPv4 (0.00ms con 198.40ms dlv) 44.1s since failure
        Queue:
            Active:      130
           Delayed:       12
        Deliveries:     5021
          Failures:       17
        Active Connections: 1
        [ 1] FD:   88 IP:    203.0.113.25  State: reading confirmation (120.51ms)
        """)]
    [InlineData("show inbound", "  41: [inbound/SMTP] IPv4 192.0.2.7:41220 reading body (for 2.5s)")]
    [InlineData("show outbound", "  88: [outbound/bulk-1] example.net IPv4 203.0.113.25:25 reading confirmation (for 1.5s)")]
    [InlineData("flush domain example.net", "example.net flushed. 322 messages requeued.")]
    [InlineData("binding flush domain bulk-1 all", "all flushed. 322 messages requeued.")]
    [InlineData("fail domain closed.example 554 5.1.2 closed", "closed.example purged, 142 messages failed.")]
    [InlineData("binding fail domain quiet bulk-1 all", "All domains purged. 142 messages failed.")]
    [InlineData("message retry 20/00-00007-08B31BA6", "Message requeued for delivery")]
    [InlineData("rebind all", "Rebound 3 messages.")]
    [InlineData("reroute queue a.example b.example", "Moved 5 messages from 'a.example' to 'b.example'")]
    [InlineData("summary reset", "statistics cleared.")]
    [InlineData("dig example.net", "submitted")]
    [InlineData("trace smtp add * example.net trace.txt", "Registered smtp tracer #7")]
    [InlineData("trace smtp remove 7", "Removed smtp tracer #7")]
    [InlineData("version", "veredus 0.1.0")]
    [InlineData("config get gateway", "config get gateway")]
    [InlineData("write config", "# whole")]
    [InlineData("tls flush cache", "2 TLS contexts dropped.")]
    [InlineData("spool import_poll /old", "/old: 4 of 10 imported, 1 failed, running")]
    public async Task A_command_answers_in_its_layout(string command, string answer)
    {
        await using var node = new FakeNodeProcess();
        var outcome = await node.RunAsync(["console", .. command.Split(' ')]);
        Assert.Equal((0, answer.ReplaceLineEndings("\n") + "\n", ""), (outcome.ExitCode, outcome.Out, outcome.Error));
    }

    [Fact]
    public async Task The_summary_has_its_labels_in_order()
    {
        await using var node = new FakeNodeProcess();
        var lines = (await node.RunAsync("console", "summary")).Out.TrimEnd('\n').Split('\n');
        Assert.Equal("Summary Statistics", lines[0]);
        Assert.Equal(
            ["Outbound Concurrency", "Inbound Concurrency", "Active Domains", "Active Queue Size", "Delayed Queue Size", "Destaged Queue Size", "Total Queue Size",
             "DNS A Queries", "DNS MX Queries", "Pending DNS Queries", "Query Rate", "Successfully Delivered Messages", "Failed Messages", "Rejected Messages",
             "Received Messages", "Delivery Rate", "Reception Rate", "Statistics Last Reset", "Uptime", "DNS Resolver"],
            lines.Skip(1).Select(line => line.Split(':')[0].Trim()));
        Assert.Matches(@"^ +Delivery Rate: +25\.58 messages/second$", lines[16]);
        Assert.Matches(@"^ +Uptime: +7200 seconds$", lines[19]);
    }

    [Fact]
    public async Task A_group_shows_its_members_and_its_total()
    {
        await using var node = new FakeNodeProcess();
        var text = (await node.RunAsync("console", "binding", "summary", "group:bulk")).Out;
        Assert.StartsWith("Summary Statistics For Binding bulk-1 in Binding Group bulk\n", text);
        Assert.Contains("\n--------------------------------------------\nSummary Statistics For Binding Group bulk\n", text);
        Assert.Equal(0, (await node.RunAsync("console", "binding", "summary", "1")).ExitCode);
        Assert.Equal(3, (await node.RunAsync("console", "binding", "summary", "nobody")).ExitCode);
    }

    [Theory]
    [InlineData("domain nowhere.example", 3, "nothing is known of the domain 'nowhere.example'; 'dig nowhere.example' looks its route up")]
    [InlineData("binding flush domain nobody all", 3, "there is no binding 'nobody'")]
    [InlineData("message retry 99/99-99999-99999999", 3, "no message '99/99-99999-99999999' waits here; it may be in delivery or gone")]
    [InlineData("fail domain all", 1, "'fail domain' takes one domain; for all use 'binding fail domain B all'")]
    [InlineData("fail domain a.example 250 fine", 1, "'250 fine' is not a permanent reply such as '554 5.1.2 domain closed'")]
    [InlineData("active many", 2, "usage: active N")]
    [InlineData("trace smtp add * * /etc/passwd", 1, "trace files are only made in the log directory")]
    [InlineData("spool import /held", 7, "the spool is held by process 99")]
    [InlineData("sumary", 2, "there is no command 'sumary'; did you mean: summary?")]
    public async Task A_refusal_says_why_and_has_its_exit_code(string command, int exitCode, string error)
    {
        await using var node = new FakeNodeProcess();
        var outcome = await node.RunAsync(["console", .. command.Split(' ')]);
        Assert.Equal((exitCode, "", error + "\n"), (outcome.ExitCode, outcome.Out, outcome.Error));
        Assert.DoesNotContain(node.Queues.Deeds, deed => deed.StartsWith("fail ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_failed_reload_prints_the_errors_and_ends_with_the_words_that_scripts_look_for()
    {
        await using var node = new FakeNodeProcess();
        var outcome = await node.RunAsync(new CallSettings { CalledAs = "ec_console" }, "config", "reload");
        Assert.Equal((1, "CFG-0101 Syntax error in veredus.conf at line 12 near 'x'\nReconfigure failed.\n"), (outcome.ExitCode, outcome.Error));
    }

    [Fact]
    public async Task Closing_a_session_rolls_its_transaction_back()
    {
        await using var node = new FakeNodeProcess();
        await node.RunAsync("console", "config", "begin");
        await node.DisposeAsync();  // ends when the session has ended
        Assert.Equal(["rolled back"], node.Node.Deeds);
    }

    [Fact]
    public async Task The_paniclog_shows_the_worst_first()
    {
        await using var node = new FakeNodeProcess();
        node.Logs.Panic(Logging.PanicLevel.Error, Logging.PanicSubsystems.Net, "", "one");
        node.Logs.Panic(Logging.PanicLevel.Critical, Logging.PanicSubsystems.Net, "dns", "two");
        Assert.Matches(@"^\d+ CRITICAL dns: two\n\d+ ERROR    one\n$", (await node.RunAsync("console", "paniclog")).Out);
    }
}
