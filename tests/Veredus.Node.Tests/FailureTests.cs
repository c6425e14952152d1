using Veredus.Node.Tests.Support;

namespace Veredus.Node.Tests;

public sealed class FailureTests
{
    [Fact]
    public async Task A_message_that_was_put_off_is_delivered_when_its_time_has_come()
    {
        var time = new ManualTime();
        await using var sink = new Sink();
        await using var node = await TestNode.StartAsync($"gateway = \"127.0.0.1\" remote_smtp_port = {sink.Port}", options => options with { Time = time });
        var busy = true;
        sink.Answer = line => busy && line.StartsWith("RCPT", StringComparison.Ordinal) ? "421 4.2.1 busy" : null;
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO app", "250");

        await client.SendMessageAsync("a@example.com", "x@example.net");
        await sink.SessionEndAsync();
        using (var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20)))
        {
            // The sink sees the end of the session before the node has put the message off, and the retry counts from then.
            while (node.Node.Delivery.Summary().DelayedQueue == 0)
            {
                limit.Token.ThrowIfCancellationRequested();
                await Task.Yield();
            }
        }

        busy = false;
        time.Advance(TimeSpan.FromSeconds(1100)); // the first retry is due after 1200 s, give or take 5 %
        Assert.Equal((1, 0), (node.Node.Delivery.Summary().DelayedQueue, sink.Received));
        // Second by second: a session that begins when it is due must not find that its time is over already.
        for (var seconds = 0; seconds < 200 && node.Node.Delivery.Summary().DelayedQueue > 0; seconds++)
            time.Advance(TimeSpan.FromSeconds(1));
        await sink.NextAsync();

        var failure = Assert.Single(node.Log("mainlog.ec"), line => line.Split('@')[4] == "T").Split('@');
        Assert.Equal("421 4.2.1 busy", failure[^1]);
        Assert.Equal("127.0.0.1", failure[^2]);
    }

    [Fact]
    public async Task A_message_that_is_refused_goes_back_as_a_report()
    {
        await using var sink = new Sink { Answer = line => line == "RCPT TO:<x@example.net>" || line.StartsWith("RCPT TO:<x@example.net> ", StringComparison.Ordinal) ? "550 5.1.1 no such user" : null };
        await using var node = await TestNode.StartAsync($"gateway = \"127.0.0.1\" remote_smtp_port = {sink.Port}");
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO app", "250");

        await client.SendMessageAsync("a@example.com", "x@example.net");
        var report = await sink.NextAsync();

        Assert.Equal(("", "a@example.com"), (report.Sender, report.Recipients.Single()));
        Assert.Contains("Final-Recipient: rfc822;x@example.net", report.Content.Replace("; ", ";", StringComparison.Ordinal), StringComparison.OrdinalIgnoreCase);
        Assert.Contains("5.1.1", report.Content, StringComparison.Ordinal);
        Assert.Contains(node.Log("mainlog.ec"), line => line.Split('@') is [_, _, _, _, "P", ..]);
        Assert.Contains(node.Log("mainlog.ec"), line => line.Split('@') is [_, _, _, _, "R", "a", "example.com", "", "", _, _, "internal", ..]);
        Assert.Contains(node.Log("bouncelog.ec"), line => line.Split('@') is [_, _, _, _, "B", "x", "example.net", ..]);
    }

    [Fact]
    public async Task A_refused_report_is_not_answered_by_another_one()
    {
        var (asked, twice) = (0, new TaskCompletionSource());
        await using var sink = new Sink();
        sink.Answer = line =>
        {
            if (!line.StartsWith("RCPT", StringComparison.Ordinal))
                return null;
            if (++asked == 2)
                twice.SetResult();
            return "550 5.1.1 nobody";
        };
        await using var node = await TestNode.StartAsync($"gateway = \"127.0.0.1\" remote_smtp_port = {sink.Port} idle_timeout = 1");
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO app", "250");

        await client.SendMessageAsync("a@example.com", "x@example.net");
        await twice.Task.WaitAsync(TimeSpan.FromSeconds(20));
        await sink.SessionEndAsync();

        Assert.Equal(2, node.Node.Statistics.ReceivedMessages);
        Assert.Equal(0, sink.Received);
    }
}
