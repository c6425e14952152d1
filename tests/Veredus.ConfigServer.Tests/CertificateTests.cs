using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Veredus.ConfigServer.Tests;

/// <summary>A server that runs for longer than its certificate is good.</summary>
public sealed class CertificateTests
{
    [Fact]
    public async Task A_running_server_renews_its_certificate_and_clients_nodes_and_other_servers_follow()
    {
        using var scratch = new Scratch();
        using var hang = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        var (bus, time) = (new SwitchBus(), new ManualTime(DateTimeOffset.UtcNow.AddDays(-340)));
        await using var one = await StartAsync("mgr1", time);
        await using var two = await StartAsync("mgr2", TimeProvider.System);
        await one.Replicator.UntilAsync(() => one.Replicator.WhyNoCommit("default") is null && two.Replicator.Servers.Count() == 2, hang.Token);
        foreach (var (host, server) in new[] { ("a", one), ("b", two) })
            await RunAsync(host, "bootstrap", "--clustername", "default", $"localhost:{server.Port}", "--node", host);
        var (old, key) = (one.CertificatePem, Fingerprint(one.CertificatePem));
        var pin = new KnownServers(scratch.Below("a")).FileOf("localhost", one.Port);
        Assert.Equal(old.Trim(), File.ReadAllText(pin).Trim());

        await time.UntilTimerAsync(CertificateKeeper.Period, hang.Token);
        time.Advance(TimeSpan.FromDays(340));
        await two.Replicator.UntilAsync(() => two.Replicator.Servers.Single(server => server.Name == "mgr1").Certificate.Trim() != old.Trim(), hang.Token);
        Assert.NotEqual(old.Trim(), one.CertificatePem.Trim());
        Assert.Equal(key, Fingerprint(one.CertificatePem));

        // a has mgr1's old certificate pinned; b has never spoken to mgr1 itself and learns of it from mgr2.
        Write("a", "default/a.conf", "# 1\n");
        Assert.Contains("Committed revision 2.", await RunAsync("a", "commit", "--add-all"), StringComparison.Ordinal);
        Assert.Equal(one.CertificatePem.Trim(), File.ReadAllText(pin).Trim());
        await two.Replicator.UntilAsync(() => two.Replicator.Replicas.GetValueOrDefault("default")?.Head.Revision == 2, hang.Token);
        await RunAsync("b", "pull");
        Write("b", "default/b.conf", "# 2\n");
        Assert.Contains("Committed revision 3.", await RunAsync("b", "commit", "--add-all"), StringComparison.Ordinal);
        Assert.Contains("OK (revision 3)", await RunAsync("a", "pull"), StringComparison.Ordinal);

        async Task<ConfigServerHost> StartAsync(string name, TimeProvider clock)
        {
            var server = await ConfigServerHost.StartAsync(new() { NodeName = name, HostName = "localhost", Directory = scratch.Below(name), Port = 0, ServicePassword = "service", Bus = bus.Join(), RequireMajority = false, Time = clock }, default);
            server.Users.Set("admin", "secret", ["*"]);
            return server;
        }

        void Write(string host, string path, string text) => new WorkingCopy(scratch.Below(host), scratch.Below(host, "conf")).Write(path, text);

        async Task<string> RunAsync(string host, params string[] words)
        {
            using var output = new StringWriter();
            var code = await Eccfg.RunAsync(new(output, output, TextReader.Null, null, null, name => name switch { "USER" => "admin", "ECCFG_PASSWORD" => "secret", _ => null }, TimeProvider.System), [.. words, "--etc", scratch.Below(host)], default);
            return code == 0 ? output.ToString() : throw new Xunit.Sdk.XunitException($"'{string.Join(' ', words)}' on {host} ended with {code}: {output}");
        }
    }

    [Fact]
    public async Task A_way_that_begins_with_git_follows_a_renewed_certificate_too_and_not_another_key()
    {
        await using var one = await OneServer.StartAsync(null, "a");
        var pin = new KnownServers(one.Below("a")).FileOf("localhost", one.Server.Port);
        // A host that was off for a year: what it has pinned has ended, and git does not take it any more.
        using var key = ECDsa.Create();
        key.ImportFromPem(File.ReadAllText(one.Below("server", "tls", "server.key")));
        using var ended = ServerCertificate.Create(key, ["localhost"], DateTimeOffset.UtcNow.AddDays(-400));
        File.WriteAllText(pin, ended.ExportCertificatePem());
        await one.RunAsync("a", 0, "bootstrap", "--repair");
        Assert.Equal(one.Server.CertificatePem.Trim(), File.ReadAllText(pin).Trim());

        using var foreign = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = ServerCertificate.Create(foreign, ["localhost"], DateTimeOffset.UtcNow);
        File.WriteAllText(pin, other.ExportCertificatePem());
        Assert.Contains("pinned", await one.RunAsync("a", 5, "bootstrap", "--repair"), StringComparison.Ordinal);
        Assert.Equal(other.ExportCertificatePem().Trim(), File.ReadAllText(pin).Trim());
    }

    [Fact]
    public async Task An_operators_certificate_is_taken_up_while_the_server_runs_and_its_end_is_warned_of()
    {
        var time = new ManualTime();
        await using var one = await OneServer.StartAsync(time);
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var authority = ServerCertificate.Create(authorityKey, ["authority"], time.GetUtcNow(), TimeSpan.FromDays(3650));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        using var signed = request.Create(authority.SubjectName, X509SignatureGenerator.CreateForECDsa(authorityKey), time.GetUtcNow(), time.GetUtcNow().AddDays(40), [1]);

        // A certificate without its key is not used; with it, it is.
        File.WriteAllText(one.Below("server", "tls", "server.pem"), signed.ExportCertificatePem());
        var old = one.Server.CertificatePem;
        await LookAsync("can't be used");
        Assert.Equal(old, one.Server.CertificatePem);
        File.WriteAllText(one.Below("server", "tls", "server.key"), key.ExportPkcs8PrivateKeyPem());
        await LookAsync("the certificate is a new one");
        Assert.Equal(signed.ExportCertificatePem().Trim(), one.Server.CertificatePem.Trim());
        using var client = new ConfigClient("localhost", one.Server.Port, "admin", "secret", signed.ExportCertificatePem());
        Assert.Equal("mgr1", (await client.StatusAsync(default)).Node);
        time.Advance(TimeSpan.FromDays(11) - CertificateKeeper.Period);
        await LookAsync("is not self-signed: put its successor into");

        async Task LookAsync(string expected)
        {
            await time.UntilTimerAsync(CertificateKeeper.Period, one.Hang);
            time.Advance(CertificateKeeper.Period);
            await one.SaidAsync(expected);
        }
    }

    private static string Fingerprint(string pem)
    {
        using var certificate = X509Certificate2.CreateFromPem(pem);
        return KnownServers.Fingerprint(certificate);
    }
}
