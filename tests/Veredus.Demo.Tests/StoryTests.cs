using System.Text.Json;
using Xunit.Abstractions;

namespace Veredus.Demo.Tests;

/// <summary>The stories as an operator plays them: real processes, real addresses, and nothing of it afterwards.</summary>
public sealed class StoryTests(ITestOutputHelper output) : IDisposable
{
    private readonly DemoProgram _program = new();

    // The limits are for a machine that is slow and busy; the product's own is the default of --gap.
    private static readonly string[] Patient = ["--gap", "2m", "--limit", "8m"];

    [DemoFact]
    public Task Failover_loses_nothing_and_leaves_nothing() => PlayAsync("failover");

    [DemoFact]
    public Task Contradictory_configurations_are_marked_and_mended() => PlayAsync("conflict");

    [DemoFact(OnlyWhenAsked = true)]
    public Task A_drain_cuts_no_transaction() => PlayAsync("drain");

    [DemoFact(OnlyWhenAsked = true)]
    public Task Two_halves_become_one_again() => PlayAsync("partition");

    [DemoFact(OnlyWhenAsked = true)]
    public Task A_cluster_is_restarted_node_by_node_and_no_transaction_is_cut() => PlayAsync("rolling-upgrade");

    [DemoFact]
    public async Task A_drain_in_a_user_namespace_cuts_no_transaction()
    {
        var isolation = await WhyNotAsync(IsolationKind.UserNs);
        if (isolation is not null)
        {
            output.WriteLine($"SKIPPED: no user namespaces here: {isolation}");
            return;
        }
        await PlayAsync("drain", "--isolation", "userns");
    }

    [DemoFact]
    public async Task A_demo_that_is_killed_leaves_only_a_directory_and_down_removes_it()
    {
        using var demo = _program.Start("demo", "--for", "10m");
        var ready = await ReadUntilAsync(demo.StandardOutput, "  ok 3 nodes");
        output.WriteLine(ready);
        var inside = _program.Processes();
        Assert.True(inside.Length >= 8, $"only {inside.Length} processes");
        var status = await _program.RunAsync("demo", "status");
        Assert.Contains("running", status.Output);

        demo.Kill();
        foreach (var id in inside)
            await EndedAsync(id);
        Assert.Empty(_program.Processes());
        Assert.Contains("ended, not removed", (await _program.RunAsync("demo", "status")).Output);
        Assert.Equal((0, "d1 removed\n"), await _program.RunAsync("demo", "down") is var down ? (down.ExitCode, down.Output) : default);
        Assert.Empty(_program.Left());
        Assert.Equal("no demo runs here\n", (await _program.RunAsync("demo", "status")).Output);
        Assert.Equal(3, (await _program.RunAsync("demo", "down", "d1")).ExitCode);
    }

    [Fact]
    public async Task On_loopback_it_says_so_and_still_loses_no_mail()
    {
        var (exitCode, text, error) = await _program.RunAsync("demo", "run", "failover", "--isolation", "loopback", "--messages", "100");
        Assert.True(exitCode == 0, $"exit {exitCode}: {text} {error}");
        Assert.StartsWith("demo   isolation loopback: asked for with --isolation", text);
        var refused = await _program.RunAsync("demo", "run", "partition", "--isolation", "loopback");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("'partition' needs network namespaces", refused.Error);
        Assert.Empty(_program.Left());
    }

    [Theory]
    [InlineData("demo", "run", "fly")]
    [InlineData("demo", "--isolation", "vm")]
    [InlineData("demo", "--nodes", "40")]
    [InlineData("demo", "--for", "soon")]
    public async Task What_cannot_be_is_refused_before_anything_is_made(params string[] words)
    {
        var (exitCode, _, error) = await _program.RunAsync(words);
        Assert.Equal(2, exitCode);
        Assert.StartsWith("x  ", error);
        Assert.Empty(_program.Left());
    }

    private async Task PlayAsync(string script, params string[] options)
    {
        var (exitCode, text, error) = await _program.RunAsync(["demo", "run", script, "--json", .. Patient, .. options]);
        output.WriteLine(error);
        Assert.True(exitCode == 0, $"exit {exitCode}: {text}\n{error}");
        using var json = JsonDocument.Parse(text);
        Assert.Equal("veredus.demo.story/1", json.RootElement.GetProperty("schema").GetString());
        var data = json.RootElement.GetProperty("data");
        Assert.True(data.GetProperty("passed").GetBoolean());
        Assert.Equal(data.GetProperty("mail").GetProperty("accepted").GetInt32(), data.GetProperty("mail").GetProperty("delivered").GetInt32());
        Assert.NotEmpty(data.GetProperty("timeline").EnumerateArray());
        Assert.Empty(_program.Left());
        Assert.Empty(_program.Processes());
    }

    private static async Task<string?> WhyNotAsync(IsolationKind kind)
    {
        try
        {
            await Isolation.ChooseAsync(kind, CancellationToken.None);
            return null;
        }
        catch (IOException e)
        {
            return e.Message;
        }
    }

    private static async Task<string> ReadUntilAsync(StreamReader reader, string begin)
    {
        while (await reader.ReadLineAsync().WaitAsync(DemoProgram.Limit) is { } line)
            if (line.StartsWith(begin, StringComparison.Ordinal))
                return line;
        throw new InvalidOperationException($"the demo ended before it said '{begin}'");
    }

    /// <summary>Waits for the end of a process that is not our child.</summary>
    private static async Task EndedAsync(int id)
    {
        try
        {
            using var process = System.Diagnostics.Process.GetProcessById(id);
            await process.WaitForExitAsync().WaitAsync(DemoProgram.Limit);
        }
        catch (ArgumentException)
        {
            // It has ended already.
        }
    }

    public void Dispose() => _program.Dispose();
}
