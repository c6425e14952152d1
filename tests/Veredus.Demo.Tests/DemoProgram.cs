using System.Diagnostics;

namespace Veredus.Demo.Tests;

/// <summary>A test with a whole demo. Skipped, with the reason, where there is no isolation for it.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class DemoFactAttribute : FactAttribute
{
    /// <summary>Takes long: runs only with <c>VEREDUS_LAB=1</c> in the environment.</summary>
    public bool OnlyWhenAsked
    {
        get => false;
        set => Skip ??= value && Environment.GetEnvironmentVariable("VEREDUS_LAB") != "1" ? "set VEREDUS_LAB=1 to run it" : null;
    }

    public DemoFactAttribute() => Skip = Network.NetworkNamespace.WhyNot() ?? (Tool.Find("corosync") is null ? "corosync is not installed" : null);
}

/// <summary>The program with a directory for temporary files of its own, so that what it leaves there can be seen.</summary>
internal sealed class DemoProgram : IDisposable
{
    /// <summary>Only ends a hang.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(8);

    public string Temporary { get; } = Directory.CreateTempSubdirectory("vdt-").FullName;

    public Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "veredus"), arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["TMPDIR"] = Temporary;
        // The runtime of a killed process leaves its diagnostics socket.
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        return Process.Start(start)!;
    }

    public async Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using var process = Start(arguments);
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(Limit);
        return (process.ExitCode, await output, await error);
    }

    /// <summary>Everything that runs with this test's directory in its command line or environment.</summary>
    public int[] Processes() => [.. Directory.EnumerateDirectories("/proc").Select(path => int.TryParse(Path.GetFileName(path), out var id) ? id : 0)
        .Where(id => id > 0 && id != Environment.ProcessId && (Contains(id, "cmdline") || Contains(id, "environ")))];

    public string[] Left() => [.. Directory.EnumerateFileSystemEntries(Temporary)];

    private bool Contains(int id, string file)
    {
        try
        {
            return File.ReadAllText($"/proc/{id}/{file}").Contains(Temporary, StringComparison.Ordinal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;  // it has ended
        }
    }

    public void Dispose() => Directory.Delete(Temporary, recursive: true);
}
