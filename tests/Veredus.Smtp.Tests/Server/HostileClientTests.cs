using System.Text;

namespace Veredus.Smtp.Tests.Server;

public class HostileClientTests
{
    private const string Envelope = "EHLO c\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n";

    [Theory]
    [InlineData("NOOP\n")]
    [InlineData("NOOP\rx\r\n")]
    [InlineData("NO\0OP\r\n")]
    [InlineData("\n")]
    public async Task Bare_line_ends_and_NUL_have_no_place_in_a_command(string command)
    {
        var (output, _, handler) = await Dialogue.PlayAsync(command + "NOOP\r\n");
        Assert.Equal("500 5.5.2 A command is one line of text ended by CRLF\r\n250 2.0.0 OK\r\n", output);
        Assert.Empty(handler.Refusals);
    }

    [Theory]
    [InlineData(510, "250 2.0.0")]
    [InlineData(511, "500 5.5.2")]
    public async Task A_command_line_has_512_octets_at_most(int length, string reply)
    {
        var (output, _, _) = await Dialogue.PlayAsync("NOOP " + new string('x', length - 5) + "\r\nQUIT\r\n");
        Assert.StartsWith(reply, output, StringComparison.Ordinal);
        Assert.EndsWith("221 2.0.0 Bye\r\n", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MAIL_may_have_1024_octets_for_its_parameters()
    {
        var mail = "MAIL FROM:<a@example.com> ";
        var (output, _, _) = await Dialogue.PlayAsync(mail + new string('X', 1022 - mail.Length) + "\r\n" + mail + new string('X', 1023 - mail.Length) + "\r\n");
        Assert.Equal("555 5.5.4 Unknown parameter\r\n500 5.5.2 Line too long\r\n", output);
    }

    [Fact]
    public async Task A_line_without_end_is_dropped_and_then_the_session()
    {
        using var dialogue = new Dialogue().Start();
        await dialogue.ReadReplyAsync();
        var sending = SendForEverAsync();
        Assert.Equal("500 5.5.2 Line too long\r\n", await dialogue.ReadReplyAsync());
        Assert.Equal(SmtpSessionEnd.Refused, await dialogue.EndAsync());
        await sending;

        async Task SendForEverAsync()
        {
            var portion = new byte[4096];
            portion.AsSpan().Fill((byte)'x');
            while (!(await dialogue.Client.Output.WriteAsync(portion)).IsCompleted)
            {
            }
        }
    }

    [Fact]
    public async Task The_twentieth_bad_command_ends_the_session()
    {
        var (output, end, handler) = await Dialogue.PlayAsync(string.Concat(Enumerable.Repeat("GET / HTTP/1.1\r\nRCPT TO:<x@y>\r\n", 15)));
        var lines = output.Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(20, lines.Length);
        Assert.Equal("421 4.7.0 Too many errors, closing", lines[^1]);
        Assert.Equal(SmtpSessionEnd.Refused, end);
        Assert.Single(handler.Refusals);
    }

    [Fact]
    public async Task Ten_thousand_recipients_are_answered_within_bounded_buffers()
    {
        using var dialogue = new Dialogue(options: Dialogue.Options with { MaxRecipientsPerMessage = 1000 }, threshold: 16 * 1024).Start();
        await dialogue.ReadReplyAsync();
        var sending = dialogue.SendAsync(Envelope + string.Concat(Enumerable.Repeat("RCPT TO:<b@example.net>\r\n", 9_999)) + "QUIT\r\n");
        var output = new StringBuilder();
        string reply;
        while ((reply = await dialogue.ReadReplyAsync()).Length > 0)
            output.Append(reply);
        await sending;
        Assert.Equal(SmtpSessionEnd.Quit, await dialogue.EndAsync());
        Assert.Equal(1001, output.ToString().Split("\r\n").Count(line => line.StartsWith("250 2.1", StringComparison.Ordinal)));
        Assert.Equal(9_000, output.ToString().Split("452 4.5.3").Length - 1);
    }

    [Fact]
    public async Task Content_sent_before_the_go_ahead_of_a_refused_DATA_is_not_run_as_commands()
    {
        var handler = new FakeHandler { OnData = SmtpReplies.NoSpace };
        var (output, end, _) = await Dialogue.PlayAsync(Envelope + "DATA\r\nMAIL FROM:<evil@example.com>\r\n.\r\n", handler);
        Assert.EndsWith("452 4.3.1 Not enough storage, try again later\r\n421 4.7.0 Content sent before the go-ahead of a refused DATA, closing\r\n", output, StringComparison.Ordinal);
        Assert.Equal(SmtpSessionEnd.Refused, end);
        Assert.DoesNotContain("MAIL evil@example.com", handler.Events);
        Assert.Equal("ABORT", handler.Events[^1]);
    }

    [Fact]
    public async Task Commands_hidden_behind_a_lax_end_of_data_stay_content()
    {
        var handler = new FakeHandler { OnEnd = result => (result.Facts & DataFacts.LoneDot) != 0 ? SmtpReplies.LoneDot : SmtpReplies.Ok };
        var (output, _, _) = await Dialogue.PlayAsync(Envelope + "DATA\r\nx\n.\r\nMAIL FROM:<evil@example.com>\r\n.\r\nNOOP\r\n", handler);
        Assert.EndsWith("550 5.6.0 a line with a single dot is not ended by CRLF\r\n250 2.0.0 OK\r\n", output, StringComparison.Ordinal);
        Assert.Equal(["x\n.\r\nMAIL FROM:<evil@example.com>\r\n"], handler.Messages);
    }

    [Theory]
    [InlineData("DATA\r\n{0}\r\n.\r\n")]
    [InlineData("BDAT 3000\r\n{0}BDAT 4 LAST\r\nmore")]
    public async Task An_oversize_message_is_read_and_dropped(string content)
    {
        var (output, _, handler) = await Dialogue.PlayAsync(
            Envelope + string.Format(null, content, new string('x', 3000)) + "NOOP\r\n", options: Dialogue.Options with { MaxMessageSize = 1000 });
        Assert.Contains("552 5.3.4 message size limit exceeded\r\n", output, StringComparison.Ordinal);
        Assert.EndsWith("250 2.0.0 OK\r\n", output, StringComparison.Ordinal);
        Assert.Equal("ABORT", handler.Events[^1]);
        Assert.Empty(handler.Messages);
    }

    [Fact]
    public async Task A_message_of_100_MB_streams_through_a_pipe_of_64_KiB()
    {
        var handler = new FakeHandler { KeepContent = false };
        using var dialogue = new Dialogue(handler).Start();
        await dialogue.ReadReplyAsync();
        foreach (var line in (string[])["EHLO c", "MAIL FROM:<>", "RCPT TO:<b@example.net>", "DATA"])
            await dialogue.AskAsync(line);
        var portion = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(new string('x', 78) + "\r\n", 800)));
        for (var sent = 0; sent < 100_000_000; sent += portion.Length)
            await dialogue.SendAsync(portion);
        Assert.Equal("250 2.0.0 OK id=1\r\n", await dialogue.AskAsync("."));
        Assert.Equal(100_032_000, handler.ContentOctets);
        Assert.Equal(78, handler.Results[0].LongestLine);
    }

    [Fact]
    public async Task A_sink_that_has_enough_gets_no_more_and_the_handler_says_why()
    {
        var handler = new FakeHandler { OnFlush = () => ValueTask.FromResult(false), OnEnd = _ => SmtpReplies.NoSpace };
        using var dialogue = new Dialogue(handler).Start();
        await dialogue.ReadReplyAsync();
        foreach (var line in (string[])["EHLO c", "MAIL FROM:<>", "RCPT TO:<b@example.net>", "DATA"])
            await dialogue.AskAsync(line);
        await dialogue.SendAsync(new string('x', 500) + "\r\n");
        await dialogue.SendAsync(new byte[60_000]);
        await dialogue.SendAsync(new byte[60_000]);
        Assert.StartsWith("452 4.3.1", await dialogue.AskAsync("\r\n."), StringComparison.Ordinal);
        Assert.InRange(handler.ContentOctets, 0, 60_502);
    }

    [Fact]
    public async Task A_connection_lost_in_DATA_aborts_the_transaction()
    {
        var (_, end, handler) = await Dialogue.PlayAsync(Envelope + "DATA\r\nhalf a mess");
        Assert.Equal(SmtpSessionEnd.Disconnected, end);
        Assert.Equal("ABORT", handler.Events[^1]);
        Assert.Empty(handler.Messages);
    }

    [Fact]
    public async Task A_silent_client_is_told_and_left_after_the_idle_time()
    {
        using var dialogue = new Dialogue().Start();
        await dialogue.ReadReplyAsync();
        await dialogue.AskAsync("NOOP");
        dialogue.Time.Advance(TimeSpan.FromSeconds(299));
        Assert.False(dialogue.Run.IsCompleted);
        Assert.Equal("250 2.0.0 OK\r\n", await dialogue.AskAsync("NOOP"));
        dialogue.Time.Advance(TimeSpan.FromSeconds(302));
        Assert.Equal("421 4.4.2 Idle for too long, closing\r\n", await dialogue.ReadReplyAsync());
        Assert.Equal(SmtpSessionEnd.Idle, await dialogue.EndAsync());
        Assert.Equal(0, dialogue.Sessions.Count);
    }

    [Fact]
    public async Task A_command_sent_octet_by_octet_gets_no_more_time_than_another()
    {
        using var dialogue = new Dialogue().Start();
        await dialogue.ReadReplyAsync();
        await dialogue.AskAsync("NOOP");
        foreach (var octet in "NO")
        {
            await dialogue.SendAsync(octet.ToString());
            dialogue.Time.Advance(TimeSpan.FromSeconds(151));
        }

        Assert.StartsWith("421 4.4.2", await dialogue.ReadReplyAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_stops_in_DATA_is_left_after_the_idle_time()
    {
        using var dialogue = new Dialogue().Start();
        await dialogue.ReadReplyAsync();
        foreach (var line in (string[])["EHLO c", "MAIL FROM:<>", "RCPT TO:<b@example.net>", "DATA"])
            await dialogue.AskAsync(line);
        dialogue.Time.Advance(TimeSpan.FromSeconds(302));
        Assert.StartsWith("421 4.4.2", await dialogue.ReadReplyAsync(), StringComparison.Ordinal);
        Assert.Equal(SmtpSessionEnd.Idle, await dialogue.EndAsync());
        Assert.Equal("ABORT", dialogue.Handler.Events[^1]);
    }

    [Fact]
    public async Task A_client_that_does_not_read_is_given_up()
    {
        using var dialogue = new Dialogue(threshold: 4096).Start();
        var noops = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("NOOP\r\n", 200)));
        // The pipe to the client fills; the session waits in a flush, and then the pipe to the session fills as well.
        Task writing;
        do
            writing = dialogue.Client.Output.WriteAsync(noops).AsTask();
        while (writing.IsCompleted);

        while (!dialogue.Run.IsCompleted)
        {
            dialogue.Time.Advance(TimeSpan.FromSeconds(302));
            await Task.Yield();
        }

        Assert.Equal(SmtpSessionEnd.Stalled, await dialogue.EndAsync());
    }

    [Fact]
    public async Task Early_talk_is_noticed_and_not_lost()
    {
        using var dialogue = new Dialogue();
        await dialogue.SendAsync("NOOP\r\n");
        dialogue.Start();
        Assert.StartsWith("220 ", await dialogue.ReadReplyAsync(), StringComparison.Ordinal);
        Assert.Equal("250 2.0.0 OK\r\n", await dialogue.ReadReplyAsync());
        Assert.True(dialogue.Session.EarlyTalker);
    }

    [Fact]
    public async Task A_polite_client_is_no_early_talker()
    {
        using var dialogue = new Dialogue().Start();
        await dialogue.ReadReplyAsync();
        await dialogue.AskAsync("NOOP");
        Assert.False(dialogue.Session.EarlyTalker);
    }

    [Fact]
    public async Task A_handler_that_fails_ends_its_session_only()
    {
        var handler = new FakeHandler { OnMail = _ => throw new FormatException("a bug") };
        var (output, end, _) = await Dialogue.PlayAsync("HELO c\r\nMAIL FROM:<>\r\n", handler);
        Assert.EndsWith("421 4.3.0 Local error, closing\r\n", output, StringComparison.Ordinal);
        Assert.Equal(SmtpSessionEnd.HandlerFailed, end);
    }

    [Fact]
    public async Task An_abort_ends_the_session_at_once()
    {
        using var abort = new CancellationTokenSource();
        using var dialogue = new Dialogue().Start(abort.Token);
        await dialogue.ReadReplyAsync();
        await abort.CancelAsync();
        Assert.Equal(SmtpSessionEnd.Disconnected, await dialogue.EndAsync());
    }

    [Fact]
    public async Task Random_input_never_breaks_a_session()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("VEREDUS_SEED"), out var given) ? given : Environment.TickCount;
        var random = new Random(seed);
        string[] pieces = ["EHLO c\r\n", "MAIL FROM:<a@b>\r\n", "RCPT TO:<a@b>\r\n", "DATA\r\n", ".\r\n", "BDAT 3\r\n", "BDAT 9 LAST\r\n", "RSET\r\n", "\r", "\n", "\0", "<", "x", " ", "AUTH PLAIN AA==\r\n", "AUTH LOGIN\r\n", "*\r\n", "é", new string('y', 700), "NOTIFY=NEVER", "MAIL FROM:", "\r\n.\r\n"];
        var until = Environment.TickCount64 + 1500;
        for (var round = 0; Environment.TickCount64 < until; round++)
        {
            var input = string.Concat(Enumerable.Range(0, random.Next(40)).Select(_ => pieces[random.Next(pieces.Length)]));
            var octets = Encoding.Latin1.GetBytes(input);
            var cut = random.Next(octets.Length + 1);
            var options = Dialogue.Options with { AuthMechanisms = AuthMechanisms.Plain | AuthMechanisms.Login, AllowPlaintextAuth = true };
            var (output, end, handler) = await Dialogue.PlayAsync([octets.AsMemory(0, cut), octets.AsMemory(cut)], options: options);
            Assert.True(end is SmtpSessionEnd.Disconnected or SmtpSessionEnd.Refused, $"VEREDUS_SEED={seed} round {round}: {end} {input}");
            Assert.All(
                output.Split("\r\n")[..^1],
                line => Assert.True(line.Length > 3 && char.IsAsciiDigit(line[0]), $"VEREDUS_SEED={seed} round {round}: '{line}'"));
            Assert.Equal(handler.Events.Count(e => e == "END"), handler.Messages.Count);
        }
    }
}
