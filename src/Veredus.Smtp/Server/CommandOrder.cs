namespace Veredus.Smtp;

/// <summary>How far a dialogue has come.</summary>
internal enum SmtpPhase : byte
{
    /// <summary>No EHLO or HELO yet, or none since STARTTLS.</summary>
    Connected,
    Greeted,
    MailGiven,
    RcptGiven,
    /// <summary>After a BDAT that wasn't the last.</summary>
    Chunking,
}

/// <summary>The order of commands (RFC 5321 §4.1.4). Pure: no I/O, no clock.</summary>
internal static class CommandOrder
{
    /// <param name="anyRcpt">RCPT was tried in this transaction, with or without success.</param>
    /// <returns>The reply that refuses the command, or <see langword="null"/>.</returns>
    public static SmtpReply? Check(SmtpPhase phase, SmtpVerb verb, bool requireEhlo, bool anyRcpt) => (verb, phase) switch
    {
        (SmtpVerb.Mail, SmtpPhase.Connected) => requireEhlo ? SmtpReplies.HelloFirst : null,
        (SmtpVerb.Mail, SmtpPhase.Greeted) => null,
        (SmtpVerb.Mail, _) => SmtpReplies.MailAgain,
        (SmtpVerb.Rcpt or SmtpVerb.Data or SmtpVerb.Bdat, SmtpPhase.Connected) when requireEhlo => SmtpReplies.HelloFirst,
        (SmtpVerb.Rcpt or SmtpVerb.Data or SmtpVerb.Bdat, SmtpPhase.Connected or SmtpPhase.Greeted) => SmtpReplies.MailFirst,
        (SmtpVerb.Rcpt or SmtpVerb.Data, SmtpPhase.Chunking) => SmtpReplies.BadSequence,
        (SmtpVerb.Data or SmtpVerb.Bdat, SmtpPhase.MailGiven) => anyRcpt ? SmtpReplies.NoValidRecipients : SmtpReplies.RcptFirst,
        (SmtpVerb.Auth, SmtpPhase.Connected) => SmtpReplies.HelloFirst,
        (SmtpVerb.StartTls, SmtpPhase.Connected) => requireEhlo ? SmtpReplies.HelloFirst : null,
        (SmtpVerb.Xecmmove, SmtpPhase.Connected) => SmtpReplies.HelloFirst,
        (SmtpVerb.StartTls or SmtpVerb.Auth or SmtpVerb.Xclient or SmtpVerb.Xecmmove, SmtpPhase.MailGiven or SmtpPhase.RcptGiven or SmtpPhase.Chunking)
            => SmtpReplies.BadSequence,
        (SmtpVerb.Vrfy or SmtpVerb.Expn, SmtpPhase.Connected) => requireEhlo ? SmtpReplies.HelloFirst : null,
        _ => null,
    };
}
