using System.Diagnostics;

namespace Veredus.Lab;

/// <summary>Neighbours that cannot take what they are to have: it is said, the mail stays where it is, and goes when they can.</summary>
public sealed class MoveTroubleTests
{
    [LabFact]
    public async Task A_full_disk_and_a_missing_binding_at_the_other_node_are_named_in_status_and_the_mail_waits()
    {
        var isComplete = false;
        await using var lab = await MoveLab.StartAsync(lab =>
        {
            lab.HasBinding = (node, binding) => isComplete || (node, binding) != (2, 1);
            var spool = Directory.CreateDirectory(Path.Combine(lab.DirectoryOf(3), "spool")).FullName;
            Run("mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", spool);
        });
        var filler = Path.Combine(lab.DirectoryOf(3), "spool", "lost+found");
        try
        {
            await MoveAsync(lab, 1, 2);
            await MoveAsync(lab, 3, 3);
            Fill(filler);
            Assert.Equal(5, await lab.Sender.SendAsync(MoveLab.Host(1), "d1.test", 5));
            Assert.Equal(3, await lab.Sender.SendAsync(MoveLab.Host(1), "d3.test", 3, bytes: 2_000_000));

            var status = await lab.AskUntilAsync(1, said => said.Contains("mta2 does not take message", StringComparison.Ordinal) && said.Contains("mmove: mta3: 452", StringComparison.Ordinal), "status", "--node");
            Assert.Contains("of binding b1", status, StringComparison.Ordinal);
            await lab.AskUntilAsync(2, said => said.Contains("hands mail of binding 'b1' over, which is not configured here", StringComparison.Ordinal), "status", "--node");
            Assert.Contains("8 messages left (8 on their way", await lab.ToolAsync(1, "console", "cluster", "queues", "status"), StringComparison.Ordinal);
            Assert.Empty(lab.Sink.Arrivals);

            File.Delete(filler);
            isComplete = true;
            await lab.KillAsync(2);
            await lab.StartNodeAsync(2);
            await lab.Sink.UntilAsync(lab.Sender.Accepted, MoveLab.Limit, lab.Story);
            Assert.Equal(8, lab.Sink.Arrivals.Length);
        }
        finally
        {
            Run("umount", "-l", Path.Combine(lab.DirectoryOf(3), "spool"));
        }
    }

    private static async Task MoveAsync(MoveLab lab, int binding, int node)
    {
        if (await lab.OwnerAsync(binding) == node)
            return;
        await lab.ToolAsync(node, "vip", "move", MoveLab.Vips[binding - 1].ToString(), "--to", $"mta{node}", "--yes");
        await lab.AskUntilAsync(node, said => said.Contains($"is on mta{node} ", StringComparison.Ordinal), "explain", "vip", MoveLab.Vips[binding - 1].ToString());
        await lab.OwnerAsync(binding);
    }

    /// <summary>Takes all the room there is.</summary>
    private static void Fill(string path)
    {
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read, 0);
        var octets = new byte[64 << 10];
        try
        {
            while (true)
                file.Write(octets);
        }
        catch (IOException)
        {
            // Full.
        }
    }

    private static void Run(string program, params string[] words)
    {
        using var process = Process.Start(program, words);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
