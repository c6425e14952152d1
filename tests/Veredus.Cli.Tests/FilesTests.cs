using Veredus.Reception.Auth;

namespace Veredus.Cli.Tests;

/// <summary>Commands that change files on this host.</summary>
public sealed class FilesTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-files-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task A_password_is_stored_so_that_the_node_can_check_it_and_nobody_can_read_it()
    {
        await using var node = new FakeNodeProcess();
        var file = Path.Combine(_directory, "users");
        await File.WriteAllTextAsync(file, "# people\nbob:SCRAM-SHA-256$x\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        var secret = new CallSettings { Input = "correct horse\n", CalledAs = "veredus-passwd" };
        Assert.Equal(0, (await node.RunAsync(secret, "--file", file, "--password-stdin", "ann")).ExitCode);
        Assert.Equal(0, (await node.RunAsync(secret, "--file", file, "--kind", "pbkdf2", "--password-stdin", "bob")).ExitCode);
        var lines = await File.ReadAllLinesAsync(file);
        Assert.Equal(["# people", "bob", "ann"], lines.Select(line => line.Split(':')[0]));
        Assert.True(ScramCredential.TryParse(lines[2]["ann:".Length..], out var credential, out _) && credential.Matches("correct horse"));
        Assert.True(StoredPassword.TryParse(lines[1]["bob:".Length..], out var password, out _) && password.Matches("correct horse"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead, File.GetUnixFileMode(file));
        Assert.Equal(0, (await node.RunAsync(secret, "--file", file, "--remove", "bob")).ExitCode);
        Assert.Equal(3, (await node.RunAsync(secret, "--file", file, "--remove", "bob")).ExitCode);
    }

    [Theory]
    [InlineData("a:b", "correct\n", 2)]
    [InlineData("ann", "\n", 1)]
    [InlineData("ann", "", 1)]
    public async Task A_wrong_user_or_an_empty_password_changes_nothing(string name, string input, int exitCode)
    {
        await using var node = new FakeNodeProcess();
        var file = Path.Combine(_directory, "users");
        Assert.Equal(exitCode, (await node.RunAsync(new CallSettings { Input = input }, "user", "password", "--file", file, "--password-stdin", name)).ExitCode);
        Assert.False(File.Exists(file));
    }

    [Fact]
    public async Task Links_are_made_and_removed_and_foreign_files_stay()
    {
        await using var node = new FakeNodeProcess();
        var console = Path.Combine(_directory, "ec_console");
        Assert.Equal(0, (await node.RunAsync("links", "install", "--dir", _directory, "--target", "/usr/lib/veredus/veredus")).ExitCode);
        Assert.Equal("/usr/lib/veredus/veredus", new FileInfo(console).LinkTarget);
        Assert.Equal(0, (await node.RunAsync("links", "install", "--dir", _directory, "--target", "/usr/lib/veredus/veredus")).ExitCode);
        File.Delete(console);
        await File.WriteAllTextAsync(console, "somebody else's");
        Assert.Equal(7, (await node.RunAsync("links", "install", "--dir", _directory, "--target", "/usr/lib/veredus/veredus")).ExitCode);
        Assert.Equal(0, (await node.RunAsync("links", "remove", "--dir", _directory, "--target", "/usr/lib/veredus/veredus")).ExitCode);
        Assert.Equal([console], Directory.GetFileSystemEntries(_directory));
    }
}
