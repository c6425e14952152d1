using Veredus.Control;
using Veredus.Node.Control;
using Veredus.Node.Tests.Support;
using Veredus.Spool;

namespace Veredus.Node.Tests;

/// <summary>Another node's spool taken over by a running node (mta.md 4, 11 check 8).</summary>
public sealed class ImportTests : IDisposable
{
    private const int Messages = 20;
    private const string Console = "control_listener { listen \"{DIR}/control.sock\" { } }";
    private readonly string _other = Directory.CreateTempSubdirectory("veredus-").FullName;
    private readonly ControlEndpoints _endpoints = new("0.1.0");

    private string Source => Path.Combine(_other, "spool");

    public void Dispose() => Directory.Delete(_other, recursive: true);

    [Fact]
    public async Task Every_message_of_another_spool_is_delivered_once_and_logged()
    {
        await FillAsync(Messages);
        await using var sink = new Sink();
        await using var node = await StartAsync(sink.Port);
        using var smtp = await Client.ConnectAsync(node.Smtp);
        await smtp.ExpectAsync("EHLO app", "250");
        var taken = (await smtp.SendMessageAsync("held@example.com", "r@held.example"))["250 2.0.0 OK id=".Length..];
        await AddAsync(Simple(taken) with { Recipient = "collides@example.net" }, "Subject: same ID\r\n\r\n1\r\n");
        await AddAsync(Simple("7F/00-00009-00000001") with { Recipient = "stranger@two.example.net", BindingGroup = "nowhere", Binding = "gone" }, "Subject: foreign binding\r\n\r\n2\r\n");
        await AddAsync(Simple("7F/00-00009-00000002") with { Recipient = "broken@example.net" }, "Subject: damaged on the disk\r\n\r\n3\r\n");
        Damage("damaged on the disk"u8);

        await using var console = await ConnectAsync(node);
        var started = await console.SendAsync($"spool import {Source}/ 4", default);
        Assert.True(started.IsOk, started.Text);
        var delivered = new List<SinkMessage>();
        while (delivered.Count < Messages + 2)
            delivered.Add(await sink.NextAsync());
        await _endpoints.Spool!.Completion(Source);

        Assert.Equal($"{Source}: {Messages + 2} of {Messages + 3} imported, 1 failed, done", Assert.Single((await console.SendAsync($"spool import_poll {Source}", default)).Lines));
        var recipients = delivered.SelectMany(message => message.Recipients).ToList();
        Assert.Equal(Messages + 2, recipients.Distinct().Count());
        Assert.Equal(Messages + 2, sink.Received);
        Assert.All(delivered, message => Assert.StartsWith("Received: by mta.example.org (envelope-from <", message.Content, StringComparison.Ordinal));

        var imports = node.Log("importlog.ec").Select(line => line.Split('@')).ToList();
        Assert.Equal(Messages + 3, imports.Count);
        Assert.All(imports, fields => Assert.Equal(("I", Source), (fields[2], fields[5])));
        Assert.Equal(Messages + 3, imports.Select(fields => fields[1]).Distinct().Count());
        Assert.Equal(("", "3"), imports.Where(fields => fields[1] == "7F/00-00009-00000002").Select(fields => (fields[3], fields[4])).Single());
        var collision = imports.Single(fields => fields[1] == taken);
        Assert.Equal("1", collision[4]);
        Assert.NotEqual(taken, collision[3]);
        Assert.All(imports.Where(fields => fields[4] == "1" && fields != collision), fields => Assert.Equal(fields[1], fields[3]));

        var receptions = node.Log("mainlog.ec").Select(line => line.Split('@')).Where(fields => fields[4] == "R" && fields[11] == "import").ToList();
        Assert.Equal(imports.Where(fields => fields[4] == "1").Select(fields => fields[3]).Order(), receptions.Select(fields => fields[1]).Order());
        Assert.Equal(("bulk", "bulk-1"), receptions.Where(fields => fields[5] == "stranger").Select(fields => (fields[12], fields[13])).Single());
        Assert.True((await console.SendAsync($"message details {taken}", default)).IsOk, "The message that had the ID first is still there.");
    }

    [Fact]
    public async Task Without_trace_headers_a_message_leaves_as_it_came_and_the_source_is_empty_afterwards()
    {
        await AddAsync(Simple("7F/00-00009-00000001"), "Subject: as it is\r\n\r\nHello\r\n");
        await using var sink = new Sink();
        await using var node = await StartAsync(sink.Port);
        await using var console = await ConnectAsync(node);
        Assert.True((await console.SendAsync($"spool import {Source} 1 suppress_trace_headers", default)).IsOk);
        Assert.Equal("Subject: as it is\r\n\r\nHello\r\n", (await sink.NextAsync()).Content);
        await _endpoints.Spool!.Completion(Source);

        Assert.True((await console.SendAsync($"spool import {Source}", default)).IsOk);
        await _endpoints.Spool!.Completion(Source);
        Assert.Equal($"{Source}: 0 of 0 imported, 0 failed, done", Assert.Single((await console.SendAsync($"spool import_poll {Source}", default)).Lines));
        Assert.Equal(1, sink.Received);
        // Its own node may use it again, another may not.
        await using (await OpenAsync("other.example.org"))
        {
        }
    }

    [Fact]
    public async Task A_spool_in_use_and_what_is_no_spool_are_refused_with_the_reason()
    {
        await using var owner = await OpenAsync("other.example.org");
        await using var sink = new Sink();
        await using var node = await StartAsync(sink.Port);
        await using var console = await ConnectAsync(node);
        var refused = await console.SendAsync($"spool import {Source}", default);
        Assert.Equal(409, refused.Code);
        Assert.Contains($"'{Source}' is in use by other.example.org", refused.Text, StringComparison.Ordinal);
        Assert.Contains("no Veredus spool", (await console.SendAsync($"spool import {_other}", default)).Text, StringComparison.Ordinal);
        Assert.Contains("not an absolute path", (await console.SendAsync("spool import spool", default)).Text, StringComparison.Ordinal);
        Assert.Contains("is in use by", (await console.SendAsync($"spool import {node.Directory}/spool", default)).Text, StringComparison.Ordinal);
        Assert.Equal(404, (await console.SendAsync("spool import_poll /elsewhere", default)).Code);
    }

    [Theory]
    [InlineData("veredus-spool 9\nid 8d7a\n", "has format 9; this version reads format 1")]
    [InlineData("some-queue 3\nmore\n", "begins with 'some-queue 3' where 'veredus-spool 1' is wanted")]
    public async Task A_spool_of_another_format_is_refused_told_in_the_paniclog_and_left_as_it_is(string format, string problem)
    {
        await AddAsync(Simple("7F/00-00009-00000001"), "Subject: newer\r\n\r\n1\r\n");
        await File.WriteAllTextAsync(Path.Combine(Source, "spool.format"), format);
        var before = Contents(Source);
        await using var sink = new Sink();
        await using var node = await StartAsync(sink.Port);
        await using var console = await ConnectAsync(node);
        foreach (var (command, deed) in (ValueTuple<string, string>[])[($"spool import {Source}", "import"), ($"spool takeover other {Source}", "takeover")])
        {
            var refused = await console.SendAsync(command, default);
            Assert.Equal(409, refused.Code);
            Assert.Contains($"'{Source}'", refused.Text, StringComparison.Ordinal);
            Assert.Contains(problem, refused.Text, StringComparison.Ordinal);
            Assert.Contains(node.Log("paniclog.ec"), line => line.Contains($"{deed} of '{Source}' refused", StringComparison.Ordinal) && line.Contains(problem, StringComparison.Ordinal));
        }
        Assert.Equal(before, Contents(Source));
    }

    [Fact]
    public async Task A_node_does_not_start_on_a_spool_of_another_format_or_on_what_is_none_and_leaves_it_as_it_is()
    {
        await AddAsync(Simple("7F/00-00009-00000001"), "Subject: newer\r\n\r\n1\r\n");
        await File.WriteAllTextAsync(Path.Combine(Source, "spool.format"), "veredus-spool 9\nid 8d7a\n");
        await RefusedAsync($"'{Source}' has format 9; this version reads format 1");

        Directory.Delete(Source, recursive: true);
        Directory.CreateDirectory(Source);
        await File.WriteAllTextAsync(Path.Combine(Source, "mail.db"), "theirs");
        await RefusedAsync($"'{Source}' is no Veredus spool and not empty (it holds 'mail.db')");

        async Task RefusedAsync(string problem)
        {
            var before = Contents(Source);
            var error = await Assert.ThrowsAsync<StartupException>(() => TestNode.StartAsync("", directory: _other));
            Assert.Equal(ExitCode.Spool, error.ExitCode);
            Assert.Contains(problem, error.Message, StringComparison.Ordinal);
            Assert.Equal(before, Contents(Source));
        }
    }

    [Fact]
    public async Task What_lies_in_the_spool_and_in_no_queue_can_be_queued_by_its_ID()
    {
        await using var sink = new Sink();
        await using var node = await StartAsync(sink.Port);
        await node.Node.Recovery;
        using var body = node.Node.Spool.CreateBody();
        System.Buffers.BuffersExtensions.Write(body, "Subject: forgotten\r\n\r\nHello\r\n"u8);
        Assert.Equal(CommitStatus.Durable, (await node.Node.Spool.CommitAsync(body, [Simple("7F/00-00009-00000001")])).Status);
        await using var console = await ConnectAsync(node);

        Assert.Equal("7F/00-00009-00000001 queued", (await console.SendAsync("spool_in 7F/00-00009-00000001", default)).Text);
        Assert.Contains("forgotten", (await sink.NextAsync()).Content, StringComparison.Ordinal);
        Assert.Contains("there is no message", (await console.SendAsync("spool_in 7F/00-00009-00000077", default)).Text, StringComparison.Ordinal);
        Assert.Contains("not a message ID", (await console.SendAsync("spool_in nonsense", default)).Text, StringComparison.Ordinal);
        using var smtp = await Client.ConnectAsync(node.Smtp);
        await smtp.ExpectAsync("EHLO app", "250");
        var held = (await smtp.SendMessageAsync("held@example.com", "r@held.example"))["250 2.0.0 OK id=".Length..];
        Assert.Contains("in its queue already", (await console.SendAsync($"spool_in {held}", default)).Text, StringComparison.Ordinal);
    }

    /// <summary>A node that delivers to the sink, and keeps what is for held.example.</summary>
    private Task<TestNode> StartAsync(int port) => TestNode.StartAsync(
        $$"""
        {{Console}}
        gateway = "127.0.0.1"
        remote_smtp_port = {{port}}
        binding_group "held" { binding "held-1" { suspend_delivery = true } }
        binding_group "bulk" { binding "bulk-1" { } }
        binding_rule "held" { order = 1 recipient_domain = ( "held.example" ) binding = "held-1" }
        binding_rule "two" { order = 2 recipient_domain = ( "two.example.net" ) binding = "bulk-1" }
        """,
        options => options with { Services = [_endpoints] });

    private static Task<ControlClient> ConnectAsync(TestNode node) =>
        ControlClient.ConnectAsync(ControlEndpoint.Unix(Path.Combine(node.Directory, "control.sock")), new(), default);

    /// <summary>The other node receives, and delivers nothing.</summary>
    private async Task FillAsync(int messages)
    {
        await using var other = await TestNode.StartAsync("suspend_delivery = true", options => options with { NodeName = "other.example.org" }, _other);
        using var client = await Client.ConnectAsync(other.Smtp);
        await client.ExpectAsync("EHLO app", "250");
        for (var i = 0; i < messages; i++)
            Assert.StartsWith("250", await client.SendMessageAsync("a@example.com", $"x{i}@example.net"), StringComparison.Ordinal);
    }

    private async Task AddAsync(Envelope envelope, string content)
    {
        await using var spool = await OpenAsync("other.example.org");
        await foreach (var _ in spool.RecoverAsync())
        {
        }
        using var body = spool.CreateBody();
        System.Buffers.BuffersExtensions.Write(body, System.Text.Encoding.ASCII.GetBytes(content));
        Assert.Equal(CommitStatus.Durable, (await spool.CommitAsync(body, [envelope])).Status);
    }

    private ValueTask<SpoolStore> OpenAsync(string node) => SpoolStore.OpenAsync(new() { Base = Source, NodeName = node }, TimeProvider.System);

    /// <summary>Every file below a directory, with what it holds.</summary>
    private static List<(string Name, string Octets)> Contents(string directory) => [.. Directory.GetFiles(directory, "*", SearchOption.AllDirectories)
        .Order(StringComparer.Ordinal).Select(file => (file, Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(file)))))];

    /// <summary>Turns one octet of a body over.</summary>
    private void Damage(ReadOnlySpan<byte> text)
    {
        foreach (var file in Directory.GetFiles(Path.Combine(Source, "segments")))
        {
            var octets = File.ReadAllBytes(file);
            if (octets.AsSpan().IndexOf(text) is var at and >= 0)
            {
                octets[at] ^= 1;
                File.WriteAllBytes(file, octets);
                return;
            }
        }
        Assert.Fail("The message is not in the spool.");
    }

    private static Envelope Simple(string id)
    {
        Assert.True(MessageId.TryParse(id, out var parsed), id);
        return new()
        {
            Id = parsed,
            BatchId = parsed,
            Received = TimeProvider.System.GetUtcNow(),
            Protocol = "ESMTP",
            Sender = "a@example.com",
            Recipient = "one@example.net",
            BindingGroup = "default",
            Binding = "default",
        };
    }
}
