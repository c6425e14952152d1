using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Veredus.ConfigServer.Tests;

/// <summary>Real servers on loopback: HTTPS, git http-backend, PBKDF2, control API.</summary>
public sealed class ServerTests : IAsyncLifetime, IDisposable
{
    private readonly Scratch _scratch = new();
    private ConfigServerHost _server = null!;

    public async Task InitializeAsync()
    {
        _server = await ConfigServerHost.StartAsync(new() { NodeName = "mgr1", HostName = "localhost", Directory = _scratch.Below("server"), Port = 0, ServicePassword = "service" }, default);
        _server.Users.Set("admin", "secret", ["*"]);
        _server.Users.Set("eve", "eve", ["west"]);
        await _server.Replicator.UntilAsync(() => _server.Replicator.WhyNoCommit("default") is null && _server.Replicator.WhyNoCommit("global") is null, new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token);
    }

    public void Dispose() => _scratch.Dispose();

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task A_commit_over_HTTPS_is_taken_and_pulled_elsewhere()
    {
        var (one, two) = (await BootstrapAsync("one"), await BootstrapAsync("two"));
        one.Write("default/veredus.conf", "relay_hosts = ( 127.0.0.1 )\n");
        var done = await one.CommitAsync(RemoteOf("admin", "secret"), Hosts.By("first"), _ => true, default);
        Assert.Equal(2, done.Single().Revision.Revision);
        Assert.True((await two.PullAsync(RemoteOf("ecuser", "service"), ConflictChoice.Refuse, AutoUpdate.True, null, default)).HasChanged);
        Assert.Equal("relay_hosts = ( 127.0.0.1 )\n", two.Read("default/veredus.conf"));
        using var client = Client("admin", "secret");
        var status = await client.StatusAsync(default);
        Assert.Equal(["default", "global"], status.Repositories.Select(repository => repository.Name));
        Assert.Equal(("mgr1", 2, false), (status.Repositories[0].Master, status.Repositories[0].Revision, status.Repositories[0].Conflict));
        Assert.Empty(await client.PendingAsync("default", done.Single().Revision.Commit, default));
    }

    [Fact]
    public async Task A_revision_that_does_not_validate_is_refused_with_its_errors_unless_forced()
    {
        var one = await BootstrapAsync("one");
        one.Write("default/veredus.conf", "no_such_option = 1\n");
        var refused = await Assert.ThrowsAnyAsync<EccfgException>(() => one.CommitAsync(RemoteOf("admin", "secret"), Hosts.By("bad"), _ => true, default));
        Assert.Contains("no_such_option", refused.Message, StringComparison.Ordinal);
        Assert.Contains("default/veredus.conf", refused.Message, StringComparison.Ordinal);
        Assert.Equal(EccfgExit.Failed, refused.ExitCode);
        Assert.Equal(1, (await _server.Store.Open("default").HeadAsync(default)).Revision);
        await one.CommitAsync(RemoteOf("admin", "secret"), Hosts.By("bad") with { Force = true }, _ => true, default);
        Assert.Equal(2, (await _server.Store.Open("default").HeadAsync(default)).Revision);
    }

    [Fact]
    public async Task A_push_that_is_looked_at_for_long_is_kept_alive()
    {
        var head = (await _server.Store.Open("default").HeadAsync(default)).Commit;
        var (hook, gate) = (Path.Combine(_server.Store.Open("default").Directory, "hooks", "pre-receive"), _scratch.Below("gate"));
        await Process.Start("mkfifo", gate).WaitForExitAsync();
        File.WriteAllText(hook, File.ReadAllText(hook).Replace("#!/bin/sh\n", $"#!/bin/sh\nread -r _ < '{gate}'\n", StringComparison.Ordinal));
        using var client = new HttpClient(new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is X509Certificate2 own && own.ExportCertificatePem() == _server.CertificatePem.Trim() } }) { Timeout = TimeSpan.FromSeconds(60) };
        using var push = new HttpRequestMessage(HttpMethod.Post, $"https://localhost:{_server.Port}/config/default.git/git-receive-pack") { Content = new ByteArrayContent(Push(head, "refs/heads/running/mta01")) };
        push.Headers.Authorization = new("Basic", Convert.ToBase64String("admin:secret"u8));
        push.Content.Headers.ContentType = new("application/x-git-receive-pack-request");

        using var answer = await client.SendAsync(push, HttpCompletionOption.ResponseHeadersRead);
        await using var body = await answer.Content.ReadAsStreamAsync();
        var alive = new byte[10];
        await body.ReadExactlyAsync(alive);  // comes while the hook waits
        Assert.Equal("0005\u00010005\u0001"u8, alive);
        File.WriteAllText(gate, "go\n");
        using var rest = new StreamReader(body);
        Assert.Contains("ok refs/heads/running/mta01", await rest.ReadToEndAsync(), StringComparison.Ordinal);

        static byte[] Push(CommitId commit, string branch)
        {
            var update = $"{CommitId.None} {commit} {branch}\0 report-status side-band-64k object-format=sha1";
            return [.. Encoding.ASCII.GetBytes($"{update.Length + 4:x4}{update}0000PACK"), 0, 0, 0, 2, 0, 0, 0, 0, .. Convert.FromHexString("029d08823bd8a8eab510ad6ac75c823cfd3ed31e")];  // a pack of nothing
        }
    }

    [Fact]
    public async Task Strangers_and_users_without_the_right_are_refused()
    {
        var one = await BootstrapAsync("one");
        one.Write("default/x.conf", "# x\n");
        foreach (var (user, password) in new[] { ("admin", "wrong"), ("eve", "eve"), ("nobody", "x") })
            Assert.Equal(EccfgExit.NotAllowed, (await Assert.ThrowsAnyAsync<EccfgException>(() => one.CommitAsync(RemoteOf(user, password), Hosts.By("x"), _ => true, default))).ExitCode);
        using var eve = Client("eve", "eve");
        Assert.Equal(EccfgExit.NotAllowed, (await Assert.ThrowsAnyAsync<EccfgException>(() => eve.ActAsync("conflict", "default", default))).ExitCode);
        Assert.Equal(1, (await _server.Store.Open("default").HeadAsync(default)).Revision);
    }

    [Fact]
    public async Task Force_pushes_merges_links_out_of_the_tree_and_pushes_past_the_server_are_refused()
    {
        var one = await BootstrapAsync("one");
        one.Write("default/x.conf", "# x\n");
        await one.CommitAsync(RemoteOf("admin", "secret"), Hosts.By("x"), _ => true, default);
        var repository = one.Repository("default");
        var head = (await _server.Store.Open("default").HeadAsync(default)).Commit;
        var at = DateTimeOffset.UnixEpoch.AddDays(1);
        var orphan = await repository.CommitTreeAsync(head.Hex + "^{tree}", [], "orphan", "x", "x", at, default);
        Assert.Contains("force push", await RefusalAsync("+" + orphan), StringComparison.Ordinal);
        var merge = await repository.CommitTreeAsync(head.Hex + "^{tree}", [head, orphan], "merge", "x", "x", at, default);
        Assert.Contains("merge commits", await RefusalAsync(merge.Hex), StringComparison.Ordinal);
        var link = await repository.EditTreeAsync(head.Hex, [new("120000", await repository.WriteBlobAsync("/etc/passwd"u8.ToArray(), default), "default/link", -1)], [], default);
        Assert.Contains("out of the tree", await RefusalAsync((await repository.CommitTreeAsync(link, [head], "link", "x", "x", at, default)).Hex), StringComparison.Ordinal);
        var good = await repository.CommitTreeAsync(head.Hex + "^{tree}", [head], "good", "x", "x", at, default);
        Assert.Contains("not here", (await repository.TryAsync(["push", _server.Store.Open("default").Directory, $"{good}:refs/heads/main"], default)).Errors, StringComparison.Ordinal);
        Assert.Equal(head, (await _server.Store.Open("default").HeadAsync(default)).Commit);

        async Task<string> RefusalAsync(string what)
        {
            var remote = RemoteOf("admin", "secret");
            var (exitCode, _, errors) = await repository.With(remote.Environment).TryAsync(["push", "--force", remote.UrlOf("default"), $"{what}:refs/heads/main"], default);
            Assert.NotEqual(0, exitCode);
            return errors;
        }
    }

    [Fact]
    public async Task A_wrong_key_and_an_expired_certificate_are_said_to_be_that()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = ServerCertificate.Create(key, ["localhost"], DateTimeOffset.UtcNow);
        using var client = new ConfigClient("localhost", _server.Port, "admin", "secret", other.ExportCertificatePem());
        var refused = await Assert.ThrowsAnyAsync<EccfgException>(() => client.StatusAsync(default));
        Assert.Equal(EccfgExit.Unreachable, refused.ExitCode);
        Assert.Contains("pinned", refused.Message, StringComparison.Ordinal);
        using var late = new ConfigClient("localhost", _server.Port, "admin", "secret", _server.CertificatePem, new FixedTime(DateTimeOffset.UtcNow.AddYears(2)));
        Assert.Contains("expired", (await Assert.ThrowsAnyAsync<EccfgException>(() => late.StatusAsync(default))).Message, StringComparison.Ordinal);
        var one = new WorkingCopy(_scratch.Below("one"), _scratch.Below("one", "conf"));
        File.WriteAllText(_scratch.Below("other.pem"), other.ExportCertificatePem());
        Assert.Equal(EccfgExit.Unreachable, (await Assert.ThrowsAnyAsync<EccfgException>(() => one.BootstrapAsync(Remote.Https("localhost", _server.Port, "admin", "secret", _scratch.Below("other.pem")), "default", default))).ExitCode);
    }

    [Fact]
    public async Task A_freeze_stops_commits_until_resolve_and_other_subclusters_go_on()
    {
        using var client = Client("admin", "secret");
        await client.ActAsync("create", "west", default);
        Assert.Contains("already", (await Assert.ThrowsAnyAsync<EccfgException>(() => client.ActAsync("create", "west", default))).Message, StringComparison.Ordinal);
        await client.ActAsync("conflict", "default", default);
        await _server.Replicator.UntilAsync(() => _server.Replicator.Replicas.GetValueOrDefault("default") is { InConflict: true }, new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token);
        var one = await BootstrapAsync("one");
        one.Write("default/x.conf", "# x\n");
        Assert.Equal(EccfgExit.Conflict, (await Assert.ThrowsAnyAsync<EccfgException>(() => one.CommitAsync(RemoteOf("admin", "secret"), Hosts.By("x"), _ => true, default))).ExitCode);
        await client.ActAsync("resolve", "default", default);
        await _server.Replicator.UntilAsync(() => _server.Replicator.WhyNoCommit("default") is null, new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token);
        Assert.Equal(3, (await one.CommitAsync(RemoteOf("admin", "secret"), Hosts.By("x"), _ => true, default)).Single().Revision.Revision);
    }

    [Fact]
    public void Too_many_wrong_passwords_lock_an_address_out_for_a_minute()
    {
        var time = new SteppingTime();
        var users = new UserFile(_scratch.Below("users"), time);
        users.Set("ana", "right", ["*"]);
        Assert.DoesNotContain("right", File.ReadAllText(_scratch.Below("users")), StringComparison.Ordinal);
        for (var i = 0; i < 10; i++)
            Assert.Null(users.SignIn("192.0.2.1", "ana", "wrong", out _));
        Assert.Null(users.SignIn("192.0.2.1", "ana", "right", out var isLimited));
        Assert.True(isLimited);
        Assert.NotNull(users.SignIn("192.0.2.2", "ana", "right", out _));
        time.Step(TimeSpan.FromSeconds(61));
        Assert.NotNull(users.SignIn("192.0.2.1", "ana", "right", out _));
    }

    [Fact]
    public void A_certificate_is_renewed_with_its_key_before_it_ends()
    {
        var now = new DateTimeOffset(2031, 5, 4, 0, 0, 0, TimeSpan.Zero);
        using var first = ServerCertificate.LoadOrCreate(_scratch.Below("tls"), ["mgr1"], now);
        using var same = ServerCertificate.LoadOrCreate(_scratch.Below("tls"), ["mgr1"], now.AddDays(300));
        using var renewed = ServerCertificate.LoadOrCreate(_scratch.Below("tls"), ["mgr1"], now.AddDays(350));
        Assert.Equal(first.Thumbprint, same.Thumbprint);
        Assert.NotEqual(first.Thumbprint, renewed.Thumbprint);
        Assert.Equal(KnownServers.Fingerprint(first), KnownServers.Fingerprint(renewed));
    }

    private Remote RemoteOf(string user, string password)
    {
        var pem = _scratch.Below("server.pem");
        File.WriteAllText(pem, _server.CertificatePem);
        return Remote.Https("localhost", _server.Port, user, password, pem);
    }

    private ConfigClient Client(string user, string password) => new("localhost", _server.Port, user, password, _server.CertificatePem);

    private async Task<WorkingCopy> BootstrapAsync(string host)
    {
        var copy = new WorkingCopy(_scratch.Below(host), _scratch.Below(host, "conf"));
        await copy.BootstrapAsync(RemoteOf("ecuser", "service"), "default", default);
        return copy;
    }

    private sealed class FixedTime(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }

    private sealed class SteppingTime : TimeProvider
    {
        private long _ticks = 1;
        public override long TimestampFrequency => TimeSpan.TicksPerSecond;
        public override long GetTimestamp() => _ticks;
        public void Step(TimeSpan by) => _ticks += by.Ticks;
    }
}
