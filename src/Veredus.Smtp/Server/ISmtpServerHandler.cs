namespace Veredus.Smtp;

/// <summary>The policy of one inbound session: what to accept, and where content goes.</summary>
/// <remarks>
/// One instance per session; calls never overlap. Where a method returns a reply, <see langword="null"/> or a 2xx reply
/// accepts (null: with the usual text), 4xx and 5xx refuse, and a 421 or 521 also closes the session. The session has
/// checked syntax, order and the limits of <see cref="SmtpServerOptions"/> before it asks. The token is cancelled
/// when the session is aborted; what a handler throws ends the session with 421 4.3.0.
/// </remarks>
public interface ISmtpServerHandler
{
    /// <summary>A client connected (implicit TLS is done); before the greeting. A refusal is sent in place of it and closes.</summary>
    ValueTask<SmtpReply?> ConnectAsync(SmtpServerSession session, CancellationToken cancellationToken);

    /// <summary>EHLO or HELO; name and verb are in the session.</summary>
    ValueTask<SmtpReply?> HelloAsync(SmtpServerSession session, CancellationToken cancellationToken);

    /// <summary>Checks the credentials of AUTH PLAIN or LOGIN.</summary>
    ValueTask<AuthResult> AuthenticateAsync(SmtpServerSession session, PasswordCredentials credentials, CancellationToken cancellationToken);

    /// <summary>Begins AUTH SCRAM-SHA-256; <see langword="null"/>: not possible now (454).</summary>
    ValueTask<ISaslExchange?> BeginScramAsync(SmtpServerSession session, CancellationToken cancellationToken);

    /// <summary>One AUTH ended, well or not; for accounting and context. <paramref name="user"/> may be "" after a cancelled one.</summary>
    void AuthenticationEnded(SmtpServerSession session, AuthMechanisms mechanism, string user, AuthResult result);

    /// <summary>MAIL FROM. A transaction begins if it is accepted.</summary>
    ValueTask<SmtpReply?> MailAsync(SmtpServerSession session, MailCommand mail, CancellationToken cancellationToken);

    /// <summary>RCPT TO, one recipient at a time.</summary>
    ValueTask<SmtpReply?> RcptAsync(SmtpServerSession session, RcptCommand rcpt, CancellationToken cancellationToken);

    /// <summary>DATA or the first BDAT: gives the sink for the content, or a refusal. At least one recipient was accepted.</summary>
    ValueTask<DataStart> DataAsync(SmtpServerSession session, CancellationToken cancellationToken);

    /// <summary>All content is in the sink. The reply is sent as it is (250 only when the message is durable).
    /// The transaction ends here, whatever the reply.</summary>
    ValueTask<SmtpReply> EndOfDataAsync(SmtpServerSession session, DataResult result, CancellationToken cancellationToken);

    /// <summary>A transaction ended without <see cref="EndOfDataAsync"/> (RSET, new EHLO, oversize, lost connection): drop it and its sink.</summary>
    void TransactionAborted(SmtpServerSession session);

    /// <summary>XCLIENT of a trusted peer; accepted values are in the session afterwards.</summary>
    ValueTask<SmtpReply?> XclientAsync(SmtpServerSession session, XclientCommand command, CancellationToken cancellationToken);

    /// <summary>XECMMOVE of another node: what is known of the message that MAIL begins next. Only where the options offer it.</summary>
    /// <param name="text">The argument as it came: JSON.</param>
    ValueTask<SmtpReply?> MoveAsync(SmtpServerSession session, string text, CancellationToken cancellationToken) => new(SmtpReplies.UnknownCommand);

    /// <summary>A 4xx or 5xx reply is about to be sent, the handler's own included; not for order and syntax of commands.
    /// For the reject log: <see cref="SmtpServerSession.State"/> and <see cref="SmtpReply.Module"/> say where and who.</summary>
    void Refused(SmtpServerSession session, SmtpReply reply);
}

/// <summary>The answer to DATA: a sink, or why not.</summary>
public readonly record struct DataStart
{
    public DataStart(IMessageSink sink) => Sink = sink;
    public DataStart(SmtpReply refusal) => Refusal = refusal;

    public IMessageSink? Sink { get; }
    public SmtpReply? Refusal { get; }
}
