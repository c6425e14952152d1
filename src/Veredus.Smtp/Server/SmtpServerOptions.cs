using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace Veredus.Smtp;

[Flags]
public enum SmtpExtensions : ushort
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
    /// <summary>For trusted peers only.</summary>
    Xclient = 1 << 8,
    /// <summary>Messages moved between the nodes of a cluster; on their own connections only.</summary>
    Xecmmove = 1 << 9,
    Default = Pipelining | EightBitMime | Size | EnhancedStatusCodes | Dsn | StartTls | Chunking | SmtpUtf8,
}

/// <summary>Plain text that came behind STARTTLS (CVE-2011-0411) is dropped, or refused with the session.</summary>
public enum StartTlsInjectionPolicy : byte { Reject, Ignore }

/// <summary>What a server does about client certificates; the result only fills <see cref="SmtpTlsInfo"/>.</summary>
public enum ClientCertificates : byte { Ignore, CheckIfSent, Require }

/// <summary>TLS of one listener. Share one instance between sessions: it holds the certificate context.</summary>
public sealed record SmtpServerTls(SslStreamCertificateContext Certificate)
{
    public SslProtocols Protocols { get; init; } = SslProtocols.Tls12 | SslProtocols.Tls13;
    /// <summary><see langword="null"/>: the platform's choice.</summary>
    public CipherSuitesPolicy? Ciphers { get; init; }
    public ClientCertificates ClientCertificates { get; init; } = ClientCertificates.CheckIfSent;
    /// <summary>Roots for client certificates; <see langword="null"/>: the system store.</summary>
    public X509Certificate2Collection? ClientRoots { get; init; }
}

/// <summary>What one inbound session offers and where its limits are. Immutable: sessions share it.</summary>
public sealed record SmtpServerOptions
{
    /// <summary>Name in the greeting and the EHLO reply.</summary>
    public required string HostName { get; init; }
    /// <summary>Whole greeting line, beginning with 220; <see langword="null"/>: <c>220 HostName ESMTP Product date</c>.</summary>
    public string? Banner { get; init; }
    public string Product { get; init; } = "Veredus";
    public SmtpExtensions Extensions { get; init; } = SmtpExtensions.Default;
    /// <summary>Mechanisms offered; PLAIN and LOGIN only inside TLS unless <see cref="AllowPlaintextAuth"/>.</summary>
    public AuthMechanisms AuthMechanisms { get; init; }
    /// <summary>For clients on loopback, or where the configuration says so.</summary>
    public bool AllowPlaintextAuth { get; init; }
    /// <summary><see langword="null"/>: no TLS, STARTTLS isn't offered.</summary>
    public SmtpServerTls? Tls { get; init; }
    /// <summary>TLS from the first octet (RFC 8314); needs <see cref="Tls"/>.</summary>
    public bool ImplicitTls { get; init; }
    public StartTlsInjectionPolicy StartTlsInjection { get; init; }
    /// <summary>Wait for a whole command, for the next octets of content, and for the client to read. Zero: for ever. Default 300 s.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(300);
    /// <summary>Default 30 s.</summary>
    public TimeSpan TlsHandshakeTimeout { get; init; } = TimeSpan.FromSeconds(30);
    /// <summary>Octets of content; 0: no limit.</summary>
    public long MaxMessageSize { get; init; }
    /// <summary>0: no limit.</summary>
    public int MaxRecipientsPerMessage { get; init; }
    /// <summary>0: no limit.</summary>
    public int MaxRecipientsPerConnection { get; init; }
    /// <summary>Messages accepted for content; 0: no limit.</summary>
    public int MaxReceptionsPerConnection { get; init; }
    /// <summary>Octets with CRLF (RFC 5321 §4.5.3.1.4). Default 512.</summary>
    public int MaxCommandLine { get; init; } = 512;
    /// <summary>The same for MAIL and RCPT. Default 1024.</summary>
    public int MaxCommandLineWithParameters { get; init; } = 1024;
    /// <summary>The same for XECMMOVE, whose argument carries all that is known of a message. Default 2 MiB.</summary>
    public int MaxMoveLine { get; init; } = 2 << 20;
    /// <summary>Unknown and bad commands until 421. Default 20.</summary>
    public int MaxBadCommands { get; init; } = 20;
    /// <summary>Default 3.</summary>
    public int MaxFailedAuthentications { get; init; } = 3;
    public bool RequireEhlo { get; init; }
    public bool AllowIpLiteral { get; init; } = true;
    public bool AllowNullSender { get; init; } = true;
    /// <summary>A sender without domain is well-formed (the handler completes it).</summary>
    public bool AllowUnqualifiedSender { get; init; }
    /// <summary>The same for recipients; a bare <c>postmaster</c> is always well-formed (RFC 5321 §4.5.1).</summary>
    public bool AllowUnqualifiedRecipient { get; init; }
    /// <summary>Tolerate blanks before the CRLF of MAIL and RCPT.</summary>
    public bool AllowWhitespaceInEnvelope { get; init; }
    /// <summary><see langword="false"/> admits local parts such as <c>a..b</c> and <c>a.</c>.</summary>
    public bool PedanticAddresses { get; init; } = true;
}
