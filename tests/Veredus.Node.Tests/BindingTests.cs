using System.Net;
using Veredus.Node.Tests.Support;

namespace Veredus.Node.Tests;

public sealed class BindingTests
{
    private static string TwoBindings(int port, string more = "") => $$"""
        gateway = "127.0.0.1"
        remote_smtp_port = {{port}}
        binding_group "bulk" {
          binding "bulk-1" { bind_address = "127.0.0.11" ehlo_hostname = "out1.example.org" {{more}} }
          binding "bulk-2" { bind_address = "127.0.0.12" ehlo_hostname = "out2.example.org" }
        }
        binding_rule "one" { order = 1 sender = ( "*@one.example.com" ) binding = "bulk-1" }
        binding_rule "two" { order = 2 recipient_domain = ( "two.example.net" ) binding = "bulk-2" }
        binding_rule "job" { order = 3 header = [ X-Job = "^batch" ] binding_group = "bulk" }
        """;

    [Fact]
    public async Task Each_binding_has_its_own_source_address_and_name()
    {
        await using var sink = new Sink();
        await using var node = await TestNode.StartAsync(TwoBindings(sink.Port));
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO app", "250");

        await client.SendMessageAsync("a@one.example.com", "x@example.net");
        await client.SendMessageAsync("a@other.example.com", "x@two.example.net");
        SinkMessage[] messages = [await sink.NextAsync(), await sink.NextAsync()];

        var first = Assert.Single(messages, message => message.Sender == "a@one.example.com");
        Assert.Equal((IPAddress.Parse("127.0.0.11"), "out1.example.org"), (first.Client, first.Helo));
        var second = Assert.Single(messages, message => message.Sender == "a@other.example.com");
        Assert.Equal((IPAddress.Parse("127.0.0.12"), "out2.example.org"), (second.Client, second.Helo));
        Assert.Contains(node.Log("mainlog.ec"), line => line.Split('@') is [_, _, _, _, "R", .., "bulk", "bulk-1"]);
    }

    [Fact]
    public async Task A_suspended_binding_sends_nothing_and_its_group_avoids_it()
    {
        await using var sink = new Sink();
        await using var node = await TestNode.StartAsync(TwoBindings(sink.Port, "suspend_delivery = true"));
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO app", "250");

        await client.SendMessageAsync("a@one.example.com", "waits@example.net");
        for (var i = 0; i < 10; i++)
        {
            await client.SendMessageAsync("a@other.example.com", $"x{i}@example.net", "X-Job: batch 7\r\n\r\nHello\r\n");
            Assert.Equal("out2.example.org", (await sink.NextAsync()).Helo);
        }

        Assert.Equal(10, sink.Received);
        Assert.Equal(1, node.Node.Delivery.Summary().ActiveQueue + node.Node.Delivery.Summary().DelayedQueue);
    }

    [Fact]
    public async Task The_header_names_a_binding_only_for_sessions_that_may_relay_and_never_leaves()
    {
        await using var sink = new Sink();
        await using var node = await TestNode.StartAsync(
            TwoBindings(sink.Port) + "\nrelay_domains = ( example.net )",
            listener: "esmtp_listener { binding_header = \"X-Binding\" listen \"127.0.0.1:0\" { } listen \"127.0.0.2:0\" { relay_hosts = ( 192.0.2.1 ) } }");
        foreach (var (host, helo) in new[] { ("127.0.0.1", "out2.example.org"), ("127.0.0.2", "mta.example.org") })
        {
            var endPoint = node.Node.SmtpEndpoints.Values.Cast<IPEndPoint>().Single(one => one.Address.ToString() == host);
            using var client = await Client.ConnectAsync(endPoint);
            await client.ExpectAsync("EHLO app", "250");
            await client.SendMessageAsync("a@example.com", "x@example.net", "X-Binding: bulk-2\r\nSubject: s\r\n\r\nHello\r\n");
            var message = await sink.NextAsync();

            Assert.Equal(helo, message.Helo);
            Assert.DoesNotContain("X-Binding", message.Content, StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public async Task Mail_that_no_rule_assigns_is_refused_when_there_is_no_default_binding()
    {
        await using var node = await TestNode.StartAsync("default_binding = none");
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO app", "250");

        Assert.StartsWith("451 4.3.5", await client.SendMessageAsync("a@example.com", "x@example.net"), StringComparison.Ordinal);
        Assert.Equal(0, node.Node.Spool.Statistics.Messages);
        Assert.Contains(node.Log("rejectlog.ec"), line => line.Contains("E=451 M=core", StringComparison.Ordinal) && line.Contains("mailfrom_string=a@example.com", StringComparison.Ordinal));
    }
}
