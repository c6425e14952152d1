using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Veredus.Control;
using Veredus.Node.Control;
using Veredus.Node.Tests.Support;
using Veredus.Reception.Auth;

namespace Veredus.Node.Tests;

/// <summary>The console of a real node: its sockets, its rights, and every command (mta.md 11, check 9).</summary>
public sealed class ControlTests
{
    /// <summary>The commands of mta.md 9.3 and 9.4 that are there, each with arguments that harm nothing.</summary>
    private static readonly (string Command, bool HasJson)[] Commands =
    [
        ("summary", true), ("binding summary", true), ("binding summary default", true), ("binding summary group:default", true), ("mailq -l 5", true), ("active 0", true),
        ("delayed 0", true), ("binding active default 0", true), ("binding delayed default 0", true), ("domain held.example", true), ("domain all", true), ("domains", true),
        ("showqueue held.example", true), ("showqueue binding all held.example 10,0", true), ("message details {ID}", true), ("message details full {ID}", true),
        ("show inbound", true), ("show outbound", true), ("counter list", true), ("sysinfo", true), ("version", true), ("pid", false), ("threads stats", true),
        ("dig held.example", false), ("module list", true), ("paniclog", true), ("authz id", true), ("authz roles list", true), ("tls show cache", true),
        ("tls flush cache", false), ("help", true), ("help config", true), ("flush domain nowhere.example", true), ("binding flush domain default nowhere.example", true),
        ("fail domain nowhere.example", true), ("fail domain quiet nowhere.example 554 5.7.0 gone", true), ("binding fail domain default nowhere.example", true),
        ("rebind default nowhere.example", true), ("reroute queue nowhere.example other.example", true), ("refresh domain all", false), ("reopen logs", false),
        ("trace smtp add * nowhere.example trace.txt", false), ("trace smtp list", true), ("trace smtp remove 1", false), ("config eval gateway", true),
        ("config show", true), ("config begin", false), ("config set gateway = nowhere.example", true), ("config replay", true), ("config rollback", false),
        ("config locate listen", true), ("write config", false), ("note a remark", false), ("summary reset", false), ("message retry {ID}", false), ("noop", false),
    ];

    [Fact]
    public async Task Every_command_works_in_text_and_in_JSON()
    {
        await using var node = await StartAsync("suspend_delivery = true");
        var id = await HoldAsync(node);
        await using var client = await ConnectAsync(node);
        foreach (var (command, hasJson) in Commands)
        {
            var line = command.Replace("{ID}", id, StringComparison.Ordinal);
            var reply = await client.SendAsync(line, default);
            Assert.True(reply.IsOk, $"{line}: {reply.Code} {reply.Text} {reply.Body}");
            if (!hasJson)
                continue;
            var json = await client.SendAsync("json " + line, default);
            Assert.True(json.IsOk, $"json {line}: {json.Code} {json.Text}");
            using var document = JsonDocument.Parse(json.Body);
        }
    }

    [Fact]
    public async Task What_waits_is_found_shown_and_given_up()
    {
        await using var node = await StartAsync("suspend_delivery = true");
        var id = await HoldAsync(node);
        await using var client = await ConnectAsync(node);
        Assert.Contains("held.example", (await client.SendAsync("mailq", default)).Body);
        Assert.Matches(@"^\[active/default\] [0-9A-F/-]+ Created: \d+\n  From: <s@example.com> To: <r@held\.example>$", (await client.SendAsync("showqueue held.example", default)).Body);
        var details = (await client.SendAsync($"message details full {id}", default)).Body;
        Assert.Contains("Sender: <s@example.com>", details);
        Assert.Contains("\nSubject: hold me", details);
        Assert.Equal(404, (await client.SendAsync("message details 00/00-00000-00000000", default)).Code);
        Assert.Equal("Message failed", (await client.SendAsync($"message fail quiet {id}", default)).Text);
        await client.SendAsync("flush domain all", default);
        Assert.DoesNotContain(node.Node.Delivery.MailQueue(), queue => queue.Domain == "held.example");
    }

    [Fact]
    public async Task Over_TCP_a_password_and_a_role_are_needed_and_both_are_accounted()
    {
        var secrets = Directory.CreateTempSubdirectory("veredus-users-").FullName;
        var (users, groups) = (Path.Combine(secrets, "users"), Path.Combine(secrets, "groups"));
        await File.WriteAllTextAsync(users, $"ann:{ScramCredential.Derive("correct horse", new byte[16], 4096)}\n");
        await File.WriteAllTextAsync(groups, "readers:ann\n");
        var port = FreePort();
        await using var node = await StartAsync(
            $$"""
            control_listener { listen "127.0.0.1:{{port}}" {
              authscramparameters = [ uri = "scram://{{users}}" log_authentication = "true" ]
              enable_authorization = true
              authorizationparameters = [ uri = "groups://{{groups}}" ]
            } }
            authorization { role "readers" { allow = ( "summary" "config get" ) } }
            """);
        Assert.True(ControlEndpoint.TryParse($"ann@127.0.0.1:{port}", out var endpoint, out _));
        await using var client = await ControlClient.ConnectAsync(endpoint, new() { Password = _ => "correct horse" }, default);
        Assert.True((await client.SendAsync("json summary", default)).IsOk);
        Assert.True((await client.SendAsync("config get gateway", default)).IsOk);
        Assert.Equal(403, (await client.SendAsync("shutdown", default)).Code);
        await Assert.ThrowsAsync<ControlException>(() => ControlClient.ConnectAsync(endpoint, new() { Password = _ => "wrong" }, default));
        var log = string.Join('\n', node.Log("acctlog.ec"));
        Assert.Matches($@"@N@127\.0\.0\.1:{port}@127\.0\.0\.1:\d+@ann@1", log);
        Assert.Matches($@"@N@127\.0\.0\.1:{port}@127\.0\.0\.1:\d+@ann@0", log);
        Assert.Contains("@ann@1@summary@readers", log);
        Assert.Contains("@ann@0@shutdown", log);
        Directory.Delete(secrets, recursive: true);
    }

    [Fact]
    public async Task A_reload_opens_and_closes_control_sockets_and_a_bad_one_changes_nothing()
    {
        await using var node = await StartAsync("");
        var second = Path.Combine(node.Directory, "second.sock");
        await using var client = await ConnectAsync(node);
        var both = Listener + " control_listener { listen \"{DIR}/second.sock\" { } }";
        await File.WriteAllTextAsync(node.File, TestNode.Text(node.Directory, TestNode.DefaultListener, both));
        var reloaded = await client.SendAsync("config reload", default);
        Assert.True(reloaded.IsOk, reloaded.Text + reloaded.Body);
        await using (var other = await ControlClient.ConnectAsync(ControlEndpoint.Unix(second), new(), default))
            Assert.True((await other.SendAsync("version", default)).IsOk);

        await File.WriteAllTextAsync(node.File, TestNode.Text(node.Directory, TestNode.DefaultListener, both + "\nno_such_option = 1"));
        var refused = await client.SendAsync("config reload", default);
        Assert.Equal(422, refused.Code);
        Assert.Equal("Reconfigure failed.", refused.Text);
        Assert.Contains("no_such_option", refused.Body);
        Assert.Contains(node.Log("paniclog.ec"), line => line.Contains("no_such_option"));

        await File.WriteAllTextAsync(node.File, TestNode.Text(node.Directory, TestNode.DefaultListener, Listener));
        Assert.True((await client.SendAsync("config reload", default)).IsOk);
        await Assert.ThrowsAsync<ControlException>(() => ControlClient.ConnectAsync(ControlEndpoint.Unix(second), new(), default));
        Assert.True((await client.SendAsync("version", default)).IsOk);
    }

    [Fact]
    public async Task A_transaction_belongs_to_its_session()
    {
        await using var node = await StartAsync("");
        await using (var one = await ConnectAsync(node))
        {
            await one.SendAsync("config begin", default);
            await one.SendAsync("config set gateway = one.example", default);
            await using var other = await ConnectAsync(node);
            Assert.Contains("is not set", (await other.SendAsync("config get gateway", default)).Body);
        }
        await using var later = await ConnectAsync(node);
        Assert.Contains("is not set", (await later.SendAsync("config get gateway", default)).Body);
        Assert.Equal(409, (await later.SendAsync("config commit", default)).Code);
    }

    [Fact]
    public async Task The_console_stops_the_node()
    {
        await using var node = await StartAsync("");
        await using var client = await ConnectAsync(node);
        Assert.Equal("shutting down", (await client.SendAsync("shutdown now", default)).Text);
        Assert.True(await node.Node.StopRequested.WaitAsync(TimeSpan.FromSeconds(30)));
    }

    private const string Listener = "control_listener { timeout = 30 listen \"{DIR}/control.sock\" { } }";

    private static Task<TestNode> StartAsync(string configuration) =>
        TestNode.StartAsync($"{Listener}\n{configuration}", options => options with { Services = [new ControlEndpoints("0.1.0")] });

    private static Task<ControlClient> ConnectAsync(TestNode node) =>
        ControlClient.ConnectAsync(ControlEndpoint.Unix(Path.Combine(node.Directory, "control.sock")), new(), default);

    /// <summary>Sends one message that stays in its queue; gives its ID.</summary>
    private static async Task<string> HoldAsync(TestNode node)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(node.Smtp);
        await using var stream = new NetworkStream(socket);
        using var reader = new StreamReader(stream, Encoding.ASCII);
        foreach (var line in (string[])["EHLO c.example", "MAIL FROM:<s@example.com>", "RCPT TO:<r@held.example>", "DATA", "Subject: hold me\r\n\r\ntext\r\n."])
        {
            await ReplyAsync(reader);
            await stream.WriteAsync(Encoding.ASCII.GetBytes(line + "\r\n"));
        }
        var accepted = await ReplyAsync(reader);
        return accepted[(accepted.IndexOf("id=", StringComparison.Ordinal) + 3)..].Trim();

        static async Task<string> ReplyAsync(StreamReader reader)
        {
            while (await reader.ReadLineAsync() is { } line)
            {
                if (line.Length > 3 && line[3] == '-')
                    continue;
                Assert.True(line[0] is '2' or '3', line);
                return line;
            }
            throw new IOException("the node closed the connection");
        }
    }

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
