using System.Text.Json;
using Xunit.Abstractions;

namespace Veredus.Lab;

/// <summary>Managers and nodes as real processes on a real corosync: killed, frozen, started again.</summary>
public sealed class ManagerTests(ITestOutputHelper output)
{
    [LabFact]
    public async Task Commands_go_on_through_the_other_manager_and_a_frozen_node_delays_nobody()
    {
        await using var lab = await ManagerLab.StartAsync();
        try
        {
            await PlayAsync(lab);
        }
        catch
        {
            output.WriteLine(lab.Story);
            throw;
        }
    }

    private async Task PlayAsync(ManagerLab lab)
    {
        var all = await lab.ToolAsync("mgr1", "run", "--on", "all", "version");
        Assert.Equal(0, all.ExitCode);
        Assert.StartsWith("3 nodes answered the same (mta1 mta2 mta3), ", all.Out, StringComparison.Ordinal);
        output.WriteLine($"first: {all.Out.Split('\n')[0]}");
        output.WriteLine($"again: {(await lab.ToolAsync("mgr1", "run", "--on", "all", "version")).Out.Split('\n')[0]}");

        await lab.SignalAsync("mta3", "STOP");
        var frozen = await lab.ToolAsync("mgr2", "run", "--on", "all", "--wait", "10", "--json", "pid");
        Assert.Equal(6, frozen.ExitCode);
        using (var document = JsonDocument.Parse(frozen.Out))
        {
            Assert.Equal("mta3", document.RootElement.GetProperty("source").GetProperty("missing")[0].GetString());
            Assert.Equal(["answered", "answered", "pending"], document.RootElement.GetProperty("data").GetProperty("nodes").EnumerateArray().Select(node => node.GetProperty("state").GetString()!));
        }

        await lab.KillAsync("mgr1");
        Assert.Equal(5, (await lab.ToolAsync("mgr1", "run", "--on", "all", "version")).ExitCode);
        Assert.Equal(0, (await lab.ToolAsync("mgr2", "run", "--on", "mta1,mta2", "version")).ExitCode);

        // Its commands come in order: when it answers the new one, the late answer to the earlier one is there too.
        await lab.SignalAsync("mta3", "CONT");
        Assert.Equal(0, (await lab.ToolAsync("mgr2", "run", "--on", "mta3", "--wait", "60", "version")).ExitCode);
        Assert.Contains("=== mta3 rc=0", (await lab.ToolAsync("mgr2", "console", "retrieve_node mta3 pid")).Out);

        await lab.StartAsync("mgr1");
        Assert.Contains("=== mta2 rc=0", (await lab.ToolAsync("mgr1", "console", "retrieve version")).Out);
        var complete = await lab.ToolAsync("mgr1", "run", "--on", "all", "--wait", "60", "version");
        Assert.True(complete.ExitCode == 0, complete.Out + complete.Error);
        Assert.Contains("Node Type: Manager", (await lab.ToolAsync("mgr1", "console", "show cluster membership")).Out);
    }
}
