using Veredus.Node.Tests.Support;

namespace Veredus.Node.Tests;

public sealed class RelayTests
{
    [Fact]
    public async Task A_message_goes_in_at_one_side_and_out_at_the_other()
    {
        await using var sink = new Sink();
        await using var node = await TestNode.StartAsync($"gateway = \"127.0.0.1\" remote_smtp_port = {sink.Port}");
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO app.example.com", "250-mta.example.org says EHLO to 127.0.0.1");

        var reply = await client.SendMessageAsync("news@example.com", "ann@example.net");
        var message = await sink.NextAsync();

        Assert.StartsWith("250 2.0.0 OK id=", reply, StringComparison.Ordinal);
        Assert.Equal(("news@example.com", "ann@example.net", "mta.example.org"), (message.Sender, message.Recipients.Single(), message.Helo));
        Assert.Matches("\\AReceived: from \\[127\\.0\\.0\\.1\\] \\(\\[127\\.0\\.0\\.1:\\d+\\] helo=app\\.example\\.com\\)\r\n        by mta\\.example\\.org ", message.Content);
        Assert.EndsWith("\r\n\r\nHello\r\n", message.Content, StringComparison.Ordinal);
        var reception = Assert.Single(node.Log("mainlog.ec"), line => line.Split('@')[4] == "R");
        Assert.Equal(reply["250 2.0.0 OK id=".Length..], reception.Split('@')[1]);
    }
}
