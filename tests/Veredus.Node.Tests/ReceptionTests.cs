using System.Text;
using Veredus.Node.Tests.Support;

namespace Veredus.Node.Tests;

public sealed class ReceptionTests
{
    [Fact]
    public async Task Relaying_is_denied_to_strangers_and_logged()
    {
        await using var node = await TestNode.StartAsync("", listener: "esmtp_listener { relay_hosts = ( 192.0.2.1 ) listen \"127.0.0.1:0\" { } }");
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO app", "250");
        await client.ExpectAsync("MAIL FROM:<a@example.com>", "250");

        await client.ExpectAsync("RCPT TO:<x@example.net>", "550 5.7.1 relaying denied");
        await client.ExpectAsync("RCPT TO:<postmaster>", "250");

        var line = Assert.Single(node.Log("rejectlog.ec"));
        Assert.Contains("P=\"relaying denied\" E=550 M=relay", line, StringComparison.Ordinal);
        Assert.Contains("rcptto_string=x@example.net", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_lone_dot_line_that_is_not_ended_by_crlf_is_refused_and_cannot_smuggle_a_message()
    {
        await using var node = await TestNode.StartAsync("");
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO app", "250");

        var reply = await client.SendMessageAsync("a@example.com", "x@example.net", "Subject: a\r\n\r\nHello\n.\nMAIL FROM:<evil@example.com>\r\nRCPT TO:<y@example.net>\r\n");

        Assert.StartsWith("550 5.6.0", reply, StringComparison.Ordinal);
        Assert.Equal(0, node.Node.Statistics.ReceivedMessages);
    }

    [Fact]
    public async Task A_message_above_the_limit_is_refused_and_the_session_goes_on()
    {
        await using var sink = new Sink();
        await using var node = await TestNode.StartAsync($"gateway = \"127.0.0.1\" remote_smtp_port = {sink.Port}", listener: "esmtp_listener { max_message_size = 1000 listen \"127.0.0.1:0\" { } }");
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO app", "250");

        Assert.StartsWith("552 5.3.4", await client.SendMessageAsync("a@example.com", "x@example.net", $"Subject: a\r\n\r\n{new string('x', 900)}\r\n{new string('x', 900)}\r\n"), StringComparison.Ordinal);
        await client.ExpectAsync("MAIL FROM:<a@example.com> SIZE=5000", "552 5.3.4");
        Assert.StartsWith("250", await client.SendMessageAsync("a@example.com", "x@example.net"), StringComparison.Ordinal);
        await sink.NextAsync();
    }

    [Fact]
    public async Task A_thousand_recipients_become_a_thousand_messages_with_one_body()
    {
        await using var sink = new Sink();
        await using var node = await TestNode.StartAsync($"gateway = \"127.0.0.1\" remote_smtp_port = {sink.Port}");
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO app", "250");
        await client.ExpectAsync("MAIL FROM:<a@example.com>", "250");
        var commands = new StringBuilder();
        for (var i = 0; i < 1000; i++)
            commands.Append($"RCPT TO:<x{i}@example.net>\r\n");
        await client.SendAsync(commands.ToString());
        for (var i = 0; i < 1000; i++)
            Assert.StartsWith("250", await client.ReplyAsync(), StringComparison.Ordinal);
        await client.ExpectAsync("DATA", "354");

        Assert.StartsWith("250", await client.SayAsync("Subject: a\r\n\r\nHello\r\n."), StringComparison.Ordinal);
        var recipients = new HashSet<string>();
        while (recipients.Count < 1000)
            recipients.UnionWith((await sink.NextAsync()).Recipients);

        Assert.Equal(1000, node.Node.Statistics.ReceivedMessages);
    }

    [Fact]
    public async Task Text_pipelined_behind_starttls_ends_the_session()
    {
        await using var node = await TestNode.StartAsync(
            "", listener: "esmtp_listener { smtp_extensions = ( STARTTLS ) tls_certificate = \"" + TestCertificate.File + "\" listen \"127.0.0.1:0\" { } }");
        using var client = await Client.ConnectAsync(node.Smtp);
        Assert.Contains("STARTTLS", await client.ExpectAsync("EHLO app", "250"), StringComparison.Ordinal);

        await client.SendAsync("STARTTLS\r\nMAIL FROM:<evil@example.com>\r\n");

        Assert.StartsWith("501", await client.ReplyAsync(), StringComparison.Ordinal);
        Assert.Equal("", await client.ReplyAsync());
    }

    [Fact]
    public async Task Users_of_a_file_may_relay_once_they_have_proved_themselves()
    {
        var users = Path.GetTempFileName();
        await File.WriteAllTextAsync(users, "ann:secret\n");
        try
        {
            await using var node = await TestNode.StartAsync("suspend_delivery = true", listener: $$"""
                esmtp_listener { relay_hosts = ( 192.0.2.1 ) enable_authentication = true smtp_extensions = ( "AUTH PLAIN" )
                  authplainparameters = [ uri = "file://{{users}}" log_authentication = true ] listen "127.0.0.1:0" { } }
                """);
            using var client = await Client.ConnectAsync(node.Smtp);
            await client.ExpectAsync("EHLO app", "250");
            await client.ExpectAsync("MAIL FROM:<a@example.com>", "530 5.7.0");
            await client.ExpectAsync("AUTH PLAIN " + Convert.ToBase64String("\0ann\0wrong"u8), "535 5.7.8");
            await client.ExpectAsync("AUTH PLAIN " + Convert.ToBase64String("\0ann\0secret"u8), "235 2.7.0");

            Assert.StartsWith("250", await client.SendMessageAsync("a@example.com", "x@example.net"), StringComparison.Ordinal);
            Assert.Equal(["0", "1"], node.Log("acctlog.ec").Where(line => line.Contains("@N@", StringComparison.Ordinal)).Select(line => line.Split('@')[^1]));
        }
        finally
        {
            File.Delete(users);
        }
    }

    [Fact]
    public async Task More_sessions_than_allowed_are_turned_away()
    {
        await using var node = await TestNode.StartAsync("", listener: "esmtp_listener { listener_sessions = 1 listen \"127.0.0.1:0\" { } }");
        using (var first = await Client.ConnectAsync(node.Smtp))
        {
            using var second = await Client.ConnectAsync(node.Smtp, "421 4.4.5");
            await first.ExpectAsync("QUIT", "221");
            Assert.Equal("", await first.ReplyAsync());
        }

        Assert.Contains(node.Log("rejectlog.ec"), line => line.Contains("P=\"concurrency limit\" E=421 M=limits", StringComparison.Ordinal));
    }
}
