using System.Diagnostics;

namespace Veredus.Acceptance.Tests.Support;

/// <summary>What a program did.</summary>
internal sealed record Outcome(int ExitCode, string Output, string Error)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    public override string ToString() => $"exit {ExitCode}\n{Output}\n{Error}";

    public static Task<Outcome> RunAsync(string program, params string[] arguments) => RunAsync(program, "", arguments);

    /// <summary>Runs a program to its end.</summary>
    /// <param name="input">For its standard input.</param>
    public static async Task<Outcome> RunAsync(string program, string input, string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        try
        {
            await process.WaitForExitAsync().WaitAsync(Limit);
        }
        catch (TimeoutException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} {string.Join(' ', arguments)} did not end within {Limit.TotalSeconds:0} s.");
        }

        return new(process.ExitCode, await output, await error);
    }

    /// <summary>Runs a Python script with <paramref name="arguments"/> as <c>sys.argv[1:]</c>; it must end well.</summary>
    public static async Task<string> PythonAsync(string script, params string[] arguments)
    {
        var outcome = await RunAsync("python3", script, ["-", .. arguments]);
        Assert.True(outcome.ExitCode == 0, outcome.ToString());
        return outcome.Output;
    }
}

/// <summary>A test with foreign programs. Skipped, with the reason, where one of them is missing.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ToolFactAttribute : FactAttribute
{
    public ToolFactAttribute(params string[] programs)
    {
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':');
        var missing = programs.Where(program => !path.Any(directory => File.Exists(Path.Combine(directory, program)))).ToArray();
        if (missing.Length > 0)
            Skip = $"Not installed: {string.Join(", ", missing)}.";
    }
}
