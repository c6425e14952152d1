namespace Veredus.Smtp;

/// <summary>Point in the outbound dialogue (mta.md 8.9): "during" is while a command is written, "after" while its reply is awaited.</summary>
public enum SmtpStage : byte
{
    NotConnected = 0,
    Idle = 1,
    DuringMail = 2,
    AfterMail = 3,
    DuringRcpt = 4,
    AfterRcpt = 5,
    DuringData = 6,
    AfterData = 7,
    SendingBody = 8,
    ReadingConfirmation = 9,
    DuringEhlo = 10,
    AfterEhlo = 11,
    ReadingBanner = 12,
    DuringRset = 13,
    AfterRset = 14,
    DuringStartTls = 15,
    AfterStartTls = 16,
    HandshakingTls = 17,
    RenegotiatingTls = 18,
    DuringXclient = 19,
    AfterXclient = 20,
    OutOfBand = 21,
    Unknown = 22,
    DuringAuth = 23,
    AfterAuth = 24,
}

public static class SmtpStages
{
    private static readonly string[] Names =
    [
        "while not connected", "while idle", "during MAIL FROM", "after MAIL FROM", "during RCPT TO", "after RCPT TO",
        "during DATA", "after DATA", "while sending BODY", "reading confirmation", "during EHLO", "after EHLO",
        "reading BANNER", "during RSET", "after RSET", "during STARTTLS", "after STARTTLS", "handshaking TLS",
        "renegotiating TLS", "during XCLIENT", "after XCLIENT", "out of band bounce", "in unknown state",
        "during AUTH", "after AUTH",
    ];

    public static string Name(this SmtpStage stage) => Names[(int)stage];
}
