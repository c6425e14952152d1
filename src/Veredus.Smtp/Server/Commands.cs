namespace Veredus.Smtp;

/// <summary>BODY= of MAIL (RFC 6152 §3).</summary>
public enum BodyType : byte { Unspecified, SevenBit, EightBitMime }

/// <summary>RET= of MAIL: how much of the message a failure DSN returns (RFC 3461 §4.3).</summary>
public enum DsnReturn : byte { Unspecified, Full, Headers }

/// <summary>NOTIFY= of RCPT (RFC 3461 §4.1). <see cref="Never"/> stands alone.</summary>
[Flags]
public enum DsnNotify : byte { Unspecified = 0, Never = 1, Success = 2, Failure = 4, Delay = 8 }

/// <summary>A well-formed MAIL FROM.</summary>
/// <param name="Sender">The reverse-path; may be null or unqualified.</param>
public sealed record MailCommand(EnvelopeAddress Sender)
{
    /// <summary>SIZE= in octets (RFC 1870), or -1.</summary>
    public long Size { get; init; } = -1;
    public BodyType Body { get; init; }
    public bool SmtpUtf8 { get; init; }
    public DsnReturn Return { get; init; }
    /// <summary>ENVID=, in xtext as received; pass it on as it is, show it with <see cref="Xtext.TryDecode"/>.</summary>
    public string? EnvelopeId { get; init; }
    /// <summary>AUTH= (RFC 4954 §5), in xtext as received; "&lt;&gt;" for unknown.</summary>
    public string? Auth { get; init; }
}

/// <summary>A well-formed RCPT TO.</summary>
/// <param name="Recipient">The forward-path; may be unqualified.</param>
public sealed record RcptCommand(EnvelopeAddress Recipient)
{
    public DsnNotify Notify { get; init; }
    /// <summary>ORCPT= (type ";" xtext) as received, e.g. <c>rfc822;ann+2Bnews@example.org</c>.</summary>
    public string? OriginalRecipient { get; init; }
}

/// <summary>How the client said hello.</summary>
public enum HelloVerb : byte { None, Helo, Ehlo }

/// <summary>Original client data by XCLIENT of a trusted peer; <see langword="null"/>: not given or unavailable.</summary>
public sealed record XclientCommand
{
    public System.Net.IPAddress? Address { get; init; }
    public int? Port { get; init; }
    public System.Net.IPAddress? DestinationAddress { get; init; }
    public int? DestinationPort { get; init; }
    public string? Name { get; init; }
    public string? Helo { get; init; }
    public string? Login { get; init; }
    public string? Protocol { get; init; }
}
