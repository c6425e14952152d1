using Veredus.Spool;

namespace Veredus.Delivery.Bounces;

/// <summary>Who hears of a failure, and how much of the message goes back (<c>mta.md</c> 7.1–7.3).</summary>
public static class DsnRules
{
    /// <summary>Address for the failure report, or <see langword="null"/> for none.</summary>
    public static string? Recipient(Envelope failed, SendingPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(failed);
        ArgumentNullException.ThrowIfNull(policy);
        if (!policy.GenerateBounces)
            return null;
        if (failed.Sender.Length == 0)
        {
            // A report that can't reach that mailbox either must not cause another one.
            var mailbox = policy.DoubleBounceTo;
            return mailbox.Length > 0 && !string.Equals(failed.Recipient, mailbox, StringComparison.OrdinalIgnoreCase) ? mailbox : null;
        }
        var wanted = failed.Notify is DsnNotify.Unspecified || (failed.Notify.HasFlag(DsnNotify.Failure) && !failed.Notify.HasFlag(DsnNotify.Never));
        return wanted ? failed.Sender : null;
    }

    /// <summary>RET= of the sender wins over the option only where it asks for less.</summary>
    public static OriginalInDsn Include(OriginalInDsn option, DsnReturn asked) =>
        option is OriginalInDsn.All && asked is DsnReturn.Headers ? OriginalInDsn.Headers : option;
}
