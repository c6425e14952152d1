using System.Text;
using Veredus.Journal;

namespace Veredus.Cli.Tests;

/// <summary><c>veredus journal</c> and <c>jlogctl</c>.</summary>
public sealed class JournalCommandTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-journal-cli-").FullName;

    private string Log => Path.Combine(_directory, "mainlog");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    public JournalCommandTests()
    {
        JournalDirectory.Create(Log, unitLimit: 100);
        JournalDirectory.AddSubscriber(Log, "mgr1");
        using var writer = JournalWriter.Open(Log);
        foreach (var line in (string[])["one\n", "two\n", "three\n", "four\n", "five\n", "six\n"])
            writer.Append(Encoding.UTF8.GetBytes(line), 1_700_000_000_000_000);
    }

    [Fact]
    public async Task Subscribers_are_shown_added_and_removed_and_what_waits_is_asked_about()
    {
        Assert.Contains("\"waitingBytes\":124", (await RunAsync("journal", "readers", Log, "--json")).Out);
        Assert.Equal("mgr2 added at 00000000:00000000\n", (await RunAsync("journal", "add", Log, "mgr2")).Out);
        Assert.Equal(7, (await RunAsync("journal", "add", Log, "mgr2")).ExitCode);
        var refused = await RunAsync("journal", "remove", Log, "mgr2");
        Assert.Equal(8, refused.ExitCode);
        Assert.Equal("mgr2 removed\n", (await RunAsync("journal", "remove", Log, "mgr2", "--yes")).Out);
        Assert.Equal(3, (await RunAsync("journal", "remove", Log, "mgr2", "--yes")).ExitCode);
        Assert.Equal(3, (await RunAsync("journal", "info", Log + "x")).ExitCode);
    }

    [Theory]
    [InlineData("info")]
    [InlineData("readers")]
    [InlineData("clean")]
    [InlineData("check")]
    [InlineData("repair")]
    public async Task A_journal_that_is_not_there_is_not_found(string verb)
    {
        await using var node = new FakeNodeProcess();
        var outcome = await node.RunAsync("journal", verb, "/nowhere/journal");
        Assert.Equal(3, outcome.ExitCode);
        Assert.Contains("There is no journal '/nowhere/journal'", outcome.Error);
    }

    [Fact]
    public async Task Damage_is_found_and_mended_and_a_journal_in_use_is_left_alone()
    {
        Assert.Equal("ok\n", (await RunAsync("journal", "check", Log)).Out);
        await File.AppendAllTextAsync(Path.Combine(Log, "00000001"), "garbage");
        Assert.Equal(1, (await RunAsync("journal", "check", Log)).ExitCode);
        var analysed = await RunAsync("as", "jlogctl", "-d", Log);
        Assert.Equal((1, "7 bytes of junk at the end\nOne or more errors were found.\n"), (analysed.ExitCode, analysed.Error));
        using (var user = new System.Diagnostics.Process { StartInfo = new("/bin/sh", ["-c", $"exec 9<'{Log}/metastore'; echo open; exec cat"]) { RedirectStandardInput = true, RedirectStandardOutput = true } })
        {
            user.Start();
            Assert.Equal("open", await user.StandardOutput.ReadLineAsync());
            var refused = await RunAsync("as", "jlogctl", "-r", Log);
            Assert.Equal(1, refused.ExitCode);
            Assert.Contains($"in use by process {user.Id}", refused.Error);
            Assert.Equal(1, (await RunAsync("journal", "repair", Log)).ExitCode);
            user.StandardInput.Close();
            await user.WaitForExitAsync();
        }
        Assert.Equal(0, (await RunAsync("journal", "repair", Log)).ExitCode);
        Assert.Equal("ok\n", (await RunAsync("journal", "check", Log)).Out);
    }

    [Fact]
    public async Task The_classic_form_prints_as_the_classic_tool_does()
    {
        Assert.Equal($"{Log}\nAdded subscriber 'two' -> 00000000:00000000\n", (await RunAsync("as", "jlogctl", "-atwo", Log)).Out);
        Assert.Contains("\t                            mgr1 @ 00000000:00000000\n", (await RunAsync("as", "jlogctl", "-s", Log)).Out);
        Assert.Contains("\t00000000 [      104 bytes] 2 pending readers\n\t\t idx: none\n", (await RunAsync("as", "jlogctl", "-li", Log)).Out);
        Assert.Equal("663a7318\n", (await RunAsync("as", "jlogctl", "meta", "-m", "-j", Log)).Out);
        Assert.Contains("next interval: [00000000:00000001, 00000000:00000005]", (await RunAsync("as", "jlogctl", "-p", "two", Log)).Out);
        Assert.Equal($"{Log}\nUpdated subscriber 'two' 00000000:00000000 -> 00000000:00000002\n", (await RunAsync("as", "jlogctl", "-u", "two", "-C", "00000000:00000002", Log)).Out);
        Assert.Equal($"{Log}\nErased subscriber 'two'\n", (await RunAsync("as", "jlogctl", "-e", "two", Log)).Out);
        Assert.Equal(2, (await RunAsync("as", "jlogctl", "-x", Log)).ExitCode);
        Assert.Equal(2, (await RunAsync("as", "jlogctl")).ExitCode);
    }

    private static async Task<Outcome> RunAsync(params string[] words)
    {
        await using var node = new FakeNodeProcess();
        return await node.RunAsync(words);
    }
}
