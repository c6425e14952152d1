using System.Globalization;
using System.Text;
using Veredus.Smtp;

namespace Veredus.Delivery;

/// <summary>The replies that queueing and routing make (<c>mta.md</c> 6.4); those of one session are in <see cref="InternalReplies"/>.</summary>
public static class DeliveryReplies
{
    public static readonly SmtpReply NoMxReachable = Make(421, new(4, 4, 0), "no MXs for this domain could be reached at this time");
    public static readonly SmtpReply ConnectionTimedOut = Make(450, new(4, 4, 1), "Connection timed out");
    public static readonly SmtpReply LocalAddressMissing = Make(451, new(4, 4, 1), "local address not available");
    public static readonly SmtpReply StartTlsRefused = Make(451, new(4, 7, 5), "remote host did not agree to STARTTLS");
    public static readonly SmtpReply TlsMaterialMissing = Make(451, new(4, 7, 5), "TLS settings of this host can't be used at this time");
    public static readonly SmtpReply SpoolUnreadable = Make(451, new(4, 3, 0), "message cannot be read from the spool at this time");
    public static readonly SmtpReply NoAddress = Make(454, new(4, 4, 4), "no MX or A for domain");
    public static readonly SmtpReply DnsUnavailable = Make(451, new(4, 4, 3), "DNS lookup failed temporarily");
    public static readonly SmtpReply NullMx = Make(550, new(5, 4, 4), "NULL MX");
    public static readonly SmtpReply BodyMissing = Make(550, new(5, 3, 0), "message body missing in spool");
    public static readonly SmtpReply ProhibitedAddress = Make(551, new(5, 4, 6), "Private/Loopback Address");
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

    private static SmtpReply Make(int code, EnhancedStatus status, string text) => InternalReplies.Make(code, status, text);
}
