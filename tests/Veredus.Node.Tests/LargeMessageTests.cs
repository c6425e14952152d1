using Veredus.Node.Tests.Support;

namespace Veredus.Node.Tests;

[CollectionDefinition(nameof(LargeMessageTests), DisableParallelization = true)]
public sealed class Alone;

/// <summary>Alone in the process: the heap that is measured is everybody's.</summary>
[Collection(nameof(LargeMessageTests))]
public sealed class LargeMessageTests
{
    [Fact]
    public async Task A_hundred_megabytes_pass_through_with_bounded_memory()
    {
        await using var node = await TestNode.StartAsync("suspend_delivery = true");
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO app", "250");
        await client.ExpectAsync("MAIL FROM:<a@example.com>", "250");
        await client.ExpectAsync("RCPT TO:<x@example.net>", "250");
        await client.ExpectAsync("DATA", "354");
        await client.SendAsync("Subject: large\r\n\r\n");
        var piece = string.Concat(Enumerable.Repeat(new string('x', 70) + "\r\n", 1024));
        GC.Collect();
        var before = GC.GetTotalMemory(forceFullCollection: true);
        long most = 0;
        for (var sent = 0L; sent < 100_000_000; sent += piece.Length)
        {
            await client.SendAsync(piece);
            most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: false) - before);
        }

        Assert.StartsWith("250", await client.SayAsync("."), StringComparison.Ordinal);
        Assert.InRange(most, long.MinValue, 64_000_000);
        Assert.Equal(1, node.Node.Spool.Statistics.Messages);
    }
}
