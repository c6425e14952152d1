using System.Net.Sockets;
using System.Text;
using Veredus.Acceptance.Tests.Support;

namespace Veredus.Acceptance.Tests;

/// <summary>What hostile clients get from a node in a process of its own, and that it goes on working, in bounded memory.</summary>
public sealed class HostileClientTests
{
    [Fact]
    public async Task Each_hostile_client_gets_its_reply_and_the_next_polite_one_is_served()
    {
        await using var sink = new Sink();
        await using var node = await NodeProcess.StartAsync(sink.Gateway);
        await EndlessLineAsync(node);
        await BadOctetsAsync(node);
        await TenThousandRecipientsAsync(node);
        await GarbageAfterDataAsync(node);
        await HalfOpenAsync(node);

        using (var polite = await Client.ConnectAsync(node.Smtp))
        {
            await polite.ExpectAsync("EHLO polite.example", "250");
            Assert.StartsWith("250 2.0.0 OK id=", await polite.SendMessageAsync("a@example.com", "b@example.net"), StringComparison.Ordinal);
        }

        // What the others had in DATA without an end of data was never accepted; only two whole messages ever were.
        var senders = new[] { (await sink.NextAsync()).Sender, (await sink.NextAsync()).Sender };
        Assert.Equal(["a@example.com", "garbage@example.com"], senders.Order());
        Assert.InRange(node.PeakMiB, 1, 400);
        await node.StopAsync();
        Assert.Equal(2, node.Log("mainlog.ec").Count(line => line.Contains("@R@", StringComparison.Ordinal)));
        Assert.Empty(node.Log("paniclog.ec"));
    }

    [Fact]
    public async Task Two_hundred_slow_sessions_cost_little_and_stop_nobody()
    {
        await using var sink = new Sink();
        await using var node = await NodeProcess.StartAsync(sink.Gateway);
        using (var warm = await Client.ConnectAsync(node.Smtp))
            Assert.StartsWith("250", await AfterEhloAsync(warm), StringComparison.Ordinal);
        await sink.NextAsync();
        var before = node.PeakMiB;
        var sessions = new List<Client>();
        try
        {
            for (var i = 0; i < 200; i++)
                sessions.Add(await Client.ConnectAsync(node.Smtp));
            await Task.WhenAll(sessions.Select(async session =>
            {
                await session.ExpectAsync("EHLO slow.example", "250");
                await session.ExpectAsync("MAIL FROM:<slow@example.com>", "250");
                await session.ExpectAsync("RCPT TO:<b@example.net>", "250");
                await session.ExpectAsync("DATA", "354");
                session.Socket.NoDelay = true;
            }));
            // An octet to each in turn, so that all are in the middle of their content at the same time.
            foreach (var octet in "Subject: slow\r\n\r\n" + new string('x', 200) + "\r\n")
                await Task.WhenAll(sessions.Select(session => session.SendAsync(octet.ToString())));
            using (var quick = await Client.ConnectAsync(node.Smtp))
                Assert.StartsWith("250", await AfterEhloAsync(quick), StringComparison.Ordinal);
            Assert.Equal("quick@example.com", (await sink.NextAsync()).Sender);
            foreach (var session in sessions)
                await session.ExpectAsync(".", "250 2.0.0");
            for (var i = 0; i < 200; i++)
                Assert.Equal("slow@example.com", (await sink.NextAsync()).Sender);
            Assert.InRange(node.PeakMiB - before, 0, 100);
        }
        finally
        {
            sessions.ForEach(session => session.Dispose());
        }
    }

    [ToolFact("python3")]
    public async Task A_message_of_100_MB_goes_through_in_bounded_memory()
    {
        await using var sink = new Sink { Answer = line => line == "." ? "250 2.0.0 kept" : null };
        var octets = 0L;
        sink.Play = async (_, stream, stop) =>
        {
            // A sink that counts and keeps nothing: it is this test's memory too.
            var buffer = new byte[1 << 16];
            await SayAsync("220 counting");
            foreach (var reply in (string[])["250 hello", "250 ok", "250 ok", "354 go"])
            {
                await ReadLineAsync();
                await SayAsync(reply);
            }

            byte[] tail = [];
            while (!tail.AsSpan().EndsWith("\r\n.\r\n"u8))
            {
                var read = await stream.ReadAsync(buffer, stop);
                if (read == 0)
                    return true;
                octets += read;
                tail = [.. tail.Concat(buffer[..read]).TakeLast(5)];
            }

            await SayAsync("250 2.0.0 counted");
            await ReadLineAsync();
            return true;

            async Task SayAsync(string reply) => await stream.WriteAsync(Encoding.ASCII.GetBytes(reply + "\r\n"), stop);

            async Task ReadLineAsync()
            {
                int read;
                do
                    read = await stream.ReadAsync(buffer, stop);
                while (read > 0 && buffer[read - 1] != '\n');
            }
        };
        await using var node = await NodeProcess.StartAsync(sink.Gateway);
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO large.example", "250");
        await client.ExpectAsync("MAIL FROM:<a@example.com>", "250");
        await client.ExpectAsync("RCPT TO:<b@example.net>", "250");
        await client.ExpectAsync("DATA", "354");
        await client.SendAsync("Subject: large\r\n\r\n");
        var block = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(new string('x', 998) + "\r\n", 1000)));
        for (var i = 0; i < 100; i++)
            await client.SendAsync(block);
        await client.ExpectAsync(".", "250 2.0.0");
        // The delivery's own record is in the log once the node has stopped; the stop lets it finish.
        await node.ConsoleAsync("flush", "domain", "all");
        var peak = node.PeakMiB;
        await node.StopAsync();
        Assert.InRange(peak, 1, 300);
        Assert.True(octets is 0 or > 100_000_000, $"{octets} octets were delivered");
    }

    private static async Task EndlessLineAsync(NodeProcess node)
    {
        using var client = await Client.ConnectAsync(node.Smtp);
        var noise = Encoding.ASCII.GetBytes(new string('N', 1 << 16));
        try
        {
            for (var i = 0; i < 200; i++)
                await client.SendAsync(noise);
        }
        catch (IOException)
        {
            // The node has had enough.
        }

        var said = await client.RestAsync();
        Assert.True(said.Length == 0 || said.StartsWith("500 5.5.2", StringComparison.Ordinal), said);
    }

    private static async Task BadOctetsAsync(NodeProcess node)
    {
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO bad.example", "250");
        await client.ExpectAsync("NOOP\0", "500 5.5.2");
        await client.ExpectAsync("NO\rOP", "500 5.5.2");
        await client.ExpectAsync("NOOP\nNOOP", "500 5.5.2");  // the bare LF ends a bad line, what follows is a good one
        Assert.StartsWith("250", await client.ReplyAsync(), StringComparison.Ordinal);
        foreach (var end in (string[])["\n.\n", "\r.\r", "\r\n.\n", "\n.\r\n", "\r\n.\r"])
        {
            await client.ExpectAsync("MAIL FROM:<smuggler@example.com>", "250");
            await client.ExpectAsync("RCPT TO:<b@example.net>", "250");
            await client.ExpectAsync("DATA", "354");
            await client.SendAsync($"Subject: x\r\n\r\nfirst{end}MAIL FROM:<admin@example.net>\r\nRCPT TO:<c@example.net>\r\nDATA\r\nsecond\r\n.\r\n");
            Assert.StartsWith("550 5.6.0", await client.ReplyAsync(), StringComparison.Ordinal);
        }

        await client.ExpectAsync("NOOP", "250");
    }

    private static async Task TenThousandRecipientsAsync(NodeProcess node)
    {
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO many.example", "250");
        await client.ExpectAsync("MAIL FROM:<many@example.com>", "250");
        var sending = client.SendAsync(string.Concat(Enumerable.Range(0, 10_000).Select(i => $"RCPT TO:<r{i}@example.net>\r\n")));
        for (var i = 0; i < 10_000; i++)
            Assert.Matches("^(250 2.1.5|452 4.5.3)", await client.ReplyAsync());
        await sending;
        await client.ExpectAsync("RSET", "250");
    }

    private static async Task GarbageAfterDataAsync(NodeProcess node)
    {
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO garbage.example", "250");
        var garbage = string.Concat(Enumerable.Range(0, 30).Select(i => $"\x01\x02 garbage {i}\r\n"));
        await client.SendAsync("MAIL FROM:<garbage@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nSubject: g\r\n\r\nbody\r\n.\r\n" + garbage);
        foreach (var begin in (string[])["250", "250", "354", "250 2.0.0"])
            Assert.StartsWith(begin, await client.ReplyAsync(), StringComparison.Ordinal);
        var rest = await client.RestAsync();
        Assert.StartsWith("500 5.5.2", rest, StringComparison.Ordinal);
        Assert.Contains("\n421 ", rest, StringComparison.Ordinal);
    }

    private static async Task HalfOpenAsync(NodeProcess node)
    {
        using (var half = await Client.ConnectAsync(node.Smtp))
        {
            await half.ExpectAsync("EHLO half.example", "250");
            await half.ExpectAsync("MAIL FROM:<half@example.com>", "250");
            await half.ExpectAsync("RCPT TO:<b@example.net>", "250");
            await half.ExpectAsync("DATA", "354");
            await half.SendAsync("Subject: half\r\n\r\nnever ended");
            half.Socket.Shutdown(SocketShutdown.Send);
            Assert.Equal("", await half.RestAsync());
        }

        // And one that is reset in the middle.
        using var reset = await Client.ConnectAsync(node.Smtp);
        await reset.ExpectAsync("EHLO reset.example", "250");
        await reset.ExpectAsync("MAIL FROM:<reset@example.com>", "250");
        reset.Socket.LingerState = new(true, 0);
    }

    private static async Task<string> AfterEhloAsync(Client client)
    {
        await client.ExpectAsync("EHLO quick.example", "250");
        return await client.SendMessageAsync("quick@example.com", "b@example.net");
    }
}
