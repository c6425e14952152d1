using Veredus.Bench.Logs;
using Xunit.Abstractions;

namespace Veredus.LogShipping.Tests;

/// <summary>Real processes over mutual TLS, killed at random; the long run is <c>bench/logs kill 300</c>.</summary>
public sealed class KillTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Whatever_is_killed_the_managers_file_has_every_number_once_and_the_reader_misses_none()
    {
        var seed = Environment.GetEnvironmentVariable("VEREDUS_SEED") is { Length: > 0 } text ? int.Parse(text, System.Globalization.CultureInfo.InvariantCulture) : Random.Shared.Next();
        output.WriteLine($"VEREDUS_SEED={seed}");
        var directory = Directory.CreateTempSubdirectory("veredus-log-kills-").FullName;
        try
        {
            using var hang = new CancellationTokenSource(TimeSpan.FromMinutes(8));
            using var run = new KillRun(directory, kills: 6, seed, output.WriteLine);
            Assert.Empty(await run.RunAsync(hang.Token));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
