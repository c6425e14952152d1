using System.Net;
using Veredus.Node.Http;
using Veredus.Node.Tests.Support;

namespace Veredus.Node.Tests;

public sealed class LifecycleTests
{
    [Fact]
    public async Task What_was_accepted_is_delivered_by_the_next_process()
    {
        var directory = Directory.CreateTempSubdirectory("veredus-").FullName;
        try
        {
            await using (var first = await TestNode.StartAsync("suspend_delivery = true", directory: directory))
            {
                using var client = await Client.ConnectAsync(first.Smtp);
                await client.ExpectAsync("EHLO app", "250");
                for (var i = 0; i < 20; i++)
                    await client.SendMessageAsync("a@example.com", $"x{i}@example.net");
            }

            await using var sink = new Sink();
            await using var second = await TestNode.StartAsync($"gateway = \"127.0.0.1\" remote_smtp_port = {sink.Port}", directory: directory);
            var recipients = new List<string>();
            while (recipients.Count < 20)
                recipients.AddRange((await sink.NextAsync()).Recipients);

            Assert.Equal(20, recipients.Distinct().Count());
            await second.Node.Recovery;
            Assert.Equal(20, second.Node.RecoveredMessages);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public async Task A_reload_with_an_error_keeps_the_old_configuration()
    {
        await using var node = await TestNode.StartAsync("");
        var before = node.Smtp;

        var result = await node.ReloadAsync("no_such_option = 1");

        Assert.False(result.Success);
        Assert.EndsWith("Reconfigure failed.", result.Text, StringComparison.Ordinal);
        Assert.Equal(before, node.Smtp);
        using var client = await Client.ConnectAsync(before);
        Assert.Contains(node.Log("paniclog.ec"), line => line.EndsWith("Reconfigure failed.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_reload_that_cannot_open_a_socket_keeps_the_old_ones()
    {
        await using var node = await TestNode.StartAsync("");
        using var taken = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        taken.Start();

        var result = await node.ReloadAsync("", $"esmtp_listener {{ listen \"127.0.0.1:{((IPEndPoint)taken.LocalEndpoint).Port}\" {{ }} }}");

        Assert.False(result.Success);
        Assert.Contains("another process listens there", result.Text, StringComparison.Ordinal);
        using var client = await Client.ConnectAsync(node.Smtp);
    }

    [Fact]
    public async Task A_reload_closes_only_sessions_whose_settings_changed()
    {
        await using var node = await TestNode.StartAsync("");
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO app", "250");

        Assert.True((await node.ReloadAsync("retry_interval = 60")).Success);
        await client.ExpectAsync("NOOP", "250");

        Assert.True((await node.ReloadAsync("retry_interval = 60\nrelay_domains = ( example.net )")).Success);
        Assert.StartsWith("421 4.3.2 Reconfiguration in progress", await client.ReplyAsync(), StringComparison.Ordinal);
        Assert.Equal("", await client.ReplyAsync());
    }

    [Fact]
    public async Task A_reload_moves_a_socket_from_one_address_to_all_in_one_step()
    {
        int port;
        using (var free = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0))
        {
            free.Start();
            port = ((IPEndPoint)free.LocalEndpoint).Port;
        }

        await using var node = await TestNode.StartAsync("", listener: $"esmtp_listener {{ listen \"127.0.0.1:{port}\" {{ }} }}");
        var result = await node.ReloadAsync("", $"esmtp_listener {{ listen \"*:{port}\" {{ }} }}");

        Assert.True(result.Success, result.Text);
        using var client = await Client.ConnectAsync(new IPEndPoint(IPAddress.Parse("127.0.0.5"), port));
        using var same = await Client.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port));
    }

    [Fact]
    public async Task Shutdown_lets_a_transaction_end_and_says_421_to_others()
    {
        var node = await TestNode.StartAsync("suspend_delivery = true");
        await using (node)
        {
            using var idle = await Client.ConnectAsync(node.Smtp);
            using var busy = await Client.ConnectAsync(node.Smtp);
            await busy.ExpectAsync("EHLO app", "250");
            await busy.ExpectAsync("MAIL FROM:<a@example.com>", "250");
            await busy.ExpectAsync("RCPT TO:<x@example.net>", "250");
            await busy.ExpectAsync("DATA", "354");

            var stopped = node.Node.StopAsync(TimeSpan.FromSeconds(20));
            Assert.StartsWith("421 4.3.2", await idle.ReplyAsync(), StringComparison.Ordinal);
            Assert.StartsWith("250 2.0.0 OK id=", await busy.SayAsync("Subject: s\r\n\r\nHello\r\n."), StringComparison.Ordinal);
            Assert.StartsWith("421 4.3.2", await busy.ReplyAsync(), StringComparison.Ordinal);
            await stopped;
            await node.Node.DisposeAsync();
            await node.Node.StopAsync();
        }
    }

    [Fact]
    public async Task A_spool_in_use_is_not_opened_again()
    {
        await using var node = await TestNode.StartAsync("");

        var error = await Assert.ThrowsAsync<StartupException>(() => TestNode.StartAsync("", directory: node.Directory));

        Assert.Equal(ExitCode.Spool, error.ExitCode);
    }

    [Theory]
    [InlineData("esmtp_listener { tls_certificate = \"/nowhere/mta.pem\" listen \"127.0.0.1:0\" { } }", "", ExitCode.Configuration, "/nowhere/mta.pem")]
    [InlineData("esmtp_listener { listen \"192.0.2.77:0\" { } }", "", ExitCode.OperatingSystem, "192.0.2.77")]
    [InlineData("", "nonsense", ExitCode.Configuration, "nonsense")]
    public async Task What_prevents_a_start_is_named(string listener, string configuration, ExitCode code, string named)
    {
        var error = await Assert.ThrowsAsync<StartupException>(() => TestNode.StartAsync(configuration, listener: listener));

        Assert.Equal(code, error.ExitCode);
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Metrics_and_health_are_served_on_loopback()
    {
        var http = new HttpEndpoint();
        await using var node = await TestNode.StartAsync("suspend_delivery = true http_listener { listen \"127.0.0.1:0\" { } }", options => options with { Services = [http] });
        using (var client = await Client.ConnectAsync(node.Smtp))
        {
            await client.ExpectAsync("EHLO app", "250");
            await client.SendMessageAsync("a@example.com", "x@example.net");
        }

        using var web = new HttpClient { BaseAddress = new(http.Urls.Single()) };
        Assert.Equal("ready\n", await web.GetStringAsync("/readyz"));
        Assert.Equal("ok\n", await web.GetStringAsync("/healthz"));
        var metrics = await web.GetStringAsync("/metrics");
        Assert.Contains("veredus_messages_received_total 1\n", metrics, StringComparison.Ordinal);
        Assert.Contains("veredus_binding_queue_messages{group=\"default\",binding=\"default\",state=\"active\"} 1\n", metrics, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await web.GetAsync("/")).StatusCode);
    }
}
