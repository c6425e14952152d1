using System.Diagnostics;
using System.Text.Json;

namespace Veredus.Cli.Tests;

/// <summary>The program as an operator has it: real processes, a real spool, a real kill.</summary>
public sealed class RelayTests
{
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "veredus");

    [Fact]
    public async Task No_accepted_message_is_lost_when_the_node_is_killed_in_the_middle()
    {
        // A directory of its own: other demos may run on this machine.
        var temporary = Directory.CreateTempSubdirectory("veredus-relay-").FullName;
        var (exitCode, output, error) = await RunAsync(Program, temporary, "demo", "run", "relay", "--messages", "300", "--json");
        Assert.True(exitCode == 0, $"exit {exitCode}: {output} {error}");
        using var json = JsonDocument.Parse(output);
        var data = json.RootElement.GetProperty("data");
        Assert.Equal("veredus.demo.relay/1", json.RootElement.GetProperty("schema").GetString());
        Assert.Equal((300, 300, 0, 1), (data.GetProperty("accepted").GetInt32(), data.GetProperty("delivered").GetInt32(), data.GetProperty("lost").GetInt32(), data.GetProperty("kills").GetInt32()));
        Assert.Empty(Directory.EnumerateFileSystemEntries(temporary));
        Directory.Delete(temporary);
    }

    [Fact]
    public async Task A_configuration_that_cannot_be_used_ends_the_node_with_78_and_says_where()
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, "max_outbound_conections = 3\n");
            var (exitCode, _, error) = await RunAsync(Program, "", "node", "run", "-c", file);
            Assert.Equal(78, exitCode);
            Assert.Contains($"at line 1", error);
            Assert.Contains("did you mean 'max_outbound_connections'?", error, StringComparison.OrdinalIgnoreCase);
            var validated = await RunAsync(Program, "", "config", "validate", "-c", file);
            Assert.Equal((1, ""), (validated.ExitCode, validated.Output));
            await File.WriteAllTextAsync(file, "max_outbound_connections = 3\n");
            Assert.Equal((0, "Configuration valid\n"), ((await RunAsync(Program, "", "as", "validate_config", "-c", file)) is var valid ? (valid.ExitCode, valid.Output) : default));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task A_link_to_the_program_makes_it_the_program_that_it_is_named_for()
    {
        var directory = Directory.CreateTempSubdirectory("veredus-link-").FullName;
        try
        {
            var link = Path.Combine(directory, "ec_console");
            File.CreateSymbolicLink(link, Program);
            var (exitCode, _, error) = await RunAsync(link, "", "/nowhere/control.sock", "mailq", "-l", "5");
            Assert.Equal(2, exitCode);  // the console's own code for "can't connect"
            Assert.StartsWith("x  /nowhere/control.sock: there is no such socket", error);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<(int ExitCode, string Output, string Error)> RunAsync(string program, string temporary, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (temporary.Length > 0)
            start.Environment["TMPDIR"] = temporary;
        // Else the runtime of the killed node leaves its diagnostics socket.
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(3));
        return (process.ExitCode, await output, await error);
    }
}
