using System.Globalization;
using System.Text;
using Veredus.Smtp;

namespace Veredus.Delivery;

/// <summary>The replies that this node makes itself (<c>mta.md</c> 6.4).</summary>
public static class InternalReplies
{
    public static readonly SmtpReply NoMxReachable = Make(421, new(4, 4, 0), "no MXs for this domain could be reached at this time");
    public static readonly SmtpReply ConnectionTimedOut = Make(450, new(4, 4, 1), "Connection timed out");
    public static readonly SmtpReply LocalAddressMissing = Make(451, new(4, 4, 1), "local address not available");
    public static readonly SmtpReply ManuallyDelayed = Make(451, new(4, 4, 1), "manually delayed");
    public static readonly SmtpReply NoBanner = Make(451, new(4, 4, 2), "no banner from remote host");
    public static readonly SmtpReply ConnectionClosed = Make(451, new(4, 4, 2), "connection closed by remote host");
    public static readonly SmtpReply StartTlsFailed = Make(451, new(4, 7, 5), "TLS negotiation failed");
    public static readonly SmtpReply StartTlsRefused = Make(451, new(4, 7, 5), "remote host did not agree to STARTTLS");
    public static readonly SmtpReply StartTlsRequired = Make(451, new(4, 7, 6), "STARTTLS required but not advertised");
    public static readonly SmtpReply UntrustedCertificate = Make(451, new(4, 7, 5), "certificate of remote host is not signed by a trusted CA");
    public static readonly SmtpReply WrongCertificateName = Make(451, new(4, 7, 5), "certificate does not match the name of remote host");
    public static readonly SmtpReply ShuttingDown = Make(451, new(4, 4, 2), "delivery interrupted by shutdown");
    public static readonly SmtpReply SpoolUnreadable = Make(451, new(4, 3, 0), "message cannot be read from the spool at this time");
    public static readonly SmtpReply NoAddress = Make(454, new(4, 4, 4), "no MX or A for domain");
    public static readonly SmtpReply DnsUnavailable = Make(451, new(4, 4, 3), "DNS lookup failed temporarily");
    public static readonly SmtpReply NullMx = Make(550, new(5, 4, 4), "NULL MX");
    public static readonly SmtpReply BodyMissing = Make(550, new(5, 3, 0), "message body missing in spool");
    public static readonly SmtpReply DiscardedByPolicy = Make(550, new(5, 7, 1), "discarded by policy");
    public static readonly SmtpReply ProhibitedAddress = Make(551, new(5, 4, 6), "Private/Loopback Address");
    public static readonly SmtpReply TooLarge = Make(552, new(5, 3, 4), "message is larger than remote host accepts");
    public static readonly SmtpReply NonAsciiAddress = Make(553, new(5, 6, 7), "remote host does not offer SMTPUTF8");
    public static readonly SmtpReply DomainLookupFailed = Make(554, new(5, 4, 4), "Domain Lookup Failed");
    public static readonly SmtpReply ExpiredNotAttempted = Make(554, new(5, 4, 5), "Delivery not attempted (message expired)");
    public static readonly SmtpReply RoutingLoop = Make(554, new(5, 4, 6), "routing loop detected");
    public static readonly SmtpReply MaxTime = Make(554, new(5, 4, 7), "exceeded max time without delivery");
    public static readonly SmtpReply MaxRetries = Make(554, new(5, 4, 7), "exceeded max retries without delivery");
    public static readonly SmtpReply Blackholed = Make(554, new(5, 7, 0), "Blackholed");
    public static readonly SmtpReply ManuallyPurged = Make(554, new(5, 7, 0), "manually purged");
    public static readonly SmtpReply ManuallyFailed = Make(554, new(5, 7, 0), "manually failed");

    /// <summary>All addresses failed or were filtered; <paramref name="detail"/> says how the last one failed.</summary>
    public static SmtpReply NoValidHosts(string domain, string detail) => Make(451, new(4, 4, 1), $"No valid hosts for {domain}{(detail.Length > 0 ? ": " : "")}{detail}");

    /// <summary>Sending a command or awaiting its reply failed.</summary>
    public static SmtpReply Interrupted(string what, string command) => Make(451, new(4, 4, 2), $"{what} {command} failed");

    /// <summary>Begins the text of every reply that no remote host gave.</summary>
    public const string Mark = "[internal]";

    public static bool IsInternal(this SmtpReply reply) => reply.Text.StartsWith(Mark, StringComparison.Ordinal);

    /// <summary>Reads what an operator typed: <c>554 5.7.0 text</c>, or only a text, which then gets code and status of <paramref name="model"/>.</summary>
    public static SmtpReply Parse(string text, SmtpReply model)
    {
        ArgumentNullException.ThrowIfNull(text);
        var (code, status, rest) = (model.Code, model.Status, text.Trim());
        if (rest.Length == 0)
            return model;
        if (rest.Length >= 3 && (rest.Length == 3 || rest[3] == ' ')
            && int.TryParse(rest.AsSpan(0, 3), NumberStyles.None, CultureInfo.InvariantCulture, out var typed) && typed / 100 == model.Code / 100)
        {
            (code, rest) = (typed, rest[3..].TrimStart());
            ReadOnlySpan<byte> bytes = Encoding.UTF8.GetBytes(rest);
            if (EnhancedStatus.TryTake(ref bytes, out status))
                rest = Encoding.UTF8.GetString(bytes);
            else
                status = model.Status;
        }
        return SmtpReply.FromText(code, status, $"{Mark} {rest}".TrimEnd());
    }

    private static SmtpReply Make(int code, EnhancedStatus status, string text) => SmtpReply.FromText(code, status, $"{Mark} {text}");
}
