using Veredus.Acceptance.Tests.Support;

namespace Veredus.Acceptance.Tests;

/// <summary>Name servers that lie or are dead, through the real resolver of a node in a process of its own.</summary>
public sealed class DnsTests
{
    [Fact]
    public async Task What_the_name_server_says_decides_and_a_dead_one_only_delays()
    {
        await using var names = new NameServer();
        await using var sink = new Sink();
        var (isDead, self) = (true, "");
        names.Answer = (name, type) => (name, type) switch
        {
            ("good.example", "mx") => "10 mx.good.example",
            ("mx.good.example", "a") => sink.Address.ToString(),
            ("null.example", "mx") => "0 .",
            ("private.example", "mx") => "10 inside.private.example",
            ("inside.private.example", "a") => "10.1.2.3",
            ("self.example", "mx") => "10 mx.self.example",
            ("mx.self.example", "a") => self,
            ("dead.example", _) when isDead => "-",
            ("dead.example", "mx") => "10 mx.good.example",
            ("gone.example", _) => null,
            _ when name.EndsWith("gone.example", StringComparison.Ordinal) => null,
            _ => "",
        };
        await using var node = await NodeProcess.StartAsync(one =>
        {
            self = one.Address.ToString();
            return one.Text($"resolv_conf = \"{names.ResolvConf(one.Directory)}\" remote_smtp_port = {NodeProcess.Port} prohibited_hosts = ( 10.0.0.0/8 )");
        });
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO a.example", "250");
        foreach (var domain in (string[])["null", "private", "self", "gone", "dead", "good"])
            Assert.StartsWith("250", await client.SendMessageAsync("a@good.example", $"b@{domain}.example"), StringComparison.Ordinal);

        // Four can't ever be delivered: their reports go to the sender, whose domain is good. The last message itself arrives too.
        var arrived = new List<Received>();
        for (var i = 0; i < 5; i++)
            arrived.Add(await sink.NextAsync());
        Assert.Equal(4, arrived.Count(one => one.Sender.Length == 0));
        var reports = string.Concat(arrived.Where(one => one.Sender.Length == 0).Select(one => one.Content));
        Assert.Contains("Status: 5.1.10", reports, StringComparison.Ordinal);
        Assert.Contains("551 5.4.6 [internal]", reports, StringComparison.Ordinal);
        Assert.Contains("554 5.4.6 [internal]", reports, StringComparison.Ordinal);
        Assert.Contains("554 5.4.4 [internal]", reports, StringComparison.Ordinal);

        // The dead one comes back, and an operator asks for the route again.
        await WaitForDelayAsync(node);
        isDead = false;
        var arriving = sink.NextAsync();
        while (!arriving.IsCompleted)
        {
            // The resolver gives a silent server a rest of some seconds, so one refresh may be too early.
            var refreshed = await node.ConsoleAsync("refresh", "domain", "dead.example");
            Assert.True(refreshed.ExitCode == 0, refreshed.ToString());
            Assert.Equal(0, (await node.ConsoleAsync("flush", "domain", "dead.example")).ExitCode);
        }

        var last = await arriving;
        Assert.Contains("<b@dead.example>", Assert.Single(last.Recipients), StringComparison.Ordinal);
        await node.StopAsync();
        Assert.Equal(4, node.Log("mainlog.ec").Count(line => line.Contains("@P@", StringComparison.Ordinal)));
    }

    /// <summary>The message for the dead domain has been put off.</summary>
    private static async Task WaitForDelayAsync(NodeProcess node)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!(await node.ConsoleAsync("delayed", "0")).Output.Contains("dead.example", StringComparison.Ordinal))
            limit.Token.ThrowIfCancellationRequested();
    }
}
