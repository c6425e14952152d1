using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Veredus.Cluster.Tests;

public sealed class JoiningTests : IDisposable
{
    private static readonly TimeSpan s_guard = TimeSpan.FromMinutes(1);
    private readonly ClusterAuthority _authority = ClusterAuthority.Create("mail", TimeProvider.System);
    private readonly ClusterIdentity _first;
    private readonly List<string> _reports = [];

    public JoiningTests() => _first = _authority.Issue("mta1", TimeProvider.System);

    public void Dispose()
    {
        _first.Dispose();
        _authority.Dispose();
    }

    [Fact]
    public async Task A_token_lets_one_machine_in_and_its_key_never_leaves_it()
    {
        using var server = Serve();
        var waiting = server.WaitAsync(Grant, CancellationToken.None);

        var joined = await JoinClient.JoinAsync(Typed(server.Token), "mta2", ["198.18.7.2"], TimeProvider.System, CancellationToken.None).WaitAsync(s_guard);

        Assert.Equal("mta2", joined.Identity.NodeName);
        Assert.Equal("a2V5", joined.Grant.BusKey);
        Assert.Equal([KeyValuePair.Create("mta1", "198.18.7.1 1")], joined.Grant.Peers);
        Assert.Equal(_authority.CertificatePem.Trim(), joined.Identity.ExportAuthorityPem().Trim());
        Assert.DoesNotContain("PRIVATE", joined.Grant.Certificate, StringComparison.Ordinal);
        Assert.Equal("mta2", (await waiting.WaitAsync(s_guard)).Node);
        server.Dispose();
        await Assert.ThrowsAsync<IOException>(() => JoinClient.JoinAsync(Typed(server.Token), "mta3", ["198.18.7.3"], TimeProvider.System, CancellationToken.None).WaitAsync(s_guard));
    }

    [Fact]
    public async Task A_member_that_joined_and_one_that_was_there_trust_each_other()
    {
        using var server = Serve();
        var waiting = server.WaitAsync(Grant, CancellationToken.None);
        var joined = await JoinClient.JoinAsync(Typed(server.Token), "mta2", ["198.18.7.2"], TimeProvider.System, CancellationToken.None).WaitAsync(s_guard);
        await waiting.WaitAsync(s_guard);
        var (incarnation, here) = (new Incarnation(1), new Incarnation(2));
        Hello Of(string name, Incarnation of, int port) => new(MemberKind.Veredus, name, "default", "1", new(IPAddress.Loopback, port), ["ec_cluster"], of);
        var membership = ClusterMembership.Disconnected;
        await using var listener = new ClusterListener(new(new(IPAddress.Loopback, 0), "mta1", here, VerifyPeers: false), _first, () => membership, [], (_, text) => _reports.Add(text));

        var refused = await Assert.ThrowsAsync<ClusterConnectionException>(() => ClusterConnection.OpenAsync(
            Of("mta1", here, listener.Address.Port), "logs", joined.Identity, incarnation, CancellationToken.None).WaitAsync(s_guard));

        Assert.Equal(551, refused.Code);  // past the certificates: only the membership does not know it yet
    }

    [Fact]
    public async Task Who_cannot_prove_to_have_made_the_token_is_told_nothing()
    {
        using var stranger = ClusterAuthority.Create("mail", TimeProvider.System);
        using var other = stranger.Issue("mta1", TimeProvider.System);
        using var real = Serve();
        using var false_ = new JoinServer(new(IPAddress.Loopback, 0), IPAddress.Loopback, other, TimeSpan.FromHours(1), TimeProvider.System, Report);
        var asked = 0;
        using var stop = new CancellationTokenSource();
        var waiting = false_.WaitAsync(request => { asked++; return Grant(request); }, stop.Token);
        var misled = JoinToken.Create(false_.Token.Server, real.Token.Expires, _first.CertificateHash());

        var refusal = await Assert.ThrowsAsync<IOException>(() => JoinClient.JoinAsync(misled, "mta2", ["198.18.7.2"], TimeProvider.System, CancellationToken.None).WaitAsync(s_guard));

        Assert.Contains("is not the one that made the token", refusal.Message, StringComparison.Ordinal);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.WaitAsync(s_guard));
        Assert.Equal(0, asked);
    }

    [Fact]
    public async Task Wrong_secrets_are_refused_and_ten_withdraw_the_token()
    {
        using var server = Serve();
        var waiting = server.WaitAsync(Grant, CancellationToken.None);
        for (var i = 0; i < 10; i++)
        {
            var guess = JoinToken.Create(server.Token.Server, server.Token.Expires, _first.CertificateHash());
            var refusal = await Assert.ThrowsAsync<IOException>(() => JoinClient.JoinAsync(guess, "mta2", ["198.18.7.2"], TimeProvider.System, CancellationToken.None).WaitAsync(s_guard));
            Assert.Contains("this is not the token's secret", refusal.Message, StringComparison.Ordinal);
        }
        Assert.Contains("withdrawn", (await Assert.ThrowsAsync<IOException>(() => waiting.WaitAsync(s_guard))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refusal_of_the_cluster_leaves_the_token_good()
    {
        using var server = Serve();
        var waiting = server.WaitAsync(request => request.Node == "mta1" ? new() { Error = "mta1 is taken" } : Grant(request), CancellationToken.None);
        var refusal = await Assert.ThrowsAsync<IOException>(() => JoinClient.JoinAsync(server.Token, "mta1", ["198.18.7.2"], TimeProvider.System, CancellationToken.None).WaitAsync(s_guard));
        Assert.Contains("mta1 is taken", refusal.Message, StringComparison.Ordinal);
        await JoinClient.JoinAsync(server.Token, "mta2", ["198.18.7.2"], TimeProvider.System, CancellationToken.None).WaitAsync(s_guard);
        await waiting.WaitAsync(s_guard);
        Assert.Contains("mta1 is taken", _reports);
    }

    [Fact]
    public async Task A_token_that_has_run_out_lets_nobody_in()
    {
        using var server = new JoinServer(new(IPAddress.Loopback, 0), IPAddress.Loopback, _first, TimeSpan.FromSeconds(-2), TimeProvider.System, Report);
        Assert.Contains("expired", (await Assert.ThrowsAsync<IOException>(() => server.WaitAsync(Grant, CancellationToken.None).WaitAsync(s_guard))).Message, StringComparison.Ordinal);
        Assert.Contains("expired", (await Assert.ThrowsAsync<IOException>(() =>
            JoinClient.JoinAsync(server.Token, "mta2", ["198.18.7.2"], TimeProvider.System, CancellationToken.None).WaitAsync(s_guard))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Callers_that_say_nonsense_do_not_use_the_token_up()
    {
        using var server = Serve();
        var waiting = server.WaitAsync(Grant, CancellationToken.None);
        foreach (var said in (string[])["\n", "{}\n", "[1]\n", "{\"secret\":null}\n"])
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(server.Token.Server);
            await using var stream = new SslStream(new NetworkStream(socket));
#pragma warning disable CA5359 // this caller does not care
            await stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = (_, _, _, _) => true });
#pragma warning restore CA5359
            await stream.WriteAsync(System.Text.Encoding.UTF8.GetBytes(said));
            var buffer = new byte[4096];
            while (await stream.ReadAsync(buffer).AsTask().WaitAsync(s_guard) > 0)
            {
            }
        }
        await JoinClient.JoinAsync(server.Token, "mta2", ["198.18.7.2"], TimeProvider.System, CancellationToken.None).WaitAsync(s_guard);
        await waiting.WaitAsync(s_guard);
    }

    [Theory]
    [InlineData("")]
    [InlineData("vj1-")]
    [InlineData("hunter2")]
    [InlineData("vj1-AAAA")]
    [InlineData("vj1-äöü")]
    public void What_is_no_token_is_refused(string text)
    {
        Assert.False(JoinToken.TryParse(text, out _, out var error));
        Assert.NotEqual("", error);
    }

    [Fact]
    public void One_wrong_character_makes_a_token_damaged()
    {
        var text = JoinToken.Create(new(IPAddress.Parse("2001:db8::1"), 4810), DateTimeOffset.UnixEpoch, RandomNumberGenerator.GetBytes(32)).ToString();
        Assert.True(JoinToken.TryParse($" {text}\n", out var read, out _));
        Assert.Equal("[2001:db8::1]:4810", read.Server.ToString());
        for (var i = 4; i < text.Length; i++)
        {
            var wrong = text[..i] + (text[i] == 'A' ? 'B' : 'A') + text[(i + 1)..];
            Assert.False(JoinToken.TryParse(wrong, out _, out _), wrong);
            Assert.False(JoinToken.TryParse(text[..i], out _, out _));
        }
    }

    private JoinServer Serve() => new(new(IPAddress.Loopback, 0), IPAddress.Loopback, _first, TimeSpan.FromHours(1), TimeProvider.System, Report);

    private void Report(EndPoint? who, string text) => _reports.Add(text);

    private static JoinToken Typed(JoinToken token) => JoinToken.TryParse(token.ToString(), out var read, out var error) ? read : throw new InvalidDataException(error);

    private JoinGrant Grant(JoinRequest request) => new()
    {
        Cluster = "mail",
        Certificate = _authority.IssuePem(request.Node, Convert.FromBase64String(request.Key), TimeProvider.System),
        Authority = _authority.CertificatePem,
        BusKey = "a2V5",
        Peers = [KeyValuePair.Create("mta1", "198.18.7.1 1")],
        Port = 4809,
    };
}
