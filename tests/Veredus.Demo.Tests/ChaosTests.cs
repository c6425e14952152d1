using System.Text.Json;
using Xunit.Abstractions;

namespace Veredus.Demo.Tests;

/// <summary>Random faults against a whole cluster. Long runs: <c>veredus chaos run --demo --for 1h</c>.</summary>
public sealed class ChaosTests(ITestOutputHelper output) : IDisposable
{
    private readonly DemoProgram _program = new();
    private readonly string _report = Directory.CreateTempSubdirectory("veredus-chaos-").FullName;

    // The limits are for a machine that is slow and busy; the product's own are the defaults of the options.
    private static readonly string[] Patient = ["--silence", "2m", "--settle", "4m"];

    [DemoFact]
    public async Task Kills_a_restart_and_the_loss_of_a_manager_break_no_promise()
    {
        var run = await _program.RunAsync(["chaos", "run", "--demo", "--seed", "444", "--for", "25s", "--gap", "1s..3s", "--json", "--report", _report, .. Patient]);
        output.WriteLine(run.Error);
        Assert.True(run.ExitCode == 0, $"exit {run.ExitCode}: {run.Output}\n{run.Error}");
        var data = Data(run.Output);
        Assert.Equal([1, 2, 3, 5, 6, 7], data.GetProperty("invariants").EnumerateArray().Where(one => one.GetProperty("holds") is { ValueKind: JsonValueKind.True }).Select(one => one.GetProperty("number").GetInt32()));
        Assert.Equal(["kill", "manager", "restart"], data.GetProperty("schedule").EnumerateArray().Select(fault => fault.GetProperty("kind").GetString()!));
        Assert.Equal(data.GetProperty("schedule").GetArrayLength(), data.GetProperty("faults").GetInt32());
        Assert.True(File.Exists(Path.Combine(_report, "mta01", "paniclog.ec")));
        Assert.True(File.Exists(Path.Combine(_report, "mgr2", "mainlog", "mta01")));
        Assert.Empty(_program.Left());
    }

    [DemoFact]
    public async Task An_address_that_two_hosts_answer_is_caught_as_invariant_1_and_the_schedule_can_be_played_again()
    {
        Environment.SetEnvironmentVariable(ChaosCommand.PlantVariable, "stranger");
        var broken = await _program.RunAsync(["chaos", "run", "--demo", "--for", "9s", "--max-faults", "1", "--gap", "0s..1s", "--only", "freeze,kill", "--report", _report, .. Patient]);
        Environment.SetEnvironmentVariable(ChaosCommand.PlantVariable, null);
        output.WriteLine(broken.Output);
        Assert.True(broken.ExitCode == 20, $"exit {broken.ExitCode}: {broken.Output}\n{broken.Error}");
        Assert.Contains("FAIL  invariant 1", broken.Output);

        var told = await _program.RunAsync("chaos", "report", _report);
        Assert.Equal(0, told.ExitCode);
        Assert.Contains("1 one answer per address  x", told.Output);

        var again = await _program.RunAsync(["chaos", "replay", _report, "--json", .. Patient]);
        Assert.True(again.ExitCode == 0, $"exit {again.ExitCode}: {again.Output}\n{again.Error}");
        using var first = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(_report, "report.json")));
        Assert.Equal(first.RootElement.GetProperty("schedule").GetRawText(), Data(again.Output).GetProperty("schedule").GetRawText());
        Assert.Empty(_program.Left());
    }

    [Theory]
    [InlineData(2, "chaos", "run")]
    [InlineData(2, "chaos", "run", "--demo", "--only", "kill,fly")]
    [InlineData(2, "chaos", "run", "--demo", "--only", "3")]
    [InlineData(2, "chaos", "run", "--demo", "--gap", "9s..1s")]
    [InlineData(2, "chaos", "run", "--demo", "--seed", "x")]
    [InlineData(3, "chaos", "report", "/nowhere")]
    [InlineData(3, "chaos", "replay", "/nowhere")]
    [InlineData(1, "chaos", "run", "--demo", "--isolation", "loopback")]
    public async Task What_cannot_be_is_refused_before_anything_is_made(int exitCode, params string[] words)
    {
        var refused = await _program.RunAsync(words);
        Assert.Equal(exitCode, refused.ExitCode);
        Assert.StartsWith("x  ", refused.Error);
        Assert.Empty(_program.Left());
    }

    private static JsonElement Data(string text)
    {
        var root = JsonDocument.Parse(text).RootElement;
        Assert.Equal("veredus.chaos/1", root.GetProperty("schema").GetString());
        return root.GetProperty("data");
    }

    public void Dispose()
    {
        _program.Dispose();
        Directory.Delete(_report, recursive: true);
    }
}
