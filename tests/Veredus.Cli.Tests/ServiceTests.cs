using System.Diagnostics;

namespace Veredus.Cli.Tests;

/// <summary><c>veredus service</c> and the classic <c>*_ctl</c> names with a manager as a process, started without systemd.</summary>
public sealed class ServiceTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-service-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private string In(string name) => Path.Combine(_directory, name);

    [Fact]
    public async Task A_manager_is_started_shown_restarted_and_stopped_and_each_returns_when_it_is_done()
    {
        await WriteAsync("");
        Assert.Equal((3, "manager does not run\n"), await ToolAsync("status"));
        try
        {
            var started = await ToolAsync("start");
            Assert.True(started.ExitCode == 0, started.Said);
            Assert.Equal((0, $"manager started (process {Id()})\n"), started);
            Assert.Equal((0, $"manager runs already (process {Id()})\n"), await ToolAsync("start"));
            Assert.Equal((0, $"manager runs (process {Id()})\n"), await ToolAsync("status"));
            var first = Id();
            Assert.Equal(0, (await ToolAsync("restart")).ExitCode);
            Assert.NotEqual(first, Id());
        }
        finally
        {
            Assert.Equal((0, "manager stopped\n"), await ToolAsync("stop"));
        }
        Assert.Equal((0, "manager does not run\n"), await ToolAsync("stop"));
    }

    [Fact]
    public async Task A_daemon_that_ends_at_once_is_told_with_its_last_lines()
    {
        await WriteAsync("nonsense = 1\n");
        var (exitCode, said) = await ToolAsync("start");
        Assert.Equal(1, exitCode);
        Assert.Contains("manager: has ended; its last lines:\n", said);
        Assert.Contains("nonsense", said);
        Assert.Contains("nonsense", (await ToolAsync("logs")).Said);
    }

    [Fact]
    public async Task A_pid_file_that_names_a_stranger_is_not_believed()
    {
        await WriteAsync("");
        await File.WriteAllTextAsync(In("manager.pid"), $"{Environment.ProcessId}\n");
        Assert.Equal((3, "manager does not run\n"), await ToolAsync("status"));
        Assert.Equal((0, "manager does not run\n"), await ToolAsync("stop"));
    }

    [Theory]
    [InlineData("ec_ctl")]
    [InlineData("eccmgr_ctl")]
    [InlineData("ecconfigd_ctl")]
    public async Task The_classic_names_take_the_verb_alone(string name)
    {
        await using var node = new FakeNodeProcess();
        var outcome = await node.RunAsync(new CallSettings { CalledAs = name }, "status", "--pidfile", In("none.pid"));
        Assert.Equal(3, outcome.ExitCode);
        Assert.EndsWith("does not run\n", outcome.Out);
        Assert.Equal(2, (await node.RunAsync(new CallSettings { CalledAs = name }, "begin")).ExitCode);
    }

    private string Id() => File.ReadAllText(In("manager.pid")).Trim();

    private Task WriteAsync(string more) => File.WriteAllTextAsync(In("eccluster.conf"), $$"""
        pidfile = "{{In("manager.pid")}}"
        control_listener { listen "{{In("manager.sock")}}" { } }
        ec_logger { mainlog = "{{In("main")}}" rejectlog = "{{In("reject")}}" paniclog = "{{In("panic")}}" acctlog = "{{In("acct")}}" heartbeat = 0 }
        cluster { nodename = "mgr1" }
        {{more}}
        """);

    private async Task<(int ExitCode, string Said)> ToolAsync(string verb)
    {
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "veredus"),
            ["service", verb, "manager", "-c", In("eccluster.conf"), "--pidfile", In("manager.pid"), "--manager", In("manager.sock"), "--timeout", "90s"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var error = process.StandardError.ReadToEndAsync();
        var said = await process.StandardOutput.ReadToEndAsync().WaitAsync(TimeSpan.FromMinutes(3));
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(3));
        return (process.ExitCode, said + await error);
    }
}
