using System.Diagnostics;

namespace Veredus.Network.Tests;

public sealed class GuardInputTests
{
    [NamespaceFact]
    public async Task Input_that_makes_no_sense_ends_the_guard_with_a_reason()
    {
        await using var host = await TestNamespace.WithInterfaceAsync();
        string[] command = [.. host.ExecPrefix, Path.Combine(AppContext.BaseDirectory, "vipd")];
        using var guard = Process.Start(new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        })!;

        await guard.StandardInput.WriteAsync("GET / HTTP/1.1\r\n\r\n");
        await guard.StandardInput.FlushAsync();

        Assert.Contains("guard frame", await guard.StandardError.ReadToEndAsync().Within("the reason"), StringComparison.Ordinal);
        await guard.WaitForExitAsync();
        Assert.Equal(1, guard.ExitCode);
    }

    [NamespaceFact]
    public async Task Started_by_hand_it_says_whose_it_is()
    {
        using var guard = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "vipd"), ["--help"])
        {
            RedirectStandardInput = true, RedirectStandardError = true,
        })!;

        Assert.Contains("is started by it", await guard.StandardError.ReadToEndAsync().Within("the usage"), StringComparison.Ordinal);
        await guard.WaitForExitAsync();
        Assert.Equal(2, guard.ExitCode);
    }
}
