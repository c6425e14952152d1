namespace Veredus.Smtp;

/// <summary>Where an inbound session stands (mta.md 2.1); the numbers appear in timing logs.</summary>
public enum SessionState : byte
{
    JustConnected = 0,
    SendingBanner = 1,
    AwaitingEhlo = 2,
    SendingEhloResponse = 3,
    AwaitingMailFrom = 4,
    SendingMailFromResponse = 5,
    AwaitingRcptTo = 6,
    SendingRcptToResponse = 7,
    DataPhase = 8,
    ReadingBody = 9,
    SendingBodyResponse = 10,
    AsyncBodyHandler = 11,
    AsyncBodyResponse = 12,
    RelayingDenied = 13,
    Extension1 = 14,
    Extension2 = 15,
    Extension3 = 16,
    Extension4 = 17,
    ConcurrencyLimit = 18,
    RcptToListResponse = 19,
    RcptToListFinalResponse = 20,
    EsmtpSetupPhase = 21,
}

public static class SessionStates
{
    private static readonly string[] Names =
    [
        "just connected", "sending banner", "awaiting ehlo/helo", "sending ehlo/helo response", "awaiting mailfrom",
        "sending mailfrom response", "awaiting rcptto", "sending rcptto response", "data phase", "reading body",
        "sending body response", "async body handler", "async body response", "relaying denied", "extension 1",
        "extension 2", "extension 3", "extension 4", "concurrency limit", "rcptto list response",
        "rcptto list final response", "esmtp setup phase",
    ];

    /// <summary>The name that the reject log shows in <c>P="…"</c>.</summary>
    public static string Name(this SessionState state) => Names[(int)state];
}

/// <summary>Why an inbound session ended.</summary>
public enum SmtpSessionEnd : byte
{
    Quit,
    /// <summary>The client closed or reset the connection.</summary>
    Disconnected,
    /// <summary>The session sent a 421 or 521, or refused the connection.</summary>
    Refused,
    Idle,
    ShutDown,
    /// <summary>TLS handshake failed or timed out.</summary>
    TlsFailed,
    /// <summary>The client doesn't read what is sent: abort the connection, a graceful close would wait for it.</summary>
    Stalled,
    /// <summary>A handler failed; <see cref="SmtpServerSession.Failure"/> holds the exception.</summary>
    HandlerFailed,
}
