using System.IO.Pipelines;

namespace Veredus.Smtp;

/// <summary>
/// One outbound session. Not thread-safe: one call at a time. What the network or the peer does comes back as an
/// <see cref="SmtpOutcome"/>, not as an exception; after an unsuccessful one look at <see cref="IsUsable"/>.
/// A cancelled token makes the session unusable and throws <see cref="OperationCanceledException"/>.
/// </summary>
public sealed class SmtpClientSession : IAsyncDisposable
{
    /// <param name="stream">Connected, full duplex; owned by the session from here on.</param>
    public SmtpClientSession(Stream stream, SmtpClientOptions options, DeadlineClock clock) => throw new NotImplementedException();

    public SmtpClientSession(IDuplexPipe pipe, SmtpClientOptions options, DeadlineClock clock) => throw new NotImplementedException();

    public bool IsUsable => throw new NotImplementedException();
    public SmtpCapabilities Capabilities => throw new NotImplementedException();
    /// <summary>The peer's SIZE limit; 0: none known.</summary>
    public long MaxSize => throw new NotImplementedException();
    public SmtpTlsInfo? Tls => throw new NotImplementedException();
    /// <summary>Transactions in which at least one recipient was accepted to the end.</summary>
    public int Deliveries => throw new NotImplementedException();
    /// <summary>RCPT commands sent so far.</summary>
    public int RecipientsSent => throw new NotImplementedException();
    /// <summary>Where the session stands now; read from any thread for the console.</summary>
    public SmtpStage Stage => throw new NotImplementedException();

    /// <summary>Reads the greeting and says EHLO (HELO after a 5xx; LHLO for LMTP).</summary>
    public ValueTask<SmtpOutcome> OpenAsync(string heloName, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>STARTTLS, handshake, check of the certificate and EHLO again. After a failure the session is unusable,
    /// except when the peer merely refused the command (stage 16) .</summary>
    public ValueTask<SmtpOutcome> StartTlsAsync(SmtpClientTls tls, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>AUTH PLAIN or LOGIN, whichever the peer offers (PLAIN first).</summary>
    public ValueTask<SmtpOutcome> AuthenticateAsync(string user, string password, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Sends one message. RSET goes first only when the last transaction was left incomplete.</summary>
    public ValueTask<SmtpTransactionResult> SendAsync(SmtpTransaction transaction, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>QUIT with a bounded wait for the 221; then the session is unusable. Never fails.</summary>
    public ValueTask QuitAsync(CancellationToken cancellationToken) => throw new NotImplementedException();

    public ValueTask DisposeAsync() => throw new NotImplementedException();
}
