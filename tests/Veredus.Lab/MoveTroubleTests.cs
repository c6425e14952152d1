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

    [LabFact(OnlyWhenAsked = true)]
    public async Task A_node_of_another_version_is_named_in_status_and_the_mail_waits_until_both_speak_the_same()
    {
        await using var lab = await MoveLab.StartAsync();
        await MoveAsync(lab, 3, 3);
        await using var other = await OtherVersion.StandInAsync(lab, 3, forNode: 1);

        Assert.Equal(5, await lab.Sender.SendAsync(MoveLab.Host(1), "d3.test", 5));
        await lab.AskUntilAsync(1, said => said.Contains("mmove: mta3: speaks another version of ECmmove2: it offers no XECMMOVE; tried again in", StringComparison.Ordinal), "status", "--node");
        other.OffersMoves = true;
        await ForgiveAsync(lab);
        await lab.AskUntilAsync(1, said => said.Contains("mmove: mta3: 450 4.5.4 version 1 of XECMMOVE is not known here; this node speaks version 2", StringComparison.Ordinal), "status", "--node");
        Assert.Contains("5 messages left (5 on their way to other nodes, 0 in doubt)", await lab.ToolAsync(1, "console", "cluster", "queues", "status"), StringComparison.Ordinal);

        Assert.StartsWith("450 4.5.4 version 2 of XECMMOVE is not known here; this node speaks version 1", await other.OfferAsync(1, """{"v":2,"transfer":["not","a","guid"]}"""), StringComparison.Ordinal);
        Assert.StartsWith("450 4.5.0", await other.OfferAsync(1, "{}"), StringComparison.Ordinal);
        await lab.AskUntilAsync(1, said => said.Contains("mta3 hands mail over in version 2 of XECMMOVE; this node speaks version 1", StringComparison.Ordinal), "status", "--node");

        await other.EndAsync();
        await ForgiveAsync(lab);
        await lab.Sink.UntilAsync(lab.Sender.Accepted, MoveLab.Limit, lab.Story);
        Assert.Equal(5, lab.Sink.Arrivals.Length);
        Assert.Contains("no message is in doubt", await lab.ToolAsync(1, "message", "list", "--in-doubt"), StringComparison.Ordinal);
    }

    /// <summary>Who was paused is tried at once when somebody comes or leaves; by itself it would be after a minute at most.</summary>
    private static async Task ForgiveAsync(MoveLab lab)
    {
        await lab.KillAsync(2);
        await lab.StartNodeAsync(2);
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
