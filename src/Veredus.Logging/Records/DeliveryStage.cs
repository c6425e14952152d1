namespace Veredus.Logging;

/// <summary>Where in the outbound dialogue a message was (mta.md 8.9). "During": the command is being written; "after": its reply is awaited.</summary>
/// <remarks>The numbers are part of the log formats: appended to, never reused.</remarks>
public enum DeliveryStage
{
    NotConnected = 0,
    Idle = 1,
    DuringMailFrom = 2,
    AfterMailFrom = 3,
    DuringRcptTo = 4,
    AfterRcptTo = 5,
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
    OutOfBandBounce = 21,
    Unknown = 22,
    DuringAuth = 23,
    AfterAuth = 24,
}

public static class DeliveryStages
{
    private static readonly string[] Names =
    [
        "while not connected", "while idle", "during MAIL FROM", "after MAIL FROM", "during RCPT TO", "after RCPT TO", "during DATA",
        "after DATA", "while sending BODY", "reading confirmation", "during EHLO", "after EHLO", "reading BANNER", "during RSET",
        "after RSET", "during STARTTLS", "after STARTTLS", "handshaking TLS", "renegotiating TLS", "during XCLIENT", "after XCLIENT",
        "out of band bounce", "in unknown state", "during AUTH", "after AUTH",
    ];

    /// <summary>The operators' name of the stage, as logs, <c>domain</c> and traces show it.</summary>
    public static string Name(this DeliveryStage stage) =>
        (uint)stage < (uint)Names.Length ? Names[(int)stage] : Names[(int)DeliveryStage.Unknown];
}
