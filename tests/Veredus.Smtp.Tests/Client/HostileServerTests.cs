using System.Text;

namespace Veredus.Smtp.Tests.Client;

public class HostileServerTests
{
    private const string Mail = "MAIL FROM:<news@example.com>\r\n";
    private const string Rcpt = "RCPT TO:<ann@example.net>\r\n";

    [Theory]
    [InlineData("554 5.7.1 go away\r\n", "554 5.7.1 go away")]
    [InlineData("421 later\r\n", "421 later")]
    [InlineData("250 hello\r\n", "451 4.5.0 [internal] unexpected reply reading BANNER: 250 hello")]
    [InlineData("HTTP/1.1 400 Bad Request\r\n", "451 4.5.0 [internal] not an SMTP reply, or an endless one, reading BANNER")]
    [InlineData("220-a\r\n250 b\r\n", "451 4.5.0 [internal] not an SMTP reply, or an endless one, reading BANNER")]
    [InlineData("999 x\r\n", "451 4.5.0 [internal] not an SMTP reply, or an endless one, reading BANNER")]
    public async Task A_wrong_greeting_makes_the_session_unusable(string greeting, string outcome)
    {
        await using var server = new ScriptedServer();
        var open = await server.PlayAsync(server.Session.OpenAsync("out.example.com", default), ("", greeting));
        Assert.Equal((outcome, SmtpStage.ReadingBanner, false), (open.Reply.ToString(), open.Stage, server.Session.IsUsable));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_endless_reply_is_cut_off(bool oneLine)
    {
        await using var server = new ScriptedServer();
        var open = server.Session.OpenAsync("out.example.com", default).AsTask();
        var portion = Encoding.ASCII.GetBytes(oneLine ? "220 " + new string('x', 996) : string.Concat(Enumerable.Repeat("220-more\r\n", 100)));
        for (var sent = 0; sent < 70_000 && !open.IsCompleted; sent += portion.Length)
        {
            await server.Output.WriteAsync(portion);
            if (oneLine)
                portion = Encoding.ASCII.GetBytes(new string('x', 1000));
        }

        var outcome = await open.WaitAsync(Dialogue.Patience);
        Assert.Equal((451, new EnhancedStatus(4, 5, 0)), (outcome.Reply.Code, outcome.Reply.Status));
        Assert.False(server.Session.IsUsable);
    }

    public static TheoryData<int, string[], int, SmtpStage> Lasts => new()
    {
        // the stage that breaks, what the server answered before, reply code, stage
        { 0, [], 451, SmtpStage.AfterMail },
        { 1, ["250 ok\r\n"], 451, SmtpStage.AfterRcpt },
        { 2, ["250 ok\r\n", "250 ok\r\n"], 451, SmtpStage.AfterData },
        { 3, ["250 ok\r\n", "250 ok\r\n", "354 go\r\n"], 451, SmtpStage.ReadingConfirmation },
    };

    [Theory]
    [MemberData(nameof(Lasts))]
    public async Task A_connection_that_closes_fails_the_message_at_its_stage(int step, string[] answers, int code, SmtpStage stage)
    {
        var result = await AtStepAsync(step, answers, async server => await server.CloseAsync());
        Assert.Equal((code, new EnhancedStatus(4, 4, 2), stage), (result.Recipients[0].Reply.Code, result.Recipients[0].Reply.Status, result.Recipients[0].Stage));
        Assert.StartsWith("[internal] connection closed by remote host", result.Recipients[0].Reply.Text, StringComparison.Ordinal);
        Assert.False(result.ConnectionUsable);
    }

    [Theory]
    [MemberData(nameof(Lasts))]
    public async Task A_server_that_falls_silent_times_out_at_its_stage(int step, string[] answers, int code, SmtpStage stage)
    {
        var result = await AtStepAsync(step, answers, server =>
        {
            server.Time.Advance(TimeSpan.FromSeconds(700));
            return Task.CompletedTask;
        });
        Assert.Equal((code, stage), (result.Recipients[0].Reply.Code, result.Recipients[0].Stage));
        Assert.Equal("[internal] timed out " + stage.Name(), result.Recipients[0].Reply.Text);
        Assert.False(result.ConnectionUsable);
    }

    [Theory]
    [MemberData(nameof(Lasts))]
    public async Task A_421_closes_the_connection_and_charges_the_message(int step, string[] answers, int code, SmtpStage stage)
    {
        var result = await AtStepAsync(step, answers, async server => await server.SayAsync("421 4.3.2 shutting down\r\n"));
        Assert.Equal(("421 4.3.2 shutting down", stage, false), (result.Recipients[0].Reply.ToString(), result.Recipients[0].Stage, result.ConnectionUsable));
        Assert.Equal(451, code);
    }

    [Theory]
    [MemberData(nameof(Lasts))]
    public async Task A_positive_reply_that_makes_no_sense_is_a_protocol_error(int step, string[] answers, int code, SmtpStage stage)
    {
        var result = await AtStepAsync(step, answers, async server => await server.SayAsync(step == 2 ? "250 ok\r\n" : "354 go\r\n"));
        Assert.Equal((code, new EnhancedStatus(4, 5, 0), stage), (result.Recipients[0].Reply.Code, result.Recipients[0].Reply.Status, result.Recipients[0].Stage));
        Assert.False(result.ConnectionUsable);
    }

    /// <summary>Without pipelining, so that each step waits: answers the first steps, then does what the test wants.</summary>
    private static async Task<SmtpTransactionResult> AtStepAsync(int step, string[] answers, Func<ScriptedServer, Task> act)
    {
        await using var server = new ScriptedServer();
        await server.OpenAsync("250 mx\r\n");
        var sending = server.Session.SendAsync(ScriptedServer.Message("a\r\n"), default).AsTask();
        string[] commands = [Mail, Rcpt, "DATA\r\n", "a\r\n.\r\n"];
        for (var i = 0; i <= step; i++)
        {
            await server.ExpectAsync(commands[i]);
            if (i < step)
                await server.SayAsync(answers[i]);
        }

        await act(server);
        return await sending.WaitAsync(Dialogue.Patience);
    }

    [Fact]
    public async Task After_a_refused_transaction_RSET_goes_first_and_the_connection_lives()
    {
        await using var server = new ScriptedServer();
        await server.OpenAsync("250-mx\r\n250 PIPELINING\r\n");
        var refused = await server.PlayAsync(
            server.Session.SendAsync(ScriptedServer.Message("a\r\n"), default),
            (Mail + Rcpt + "DATA\r\n", "250 ok\r\n550 no\r\n554 no valid recipients\r\n"));
        Assert.Equal((550, true), (refused.Recipients[0].Reply.Code, refused.ConnectionUsable));
        var sent = await server.PlayAsync(
            server.Session.SendAsync(ScriptedServer.Message("a\r\n"), default),
            ("RSET\r\n", "250 ok\r\n"), (Mail + Rcpt + "DATA\r\n", "250 ok\r\n250 ok\r\n354 go\r\n"), ("a\r\n.\r\n", "250 done\r\n"));
        Assert.Equal(250, sent.Recipients[0].Reply.Code);
        var again = await server.PlayAsync(
            server.Session.SendAsync(ScriptedServer.Message("a\r\n"), default),
            (Mail + Rcpt + "DATA\r\n", "250 ok\r\n250 ok\r\n354 go\r\n"), ("a\r\n.\r\n", "250 done\r\n"));
        Assert.Equal(250, again.Recipients[0].Reply.Code);
    }

    [Fact]
    public async Task A_refused_MAIL_is_the_reply_for_all_and_needs_no_RSET()
    {
        await using var server = new ScriptedServer();
        await server.OpenAsync("250-mx\r\n250 PIPELINING\r\n");
        var result = await server.PlayAsync(
            server.Session.SendAsync(ScriptedServer.Message("a\r\n", "ann@example.net", "bob@example.net"), default),
            (Mail + Rcpt + "RCPT TO:<bob@example.net>\r\nDATA\r\n", "550 5.7.1 no\r\n503 mail first\r\n503 mail first\r\n503 rcpt first\r\n"));
        Assert.All(result.Recipients, each => Assert.Equal(("550 5.7.1 no", SmtpStage.AfterMail), (each.Reply.ToString(), each.Stage)));
        var next = server.Session.SendAsync(ScriptedServer.Message("a\r\n"), default).AsTask();
        await server.ExpectAsync(Mail);
        await server.CloseAsync();
        await next;
    }

    [Fact]
    public async Task Content_for_nobody_is_ended_at_once()
    {
        await using var server = new ScriptedServer();
        await server.OpenAsync("250-mx\r\n250 PIPELINING\r\n");
        var result = await server.PlayAsync(
            server.Session.SendAsync(ScriptedServer.Message("a\r\n"), default),
            (Mail + Rcpt + "DATA\r\n", "250 ok\r\n550 no\r\n354 go\r\n"), (".\r\n", "554 nothing\r\n"));
        Assert.Equal(550, result.Recipients[0].Reply.Code);
    }

    [Fact]
    public async Task A_message_larger_than_the_peer_takes_is_not_sent()
    {
        await using var server = new ScriptedServer();
        await server.OpenAsync("250-mx\r\n250 SIZE 3\r\n");
        var result = await server.Session.SendAsync(ScriptedServer.Message("abcd\r\n"), default);
        Assert.Equal((InternalReplies.TooLargeForPeer, 0L, true), (result.Recipients[0].Reply, result.BytesSent, result.ConnectionUsable));
    }

    [Fact]
    public async Task An_address_that_could_end_the_command_never_reaches_the_wire()
    {
        await using var server = new ScriptedServer();
        await server.OpenAsync("250-mx\r\n250 PIPELINING\r\n");
        var result = await server.PlayAsync(
            server.Session.SendAsync(ScriptedServer.Message("a\r\n", "x>\r\nRCPT TO:<evil@example.net", "ann@example.net"), default),
            (Mail + Rcpt + "DATA\r\n", "250 ok\r\n250 ok\r\n354 go\r\n"), ("a\r\n.\r\n", "250 done\r\n"));
        Assert.Equal([553, 250], result.Recipients.Select(each => each.Reply.Code));
    }

    [Fact]
    public async Task LMTP_answers_for_each_accepted_recipient()
    {
        await using var server = new ScriptedServer(new() { Dialect = SmtpDialect.Lmtp });
        await server.PlayAsync(
            server.Session.OpenAsync("out.example.com", default), ("", "220 mx LMTP\r\n"), ("LHLO out.example.com\r\n", "250-mx\r\n250 PIPELINING\r\n"));
        var result = await server.PlayAsync(
            server.Session.SendAsync(ScriptedServer.Message("a\r\n", "ann@example.net", "bob@example.net", "eve@example.net"), default),
            (Mail + Rcpt + "RCPT TO:<bob@example.net>\r\nRCPT TO:<eve@example.net>\r\nDATA\r\n", "250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n"),
            ("a\r\n.\r\n", "250 2.0.0 ann\r\n452 4.2.2 full\r\n"));
        Assert.Equal(["250 2.0.0 ann", "550 no", "452 4.2.2 full"], result.Recipients.Select(each => each.Reply.ToString()));
    }

    [Fact]
    public async Task A_5xx_to_EHLO_means_HELO()
    {
        await using var server = new ScriptedServer();
        var outcome = await server.PlayAsync(
            server.Session.OpenAsync("out.example.com", default),
            ("", "220 mx\r\n"), ("EHLO out.example.com\r\n", "502 what\r\n"), ("HELO out.example.com\r\n", "250 PIPELINING\r\n"));
        Assert.Equal((250, SmtpCapabilities.None), (outcome.Reply.Code, server.Session.Capabilities));
    }

    [Fact]
    public async Task A_large_message_streams_and_arrives_as_it_was()
    {
        var text = string.Concat(Enumerable.Range(0, 9000).Select(i => $".line {i} {new string('y', i % 90)}\r\n"));
        foreach (var chunking in (bool[])[false, true])
        {
            await using var server = new ScriptedServer();
            await server.OpenAsync("250-mx\r\n250-PIPELINING\r\n250 8BITMIME\r\n" .Replace("8BITMIME", chunking ? "CHUNKING" : "8BITMIME", StringComparison.Ordinal));
            var sending = server.Session.SendAsync(
                new(new("news@example.com"), [new(new("ann@example.net"))], new Pieces(Encoding.Latin1.GetBytes(text))), default).AsTask();
            await server.ExpectAsync(Mail + Rcpt + (chunking ? "" : "DATA\r\n"));
            await server.SayAsync("250 ok\r\n250 ok\r\n" + (chunking ? "" : "354 go\r\n"));
            await server.ExpectAsync(chunking ? $"BDAT {text.Length} LAST\r\n" : "");
            var wire = chunking ? text : "." + text.Replace("\r\n.", "\r\n..", StringComparison.Ordinal) + ".\r\n";
            var got = new StringBuilder();
            while (got.Length < wire.Length)
            {
                var read = await server.Input.ReadAsync().AsTask().WaitAsync(Dialogue.Patience);
                got.Append(Encoding.Latin1.GetString(read.Buffer));
                server.Input.AdvanceTo(read.Buffer.End);
            }

            await server.SayAsync("250 done\r\n");
            Assert.Equal(250, (await sending).Recipients[0].Reply.Code);
            Assert.Equal(wire, got.ToString());
        }
    }

    /// <summary>A content that can only be read, in odd portions.</summary>
    private sealed class Pieces(byte[] octets) : MessageContent
    {
        public override long Length => octets.Length;

        public override ValueTask<int> ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken)
        {
            var length = (int)Math.Min(Math.Min(destination.Length, 7001), octets.Length - offset);
            octets.AsSpan((int)offset, length).CopyTo(destination.Span);
            return ValueTask.FromResult(length);
        }
    }

    private sealed class Unreadable : MessageContent
    {
        public override long Length => 100;

        public override ValueTask<int> ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken) =>
            throw new IOException("the disk is gone");
    }

    [Fact]
    public async Task Content_that_cannot_be_read_ends_the_connection_and_not_the_message()
    {
        await using var server = new ScriptedServer();
        await server.OpenAsync("250-mx\r\n250 PIPELINING\r\n");
        var result = await server.PlayAsync(
            server.Session.SendAsync(new(new("news@example.com"), [new(new("ann@example.net"))], new Unreadable()), default),
            (Mail + Rcpt + "DATA\r\n", "250 ok\r\n250 ok\r\n354 go\r\n"));
        Assert.Equal((InternalReplies.ContentUnreadable, false), (result.Recipients[0].Reply, result.ConnectionUsable));
    }

    [Fact]
    public async Task QUIT_waits_five_seconds_at_most()
    {
        await using var server = new ScriptedServer();
        await server.OpenAsync();
        var quitting = server.Session.QuitAsync(default).AsTask();
        await server.ExpectAsync("QUIT\r\n");
        server.Time.Advance(TimeSpan.FromSeconds(7));
        await quitting.WaitAsync(Dialogue.Patience);
        Assert.False(server.Session.IsUsable);
    }

    [Fact]
    public async Task A_cancelled_call_throws_and_leaves_the_session_unusable()
    {
        await using var server = new ScriptedServer();
        await server.OpenAsync();
        using var cancel = new CancellationTokenSource();
        var sending = server.Session.SendAsync(ScriptedServer.Message("a\r\n"), cancel.Token).AsTask();
        await server.ExpectAsync("MAIL");
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending.WaitAsync(Dialogue.Patience));
        Assert.False(server.Session.IsUsable);
    }

    [Fact]
    public void A_reply_reads_the_same_wherever_it_is_cut_and_random_octets_never_throw()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("VEREDUS_SEED"), out var given) ? given : Environment.TickCount;
        var random = new Random(seed);
        string[] pieces = ["250", "-", " ", "\r\n", "\n", "\r", "2.0.0 ", "ok", "5.1.1", "550 ", "250-a\r\n", "250 done\r\n", "\0", "\xff", new string('z', 5000)];
        var until = Environment.TickCount64 + 1000;
        for (var round = 0; Environment.TickCount64 < until; round++)
        {
            var octets = Encoding.Latin1.GetBytes(string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => pieces[random.Next(pieces.Length)])));
            var whole = default(ReplyParser);
            var expected = (whole.Read(octets, out var length, out var code), length, code);
            var cut = default(ReplyParser);
            var got = (ReplyRead.NeedMore, 0, 0);
            for (var end = 0; end <= octets.Length && got.Item1 == ReplyRead.NeedMore; end += random.Next(1, 4))
                got = (cut.Read(octets.AsSpan(0, end), out length, out code), length, code);
            if (got.Item1 == ReplyRead.NeedMore)
                got = (cut.Read(octets, out length, out code), length, code);
            Assert.True(expected == got, $"VEREDUS_SEED={seed} round {round}: {expected} {got}");
            if (got.Item1 == ReplyRead.Complete)
                Assert.Equal(code, ReplyParser.ToReply(octets.AsSpan(0, length), code).Code);
        }
    }
}
