namespace Veredus.Smtp.Tests.Server;

/// <summary>Commands and the replies of mta.md 2.8.</summary>
public class ReplyTableTests
{
    private const string Hello = "EHLO c.example\r\n";
    private const string Mail = Hello + "MAIL FROM:<a@example.com>\r\n";
    private const string Rcpt = Mail + "RCPT TO:<b@example.net>\r\n";

    [Theory]
    [InlineData("", "NOOP", "250 2.0.0")]
    [InlineData("", "noop ignored", "250 2.0.0")]
    [InlineData("", "RSET", "250 2.0.0")]
    [InlineData("", "QUIT", "221 2.0.0")]
    [InlineData("", "VRFY ann", "252 2.5.0")]
    [InlineData("", "EXPN list", "502 5.5.1")]
    [InlineData("", "LHLO c.example", "502 5.5.1")]
    [InlineData("", "HELO c.example", "250 mx")]
    [InlineData("", "HELO", "501 5.5.2")]
    [InlineData("", "EHLO two words", "501 5.5.2")]
    [InlineData("", "EHLO a\x7F", "501 5.5.2")]
    [InlineData("", "EHLO [192.0.2.1]", "250-mx")]
    [InlineData("", "HELP", "214-2.0.0")]
    [InlineData("", "HELLO", "500 5.5.2")]
    [InlineData("", "", "500 5.5.2")]
    [InlineData("", "XCLIENT ADDR=192.0.2.1", "500 5.5.2")]
    [InlineData("", "RSET now", "501 5.5.4")]
    [InlineData("", "QUIT now", "501 5.5.4")]
    [InlineData("", "STARTTLS", "454 4.7.0")]
    [InlineData("", "AUTH PLAIN", "503 5.5.1")]
    [InlineData(Hello, "AUTH PLAIN", "504 5.5.4")]
    [InlineData("", "RCPT TO:<b@example.net>", "503 5.5.1")]
    [InlineData("", "DATA", "503 5.5.1")]
    [InlineData("", "MAIL FROM:<a@example.com>", "250 2.1.0")]
    [InlineData(Hello, "MAIL FROM:<>", "250 2.1.0")]
    [InlineData(Hello, "mail from:<a@example.com> body=8bitmime size=10 ret=hdrs envid=q+2B smtputf8", "250 2.1.0")]
    [InlineData(Hello, "MAIL FROM: <a@example.com>", "501 5.5.2")]
    [InlineData(Hello, "MAIL FROM:a@example.com", "501 5.5.2")]
    [InlineData(Hello, "MAIL FROM:<a@example.com>x", "501 5.5.2")]
    [InlineData(Hello, "MAIL TO:<a@example.com>", "501 5.5.2")]
    [InlineData(Hello, "MAIL FROM:<a@example.com> ", "501 5.5.2")]
    [InlineData(Hello, "MAIL FROM:<a@example.com> SIZE", "501 5.5.4")]
    [InlineData(Hello, "MAIL FROM:<a@example.com> SIZE=1 SIZE=2", "501 5.5.4")]
    [InlineData(Hello, "MAIL FROM:<a@example.com> SIZE=99999999999999999999", "552 5.3.4")]
    [InlineData(Hello, "MAIL FROM:<a@example.com> SIZE=1001", "552 5.3.4")]
    [InlineData(Hello, "MAIL FROM:<a@example.com> BODY=BINARYMIME", "501 5.5.4")]
    [InlineData(Hello, "MAIL FROM:<a@example.com> RET=SOME", "501 5.5.4")]
    [InlineData(Hello, "MAIL FROM:<a@example.com> ENVID=a+b", "501 5.5.4")]
    [InlineData(Hello, "MAIL FROM:<a@example.com> MT-PRIORITY=3", "555 5.5.4")]
    [InlineData(Hello, "MAIL FROM:<a@example.com> AUTH=<>", "555 5.5.4")]
    [InlineData(Hello, "MAIL FROM:<jörg@example.com>", "553 5.6.7")]
    [InlineData(Hello, "MAIL FROM:<jörg@example.com> SMTPUTF8", "250 2.1.0")]
    [InlineData(Mail, "MAIL FROM:<a@example.com>", "503 5.5.1")]
    [InlineData(Mail, "DATA", "503 5.5.1")]
    [InlineData(Mail, "STARTTLS", "503 5.5.1")]
    [InlineData(Mail, "RCPT TO:<b@example.net> NOTIFY=NEVER ORCPT=rfc822;b+2Bc@example.net", "250 2.1.5")]
    [InlineData(Mail, "RCPT TO:<postmaster>", "250 2.1.5")]
    [InlineData(Mail, "RCPT TO:<b>", "501 5.5.2")]
    [InlineData(Mail, "RCPT TO:<>", "501 5.5.2")]
    [InlineData(Mail, "RCPT TO:<b@example.net> NOTIFY=NEVER,DELAY", "501 5.5.4")]
    [InlineData(Mail, "RCPT TO:<b@example.net> NOTIFY=", "501 5.5.2")]
    [InlineData(Mail, "RCPT TO:<b@example.net> ORCPT=b@example.net", "501 5.5.4")]
    [InlineData(Mail, "RCPT TO:<b@example.net> SIZE=1", "555 5.5.4")]
    [InlineData(Mail, "RCPT TO:<jörg@example.net>", "553 5.6.7")]
    [InlineData(Rcpt, "DATA now", "501 5.5.4")]
    [InlineData(Rcpt, "DATA", "354 ")]
    [InlineData(Rcpt, "AUTH PLAIN", "503 5.5.1")]
    [InlineData(Rcpt, "BDAT", "501 5.5.4")]
    [InlineData(Rcpt, "BDAT -1", "501 5.5.4")]
    [InlineData(Rcpt, "BDAT 5 FIRST", "501 5.5.4")]
    [InlineData(Rcpt, "BDAT 0 LAST", "250 2.0.0")]
    [InlineData(Rcpt + "BDAT 0\r\n", "DATA", "503 5.5.1")]
    [InlineData(Rcpt + "BDAT 0\r\n", "RCPT TO:<c@example.net>", "503 5.5.1")]
    [InlineData(Rcpt + "RSET\r\n", "DATA", "503 5.5.1")]
    public async Task A_command_gets_its_reply(string before, string command, string reply)
    {
        using var dialogue = new Dialogue(options: Dialogue.Options with { MaxMessageSize = 1000 }).Start();
        await dialogue.ReadReplyAsync();
        foreach (var line in before.Split("\r\n", StringSplitOptions.RemoveEmptyEntries))
            await dialogue.AskAsync(line);
        Assert.StartsWith(reply, await dialogue.AskAsync(command), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Parameters_reach_the_handler()
    {
        var (_, _, handler) = await Dialogue.PlayAsync(
            Hello + "MAIL FROM:<> SIZE=77 BODY=7BIT SMTPUTF8 RET=FULL ENVID=a+2Bb\r\nRCPT TO:<b@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c@d\r\n");
        Assert.Equal(
            new MailCommand(EnvelopeAddress.Null) { Size = 77, Body = BodyType.SevenBit, SmtpUtf8 = true, Return = DsnReturn.Full, EnvelopeId = "a+2Bb" },
            handler.LastMail);
        Assert.Equal(
            new RcptCommand(new("b@example.net")) { Notify = DsnNotify.Success | DsnNotify.Delay, OriginalRecipient = "rfc822;c@d" }, handler.LastRcpt);
    }

    [Fact]
    public async Task Options_refuse_with_their_replies()
    {
        var options = Dialogue.Options with { RequireEhlo = true, AllowNullSender = false, AllowIpLiteral = false, Extensions = SmtpExtensions.None };
        var (output, _, handler) = await Dialogue.PlayAsync(
            "MAIL FROM:<a@example.com>\r\nEHLO c\r\nMAIL FROM:<>\r\nMAIL FROM:<a@[192.0.2.1]>\r\nMAIL FROM:<a@example.com> SIZE=1\r\n", options: options);
        Assert.Equal(
            ["503 5.5.1", "250-mx.ex", "250 ENHAN", "550 5.7.1", "550 5.7.1", "555 5.5.4"],
            output.Split("\r\n", StringSplitOptions.RemoveEmptyEntries).Select(line => line[..9]));
        Assert.Equal(["sending mailfrom response: 550 core", "sending mailfrom response: 550 core"], handler.Refusals);
    }

    [Fact]
    public async Task Limits_on_recipients_and_receptions_are_kept()
    {
        var options = Dialogue.Options with { MaxRecipientsPerMessage = 2, MaxRecipientsPerConnection = 3, MaxReceptionsPerConnection = 1 };
        const string Three = "RCPT TO:<b@example.net>\r\nRCPT TO:<b@example.net>\r\nRCPT TO:<b@example.net>\r\n";
        var (output, end, handler) = await Dialogue.PlayAsync(
            "HELO c\r\nMAIL FROM:<>\r\n" + Three + "RSET\r\nMAIL FROM:<>\r\n" + Three + "DATA\r\nx\r\n.\r\nMAIL FROM:<>\r\nNOOP\r\n", options: options);
        Assert.Equal(
            "250 mx|250 2.1.0|250 2.1.5|250 2.1.5|452 4.5.3|250 2.0.0|250 2.1.0|250 2.1.5|452 4.5.3|452 4.5.3|354 Se|250 2.0.0|421 4.5.3",
            string.Join('|', output.Split("\r\n", StringSplitOptions.RemoveEmptyEntries).Select(line => line[..(line[4] == '2' || line[4] == '4' ? 9 : 6)])));
        Assert.Equal(SmtpSessionEnd.Refused, end);
        Assert.Contains("sending rcptto response: 452 limits", handler.Refusals);
    }

    [Fact]
    public async Task A_refusal_of_the_handler_is_sent_and_logged_with_its_state()
    {
        var handler = new FakeHandler
        {
            OnRcpt = rcpt => rcpt.Recipient.LocalPart is "b" ? SmtpReplies.RelayingDenied : null,
            OnEnd = _ => SmtpReplies.LocalError,
        };
        var (output, _, _) = await Dialogue.PlayAsync(
            "HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@x.example>\r\nDATA\r\nRSET\r\nMAIL FROM:<>\r\nRCPT TO:<c@x.example>\r\nBDAT 1 LAST\r\nx", handler);
        Assert.Contains("550 5.7.1 relaying denied\r\n554 5.5.0 no valid recipients\r\n421 4.7.0", output, StringComparison.Ordinal);
        Assert.Equal(["relaying denied: 550 relay", "data phase: 554 core", "data phase: 421 core"], handler.Refusals);
    }
}
