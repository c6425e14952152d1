using System.Text.Json;
using Veredus.Acceptance.Tests.Support;

namespace Veredus.Acceptance.Tests;

/// <summary>The spool of one node taken over by another one that is running.</summary>
public sealed class ImportTests
{
    [Fact]
    public async Task A_spool_is_taken_over_by_a_running_node_and_every_message_arrives_once()
    {
        await using var sink = new Sink();
        await using var dead = await NodeProcess.StartAsync(sink.Gateway + " suspend_delivery = true binding \"other\" { } default_binding = normal");
        using (var client = await Client.ConnectAsync(dead.Smtp))
        {
            await client.ExpectAsync("EHLO a.example", "250");
            for (var i = 0; i < 20; i++)
                Assert.StartsWith("250", await client.SendMessageAsync($"s{i}@example.com", "b@example.net"), StringComparison.Ordinal);
        }

        await using var alive = await NodeProcess.StartAsync(one => one.Text(sink.Gateway).Replace("mainlog =", $"importlog = \"{one.Directory}/importlog.ec\" mainlog =", StringComparison.Ordinal));
        var spool = Path.Combine(dead.Directory, "spool");

        // While its owner lives nothing is taken.
        Assert.NotEqual(0, (await alive.ConsoleAsync("spool", "import", spool)).ExitCode);
        await dead.StopAsync();
        Assert.NotEqual(0, (await alive.ConsoleAsync("spool", "import", "/nonexistent")).ExitCode);
        Assert.Equal(0, (await alive.ConsoleAsync("spool", "import", spool, "4")).ExitCode);
        var senders = new List<string>();
        for (var i = 0; i < 20; i++)
        {
            var message = await sink.NextAsync();
            senders.Add(message.Sender);
            Assert.Contains("with import id", message.Content, StringComparison.Ordinal);
        }

        Assert.Equal(20, senders.Distinct().Count());
        Assert.EndsWith(": 20 of 20 imported, 0 failed, done", (await DoneAsync(alive, spool)).TrimEnd(), StringComparison.Ordinal);
        await alive.StopAsync();
        Assert.False(sink.HasMore);
        Assert.Equal(20, alive.Log("importlog.ec").Count(line => line.Split('@') is [_, _, "I", _, "1", var source] && source == spool));
        Assert.Equal(20, alive.Log("mainlog.ec").Count(line => line.Split('@') is { Length: > 11 } fields && fields[4] == "R" && fields[11] == "import"));
    }

    /// <summary>The answer of <c>spool import_poll</c> when the import has ended.</summary>
    private static async Task<string> DoneAsync(NodeProcess node, string spool)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            limit.Token.ThrowIfCancellationRequested();
            var json = await node.ConsoleAsync("json", "spool", "import_poll", spool);
            Assert.True(json.ExitCode == 0, json.ToString());
            using var document = JsonDocument.Parse(json.Output);
            if (document.RootElement.GetProperty("isDone").GetBoolean())
                return (await node.ConsoleAsync("spool", "import_poll", spool)).Output;
        }
    }
}
