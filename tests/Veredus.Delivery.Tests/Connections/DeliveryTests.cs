using System.Globalization;
using System.Net;
using System.Text;
using Veredus.Smtp;

namespace Veredus.Delivery.Tests.Connections;

/// <summary>Real sockets, a real spool, a scripted server.</summary>
public sealed class DeliveryTests : IAsyncDisposable
{
    private readonly SmtpSink _sink = new();
    private EngineHarness? _h;

    public async ValueTask DisposeAsync()
    {
        if (_h is not null)
            await _h.DisposeAsync();
        await _sink.DisposeAsync();
    }

    [Fact]
    public async Task A_message_arrives_and_leaves_the_spool()
    {
        var h = await StartAsync();
        var content = "Subject: dots\r\n\r\n.leading\r\n..two\r\nend\r\n";
        await h.SubmitContentAsync(content, null, "bob@d.test");

        var received = await _sink.NextAsync();
        var delivered = await h.NextAsync<DeliveredEvent>();

        Assert.Equal(content, received.Content);
        Assert.Equal("node.example.org", received.Helo);
        Assert.StartsWith("MAIL FROM:<ann@example.org>", received.Sender);
        Assert.Equal("RCPT TO:<bob@d.test>", Assert.Single(received.Recipients));
        Assert.Equal("d.test", delivered.Domain);
        Assert.Equal(0, delivered.Retries);
        Assert.Equal(IPAddress.Loopback, delivered.Remote);
        Assert.True(delivered.BytesSent > content.Length);
        await EmptyAsync(h);
    }

    [Fact]
    public async Task A_large_message_is_streamed_whole()
    {
        var h = await StartAsync();
        var content = new StringBuilder("Subject: large\r\n\r\n");
        for (var i = 0; i < 20_000; i++)
            content.Append(CultureInfo.InvariantCulture, $"{(i % 7 == 0 ? "." : "")}line {i} of a message that does not fit into one buffer\r\n");
        await h.SubmitContentAsync(content.ToString(), null, "bob@d.test");

        Assert.Equal(content.ToString(), (await _sink.NextAsync()).Content);
    }

    [Fact]
    public async Task Recipients_of_a_batch_share_a_transaction_and_are_judged_one_by_one()
    {
        var h = await StartAsync();
        _sink.Script = line => line.Contains("<bad@", StringComparison.Ordinal) ? "550 5.1.1 no such user" : line.Contains("<busy@", StringComparison.Ordinal) ? "452 4.2.2 full" : null;
        await h.SubmitAsync("good@d.test", "bad@d.test", "busy@d.test");

        Assert.Equal(3, (await _sink.NextAsync()).Recipients.Count + 2);
        var delivered = await h.NextAsync<DeliveredEvent>();
        Assert.Equal("good@d.test", delivered.Envelope.Recipient);
        var failures = new[] { await h.NextAsync<FailedEvent>(), await h.NextAsync<FailedEvent>() };
        var permanent = failures.Single(failed => failed.IsPermanent);
        var transient = failures.Single(failed => !failed.IsPermanent);
        Assert.Equal(("bad@d.test", "550 5.1.1 no such user", SmtpStage.AfterRcpt, 10), (permanent.Envelope.Recipient, permanent.Reply.ToString(), permanent.Stage, permanent.Classification));
        Assert.Equal(("busy@d.test", 22, 0), (transient.Envelope.Recipient, transient.Classification, transient.Retries));
        Assert.InRange((transient.NextAttempt!.Value - transient.Time).TotalSeconds, 1140, 1260);
        var dsn = Assert.Single(h.Injected);
        Assert.Equal(("", "ann@example.org"), (dsn.Sender, dsn.Recipient));
        Assert.Contains("Final-Recipient: rfc822; bad@d.test", Encoding.UTF8.GetString(dsn.Content.Span));
        Assert.Equal((0, 1), (h.Engine.Summary().ActiveQueue, h.Engine.Summary().DelayedQueue));
        Assert.Equal(1, _sink.Connections);
    }

    [Fact]
    public async Task One_connection_serves_one_message_after_the_other()
    {
        var h = await StartAsync();
        for (var i = 0; i < 10; i++)
            await h.SubmitAsync($"u{i}@d.test");
        for (var i = 0; i < 10; i++)
            await _sink.NextAsync();
        for (var i = 0; i < 10; i++)
            await h.NextAsync<DeliveredEvent>();

        Assert.InRange(_sink.Connections, 1, 2);
    }

    [Fact]
    public async Task An_address_that_refuses_gives_way_to_the_next()
    {
        var h = await StartAsync();
        h.Route("d.test", "127.0.0.9", "127.0.0.1");
        await h.SubmitAsync("bob@d.test");

        await _sink.NextAsync();
        Assert.Equal(IPAddress.Loopback, (await h.NextAsync<DeliveredEvent>()).Remote);
    }

    [Theory]
    [InlineData("554 5.7.1 go away", 4, "451 4.4.1 [internal] No valid hosts for d.test: 554 5.7.1 go away")]
    [InlineData("421 4.3.2 busy", 4, "451 4.4.1 [internal] No valid hosts for d.test: 421 4.3.2 busy")]
    public async Task A_greeting_that_refuses_is_a_failure_of_the_host_not_of_the_message(string banner, int kind, string reply)
    {
        _sink.Banner = banner;
        var h = await StartAsync();
        await h.SubmitAsync("bob@d.test");

        var failed = await h.NextAsync<FailedEvent>();
        Assert.Equal(kind, failed.Reply.Code / 100);
        Assert.Equal(reply, failed.Reply.ToString());
        Assert.False(failed.IsPermanent);
        Assert.Null(failed.Remote);
    }

    [Theory]
    [InlineData("MAIL", SmtpStage.AfterMail)]
    [InlineData("RCPT", SmtpStage.AfterRcpt)]
    [InlineData("DATA", SmtpStage.AfterData)]
    [InlineData("<end>", SmtpStage.ReadingConfirmation)]
    public async Task A_connection_lost_at_any_stage_delays_the_message(string verb, SmtpStage stage)
    {
        _sink.Extensions = "250 sink\r\n";
        _sink.Script = line => line.StartsWith(verb, StringComparison.Ordinal) ? "!" : null;
        var h = await StartAsync();
        await h.SubmitAsync("bob@d.test");

        var failed = await h.NextAsync<FailedEvent>();

        Assert.False(failed.IsPermanent);
        Assert.StartsWith("451 4.4.2 [internal] ", failed.Reply.ToString());
        Assert.Equal(stage, failed.Stage);
        Assert.Equal(stage is SmtpStage.ReadingConfirmation ? 1 : 0, h.Engine.Summary().InDoubt);
        Assert.Equal(stage is SmtpStage.ReadingConfirmation ? [("bob@d.test", DoubtCause.CutOff, "127.0.0.1")] : [], h.Doubts.Select(doubt => (doubt.Envelope!.Recipient, doubt.Cause, doubt.Host)));
    }

    [Fact]
    public async Task After_421_the_message_in_progress_waits_and_nothing_else_is_charged()
    {
        _sink.Script = line => line.Contains("<a@", StringComparison.Ordinal) ? "421 4.3.2 shutting down" : null;
        var h = await StartAsync("host_failure_retry = 0\n");
        await h.SubmitAsync("a@d.test");
        var failed = await h.NextAsync<FailedEvent>();
        await h.SubmitAsync("b@d.test");

        Assert.Equal(("a@d.test", 421), (failed.Envelope.Recipient, failed.Reply.Code));
        Assert.Equal("b@d.test", (await h.NextAsync<DeliveredEvent>()).Envelope.Recipient);
        Assert.Equal(2, _sink.Connections);
    }

    [Fact]
    public async Task A_used_connection_that_the_host_has_ended_costs_no_message_a_try()
    {
        var h = await StartAsync();
        var count = 0;
        _sink.Script = line => line.StartsWith("MAIL", StringComparison.Ordinal) && Interlocked.Increment(ref count) == 2 ? "421 4.4.2 idle too long" : null;
        await h.SubmitAsync("a@d.test");
        await h.NextAsync<DeliveredEvent>();
        await h.SubmitAsync("b@d.test");

        Assert.Equal("b@d.test", (await h.NextAsync<DeliveredEvent>()).Envelope.Recipient);
        Assert.Equal(0, h.Engine.Summary().Transient);
        Assert.Equal(2, _sink.Connections);
    }

    [Fact]
    public async Task Never_retry_gives_up_at_once_and_reports_both_replies()
    {
        _sink.Script = line => line.StartsWith("RCPT", StringComparison.Ordinal) ? "451 4.7.1 greylisted" : null;
        var h = await StartAsync("never_retry = true\n");
        await h.SubmitAsync("bob@d.test");

        Assert.False((await h.NextAsync<FailedEvent>()).IsPermanent);
        var dsn = Encoding.UTF8.GetString((await h.NextAsync<OwnMessage>()).Content.Span);
        var final = await h.NextAsync<FailedEvent>();
        Assert.Equal((true, "554 5.4.7 [internal] exceeded max retries without delivery", 24), (final.IsPermanent, final.Reply.ToString(), final.Classification));
        Assert.Contains("Diagnostic-Code: smtp; 451 4.7.1 greylisted", dsn);
        await EmptyAsync(h);
    }

    [Fact]
    public async Task A_message_stays_while_its_report_cannot_be_stored()
    {
        _sink.Script = line => line.StartsWith("RCPT", StringComparison.Ordinal) ? "550 5.1.1 no" : null;
        var h = await StartAsync();
        h.RefuseInjection = true;
        await h.SubmitAsync("bob@d.test");

        await h.NextAsync<OwnMessage>();
        await h.Engine.StopAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(1, h.Engine.Summary().DelayedQueue);
        Assert.Equal(1, h.Spool.Statistics.Messages);
    }

    [Fact]
    public async Task A_null_sender_gets_no_report()
    {
        _sink.Script = line => line.StartsWith("RCPT", StringComparison.Ordinal) ? "550 5.1.1 no" : null;
        var h = await StartAsync();
        await h.SubmitContentAsync("Subject: x\r\n\r\n", envelope => envelope with { Sender = "" }, "bob@d.test");

        Assert.True((await h.NextAsync<FailedEvent>()).IsPermanent);
        Assert.Empty(h.Injected);
    }

    [Fact]
    public async Task The_binding_gives_source_address_and_name()
    {
        var h = await StartAsync("binding \"b2\" { bind_address = \"127.0.0.2\" ehlo_hostname = \"out2.example.org\" }\n");
        await h.SubmitContentAsync("Subject: x\r\n\r\n", envelope => envelope with { Binding = "b2" }, "bob@d.test");

        var received = await _sink.NextAsync();
        Assert.Equal(("127.0.0.2", "out2.example.org"), (received.From.ToString(), received.Helo));
    }

    [Fact]
    public async Task A_source_address_that_is_not_here_delays_the_queue_and_tells_the_operator()
    {
        var h = await StartAsync("binding \"far\" { bind_address = \"192.0.2.77\" }\n");
        await h.SubmitContentAsync("Subject: x\r\n\r\n", envelope => envelope with { Binding = "far" }, "bob@d.test");

        Assert.Equal("451 4.4.1 [internal] local address not available", (await h.NextAsync<FailedEvent>()).Reply.ToString());
        Assert.Contains("192.0.2.77 is not an address of this machine", Assert.Single(h.Notices));
        Assert.Equal(0, _sink.Connections);
    }

    [Fact]
    public async Task EHLO_may_follow_the_sender_and_then_each_sender_domain_has_its_own_connection()
    {
        var h = await StartAsync("ehlo_hostname = __message__\n");
        await h.SubmitContentAsync("Subject: x\r\n\r\n", envelope => envelope with { Sender = "x@one.test" }, "bob@d.test");
        Assert.Equal("one.test", (await _sink.NextAsync()).Helo);
        await h.SubmitContentAsync("Subject: x\r\n\r\n", envelope => envelope with { Sender = "x@two.test" }, "bob@d.test");
        Assert.Equal("two.test", (await _sink.NextAsync()).Helo);
        Assert.Equal(2, _sink.Connections);
    }

    [Fact]
    public async Task LMTP_delivers_with_the_return_path()
    {
        _sink.IsLmtp = true;
        var h = await StartAsync($"delivery_method = lmtp\nlmtp_port = {_sink.Port}\n");
        await h.SubmitContentAsync("Subject: x\r\n\r\nbody\r\n", null, "a@d.test", "b@d.test");

        Assert.Equal("Return-Path: <ann@example.org>\r\nSubject: x\r\n\r\nbody\r\n", (await _sink.NextAsync()).Content);
        await h.NextAsync<DeliveredEvent>();
        await h.NextAsync<DeliveredEvent>();
    }

    [Fact]
    public async Task TLS_that_is_required_and_not_offered_delays_the_message()
    {
        var h = await StartAsync("tls = required\n");
        await h.SubmitAsync("bob@d.test");

        Assert.StartsWith("451 4.7.6 [internal] STARTTLS required", (await h.NextAsync<FailedEvent>()).Reply.ToString());
    }

    [Fact]
    public async Task TLS_that_fails_falls_back_to_clear_text_at_once_and_is_remembered()
    {
        _sink.Extensions = "250-sink\r\n250 STARTTLS\r\n";
        _sink.Script = line => line.StartsWith("STARTTLS", StringComparison.Ordinal) ? "220 ready\r\nthis is no handshake" : null;
        var h = await StartAsync("tls = ifavailable\nidle_timeout = 0\n");
        await h.SubmitAsync("a@d.test");
        await h.NextAsync<DeliveredEvent>();
        Assert.Equal(2, _sink.Connections);
        await h.SubmitAsync("b@d.test");
        await h.NextAsync<DeliveredEvent>();
        Assert.Equal(3, _sink.Connections);
    }

    [Fact]
    public async Task A_message_larger_than_the_host_takes_fails_without_being_sent()
    {
        _sink.Extensions = "250-sink\r\n250 SIZE 10\r\n";
        var h = await StartAsync();
        await h.SubmitAsync("bob@d.test");

        var failed = await h.NextAsync<FailedEvent>();
        Assert.Equal((true, 552, 23), (failed.IsPermanent, failed.Reply.Code, failed.Classification));
    }

    [Fact]
    public async Task Blackholed_mail_is_logged_as_failure()
    {
        var h = await StartAsync("domain \"d.test\" { blackhole = internal }\n");
        await h.SubmitAsync("bob@d.test");
        Assert.Equal("554 5.7.0 [internal] Blackholed", (await h.NextAsync<FailedEvent>()).Reply.ToString());
    }

    [Fact]
    public async Task A_gateway_becomes_the_routing_domain()
    {
        var h = await StartAsync("domain \"far.test\" { gateway = \"d.test\" }\n");
        await h.SubmitAsync("bob@far.test");
        Assert.Equal("d.test", (await h.NextAsync<DeliveredEvent>()).Domain);
    }

    [Fact]
    public async Task Operators_can_flush_fail_reroute_and_look()
    {
        _sink.Script = line => line.StartsWith("RCPT", StringComparison.Ordinal) ? "451 4.7.1 later" : null;
        var h = await StartAsync();
        var sent = await h.SubmitAsync("a@d.test");
        await h.NextAsync<FailedEvent>();

        var details = h.Engine.Message(sent[0].Id)!;
        Assert.Equal(("delayed", 1, 451), (details.Place, details.Retries, details.LastCode));
        Assert.Equal(("a@d.test", false), (Assert.Single(h.Engine.ShowQueue("d.test")).Recipient, h.Engine.ShowQueue("d.test")[0].IsActive));
        Assert.Equal(("d.test", 0, 1), (h.Engine.MailQueue()[0].Domain, h.Engine.MailQueue()[0].Active, h.Engine.MailQueue()[0].Delayed));
        Assert.Equal("mx.d.test", Assert.Single(h.Engine.Domain("d.test")!.Hosts).Name);

        Assert.Equal(1, await h.Engine.FlushAsync("d.test", null));
        Assert.Equal(1, (await h.NextAsync<FailedEvent>()).Retries);

        h.Route("other.test", "127.0.0.1");
        _sink.Script = _ => null;
        Assert.Equal(1, await h.Engine.RerouteAsync("d.test", "other.test"));
        Assert.True(h.Engine.Retry(sent[0].Id));
        Assert.Equal("other.test", (await h.NextAsync<DeliveredEvent>()).Domain);

        await h.SubmitAsync("b@nowhere.test");
        Assert.Equal("554 5.4.4 [internal] Domain Lookup Failed", (await h.NextAsync<FailedEvent>()).Reply.ToString());
        Assert.Equal(0, await h.Engine.FailAsync(null, null));
    }

    [Fact]
    public async Task Purged_messages_fail_with_the_words_of_the_operator()
    {
        _sink.Script = line => line.StartsWith("RCPT", StringComparison.Ordinal) ? "451 4.7.1 later" : null;
        var h = await StartAsync();
        await h.SubmitAsync("a@d.test", "b@d.test");
        await h.NextAsync<FailedEvent>();
        await h.NextAsync<FailedEvent>();

        Assert.Equal(2, await h.Engine.FailAsync("d.test", "default", "not wanted here", quiet: true));
        Assert.Equal("554 5.7.0 [internal] not wanted here", (await h.NextAsync<FailedEvent>()).Reply.ToString());
        await EmptyAsync(h);
        Assert.Empty(h.Injected);
    }

    [Fact]
    public async Task A_stop_lets_the_spool_keep_what_was_not_delivered()
    {
        var inData = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _sink.Script = line =>
        {
            if (line.StartsWith("MAIL", StringComparison.Ordinal))
            {
                inData.TrySetResult();
                return "";  // an empty line is no reply: the engine goes on waiting or gives up
            }
            return null;
        };
        var h = await StartAsync();
        await h.SubmitAsync("bob@d.test");
        await inData.Task;

        await h.Engine.StopAsync(TimeSpan.FromMilliseconds(100));

        Assert.Equal(1, h.Spool.Statistics.Messages);
    }

    private async Task<EngineHarness> StartAsync(string configuration = "")
    {
        _h = await EngineHarness.StartAsync($"remote_smtp_port = {_sink.Port}\n{configuration}");
        _h.Route("d.test", "127.0.0.1");
        return _h;
    }

    /// <summary>After an orderly stop nothing is under way: queue and spool must be empty.</summary>
    private static async Task EmptyAsync(EngineHarness h)
    {
        await h.Engine.StopAsync(TimeSpan.FromSeconds(60));
        Assert.Equal((0, 0L), (h.Engine.Summary().Total, h.Spool.Statistics.Messages));
    }
}
