using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Veredus.Reception.Auth;

namespace Veredus.Control.Tests;

public sealed class AccessTests
{
    private static readonly Func<string, ScramCredential?> Ann = user => user == "ann" ? Bench.Secret : null;

    [Fact]
    public async Task A_unix_client_is_who_the_kernel_says_and_is_accounted()
    {
        await using var bench = new Bench();
        await using var client = await bench.ConnectAsync();
        await client.SendAsync("message", default);
        Assert.Equal($"1790000000@N@{bench.Path}@@{Environment.UserName}@1\n", bench.Account);
    }

    [Fact]
    public async Task Over_TCP_nothing_is_answered_before_authentication()
    {
        await using var bench = new Bench(tcp: true, options => options with { Scram = Ann });
        Assert.Equal("+VEREDUS 1 mx1.example.org 0.1.0 AUTH SCRAM-SHA-256 PLAIN\n-ERR 401 authentication needed\n.\n", await bench.TalkAsync("message\n"));
    }

    [Fact]
    public async Task SCRAM_lets_in_who_knows_the_password_and_is_accounted()
    {
        await using var bench = new Bench(tcp: true, options => options with { Scram = Ann, LogAuthentication = true });
        await using var client = await bench.ConnectAsync("correct horse");
        Assert.Equal("short", (await client.SendAsync("message", default)).Text);
        var wrong = await Assert.ThrowsAsync<ControlException>(() => bench.ConnectAsync("wrong"));
        Assert.Equal(ControlErrors.AuthenticationNeeded, wrong.Code);
        Assert.Matches(@"^1790000000@N@\*:2025@127\.0\.0\.1:\d+@ann@1\n1790000000@N@\*:2025@127\.0\.0\.1:\d+@ann@0\n$", bench.Account);
    }

    [Fact]
    public async Task PLAIN_works_against_the_same_store_and_three_failures_end_the_session()
    {
        await using var bench = new Bench(tcp: true, options => options with { Scram = Ann });
        var right = Convert.ToBase64String(Encoding.UTF8.GetBytes("\0ann\0correct horse"));
        var wrong = Convert.ToBase64String(Encoding.UTF8.GetBytes("\0bob\0correct horse"));
        Assert.Contains("+OK authenticated as ann\n.\n+OK short\n.\n", await bench.TalkAsync($"AUTH PLAIN {right}\nmessage\n"));
        var talk = await bench.TalkAsync($"AUTH PLAIN {wrong}\nAUTH PLAIN\n{wrong}\nAUTH PLAIN {wrong}\nmessage\n", thenClose: false);
        Assert.Equal(3, talk.Split("-ERR 401 authentication failed").Length - 1);
        Assert.DoesNotContain("authentication needed", talk);
    }

    [Fact]
    public async Task Always_deny_wins_over_always_allow()
    {
        await using var open = new Bench(tcp: true, options => options with { AlwaysAllow = true });
        await using var client = await open.ConnectAsync();
        Assert.True((await client.SendAsync("message", default)).IsOk);
        await using var shut = new Bench(tcp: true, options => options with { AlwaysAllow = true, AlwaysDeny = true });
        Assert.Contains("-ERR 401", await shut.TalkAsync("message\n"));
        await using var unix = new Bench(change: options => options with { AlwaysDeny = true });
        Assert.Contains("-ERR 401", await unix.TalkAsync("message\n"));
    }

    [Fact]
    public async Task A_peer_block_decides_for_its_clients()
    {
        await using var bench = new Bench(tcp: true, options => options with
        {
            AlwaysAllow = true,
            ForClient = address => options with { AlwaysDeny = IPAddress.IsLoopback(address!) },
        });
        Assert.Contains("-ERR 401 authentication needed", await bench.TalkAsync("message\n"));
    }

    [Fact]
    public async Task Roles_decide_command_by_command_and_each_decision_is_accounted()
    {
        var authorization = new ControlAuthorization(
            [new("reader", ["echo", "many \\d+"]), new(Environment.UserName, ["message details .*"])], [new("reader", [Environment.UserName])]);
        await using var bench = new Bench(change: options => options with { Authorization = authorization });
        await using var client = await bench.ConnectAsync();
        Assert.True((await client.SendAsync("ECHO   a b", default)).IsOk);
        Assert.Equal(404, (await client.SendAsync("message details x", default)).Code);
        var refused = await client.SendAsync("fail", default);
        Assert.Equal((403, "Not Authorized for this command"), (refused.Code, refused.Text));
        Assert.Equal(403, (await client.SendAsync("echoes", default)).Code);
        var user = Environment.UserName;
        Assert.EndsWith(
            $"@{user}@1@echo a b@reader\n1790000000@Z@{bench.Path}@@{user}@1@message details x@{user}\n"
            + $"1790000000@Z@{bench.Path}@@{user}@0@fail\n1790000000@Z@{bench.Path}@@{user}@0@echoes\n", bench.Account);
    }

    [Fact]
    public void A_role_that_is_no_pattern_is_named()
    {
        var error = Assert.Throws<ArgumentException>(() => new ControlAuthorization([new("ops", ["("])], []));
        Assert.StartsWith("role \"ops\": '(' is not a regular expression", error.Message);
    }

    [Fact]
    public void Groups_read_in_the_short_and_in_the_system_form()
    {
        var errors = new List<string>();
        var groups = ControlAuthorization.ParseGroups(["# comment", "ops:ann,bob", "readers:x:100:cid", "empty:x:", "nonsense"], "groups", errors);
        Assert.Equal(["ops=ann,bob", "readers=cid", "empty="], groups.Select(group => $"{group.Key}={string.Join(',', group.Value)}"));
        Assert.Equal(["groups, line 5: expected 'group:user,user'"], errors);
    }

    [Fact]
    public async Task TLS_protects_a_session_and_a_server_that_is_not_the_right_one_is_refused()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        await using var bench = new Bench(tcp: true, options => options with
        {
            Scram = Ann,
            Tls = new SslServerAuthenticationOptions { ServerCertificate = certificate },
        });
        var fingerprint = Convert.ToHexString(SHA256.HashData(certificate.RawData));
        await using var client = await ControlClient.ConnectAsync(bench.Endpoint, new() { Password = _ => "correct horse", Fingerprint = fingerprint }, default);
        Assert.Equal("short", (await client.SendAsync("message", default)).Text);
        var foreign = await Assert.ThrowsAsync<ControlException>(() => bench.ConnectAsync("correct horse"));
        Assert.Contains("certificate", foreign.Message);
    }

    [Fact]
    public async Task What_is_pipelined_behind_STARTTLS_is_not_taken_over()
    {
        using var key = RSA.Create(2048);
        using var certificate = new CertificateRequest("CN=x", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            .CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        await using var bench = new Bench(tcp: true, options => options with { AlwaysAllow = true, Tls = new() { ServerCertificate = certificate } });
        Assert.EndsWith("+OK go ahead\n.\n", await bench.TalkAsync("STARTTLS\nmessage\n", thenClose: false));
    }
}
