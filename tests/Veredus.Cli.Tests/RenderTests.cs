namespace Veredus.Cli.Tests;

/// <summary><c>veredus cluster render</c>.</summary>
public sealed class RenderTests : IDisposable
{
    private const string Peers = """msgc_server { peers = [ mta1 = "198.18.7.1" mta2 = "198.18.7.2" ] }""";
    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-render-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private string Bus => Path.Combine(_directory, "bus", "corosync.conf");

    private string Key => Path.Combine(_directory, "bus", "bus.key");

    [Fact]
    public async Task The_bus_is_written_once_and_its_key_is_kept()
    {
        Assert.Equal(0, (await WriteAsync(Peers)).ExitCode);
        Assert.Contains("    name: mta2\n    ring0_addr: 198.18.7.2\n", await File.ReadAllTextAsync(Bus));
        Assert.Contains($"  keyfile: {Key}\n", await File.ReadAllTextAsync(Bus));
        Assert.Equal(UnixFileMode.UserRead, File.GetUnixFileMode(Key));
        var key = await File.ReadAllBytesAsync(Key);
        Assert.Contains("nothing was written", (await WriteAsync(Peers)).Out);
        Assert.Equal(0, (await WriteAsync(Peers.Replace(" ] }", """ mta3 = "198.18.7.3" ] }"""))).ExitCode);
        Assert.Contains("name: mta3", await File.ReadAllTextAsync(Bus));
        Assert.Equal(key, await File.ReadAllBytesAsync(Key));
    }

    [Fact]
    public async Task What_it_did_not_make_it_does_not_overwrite()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Bus)!);
        await File.WriteAllTextAsync(Bus, "totem { }\n");
        var outcome = await WriteAsync(Peers);
        Assert.Equal(7, outcome.ExitCode);
        Assert.Contains("was not made by this command", outcome.Error);
        Assert.Equal("totem { }\n", await File.ReadAllTextAsync(Bus));
        Assert.False(File.Exists(Key));
    }

    [Theory]
    [InlineData("", "names no peers")]
    [InlineData("""msgc_server { peers = [ Mta1 = "198.18.7.1" ] }""", "name 'Mta1': 1 to 63 lower case letters")]
    [InlineData("""msgc_server { peers = [ mta1 = "elsewhere" ] }""", "mta1: 'elsewhere' is not an IP address")]
    public async Task Wrong_peers_are_named_and_nothing_is_written(string configuration, string expected)
    {
        var outcome = await WriteAsync(configuration);
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains(expected, outcome.Error);
        Assert.False(Directory.Exists(Path.GetDirectoryName(Bus)));
    }

    [Fact]
    public async Task A_key_that_others_can_read_is_refused()
    {
        Assert.Equal(0, (await WriteAsync(Peers)).ExitCode);
        File.SetUnixFileMode(Key, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        var outcome = await WriteAsync(Peers);
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains($"chmod 400 {Key}", outcome.Error);
    }

    private async Task<Outcome> WriteAsync(string configuration)
    {
        await using var node = new FakeNodeProcess();
        var file = Path.Combine(_directory, "veredus.conf");
        await File.WriteAllTextAsync(file, configuration + "\n");
        return await node.RunAsync("cluster", "render", "-c", file, "--write", Path.GetDirectoryName(Bus)!);
    }
}
