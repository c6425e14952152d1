using System.Text;

namespace Veredus.Smtp.Tests.Server;

public class SmtpServerSessionTests
{
    private const string Transaction =
        "EHLO client.example.net\r\nMAIL FROM:<news@example.com> SIZE=100 BODY=8BITMIME\r\nRCPT TO:<ann@example.net> NOTIFY=FAILURE,DELAY\r\n"
        + "RCPT TO:<bob@example.net>\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\nbody\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.net>\r\n"
        + "BDAT 6\r\na\r\nb\r\nBDAT 3 LAST\r\nc\r\nNOOP\r\nQUIT\r\n";

    [Fact]
    public async Task A_whole_dialogue_is_answered_as_the_RFCs_say()
    {
        var (output, end, handler) = await Dialogue.PlayAsync(Transaction);
        Assert.Equal(SmtpSessionEnd.Quit, end);
        Assert.Equal(
            """
            250-mx.example.org says EHLO to 192.0.2.7
            250-PIPELINING
            250-8BITMIME
            250-SIZE
            250-DSN
            250-CHUNKING
            250-SMTPUTF8
            250 ENHANCEDSTATUSCODES
            250 2.1.0 OK
            250 2.1.5 OK
            250 2.1.5 OK
            354 Send the message, end with <CRLF>.<CRLF>
            250 2.0.0 OK id=1
            250 2.1.0 OK
            250 2.1.5 OK
            250 2.0.0 6 octets received
            250 2.0.0 OK id=1
            250 2.0.0 OK
            221 2.0.0 Bye

            """.ReplaceLineEndings("\r\n"),
            output);
        Assert.Equal(["Subject: x\r\n\r\n.dot\r\nbody\r\n", "a\r\nb\r\nc\r\n"], handler.Messages);
        Assert.Equal(
            "Ehlo client.example.net|MAIL news@example.com|RCPT ann@example.net|RCPT bob@example.net|DATA|END|MAIL |RCPT ann@example.net|DATA|END",
            string.Join('|', handler.Events));
    }

    [Fact]
    public async Task A_dialogue_goes_the_same_wherever_the_network_cuts_it()
    {
        var octets = Encoding.UTF8.GetBytes(Transaction);
        var whole = await Dialogue.PlayAsync([octets]);
        for (var cut = 1; cut < octets.Length; cut++)
        {
            var parts = await Dialogue.PlayAsync([octets.AsMemory(0, cut), octets.AsMemory(cut)]);
            Assert.True(whole.Output == parts.Output, $"cut at {cut}: {parts.Output}");
            Assert.Equal(whole.Handler.Messages, parts.Handler.Messages);
            Assert.Equal(whole.Handler.Results, parts.Handler.Results);
        }

        var single = await Dialogue.PlayAsync(octets.Select((_, i) => (ReadOnlyMemory<byte>)octets.AsMemory(i, 1)));
        Assert.Equal(whole.Output, single.Output);
        Assert.Equal(whole.Handler.Messages, single.Handler.Messages);
    }

    [Fact]
    public async Task The_greeting_names_host_product_and_date()
    {
        using var dialogue = new Dialogue().Start();
        Assert.Equal("220 mx.example.org ESMTP Veredus Mon, 21 Sep 2026 14:13:20 +0000\r\n", await dialogue.ReadReplyAsync());
    }
}
