using System.Collections.Concurrent;
using System.Net;
using Veredus.Node.Tests.Support;
using Xunit.Abstractions;

namespace Veredus.Node.Tests;

public sealed class KillTests(ITestOutputHelper output)
{
    private const int Kills = 3;
    private const int Clients = 4;

    [Fact]
    public async Task Nothing_accepted_is_lost_when_the_process_is_killed_while_it_receives_and_delivers()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("VEREDUS_SEED"), out var given) ? given : Random.Shared.Next();
        output.WriteLine($"VEREDUS_SEED={seed}");
        var random = new Random(seed);
        var directory = Directory.CreateTempSubdirectory("veredus-").FullName;
        var port = NodeOfItsOwn.FreePort();
        await using var sink = new Sink();
        await File.WriteAllTextAsync(Path.Combine(directory, "veredus.conf"), TestNode.Text(
            directory, $"esmtp_listener {{ listen \"127.0.0.1:{port}\" {{ }} }}", $"gateway = \"127.0.0.1\" remote_smtp_port = {sink.Port} pidfile = \"{directory}/pid\""));
        var accepted = new ConcurrentQueue<string>();
        try
        {
            for (var round = 0; round < Kills; round++)
            {
                using var node = await NodeOfItsOwn.StartAsync(directory);
                var enough = new TaskCompletionSource();
                var wanted = accepted.Count + random.Next(20, 120);
                var clients = Enumerable.Range(0, Clients).Select(client => SendAsync(port, $"r{round}c{client}", accepted, () =>
                {
                    if (accepted.Count >= wanted)
                        enough.TrySetResult();
                })).ToArray();
                await enough.Task.WaitAsync(TimeSpan.FromSeconds(60));
                await node.KillAsync();
                await Task.WhenAll(clients);
            }

            using var last = await NodeOfItsOwn.StartAsync(directory);
            var (missing, delivered, times) = (accepted.ToHashSet(), 0, new Dictionary<string, int>());
            while (missing.Count > 0)
            {
                var message = await sink.NextAsync();
                missing.ExceptWith(message.Recipients);
                foreach (var recipient in message.Recipients)
                    times[recipient] = times.GetValueOrDefault(recipient) + 1;
                delivered++;
            }

            Assert.Equal(0, await last.TerminateAsync());
            var twice = times.Where(one => one.Value > 1).Select(one => one.Key).ToList();
            var doubts = Path.Combine(directory, "spool", "deliveries.doubt") is var list && File.Exists(list) ? await File.ReadAllTextAsync(list) : "";
            var unlisted = twice.Where(recipient => !doubts.Contains($"\"{recipient}\"", StringComparison.Ordinal)).ToList();
            Assert.True(unlisted.Count == 0, $"came twice and not in doubt: {string.Join(", ", unlisted)}; in doubt:\n{doubts}");
            output.WriteLine($"{twice.Count} came twice, {doubts.Count(one => one == '\n')} listed in doubt");
            output.WriteLine($"{accepted.Count} accepted, {delivered} deliveries until all were there");
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    /// <summary>Sends messages to ever new recipients until the connection breaks; notes a recipient once its message has its 250.</summary>
    private static async Task SendAsync(int port, string name, ConcurrentQueue<string> accepted, Action noted)
    {
        using var client = await Client.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port));
        try
        {
            await client.ExpectAsync("EHLO app", "250");
            for (var number = 0; ; number++)
            {
                var recipient = $"{name}n{number}@example.net";
                foreach (var line in new[] { "MAIL FROM:<a@example.com>", $"RCPT TO:<{recipient}>", "DATA" })
                {
                    if ((await client.SayAsync(line)).Length == 0)
                        return;
                }

                var reply = await client.SayAsync($"Subject: {recipient}\r\n\r\n{new string('x', 60)}\r\n.");
                if (!reply.StartsWith("250", StringComparison.Ordinal))
                    return;
                accepted.Enqueue(recipient);
                noted();
            }
        }
        catch (IOException)
        {
            // Killed.
        }
    }
}
