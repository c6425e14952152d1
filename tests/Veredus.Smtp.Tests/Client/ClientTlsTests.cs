using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Veredus.Smtp.Tests.Server;

namespace Veredus.Smtp.Tests.Client;

/// <summary>Our client against our server, over pipes and over loopback sockets.</summary>
public class ClientTlsTests
{
    private static async Task<(SmtpOutcome Outcome, SmtpTlsInfo? Tls, FakeHandler Handler)> StartTlsAsync(SmtpClientTls tls, SmtpServerTls? server)
    {
        var dialogue = new Dialogue(options: Dialogue.Options with { Tls = server }).Start();
        using var clock = new DeadlineClock(dialogue.Time);
        await using var session = new SmtpClientSession(dialogue.Client, new(), clock);
        await session.OpenAsync("out.example.com", default);
        var outcome = await session.StartTlsAsync(tls, default).AsTask().WaitAsync(Dialogue.Patience);
        if (outcome.IsSuccess)
        {
            await session.SendAsync(ScriptedServer.Message("a\r\n"), default);
            await session.QuitAsync(default);
        }

        await session.DisposeAsync();
        await dialogue.Client.Output.CompleteAsync();
        await dialogue.Client.Input.CompleteAsync();
        await dialogue.EndAsync();
        dialogue.Dispose();
        return (outcome, session.Tls, dialogue.Handler);
    }

    [Theory]
    [InlineData(TlsVerify.None, "other.example", false, 250, false)]
    [InlineData(TlsVerify.Optional, "other.example", false, 250, false)]
    [InlineData(TlsVerify.Ca, "other.example", true, 250, true)]
    [InlineData(TlsVerify.Ca, "mx.example.org", false, 451, false)]
    [InlineData(TlsVerify.Host, "mx.example.org", true, 250, true)]
    [InlineData(TlsVerify.Host, "other.example", true, 451, false)]
    public async Task A_certificate_is_judged_as_asked(TlsVerify verify, string name, bool trusted, int code, bool verified)
    {
        var (server, certificate) = AuthAndTlsTests.Tls();
        var roots = trusted ? new X509Certificate2Collection(certificate) : [];
        var (outcome, tls, handler) = await StartTlsAsync(new(name) { Verify = verify, TrustedRoots = roots }, server);
        Assert.Equal((code, verified), (outcome.Reply.Code, tls?.PeerVerified ?? false));
        Assert.Equal(code == 250 ? 1 : 0, handler.Messages.Count);
        if (code != 250)
            Assert.Equal((new EnhancedStatus(4, 7, 5), SmtpStage.HandshakingTls), (outcome.Reply.Status, outcome.Stage));
    }

    [Fact]
    public async Task Another_name_of_the_destination_is_good_too()
    {
        var (server, certificate) = AuthAndTlsTests.Tls();
        var (outcome, _, _) = await StartTlsAsync(new("a.example") { Verify = TlsVerify.Host, OtherNames = ["mx.example.org"], TrustedRoots = [certificate] }, server);
        Assert.Equal(250, outcome.Reply.Code);
    }

    [Fact]
    public async Task Where_STARTTLS_is_not_offered_the_session_says_so_and_stays_usable()
    {
        var (outcome, _, _) = await StartTlsAsync(new("mx.example.org"), server: null);
        Assert.Equal((InternalReplies.StartTlsNotOffered, SmtpStage.DuringStartTls), (outcome.Reply, outcome.Stage));
    }

    [Theory]
    [InlineData("220 go\r\nnot a handshake at all, but text\r\n")]
    [InlineData("220 go\r\n250 injected\r\n")]
    public async Task Garbage_after_the_go_ahead_is_a_TLS_failure(string answer)
    {
        await using var server = new ScriptedServer();
        await server.OpenAsync("250-mx\r\n250 STARTTLS\r\n");
        var outcome = await server.PlayAsync(server.Session.StartTlsAsync(new("mx.example.org"), default), ("STARTTLS\r\n", answer));
        Assert.Equal((451, new EnhancedStatus(4, 7, 5), false), (outcome.Reply.Code, outcome.Reply.Status, server.Session.IsUsable));
    }

    [Fact]
    public async Task A_reset_in_the_middle_of_DATA_is_a_transient_failure_while_sending()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(listener.LocalEndpoint);
        using var peer = await listener.AcceptSocketAsync();
        using var clock = new DeadlineClock(TimeProvider.System);
        await using var session = new SmtpClientSession(new NetworkStream(socket, ownsSocket: true), new(), clock);
        var buffer = new byte[4096];
        await peer.SendAsync("220 mx\r\n"u8.ToArray());
        var opening = session.OpenAsync("out.example.com", default).AsTask();
        await peer.ReceiveAsync(buffer);
        await peer.SendAsync("250-mx\r\n250 PIPELINING\r\n"u8.ToArray());
        await opening.WaitAsync(Dialogue.Patience);
        var sending = session.SendAsync(ScriptedServer.Message(new string('x', 20_000_000) + "\r\n"), default).AsTask();
        await peer.ReceiveAsync(buffer);
        await peer.SendAsync("250 ok\r\n250 ok\r\n354 go\r\n"u8.ToArray());
        await peer.ReceiveAsync(buffer);
        peer.LingerState = new(true, 0);
        peer.Close();
        var result = await sending.WaitAsync(Dialogue.Patience);
        Assert.Equal((451, SmtpStage.SendingBody, false), (result.Recipients[0].Reply.Code, result.Recipients[0].Stage, result.ConnectionUsable));
    }
}
