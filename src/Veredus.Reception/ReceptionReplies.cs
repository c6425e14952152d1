using Veredus.Reception.Content;
using Veredus.Smtp;

namespace Veredus.Reception;

/// <summary>Replies of policy (mta.md 2.8).</summary>
internal static class ReceptionReplies
{
    public static readonly SmtpReply Throttled = new(450, new(4, 3, 2), "too many messages at this time, try again later") { Module = "limits" };
    public static readonly SmtpReply Blackholed = new(551, new(5, 7, 1), "recipient blackholed");
    public static readonly SmtpReply NoBinding = new(451, new(4, 3, 5), "Configuration problem, try again later");
    public static readonly SmtpReply NoMailNow = new(421, new(4, 3, 2), "Not accepting mail at this time");
    public static readonly SmtpReply UnqualifiedRecipient = new(550, new(5, 1, 3), "the recipient has no domain");

    /// <summary>The session's own fault text for a rule that the content breaks.</summary>
    public static SmtpReply For(ContentFault fault, int loopCode) => fault switch
    {
        ContentFault.NoHeaders => Content("the message has no header section"),
        ContentFault.NoDate => Content("the message has no Date header"),
        ContentFault.HeadersTooLarge => new(552, new(5, 3, 4), "the header section is too large") { Module = Rfc2822 },
        ContentFault.Loop => new(loopCode, new((byte)(loopCode / 100), 4, 6), "too many Received headers, this looks like a mail loop") { Module = Rfc2822 },
        _ => Content("the message breaks a rule of RFC 5322"),
    };

    public static readonly SmtpReply LoneBreakInHeaders = Content("a CR or LF stands alone in the headers");
    public static readonly SmtpReply LoneBreakInBody = Content("a CR or LF stands alone in the body");
    public static readonly SmtpReply LineTooLong = Content("a line is too long");

    private const string Rfc2822 = "rfc2822";

    private static SmtpReply Content(string text) => new(550, new(5, 6, 0), text) { Module = Rfc2822 };
}
