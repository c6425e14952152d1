using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Veredus.Smtp.Tests.Server;

public class AuthAndTlsTests
{
    private static readonly SmtpServerOptions Options = Dialogue.Options with
    {
        AuthMechanisms = AuthMechanisms.Plain | AuthMechanisms.Login | AuthMechanisms.ScramSha256,
        AllowPlaintextAuth = true,
    };

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    private static async Task<Dialogue> GreetedAsync(SmtpServerOptions? options = null, FakeHandler? handler = null)
    {
        var dialogue = new Dialogue(handler, options ?? Options).Start();
        await dialogue.ReadReplyAsync();
        await dialogue.AskAsync("EHLO c");
        return dialogue;
    }

    [Fact]
    public async Task PLAIN_with_and_without_initial_response()
    {
        using var one = await GreetedAsync();
        Assert.StartsWith("235 2.7.0", await one.AskAsync("AUTH PLAIN " + Base64("\0ann\0secret")), StringComparison.Ordinal);
        Assert.Equal(("ann", AuthMechanisms.Plain), (one.Session.AuthenticatedUser, one.Session.AuthenticatedBy));
        Assert.StartsWith("503 5.5.1", await one.AskAsync("AUTH PLAIN " + Base64("\0ann\0secret")), StringComparison.Ordinal);
        using var two = await GreetedAsync();
        Assert.Equal("334 \r\n", await two.AskAsync("auth plain"));
        Assert.StartsWith("235 2.7.0", await two.AskAsync(Base64("\0ann\0secret")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task LOGIN_asks_for_user_and_password()
    {
        using var dialogue = await GreetedAsync();
        Assert.Equal("334 VXNlcm5hbWU6\r\n", await dialogue.AskAsync("AUTH LOGIN"));
        Assert.Equal("334 UGFzc3dvcmQ6\r\n", await dialogue.AskAsync(Base64("ann")));
        Assert.StartsWith("235", await dialogue.AskAsync(Base64("secret")), StringComparison.Ordinal);
        Assert.Contains("AUTH Login ann Pass", dialogue.Handler.Events);
    }

    [Fact]
    public async Task The_third_failure_ends_the_session()
    {
        using var dialogue = await GreetedAsync();
        Assert.StartsWith("535 5.7.8", await dialogue.AskAsync("AUTH PLAIN " + Base64("\0ann\0wrong")), StringComparison.Ordinal);
        Assert.StartsWith("535 5.7.8", await dialogue.AskAsync("AUTH PLAIN " + Base64("\0bob\0secret")), StringComparison.Ordinal);
        Assert.StartsWith("421 4.7.0", await dialogue.AskAsync("AUTH PLAIN " + Base64("\0ann\0wrong")), StringComparison.Ordinal);
        Assert.Equal(SmtpSessionEnd.Refused, await dialogue.EndAsync());
    }

    [Theory]
    [InlineData("AUTH PLAIN !!!", "501 5.5.2")]
    [InlineData("AUTH PLAIN AA==", "501 5.5.2")]
    [InlineData("AUTH PLAIN AP//", "501 5.5.2")]
    [InlineData("AUTH PLAIN *", "501 5.7.0")]
    [InlineData("AUTH CRAM-MD5", "504 5.5.4")]
    [InlineData("AUTH SCRAM-SHA-256", "454 4.7.0")]
    [InlineData("AUTH", "504 5.5.4")]
    public async Task An_ill_formed_or_impossible_AUTH_is_answered(string command, string reply)
    {
        using var dialogue = await GreetedAsync();
        Assert.StartsWith(reply, await dialogue.AskAsync(command), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Passwords_in_clear_text_are_neither_offered_nor_taken()
    {
        using var dialogue = await GreetedAsync(Options with { AllowPlaintextAuth = false });
        Assert.StartsWith("538 5.7.11", await dialogue.AskAsync("AUTH PLAIN " + Base64("\0ann\0secret")), StringComparison.Ordinal);
        Assert.Contains("250-AUTH SCRAM-SHA-256\r\n", await dialogue.AskAsync("EHLO c"), StringComparison.Ordinal);
    }

    private sealed class Exchange : ISaslExchange
    {
        public string User => "ann";

        public ValueTask<SaslStep> NextAsync(string message, CancellationToken cancellationToken) => ValueTask.FromResult(message switch
        {
            "first" => new SaslStep("challenge", null),
            "final" => new SaslStep("proof", AuthResult.Pass),
            _ => new SaslStep(null, AuthResult.Fail),
        });
    }

    [Fact]
    public async Task SCRAM_goes_back_and_forth_and_ends_with_the_servers_proof()
    {
        using var dialogue = await GreetedAsync(handler: new() { Scram = new Exchange() });
        Assert.Equal($"334 {Base64("challenge")}\r\n", await dialogue.AskAsync("AUTH SCRAM-SHA-256 " + Base64("first")));
        Assert.Equal($"334 {Base64("proof")}\r\n", await dialogue.AskAsync(Base64("final")));
        Assert.StartsWith("235", await dialogue.AskAsync(""), StringComparison.Ordinal);
        Assert.Equal("ann", dialogue.Session.AuthenticatedUser);
    }

    internal static (SmtpServerTls Tls, X509Certificate2 Certificate) Tls(string name = "mx.example.org")
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=" + name, key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch.AddYears(40), DateTimeOffset.UnixEpoch.AddYears(130));
        return (new(SslStreamCertificateContext.Create(certificate, null, offline: true)), certificate);
    }

    [Fact]
    public async Task STARTTLS_forgets_what_was_said_and_offers_passwords()
    {
        using var dialogue = await GreetedAsync(Options with { Tls = Tls().Tls, AllowPlaintextAuth = false });
        Assert.StartsWith("220 2.0.0", await dialogue.AskAsync("STARTTLS"), StringComparison.Ordinal);
        await using var stream = new SslStream(new DuplexPipeStream(dialogue.Client.Input, dialogue.Client.Output), false, (_, _, _, _) => true);
        await stream.AuthenticateAsClientAsync("mx.example.org").WaitAsync(Dialogue.Patience);
        await stream.WriteAsync(Encoding.ASCII.GetBytes("AUTH PLAIN\r\nEHLO c\r\nQUIT\r\n"));
        using var reader = new StreamReader(stream);
        var output = await reader.ReadToEndAsync().WaitAsync(Dialogue.Patience);
        Assert.StartsWith("503 5.5.1", output, StringComparison.Ordinal);
        Assert.Contains("AUTH SCRAM-SHA-256 PLAIN LOGIN", output, StringComparison.Ordinal);
        Assert.DoesNotContain("STARTTLS", output, StringComparison.Ordinal);
        Assert.Equal(SmtpSessionEnd.Quit, await dialogue.EndAsync());
        Assert.True(dialogue.Session.Tls!.Protocol is SslProtocols.Tls12 or SslProtocols.Tls13);
    }

    [Theory]
    [InlineData(StartTlsInjectionPolicy.Reject, "501 5.5.1")]
    [InlineData(StartTlsInjectionPolicy.Ignore, "220 2.0.0")]
    public async Task What_follows_STARTTLS_in_clear_text_never_counts(StartTlsInjectionPolicy policy, string reply)
    {
        var handler = new FakeHandler();
        var (output, end, _) = await Dialogue.PlayAsync(
            "EHLO c\r\nSTARTTLS\r\nMAIL FROM:<evil@example.com>\r\n", handler, Options with { Tls = Tls().Tls, StartTlsInjection = policy });
        Assert.StartsWith(reply, output[(output.IndexOf("ENHANCEDSTATUSCODES", StringComparison.Ordinal) + 21)..], StringComparison.Ordinal);
        Assert.Equal(policy == StartTlsInjectionPolicy.Reject ? SmtpSessionEnd.Refused : SmtpSessionEnd.TlsFailed, end);
        Assert.DoesNotContain("MAIL evil@example.com", handler.Events);
    }

    [Fact]
    public async Task Garbage_in_place_of_a_handshake_ends_the_session()
    {
        using var dialogue = await GreetedAsync(Options with { Tls = Tls().Tls });
        await dialogue.AskAsync("STARTTLS");
        await dialogue.SendAsync("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        Assert.Equal(SmtpSessionEnd.TlsFailed, await dialogue.EndAsync());
    }

    [Fact]
    public async Task A_handshake_that_never_comes_times_out()
    {
        using var dialogue = await GreetedAsync(Options with { Tls = Tls().Tls });
        await dialogue.AskAsync("STARTTLS");
        while (!dialogue.Run.IsCompleted)
        {
            dialogue.Time.Advance(TimeSpan.FromSeconds(31));
            await Task.Yield();
        }

        Assert.Equal(SmtpSessionEnd.TlsFailed, await dialogue.EndAsync());
    }

    [Fact]
    public async Task Implicit_TLS_comes_before_the_greeting()
    {
        using var dialogue = new Dialogue(options: Options with { Tls = Tls().Tls, ImplicitTls = true }).Start();
        await using var stream = new SslStream(new DuplexPipeStream(dialogue.Client.Input, dialogue.Client.Output), false, (_, _, _, _) => true);
        await stream.AuthenticateAsClientAsync("mx.example.org").WaitAsync(Dialogue.Patience);
        await stream.WriteAsync(Encoding.ASCII.GetBytes("QUIT\r\n"));
        using var reader = new StreamReader(stream);
        Assert.EndsWith("221 2.0.0 Bye\r\n", await reader.ReadToEndAsync().WaitAsync(Dialogue.Patience), StringComparison.Ordinal);
    }

    [Fact]
    public async Task XCLIENT_of_a_trusted_peer_replaces_the_client_and_starts_again()
    {
        using var dialogue = await GreetedAsync(Options with { Extensions = SmtpExtensions.Default | SmtpExtensions.Xclient });
        Assert.StartsWith("501 5.5.4", await dialogue.AskAsync("XCLIENT ADDR=nonsense"), StringComparison.Ordinal);
        Assert.StartsWith("220 mx", await dialogue.AskAsync("XCLIENT ADDR=IPv6:2001:db8::7 PORT=99 NAME=[UNAVAILABLE] LOGIN=ann HELO=h+2Bi"), StringComparison.Ordinal);
        Assert.Equal("[2001:db8::7]:99", dialogue.Session.RemoteEndPoint.ToString());
        Assert.Equal(("ann", "h+i", null), (dialogue.Session.AuthenticatedUser, dialogue.Session.Xclient!.Helo, dialogue.Session.Xclient.Name));
        Assert.Equal((HelloVerb.None, ""), (dialogue.Session.HelloVerb, dialogue.Session.HelloName));
    }
}
