namespace Veredus.ConfigServer.Tests;

/// <summary>A directory in memory where there is one, gone after the test.</summary>
internal sealed class Scratch : IDisposable
{
    public Scratch() => Directory.CreateDirectory(Path);

    public string Path { get; } = System.IO.Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : System.IO.Path.GetTempPath(), $"veredus-cfg-{Guid.NewGuid():N}");

    public string Below(params string[] parts) => System.IO.Path.Combine([Path, .. parts]);

    public void Dispose()
    {
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (IOException)
        {
            // A run that the test has abandoned may still write; the directory is in memory.
        }
    }
}

/// <summary>Repositories without a server, and hosts with working copies of them.</summary>
internal sealed class Hosts : IAsyncDisposable
{
    private readonly Scratch _scratch = new();

    public Remote Remote => Remote.Local(_scratch.Below("repo"));
    public RepositoryStore Store => new(_scratch.Below("repo"));
    public string Root => _scratch.Path;

    public static async Task<Hosts> StartAsync()
    {
        var hosts = new Hosts();
        foreach (var name in new[] { "global", "default" })
        {
            var repository = await hosts.Store.CreateAsync(name, default);
            File.Delete(Path.Combine(repository.Directory, "hooks", "pre-receive"));  // no server here that it could ask
        }
        return hosts;
    }

    public WorkingCopy Copy(string host, Func<string, Task>? step = null) => new(_scratch.Below(host), _scratch.Below(host, "conf"), step);

    public async Task<WorkingCopy> BootstrapAsync(string host)
    {
        var copy = Copy(host);
        await copy.BootstrapAsync(Remote, "default", default);
        return copy;
    }

    public Task<IReadOnlyList<Committed>> CommitAsync(WorkingCopy copy, string message = "test") => copy.CommitAsync(Remote, By(message), _ => true, default);

    public static CommitAuthor By(string message) => new("ana", "host1", message, DateTimeOffset.UnixEpoch.AddDays(20_000));

    public Task<PullResult> PullAsync(WorkingCopy copy, ConflictChoice choice = ConflictChoice.Refuse, AutoUpdate policy = AutoUpdate.True, Func<string, Task>? check = null) =>
        copy.PullAsync(Remote, choice, policy, check, default);

    public async Task FsckAsync()
    {
        foreach (var name in Store.Names())
            Assert.Equal(0, (await Store.Open(name).TryAsync(["fsck", "--strict"], default)).ExitCode);
    }

    public ValueTask DisposeAsync()
    {
        _scratch.Dispose();
        return ValueTask.CompletedTask;
    }
}

internal static class CopyExtensions
{
    public static string Read(this WorkingCopy copy, string path) => File.ReadAllText(Path.Combine(copy.Conf, path));

    public static bool Has(this WorkingCopy copy, string path) => File.Exists(Path.Combine(copy.Conf, path));

    public static void Write(this WorkingCopy copy, string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(copy.Conf, path))!);
        File.WriteAllText(Path.Combine(copy.Conf, path), text);
    }

    public static async Task<string> StatusTextAsync(this WorkingCopy copy) => string.Join(' ', (await copy.StatusAsync(default)).Select(change => $"{change.Kind}:{change.Path}"));
}
