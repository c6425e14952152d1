using System.Diagnostics;
using System.Security.Cryptography;

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
        Assert.NotEqual(old.Trim(), server.CertificatePem.Trim());
        var pin = new KnownServers(scratch.Path).Pin("localhost", server.Port, old);
        using var client = new ConfigClient("localhost", server.Port, "ecuser", "service", old, null, pin);
        await client.HeadsAsync("default", default);
        Assert.Equal(server.CertificatePem.Trim(), File.ReadAllText(pin).Trim());
        var copy = new WorkingCopy(scratch.Below("host"), scratch.Below("host", "conf"));
        await copy.BootstrapAsync(Remote.Https("localhost", server.Port, "ecuser", "service", pin), "default", default);
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
        Assert.True(refused.Message.Length > 0, refused.Message);
        Assert.Equal(1, (await small.Store.Open("default").HeadAsync(default)).Revision);
        Assert.Equal(0, (await small.Store.Open("default").TryAsync(["fsck", "--strict"], default)).ExitCode);
        Assert.True(copy.Has("default/big.bin"));
    }
}

/// <summary>Needs a small file system of its own. Skipped, with the reason, where that can't be.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SmallDiskFactAttribute : FactAttribute
{
    public SmallDiskFactAttribute()
    {
        if (!Environment.IsPrivilegedProcess || Environment.GetEnvironmentVariable("VEREDUS_LAB") != "1")
        {
            Skip = "mounting a small file system needs root, and VEREDUS_LAB=1 asks for it";
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
