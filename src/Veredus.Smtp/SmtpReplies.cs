namespace Veredus.Smtp;

/// <summary>The replies of the inbound side that are always the same (mta.md 2.8).</summary>
public static class SmtpReplies
{
    public static readonly SmtpReply Ok = new(250, new(2, 0, 0), "OK");
    public static readonly SmtpReply SenderOk = new(250, new(2, 1, 0), "OK");
    public static readonly SmtpReply RecipientOk = new(250, new(2, 1, 5), "OK");
    public static readonly SmtpReply StartData = new(354, default, "Send the message, end with <CRLF>.<CRLF>");
    public static readonly SmtpReply Bye = new(221, new(2, 0, 0), "Bye");
    public static readonly SmtpReply CannotVerify = new(252, new(2, 5, 0), "Cannot VRFY, but will take mail and try to deliver it");
    public static readonly SmtpReply NoExpn = new(502, new(5, 5, 1), "EXPN is not offered") { Module = Protocol };
    public static readonly SmtpReply NoLmtp = new(502, new(5, 5, 1), "LHLO is not offered, this is SMTP") { Module = Protocol };
    public static readonly SmtpReply Help = new(214, new(2, 0, 0), "See RFC 5321\nEHLO HELO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY HELP STARTTLS AUTH");
    public static readonly SmtpReply ReadyForTls = new(220, new(2, 0, 0), "Ready to start TLS");
    public static readonly SmtpReply Authenticated = new(235, new(2, 7, 0), "Authentication successful");

    public static readonly SmtpReply IdleTimeout = new(421, new(4, 4, 2), "Idle for too long, closing") { Module = Limits };
    public static readonly SmtpReply ShuttingDown = new(421, new(4, 3, 2), "shutting down");
    public static readonly SmtpReply ConcurrencyLimit = new(421, new(4, 4, 5), "Service unavailable, concurrency limit reached") { Module = Limits };
    public static readonly SmtpReply MemoryLimit = new(421, new(4, 3, 4), "allocated resources exceeded") { Module = Limits };
    public static readonly SmtpReply TooManyBadCommands = new(421, new(4, 7, 0), "Too many errors, closing") { Module = Limits };
    public static readonly SmtpReply TooManyAuthFailures = new(421, new(4, 7, 0), "Too many failed authentications, closing") { Module = Auth };
    public static readonly SmtpReply TooManyReceptions = new(421, new(4, 5, 3), "messages per connection limit reached") { Module = Limits };
    public static readonly SmtpReply InputAfterData = new(421, new(4, 7, 0), "Content sent before the go-ahead of a refused DATA, closing");

    public static readonly SmtpReply Closing = new(421, new(4, 3, 0), "Local error, closing");

    public static readonly SmtpReply LocalError = new(451, new(4, 3, 0), "Local error, try again later");
    public static readonly SmtpReply NoSpace = new(452, new(4, 3, 1), "Not enough storage, try again later") { Module = Limits };
    public static readonly SmtpReply TooManyRecipientsPerMessage = new(452, new(4, 5, 3), "recipients per message limit reached") { Module = Limits };
    public static readonly SmtpReply TooManyRecipientsPerConnection = new(452, new(4, 5, 3), "recipients per connection limit reached") { Module = Limits };
    public static readonly SmtpReply TlsNotAvailable = new(454, new(4, 7, 0), "TLS not available");
    public static readonly SmtpReply TemporaryAuthFailure = new(454, new(4, 7, 0), "Temporary authentication failure") { Module = Auth };

    public static readonly SmtpReply UnknownCommand = new(500, new(5, 5, 2), "Unknown command") { Module = Protocol };
    public static readonly SmtpReply LineTooLong = new(500, new(5, 5, 2), "Line too long") { Module = Protocol };
    public static readonly SmtpReply BadLineEnd = new(500, new(5, 5, 2), "A command is one line of text ended by CRLF") { Module = Protocol };
    public static readonly SmtpReply NoArgument = new(501, new(5, 5, 4), "No argument allowed") { Module = Protocol };
    public static readonly SmtpReply BadHelloName = new(501, new(5, 5, 2), "Syntax: EHLO or HELO, then a host name or address literal") { Module = Protocol };
    public static readonly SmtpReply BadMailSyntax = new(501, new(5, 5, 2), "Syntax: MAIL FROM:<address> [parameters]") { Module = Protocol };
    public static readonly SmtpReply BadRcptSyntax = new(501, new(5, 5, 2), "Syntax: RCPT TO:<address> [parameters]") { Module = Protocol };
    public static readonly SmtpReply BadParameter = new(501, new(5, 5, 4), "Bad value of a parameter") { Module = Protocol };
    public static readonly SmtpReply BadBdat = new(501, new(5, 5, 4), "Syntax: BDAT size [LAST]") { Module = Protocol };
    public static readonly SmtpReply BadBase64 = new(501, new(5, 5, 2), "Cannot decode the response") { Module = Auth };
    public static readonly SmtpReply AuthCancelled = new(501, new(5, 7, 0), "Authentication cancelled") { Module = Auth };
    public static readonly SmtpReply InputAfterStartTls = new(501, new(5, 5, 1), "Nothing may follow STARTTLS before the handshake, closing");
    public static readonly SmtpReply HelloFirst = new(503, new(5, 5, 1), "EHLO or HELO first") { Module = Protocol };
    public static readonly SmtpReply MailAgain = new(503, new(5, 5, 1), "Sender already given") { Module = Protocol };
    public static readonly SmtpReply MailFirst = new(503, new(5, 5, 1), "MAIL first") { Module = Protocol };
    public static readonly SmtpReply RcptFirst = new(503, new(5, 5, 1), "RCPT first") { Module = Protocol };
    public static readonly SmtpReply BadSequence = new(503, new(5, 5, 1), "Bad sequence of commands") { Module = Protocol };
    public static readonly SmtpReply UnknownMechanism = new(504, new(5, 5, 4), "Unknown authentication mechanism") { Module = Auth };
    public static readonly SmtpReply AuthenticationRequired = new(530, new(5, 7, 0), "Authentication required") { Module = Auth };
    public static readonly SmtpReply StartTlsRequired = new(530, new(5, 7, 0), "Must issue a STARTTLS command first") { Module = Auth };
    public static readonly SmtpReply BadCredentials = new(535, new(5, 7, 8), "Authentication credentials invalid") { Module = Auth };
    public static readonly SmtpReply EncryptionRequired = new(538, new(5, 7, 11), "Encryption required for this mechanism") { Module = Auth };
    public static readonly SmtpReply RelayingDenied = new(550, new(5, 7, 1), "relaying denied") { Module = Relay };
    public static readonly SmtpReply NullSenderRefused = new(550, new(5, 7, 1), "null sender not accepted") { Module = "core" };
    public static readonly SmtpReply LiteralRefused = new(550, new(5, 7, 1), "address literals not accepted") { Module = "core" };
    public static readonly SmtpReply LoneDot = new(550, new(5, 6, 0), "a line with a single dot is not ended by CRLF") { Module = "rfc2822" };
    public static readonly SmtpReply TooLarge = new(552, new(5, 3, 4), "message size limit exceeded") { Module = Limits };
    public static readonly SmtpReply NoValidRecipients = new(554, new(5, 5, 0), "no valid recipients");
    public static readonly SmtpReply UnknownParameter = new(555, new(5, 5, 4), "Unknown parameter") { Module = Protocol };

    /// <summary>Module of replies about order and syntax of commands. They don't go to the reject log.</summary>
    internal const string Protocol = "protocol";
    private const string Limits = "limits";
    private const string Auth = "auth";
    internal const string Relay = "relay";
}
