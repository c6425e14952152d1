namespace Veredus.Smtp.Tests.Client;

public class SmtpClientSessionTests
{
    private const string Body = "Subject: x\r\n\r\n.dot\r\n..\r\nend\r\n";

    [Fact]
    public async Task With_pipelining_a_message_is_two_writes()
    {
        await using var server = new ScriptedServer();
        Assert.Equal(250, (await server.OpenAsync()).Reply.Code);
        Assert.Equal(10_000_000, server.Session.MaxSize);
        var result = await server.PlayAsync(
            server.Session.SendAsync(ScriptedServer.Message(Body, "ann@example.net", "bob@example.net"), default),
            ("MAIL FROM:<news@example.com> SIZE=29\r\nRCPT TO:<ann@example.net>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n",
                "250 2.1.0 ok\r\n250 2.1.5 ok\r\n550 5.1.1 no such user\r\n354 go\r\n"),
            ("Subject: x\r\n\r\n..dot\r\n...\r\nend\r\n.\r\n", "250-2.0.0 queued\r\n250 2.0.0 as 17\r\n"));
        Assert.True(result.ConnectionUsable);
        Assert.Equal("250 2.0.0 queued as 17", result.Recipients[0].Reply.ToString());
        Assert.Equal(SmtpStage.ReadingConfirmation, result.Recipients[0].Stage);
        Assert.Equal("550 5.1.1 no such user", result.Recipients[1].Reply.ToString());
        Assert.Equal(SmtpStage.AfterRcpt, result.Recipients[1].Stage);
        Assert.Equal((1, 2, 132L), (server.Session.Deliveries, server.Session.RecipientsSent, result.BytesSent));
    }

    [Fact]
    public async Task With_pipelining_and_chunking_a_small_message_is_one_write()
    {
        await using var server = new ScriptedServer();
        await server.OpenAsync(ScriptedServer.EhloChunking);
        var result = await server.PlayAsync(
            server.Session.SendAsync(ScriptedServer.Message(Body), default),
            ($"MAIL FROM:<news@example.com>\r\nRCPT TO:<ann@example.net>\r\nBDAT {Body.Length} LAST\r\n{Body}", "250 ok\r\n250 ok\r\n250 done\r\n"));
        Assert.Equal("250 done", result.Recipients[0].Reply.ToString());
    }

    [Fact]
    public async Task Without_pipelining_every_command_waits_for_its_reply()
    {
        await using var server = new ScriptedServer();
        await server.OpenAsync("250 mx\r\n");
        var result = await server.PlayAsync(
            server.Session.SendAsync(ScriptedServer.Message("a\r\n", "ann@example.net", "bob@example.net"), default),
            ("MAIL FROM:<news@example.com>\r\n", "250 ok\r\n"),
            ("RCPT TO:<ann@example.net>\r\n", "450 4.2.1 busy\r\n"),
            ("RCPT TO:<bob@example.net>\r\n", "250 ok\r\n"),
            ("DATA\r\n", "354 go\r\n"),
            ("a\r\n.\r\n", "250 done\r\n"));
        Assert.Equal([450, 250], result.Recipients.Select(each => each.Reply.Code));
    }
}
