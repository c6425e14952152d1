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

    /// <summary>What a broadcast takes with a host and a corosync for each node; a frozen node keeps nobody's answer.</summary>
    [LabFact(OnlyWhenAsked = true)]
    public async Task Sixteen_nodes_on_sixteen_hosts_answer_a_broadcast()
    {
        await using var lab = await ManagerLab.StartAsync(16, isSpread: true);
        try
        {
            using var limit = new CancellationTokenSource(LabCluster.Limit);
            while ((await lab.ToolAsync("mgr1", "run", "--on", "all", "--wait", "60", "version")).Out is var said && !said.StartsWith("16 nodes answered the same", StringComparison.Ordinal))
                Assert.False(limit.IsCancellationRequested, said);
            var took = new List<double>();
            for (var i = 0; i < 30; i++)
                took.Add((await AnswersAsync(lab, "version")).Max(answer => answer.Seconds));
            output.WriteLine(string.Create(System.Globalization.CultureInfo.InvariantCulture,
                $"16 nodes on 16 hosts: last answer after {took.Order().ElementAt(15) * 1000:0} ms (median of 30, {took.Min() * 1000:0} to {took.Max() * 1000:0})"));

            await lab.SignalAsync("mta16", "STOP");
            var others = new List<double>();
            for (var i = 0; i < 5; i++)
            {
                var answers = await AnswersAsync(lab, "version");
                Assert.Equal(15, answers.Count);
                Assert.DoesNotContain(answers, answer => answer.Node == "mta16");
                others.Add(answers.Max(answer => answer.Seconds));
            }
            output.WriteLine(string.Create(System.Globalization.CultureInfo.InvariantCulture,
                $"with one of them frozen: the others' last answer after {others.Order().ElementAt(2) * 1000:0} ms (median of 5, {others.Min() * 1000:0} to {others.Max() * 1000:0}); waited 6 s for it"));
            Assert.True(others.Order().ElementAt(2) < 5, "the frozen node delayed the others");
        }
        catch
        {
            output.WriteLine(lab.Story);
            throw;
        }
    }

    private static async Task<List<(string Node, double Seconds)>> AnswersAsync(ManagerLab lab, string command)
    {
        var (_, said, error) = await lab.ToolAsync("mgr1", "run", "--on", "all", "--wait", "6", "--json", command);
        Assert.True(said.Length > 0, error);
        using var document = JsonDocument.Parse(said);
        return [.. document.RootElement.GetProperty("data").GetProperty("nodes").EnumerateArray().Where(node => node.GetProperty("state").GetString() == "answered")
            .Select(node => (node.GetProperty("node").GetString()!, node.GetProperty("seconds").GetDouble()))];
    }
}
