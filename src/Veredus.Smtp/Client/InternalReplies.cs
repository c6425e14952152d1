using System.Globalization;

namespace Veredus.Smtp;

/// <summary>Replies that we make ourselves for an outbound session (mta.md 6.4); their text begins with <c>[internal]</c>.</summary>
public static class InternalReplies
{
    public static readonly SmtpReply ConnectionClosed = Make(451, new(4, 4, 2), "connection closed by remote host");
    public static readonly SmtpReply StartTlsNotOffered = Make(451, new(4, 7, 6), "STARTTLS required but not advertised");
    public static readonly SmtpReply AuthNotOffered = Make(451, new(4, 7, 0), "AUTH required but not advertised");
    public static readonly SmtpReply TooLargeForPeer = Make(552, new(5, 3, 4), "message larger than the SIZE limit of the remote host");
    public static readonly SmtpReply NeedsSmtpUtf8 = Make(553, new(5, 6, 7), "message needs SMTPUTF8, which the remote host does not offer");
    public static readonly SmtpReply BadSender = Make(553, new(5, 1, 7), "sender address can't be sent");
    public static readonly SmtpReply BadRecipient = Make(553, new(5, 1, 3), "recipient address can't be sent");
    public static readonly SmtpReply ContentUnreadable = Make(451, new(4, 3, 0), "message content can't be read");
    public static readonly SmtpReply CannotMove = Make(451, new(4, 5, 0), "the other node takes no moved messages, or what is known of this one can't be sent");
    public static readonly SmtpReply CertificateUntrusted = Make(451, new(4, 7, 5), "certificate not signed by a trusted CA");
    public static readonly SmtpReply CertificateNameMismatch = Make(451, new(4, 7, 5), "certificate name mismatch");

    /// <summary>A reply with the marker in front; what isn't printable in the text becomes "?".</summary>
    public static SmtpReply Make(int code, EnhancedStatus status, string text) => SmtpReply.FromText(code, status, "[internal] " + text);

    internal static SmtpReply NoBanner => Make(451, new(4, 4, 2), "no banner");

    internal static SmtpReply TimedOut(SmtpStage stage) => stage == SmtpStage.ReadingBanner
        ? NoBanner : Make(451, new(4, 4, 2), "timed out " + stage.Name());

    internal static SmtpReply Broken(SmtpStage stage) => Make(451, new(4, 4, 2), "connection closed by remote host " + stage.Name());

    internal static SmtpReply BadReply(SmtpStage stage) => Make(451, new(4, 5, 0), "not an SMTP reply, or an endless one, " + stage.Name());

    internal static SmtpReply Unexpected(SmtpReply reply, SmtpStage stage) =>
        Make(451, new(4, 5, 0), string.Create(CultureInfo.InvariantCulture, $"unexpected reply {stage.Name()}: {reply}"));

    internal static SmtpReply TlsFailed(string why) => Make(451, new(4, 7, 5), "TLS negotiation failed: " + why);
}
