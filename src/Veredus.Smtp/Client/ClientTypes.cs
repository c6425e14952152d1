using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace Veredus.Smtp;

public enum SmtpDialect : byte { Esmtp, Smtp, Lmtp }

/// <summary>Limits of one outbound session; zero means no limit. Resolution: a tick of the <see cref="DeadlineClock"/>.</summary>
public sealed record SmtpClientOptions
{
    public SmtpDialect Dialect { get; init; }
    /// <summary>Wait for the 220 greeting.</summary>
    public TimeSpan BannerTimeout { get; init; } = TimeSpan.FromSeconds(300);
    /// <summary>Also for STARTTLS with its handshake, AUTH and XCLIENT.</summary>
    public TimeSpan EhloTimeout { get; init; } = TimeSpan.FromSeconds(300);
    public TimeSpan MailTimeout { get; init; } = TimeSpan.FromSeconds(300);
    /// <summary>Also for the reply to DATA.</summary>
    public TimeSpan RcptTimeout { get; init; } = TimeSpan.FromSeconds(300);
    /// <summary>Wait for the reply after the content.</summary>
    public TimeSpan BodyTimeout { get; init; } = TimeSpan.FromSeconds(600);
    /// <summary>Longest stall of one write (RFC 5321 §4.5.3.2.5).</summary>
    public TimeSpan WriteTimeout { get; init; } = TimeSpan.FromSeconds(180);
    public TimeSpan RsetTimeout { get; init; } = TimeSpan.FromSeconds(30);
    public TimeSpan QuitTimeout { get; init; } = TimeSpan.FromSeconds(5);
    /// <summary>Use BDAT where the peer offers CHUNKING: content of up to 64 KiB then goes out with MAIL and RCPT in one write.</summary>
    public bool UseChunking { get; init; } = true;
    public bool UsePipelining { get; init; } = true;
}

/// <summary>What a peer offered after EHLO or LHLO.</summary>
[Flags]
public enum SmtpCapabilities : ushort
{
    None = 0,
    Pipelining = 1 << 0,
    EightBitMime = 1 << 1,
    Size = 1 << 2,
    EnhancedStatusCodes = 1 << 3,
    Dsn = 1 << 4,
    StartTls = 1 << 5,
    Chunking = 1 << 6,
    SmtpUtf8 = 1 << 7,
    Xclient = 1 << 8,
    AuthPlain = 1 << 9,
    AuthLogin = 1 << 10,
    Xecmmove = 1 << 11,
}

/// <summary>How to judge the peer's certificate (configuration.md 13.5, tls_verify).</summary>
public enum TlsVerify : byte
{
    None,
    /// <summary>Signed by a trusted CA.</summary>
    Ca,
    /// <summary>Signed by a trusted CA, and for one of the names.</summary>
    Host,
    /// <summary>Checked like <see cref="Host"/>, but only reported.</summary>
    Optional,
}

/// <summary>How to do STARTTLS with one peer.</summary>
/// <param name="ServerName">SNI: the MX host.</param>
public sealed record SmtpClientTls(string ServerName)
{
    public TlsVerify Verify { get; init; }
    /// <summary>Further names that the certificate may carry, e.g. the routing domain (RFC 9525).</summary>
    public IReadOnlyList<string> OtherNames { get; init; } = [];
    /// <summary><see langword="null"/>: the system store.</summary>
    public X509Certificate2Collection? TrustedRoots { get; init; }
    public SslStreamCertificateContext? ClientCertificate { get; init; }
    public SslProtocols Protocols { get; init; } = SslProtocols.Tls12 | SslProtocols.Tls13;
    public CipherSuitesPolicy? Ciphers { get; init; }
}

/// <summary>One recipient of a transaction.</summary>
public readonly record struct SmtpRecipient(EnvelopeAddress Address)
{
    public DsnNotify Notify { get; init; }
    /// <summary>ORCPT= in wire form (see <see cref="RcptCommand.OriginalRecipient"/>).</summary>
    public string? OriginalRecipient { get; init; }
}

/// <summary>One message to send.</summary>
public sealed record SmtpTransaction(EnvelopeAddress Sender, IReadOnlyList<SmtpRecipient> Recipients, MessageContent Content)
{
    /// <summary>Say BODY=8BITMIME when the content is 8-bit and the peer offers it.</summary>
    public bool Send8BitMime { get; init; } = true;
    /// <summary>The message needs SMTPUTF8; a peer without it fails the message with 553 5.6.7.</summary>
    public bool SmtpUtf8 { get; init; }
    public DsnReturn Return { get; init; }
    /// <summary>ENVID= in wire form.</summary>
    public string? EnvelopeId { get; init; }
    /// <summary>Argument of an XECMMOVE before MAIL: JSON without control characters; <see langword="null"/>: none. The peer must offer it.</summary>
    public string? Move { get; init; }
}

/// <summary>How one step, or one recipient, ended.</summary>
/// <param name="Reply">The remote reply, or one of ours: its text then begins with <c>[internal]</c>.</param>
/// <param name="Stage">The stage that the reply belongs to.</param>
public readonly record struct SmtpOutcome(SmtpReply Reply, SmtpStage Stage)
{
    public bool IsSuccess => Reply.IsPositive;
}

/// <summary>How a transaction ended.</summary>
/// <param name="Recipients">In the order of <see cref="SmtpTransaction.Recipients"/>.</param>
/// <param name="BytesSent">Octets written for this transaction, commands included.</param>
/// <param name="ConnectionUsable"><see langword="false"/>: dispose the session; a 421, a lost connection or a protocol error came.</param>
public readonly record struct SmtpTransactionResult(SmtpOutcome[] Recipients, long BytesSent, bool ConnectionUsable);
