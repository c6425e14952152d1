using System.Net;
using System.Net.Sockets;
using Veredus.Node.Tests.Support;

namespace Veredus.Node.Tests;

public sealed class SessionTests
{
    [Fact]
    public async Task A_trusted_proxy_may_speak_for_its_client_whose_own_rights_then_count()
    {
        await using var node = await TestNode.StartAsync("suspend_delivery = true", listener: """
            esmtp_listener { smtp_extensions = ( XCLIENT ) relay_hosts = ( 198.51.100.0/24 ) listen "127.0.0.1:0" { } }
            """);
        using var client = await Client.ConnectAsync(node.Smtp);
        Assert.Contains("XCLIENT", await client.ExpectAsync("EHLO proxy", "250"), StringComparison.Ordinal);
        await client.ExpectAsync("MAIL FROM:<a@example.com>", "250");
        await client.ExpectAsync("RCPT TO:<x@example.net>", "550 5.7.1");
        await client.ExpectAsync("RSET", "250");

        await client.ExpectAsync("XCLIENT ADDR=198.51.100.7 NAME=app.example.com", "220");
        await client.ExpectAsync("EHLO app.example.com", "250-mta.example.org says EHLO to 198.51.100.7");
        Assert.StartsWith("250", await client.SendMessageAsync("a@example.com", "x@example.net"), StringComparison.Ordinal);

        Assert.Contains(node.Log("mainlog.ec"), line => line.Split('@') is [_, _, _, _, "R", _, _, _, _, "198.51.100.7", ..]);
    }

    [Fact]
    public async Task The_rights_of_a_proxy_do_not_pass_to_its_client()
    {
        await using var node = await TestNode.StartAsync("suspend_delivery = true", listener: """
            esmtp_listener { smtp_extensions = ( XCLIENT ) relay_hosts = ( 127.0.0.1 ) listen "127.0.0.1:0" { } }
            """);
        foreach (var greeting in new[] { "EHLO stranger", "NOOP" })
        {
            using var client = await Client.ConnectAsync(node.Smtp);
            await client.ExpectAsync("EHLO proxy", "250");
            await client.ExpectAsync("XCLIENT ADDR=203.0.113.5", "220");
            await client.ExpectAsync(greeting, "250");
            await client.ExpectAsync("MAIL FROM:<a@example.com>", "250");
            await client.ExpectAsync("RCPT TO:<x@example.net>", "550 5.7.1");
        }
    }

    [Fact]
    public async Task A_unix_socket_takes_mail_as_loopback_does()
    {
        var path = Path.Combine(Path.GetTempPath(), $"veredus-{Guid.NewGuid():N}.sock");
        await using var node = await TestNode.StartAsync("suspend_delivery = true", listener: $"esmtp_listener {{ listen \"{path}\" {{ file_mode = 0600 }} }}");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        await using var stream = new NetworkStream(socket);
        using var reader = new StreamReader(stream);
        await stream.WriteAsync("EHLO local\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<x@example.net>\r\nDATA\r\n"u8.ToArray());
        string? line;
        while ((line = await reader.ReadLineAsync()) is not null && !line.StartsWith('3'))
            Assert.StartsWith("2", line, StringComparison.Ordinal);
        await stream.WriteAsync("Subject: s\r\n\r\nHello\r\n.\r\nQUIT\r\n"u8.ToArray());

        Assert.StartsWith("250 2.0.0 OK id=", await reader.ReadLineAsync(), StringComparison.Ordinal);
        Assert.StartsWith("221", await reader.ReadLineAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_socket_file_that_a_killed_process_left_behind_does_not_stop_the_next()
    {
        var path = Path.Combine(Path.GetTempPath(), $"veredus-{Guid.NewGuid():N}.sock");
        // Bound, and nobody listens: to the next process it looks the same as one whose owner is dead.
        using var left = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        left.Bind(new UnixDomainSocketEndPoint(path));
        Assert.True(File.Exists(path));

        await using var node = await TestNode.StartAsync("", listener: $"esmtp_listener {{ listen \"{path}\" {{ }} }}");
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
    }

    [Fact]
    public async Task Ipv6_sockets_are_ipv6_only_and_leave_the_port_to_ipv4()
    {
        if (!Socket.OSSupportsIPv6)
            return;
        int port;
        using (var free = new TcpListener(IPAddress.Loopback, 0))
        {
            free.Start();
            port = ((IPEndPoint)free.LocalEndpoint).Port;
        }

        await using var node = await TestNode.StartAsync("relay_hosts = ( ::1 )", listener: $"esmtp_listener {{ listen \"[*]:{port}\" {{ }} listen \"*:{port}\" {{ }} }}");
        using var six = await Client.ConnectAsync(new IPEndPoint(IPAddress.IPv6Loopback, port));
        using var four = await Client.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port));
        Assert.Contains("says EHLO to ::1", await six.ExpectAsync("EHLO app", "250"), StringComparison.Ordinal);
        Assert.Contains("says EHLO to 127.0.0.1", await four.ExpectAsync("EHLO app", "250"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Chunked_content_is_kept_octet_for_octet_and_gets_its_last_line_end()
    {
        await using var sink = new Sink();
        await using var node = await TestNode.StartAsync($"gateway = \"127.0.0.1\" remote_smtp_port = {sink.Port}");
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO app", "250");
        await client.ExpectAsync("MAIL FROM:<a@example.com>", "250");
        await client.ExpectAsync("RCPT TO:<x@example.net>", "250");

        await client.SendAsync("BDAT 14\r\nSubject: s\r\n\r\n");
        Assert.StartsWith("250", await client.ReplyAsync(), StringComparison.Ordinal);
        await client.SendAsync("BDAT 9 LAST\r\n.\r\nno end");
        Assert.StartsWith("250 2.0.0 OK id=", await client.ReplyAsync(), StringComparison.Ordinal);

        Assert.EndsWith("\r\n\r\n.\r\nno end\r\n", (await sink.NextAsync()).Content, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_throttled_client_waits_and_then_is_put_off()
    {
        var time = new ManualTime();
        await using var node = await TestNode.StartAsync("suspend_delivery = true\ninbound_throttle_messages = \"1/100\"", options => options with { Time = time });
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO app", "250");
        await client.SendMessageAsync("a@example.com", "x@example.net");

        await client.ExpectAsync("MAIL FROM:<a@example.com>", "450 4.3.2");
        time.Advance(TimeSpan.FromSeconds(75));
        await client.SendAsync("MAIL FROM:<a@example.com>\r\n");
        var reply = client.ReplyAsync();
        while (!reply.IsCompleted)
        {
            // The wait begins when the node has read the command; until then time has nothing to end.
            // Not faster than a busy machine lets it read: the session would have been idle for too long.
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(reply, Task.Delay(TimeSpan.FromMilliseconds(20)));
        }

        Assert.StartsWith("250", await reply, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_that_only_receives_sends_nothing_and_one_that_drains_receives_nothing()
    {
        var directory = Directory.CreateTempSubdirectory("veredus-").FullName;
        await using var sink = new Sink();
        var configuration = $"gateway = \"127.0.0.1\" remote_smtp_port = {sink.Port}";
        try
        {
            await using (var receiver = await TestNode.StartAsync(configuration, options => options with { ReceiveOnly = true }, directory))
            {
                using var client = await Client.ConnectAsync(receiver.Smtp);
                await client.ExpectAsync("EHLO app", "250");
                await client.SendMessageAsync("a@example.com", "x@example.net");
                Assert.Equal((1, 0), (receiver.Node.Delivery.Summary().ActiveQueue, sink.Received));
            }

            await using var drainer = await TestNode.StartAsync(configuration, options => options with { DrainOnly = true }, directory);
            Assert.Empty(drainer.Node.SmtpEndpoints);
            await sink.NextAsync();
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
