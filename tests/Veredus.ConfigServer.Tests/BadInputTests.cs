using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;

namespace Veredus.ConfigServer.Tests;

/// <summary>What strangers, broken hosts and full disks do to a server and a working copy: a clear error, and nothing half done.</summary>
public sealed class BadInputTests
{
    [Fact]
    public async Task A_foreign_git_without_the_right_or_the_password_changes_nothing()
    {
        await using var one = await OneServer.StartAsync(null, "writer");
        one.Server.Users.Set("eve", "eve", ["west"]);
        var repository = one.Copy("writer").Repository("default");
        var head = (await one.HeadAsync()).Commit;
        var plain = await CommitAsync(await repository.WriteBlobAsync("# x\n"u8.ToArray(), default), "default/x.conf");
        Assert.Contains("403", await PushAsync("eve", "eve", plain), StringComparison.Ordinal);
        Assert.Contains("could not read Username", await PushAsync("mallory", "guess", plain), StringComparison.Ordinal);

        Assert.Equal(head, (await one.HeadAsync()).Commit);
        Assert.Equal(0, (await one.Server.Store.Open("default").TryAsync(["fsck", "--strict"], default)).ExitCode);

        async Task<CommitId> CommitAsync(string file, string path) =>
            await repository.CommitTreeAsync(await repository.EditTreeAsync(head.Hex, [new("100644", file, path, -1)], [], default), [head], path, "x", "x", DateTimeOffset.UnixEpoch, default);

        async Task<string> PushAsync(string user, string password, CommitId commit)
        {
            var pem = one.Below("server.pem");
            File.WriteAllText(pem, one.Server.CertificatePem);
            var remote = Remote.Https("localhost", one.Server.Port, user, password, pem);
            var (exitCode, _, errors) = await repository.With(remote.Environment).TryAsync(["push", remote.UrlOf("default"), $"{commit}:refs/heads/main"], default);
            Assert.NotEqual(0, exitCode);
            return errors;
        }
    }

    [Fact]
    public async Task Binary_and_broken_files_are_refused_with_their_place_and_stay_as_local_changes()
    {
        await using var one = await OneServer.StartAsync(null, "writer");
        File.WriteAllBytes(Path.Combine(Directory.CreateDirectory(one.Below("writer", "conf", "default")).FullName, "veredus.conf"), [0x7f, 0x45, 0x4c, 0x46, 0xff, 0xfe, 0x00]);
        Assert.Contains("not UTF-8", await one.RunAsync("writer", 1, "commit", "--add-all"), StringComparison.Ordinal);
        one.Write("writer", "default/veredus.conf", "esmtp_listener { listen \"*:25\" \n");
        Assert.Contains("default/veredus.conf", await one.RunAsync("writer", 1, "commit", "--add-all"), StringComparison.Ordinal);
        Assert.Equal(1, (await one.HeadAsync()).Revision);
        Assert.Contains("?  default/veredus.conf", await one.RunAsync("writer", 0, "status"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Wrong_passwords_over_HTTPS_end_in_a_wait()
    {
        await using var one = await OneServer.StartAsync();
        using var client = new ConfigClient("localhost", one.Server.Port, "admin", "wrong", one.Server.CertificatePem);
        for (var i = 0; i < 10; i++)
            Assert.Contains("Wrong user name", (await Assert.ThrowsAnyAsync<EccfgException>(() => client.StatusAsync(default))).Message, StringComparison.Ordinal);
        using var right = new ConfigClient("localhost", one.Server.Port, "admin", "secret", one.Server.CertificatePem);
        var refused = await Assert.ThrowsAnyAsync<EccfgException>(() => right.StatusAsync(default));
        Assert.Equal(EccfgExit.NotAllowed, refused.ExitCode);
        Assert.Contains("Too many wrong passwords", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Clocks_that_differ_do_not_matter_revisions_are_counted_not_dated()
    {
        var time = new ManualTime();
        time.Advance(TimeSpan.FromHours(20));  // the server's clock is ahead of all others
        await using var one = await OneServer.StartAsync(time, "writer", "other");
        var copy = one.Copy("writer");
        var remote = Remote.Https("localhost", one.Server.Port, "admin", "secret", new KnownServers(one.Below("writer")).FileOf("localhost", one.Server.Port));
        var revision = 1;
        foreach (var year in new[] { 2001, 2099, 2020 })
        {
            copy.Write("default/a.conf", $"# {year}\n");
            var done = await copy.CommitAsync(remote, new("admin", "writer", $"{year}", new(year, 1, 1, 0, 0, 0, TimeSpan.Zero)), _ => true, default);
            Assert.Equal(++revision, done.Single().Revision.Revision);
        }
        await one.RunAsync("other", 0, "pull");
        Assert.Equal("# 2020\n", one.Read("other", "default/a.conf"));
        Assert.Contains("2099", await one.RunAsync("other", 0, "log"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_renewed_certificate_with_the_same_key_is_learnt_and_git_accepts_it()
    {
        using var scratch = new Scratch();
        var (now, directory) = (DateTimeOffset.UtcNow, scratch.Below("server"));
        using (ServerCertificate.LoadOrCreate(Path.Combine(directory, "tls"), ["localhost"], now.AddDays(-340)))
        {
        }
        var old = File.ReadAllText(Path.Combine(directory, "tls", "server.pem"));
        await using var server = await ConfigServerHost.StartAsync(new() { NodeName = "mgr1", HostName = "localhost", Directory = directory, Port = 0, ServicePassword = "service" }, default);
        using var hang = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await server.Replicator.UntilAsync(() => server.Replicator.WhyNoCommit("default") is null && server.Replicator.WhyNoCommit("global") is null, hang.Token);
        Assert.NotEqual(old.Trim(), server.CertificatePem.Trim());
        var pin = new KnownServers(scratch.Path).Pin("localhost", server.Port, old);
        using var client = new ConfigClient("localhost", server.Port, "ecuser", "service", old, null, pin);
        await client.HeadsAsync("default", default);
        Assert.Equal(server.CertificatePem.Trim(), File.ReadAllText(pin).Trim());
        var copy = new WorkingCopy(scratch.Below("host"), scratch.Below("host", "conf"));
        await copy.BootstrapAsync(Remote.Https("localhost", server.Port, "ecuser", "service", pin), "default", default);
    }

    [Theory]
    [InlineData(64, true, "has 67108864 octets; a file may have 16777216")]
    [InlineData(136, false, "pack exceeds maximum allowed size")]
    public Task A_large_file_by_plain_git_is_refused(int megabytes, bool isCompressible, string expected) => PushLargeFileAsync(megabytes, isCompressible, expected);

    [LongTheory]
    [InlineData(1024, true, "has 1073741824 octets; a file may have 16777216")]
    [InlineData(1024, false, "pack exceeds maximum allowed size")]
    public Task A_file_of_1_GB_by_plain_git_is_refused(int megabytes, bool isCompressible, string expected) => PushLargeFileAsync(megabytes, isCompressible, expected);

    private static async Task PushLargeFileAsync(int megabytes, bool isCompressible, string expected)
    {
        await using var one = await OneServer.StartAsync(null, "writer");
        var (repository, head) = (one.Copy("writer").Repository("default"), (await one.HeadAsync()).Commit);
        var file = one.Below("big");
        using (var stream = File.Create(file))
            if (isCompressible)
                stream.SetLength((long)megabytes << 20);
            else
                for (var (i, block) = (0, RandomNumberGenerator.GetBytes(1 << 20)); i < megabytes; i++)
                {
                    block[i] ^= 1;  // no two blocks are the same
                    stream.Write(block);
                }
        // The foreign client's own git is not to compress for minutes, nor to need memory.
        var client = repository.With(Remote.GitSettings(("core.bigFileThreshold", "1m"), ("core.compression", isCompressible ? "1" : "0")));
        var blob = (await client.RunAsync(["hash-object", "-w", file], default)).Trim();
        File.Delete(file);
        var errors = await PushAsync(one, repository, await CommitAsync(repository, head, await repository.EditTreeAsync(head.Hex, [new("100644", blob, "default/big.bin", -1)], [], default)));
        Assert.Contains(expected, errors, StringComparison.Ordinal);
        await AssertUntouchedAsync(one, head);
    }

    [Theory]
    [InlineData("..", "hasDotdot")]
    [InlineData(".", "hasDot")]
    [InlineData(".git", "hasDotgit")]
    public async Task A_tree_whose_names_lead_out_of_it_is_refused(string name, string expected)
    {
        await using var one = await OneServer.StartAsync(null, "writer");
        var (repository, head) = (one.Copy("writer").Repository("default"), (await one.HeadAsync()).Commit);
        var blob = await repository.WriteBlobAsync("root::0:0::/:/bin/sh\n"u8.ToArray(), default);
        var inner = (await repository.RunAsync(["mktree"], default, Encoding.UTF8.GetBytes($"100644 blob {blob}\tpasswd\n"))).Trim();
        var tree = (await repository.RunAsync(["mktree"], default, Encoding.UTF8.GetBytes($"040000 tree {inner}\t{name}\n"))).Trim();
        Assert.Contains(expected, await PushAsync(one, repository, await CommitAsync(repository, head, tree)), StringComparison.Ordinal);
        await AssertUntouchedAsync(one, head);
    }

    [Fact]
    public async Task A_link_out_of_the_tree_is_refused_by_the_client_and_by_the_server()
    {
        await using var one = await OneServer.StartAsync(null, "writer");
        var (repository, head) = (one.Copy("writer").Repository("default"), (await one.HeadAsync()).Commit);
        File.CreateSymbolicLink(Path.Combine(Directory.CreateDirectory(one.Below("writer", "conf", "default")).FullName, "out.conf"), "../../../secret");
        Assert.Contains("is a link to '../../../secret', out of the tree", await one.RunAsync("writer", 1, "commit", "--add-all"), StringComparison.Ordinal);
        foreach (var target in new[] { "/etc/shadow", "../../global.conf", "a/../../../b" })
        {
            var link = await repository.EditTreeAsync(head.Hex, [new("120000", await repository.WriteBlobAsync(Encoding.UTF8.GetBytes(target), default), "default/out.conf", -1)], [], default);
            Assert.Contains("out of the tree", await PushAsync(one, repository, await CommitAsync(repository, head, link)), StringComparison.Ordinal);
        }
        await AssertUntouchedAsync(one, head);
    }

    [Fact]
    public async Task A_certificate_that_has_ended_is_said_to_be_that_and_nothing_is_checked_out()
    {
        // The server's clock stands still 400 days ago: what it shows has ended for everybody else.
        await using var one = await OneServer.StartAsync(new ManualTime(DateTimeOffset.UtcNow.AddDays(-400)));
        Assert.Contains("server certificate expired (host ", await one.RunAsync("late", 5, "bootstrap", "--clustername", "default", $"localhost:{one.Server.Port}", "--node", "late"), StringComparison.Ordinal);
        Assert.False(Directory.Exists(one.Below("late", "conf")));
    }

    private static Task<CommitId> CommitAsync(GitRepository repository, CommitId head, string tree) => repository.CommitTreeAsync(tree, [head], "x", "x", "x", DateTimeOffset.UnixEpoch, default);

    /// <summary>What a plain git with an administrator's password is told.</summary>
    private static async Task<string> PushAsync(OneServer one, GitRepository repository, CommitId commit)
    {
        var pem = one.Below("server.pem");
        File.WriteAllText(pem, one.Server.CertificatePem);
        var remote = Remote.Https("localhost", one.Server.Port, "admin", "secret", pem);
        var (exitCode, _, errors) = await repository.With(remote.Environment).TryAsync(["push", remote.UrlOf("default"), $"{commit}:refs/heads/main"], one.Hang);
        Assert.NotEqual(0, exitCode);
        return errors;
    }

    /// <summary>The head is where it was, the repository is sound, and nothing of the push is left in it.</summary>
    private static async Task AssertUntouchedAsync(OneServer one, CommitId head)
    {
        var repository = one.Server.Store.Open("default");
        Assert.Equal(head, (await one.HeadAsync()).Commit);
        Assert.Equal(0, (await repository.TryAsync(["fsck", "--strict"], default)).ExitCode);
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(repository.Directory, "objects"), "tmp_*", SearchOption.AllDirectories));
        Assert.True(new DirectoryInfo(repository.Directory).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length) < 1_000_000);
    }

    [SmallDiskFact]
    public async Task A_full_disk_refuses_a_pull_and_a_push_and_leaves_both_sides_whole()
    {
        using var disk = new SmallDisk(6);
        await using var one = await OneServer.StartAsync(null, "writer");
        var reader = new WorkingCopy(disk.Below("etc"), disk.Below("etc", "conf"));
        var pem = one.Below("server.pem");
        File.WriteAllText(pem, one.Server.CertificatePem);
        var remote = Remote.Https("localhost", one.Server.Port, "admin", "secret", pem);
        await reader.BootstrapAsync(remote, "default", default);
        one.Write("writer", "default/a.conf", "# 1\n");
        await one.RunAsync("writer", 0, "commit", "--add-all");
        await reader.PullAsync(remote, ConflictChoice.Refuse, AutoUpdate.True, null, default);
        File.WriteAllBytes(one.Below("writer", "conf", "default", "big.bin"), RandomNumberGenerator.GetBytes(4 * 1024 * 1024));
        await one.RunAsync("writer", 0, "commit", "--add-all");
        var full = await Assert.ThrowsAnyAsync<EccfgException>(() => reader.PullAsync(remote, ConflictChoice.Refuse, AutoUpdate.True, null, default));
        Assert.Contains("not enough space", full.Message, StringComparison.Ordinal);
        Assert.Equal("# 1\n", reader.Read("default/a.conf"));
        Assert.False(reader.Has("default/big.bin"));
        Assert.Empty(Directory.GetDirectories(disk.Below("etc"), "conf.new.*"));

        // The server's disk: the push is refused, and the repository is as it was.
        await using var small = await ConfigServerHost.StartAsync(new() { NodeName = "mgr2", HostName = "localhost", Directory = disk.Below("server"), Port = 0, ServicePassword = "service" }, default);
        small.Users.Set("admin", "secret", ["*"]);
        await small.Replicator.UntilAsync(() => small.Replicator.WhyNoCommit("default") is null, one.Hang);
        var copy = new WorkingCopy(one.Below("second"), one.Below("second", "conf"));
        File.WriteAllText(pem, small.CertificatePem);
        var to = Remote.Https("localhost", small.Port, "admin", "secret", pem);
        await copy.BootstrapAsync(to, "default", default);
        File.WriteAllBytes(Path.Combine(Directory.CreateDirectory(one.Below("second", "conf", "default")).FullName, "big.bin"), RandomNumberGenerator.GetBytes(6 * 1024 * 1024));
        var refused = await Assert.ThrowsAnyAsync<EccfgException>(() => copy.CommitAsync(to, Hosts.By("big"), _ => true, default));
        Assert.Contains("space", refused.Message, StringComparison.Ordinal);
        Assert.Equal(1, (await small.Store.Open("default").HeadAsync(default)).Revision);
        Assert.Equal(0, (await small.Store.Open("default").TryAsync(["fsck", "--strict"], default)).ExitCode);
        Assert.True(copy.Has("default/big.bin"));
    }
}

/// <summary>Takes minutes: runs only with <c>VEREDUS_LAB=1</c> in the environment.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class LongTheoryAttribute : TheoryAttribute
{
    public LongTheoryAttribute() => Skip = Environment.GetEnvironmentVariable("VEREDUS_LAB") != "1" ? "set VEREDUS_LAB=1 to run it" : null;
}

/// <summary>Needs a small file system of its own. Skipped, with the reason, where that can't be.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SmallDiskFactAttribute : FactAttribute
{
    public SmallDiskFactAttribute()
    {
        if (!Environment.IsPrivilegedProcess)
        {
            Skip = "mounting a small file system needs root";
            return;
        }
        try
        {
            using var disk = new SmallDisk(1);
        }
        catch (IOException exception)
        {
            Skip = $"a small file system can't be mounted here: {exception.Message}";
        }
    }
}

/// <summary>A file system in memory of some megabytes, gone afterwards.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("veredus-disk").FullName;

    public SmallDisk(int megabytes)
    {
        try
        {
            Run("mount", "-t", "tmpfs", "-o", $"size={megabytes}m", "tmpfs", _path);
        }
        catch
        {
            Directory.Delete(_path);
            throw;
        }
    }

    public string Below(params string[] parts)
    {
        var path = Path.Combine([_path, .. parts]);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return path;
    }

    private static void Run(string program, params string[] words)
    {
        using var process = Process.Start(new ProcessStartInfo(program, words) { RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new IOException(errors.Trim());
    }

    public void Dispose()
    {
        Run("umount", "--lazy", _path);
        Directory.Delete(_path);
    }
}
