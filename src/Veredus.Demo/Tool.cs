using System.Diagnostics;

namespace Veredus.Demo;

/// <summary>Runs a program of the system (<c>ip</c>, <c>nft</c>, <c>tc</c>) to its end.</summary>
internal static class Tool
{
    /// <summary>Full path of a program in the places where Debian puts such tools; <see langword="null"/> when it is not there.</summary>
    public static string? Find(string name) =>
        new[] { "/usr/sbin", "/usr/bin", "/sbin", "/bin" }.Select(place => Path.Combine(place, name)).FirstOrDefault(File.Exists);

    /// <summary>Runs it and gives its exit code and what it said on standard error, on one line.</summary>
    public static async Task<(int ExitCode, string Words)> TryAsync(IReadOnlyList<string> command, CancellationToken cancellationToken, string input = "")
    {
        var start = new ProcessStartInfo(Find(command[0]) ?? command[0], command.Skip(1))
        {
            RedirectStandardInput = true, RedirectStandardError = true, RedirectStandardOutput = true,
        };
        using var process = Process.Start(start) ?? throw new IOException($"{command[0]} could not be started.");
        await process.StandardInput.WriteAsync(input.AsMemory(), cancellationToken);
        process.StandardInput.Close();
        var (error, output) = (process.StandardError.ReadToEndAsync(cancellationToken), process.StandardOutput.ReadToEndAsync(cancellationToken));
        await Task.WhenAll(error, output, process.WaitForExitAsync(cancellationToken));
        return (process.ExitCode, (await error).Trim().ReplaceLineEndings(" "));
    }

    /// <exception cref="IOException">It said no; its words are in the message.</exception>
    public static async Task RunAsync(string commandLine, CancellationToken cancellationToken)
    {
        var (exitCode, words) = await TryAsync(commandLine.Split(' ', StringSplitOptions.RemoveEmptyEntries), cancellationToken);
        if (exitCode != 0)
            throw new IOException($"{commandLine}: {words}");
    }
}
