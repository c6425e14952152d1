using System.Diagnostics;
using Veredus.Acceptance.Tests.Support;

namespace Veredus.Acceptance.Tests;

/// <summary>A spool on a file system of a few megabytes, mounted in a mount namespace of the node's own.</summary>
public sealed class DiskFullTests
{
    [MountFact]
    public async Task A_full_disk_puts_clients_off_and_what_was_accepted_arrives()
    {
        await using var sink = new Sink();
        var node = NodeProcess.Prepare(one => one.Text(sink.Gateway + " suspend_delivery = true"));
        await using var _ = node;
        var spool = Directory.CreateDirectory(Path.Combine(node.Directory, "spool")).FullName;
        await node.RunAsync("unshare", "--mount", "--propagation", "private", "sh", "-c", $"mount -t tmpfs -o size=128m tmpfs '{spool}' && exec \"$@\"", "sh");
        using var client = await Client.ConnectAsync(node.Smtp);
        await client.ExpectAsync("EHLO a.example", "250");
        var content = "Subject: filler\r\n\r\n" + string.Concat(Enumerable.Repeat(new string('x', 98) + "\r\n", 10_000));
        var accepted = 0;
        string reply;
        do
        {
            await client.SendAsync("MAIL FROM:<a@example.com>\r\n");
            reply = await client.ReplyAsync();
            if (!reply.StartsWith("250", StringComparison.Ordinal))
                break;
            await client.ExpectAsync("RCPT TO:<b@example.net>", "250");
            await client.ExpectAsync("DATA", "354");
            await client.SendAsync(content + ".\r\n");
            reply = await client.ReplyAsync();
            if (reply.StartsWith("250", StringComparison.Ordinal))
                accepted++;
        }
        while (reply.StartsWith("250", StringComparison.Ordinal) && accepted < 200);
        Assert.StartsWith("452 4.3.1", reply, StringComparison.Ordinal);
        Assert.InRange(accepted, 1, 128);
        await client.ExpectAsync("RSET", "250");

        // Delivery makes room again: everything arrives once, and new mail is taken.
        Assert.Equal(0, (await node.ConsoleAsync("config", "set", "suspend_delivery", "false")).ExitCode);
        for (var i = 0; i < accepted; i++)
            Assert.Equal(content.Length, (await sink.NextAsync()).Content.Split("\r\n\r\n", 2)[1].Length + "Subject: filler\r\n\r\n".Length);
        await client.ExpectAsync("QUIT", "221");
        using var after = await Client.ConnectAsync(node.Smtp);
        await after.ExpectAsync("EHLO a.example", "250");
        Assert.StartsWith("250 2.0.0", await after.SendMessageAsync("later@example.com", "b@example.net"), StringComparison.Ordinal);
        Assert.Equal("later@example.com", (await sink.NextAsync()).Sender);
        Assert.False(sink.HasMore);
    }
}

/// <summary>A test that mounts in a namespace of its own. Skipped, with the reason, where that is not allowed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class MountFactAttribute : FactAttribute
{
    public MountFactAttribute()
    {
        try
        {
            using var probe = Process.Start(new ProcessStartInfo("unshare", ["--mount", "--propagation", "private", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]) { RedirectStandardError = true })!;
            var error = probe.StandardError.ReadToEnd();
            probe.WaitForExit();
            if (probe.ExitCode != 0)
                Skip = $"No mount namespace can be made here: {error.Trim()}";
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            Skip = $"unshare(1) can't be run: {e.Message}";
        }
    }
}
