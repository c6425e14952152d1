using System.IO.Pipelines;
using System.Net;

namespace Veredus.Smtp;

/// <summary>One inbound session over a duplex pipe (Kestrel's <c>ConnectionContext.Transport</c>).</summary>
/// <remarks>Properties may be read from any thread. The session doesn't complete or dispose the transport.</remarks>
public sealed partial class SmtpServerSession : IDeadline
{
    /// <param name="transport">Stays the caller's: complete or abort it after <see cref="RunAsync"/>.</param>
    public SmtpServerSession(
        IDuplexPipe transport, IPEndPoint remote, IPEndPoint local, ISmtpServerHandler handler, SmtpServerOptions options, SmtpSessions sessions)
        => throw new NotImplementedException();

    /// <summary>The client, or the original client that a trusted peer told with XCLIENT.</summary>
    public IPEndPoint RemoteEndPoint { get; private set; }
    public IPEndPoint LocalEndPoint { get; private set; }
    /// <summary>The handler may replace it in ConnectAsync and HelloAsync.</summary>
    public SmtpServerOptions Options { get; set; }
    public SessionState State { get; private set; }
    public SmtpTlsInfo? Tls { get; private set; }
    public HelloVerb HelloVerb { get; private set; }
    /// <summary>The name or literal given with EHLO or HELO; "" before.</summary>
    public string HelloName { get; private set; } = "";
    /// <summary>After a successful AUTH, or XCLIENT's LOGIN.</summary>
    public string? AuthenticatedUser { get; private set; }
    public AuthMechanisms AuthenticatedBy { get; private set; }
    /// <summary>What XCLIENT told last.</summary>
    public XclientCommand? Xclient { get; private set; }
    /// <summary>The client sent something before the greeting.</summary>
    public bool EarlyTalker { get; private set; }
    /// <summary>Accepted contents (DATA and BDAT LAST that got a 2xx).</summary>
    public int MessageCount { get; private set; }
    /// <summary>Accepted recipients of the session.</summary>
    public int RecipientCount { get; private set; }
    /// <summary>Accepted recipients of the running transaction.</summary>
    public int TransactionRecipients { get; private set; }
    public int UnrecognizedCommands { get; private set; }
    public int BadCommands { get; private set; }
    public int FailedAuthentications { get; private set; }
    public bool InTransaction { get; private set; }
    public DateTimeOffset Started { get; }
    /// <summary>What a handler threw, when the session ended with <see cref="SmtpSessionEnd.HandlerFailed"/>.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Runs the session to its end. Never throws for what the client does.</summary>
    /// <param name="aborted">Kestrel's <c>ConnectionClosed</c>: drops everything at once.</param>
    public Task<SmtpSessionEnd> RunAsync(CancellationToken aborted) => throw new NotImplementedException();

    /// <summary>Answers <paramref name="reply"/> (a 421) and closes at the next command boundary, never within a transaction.</summary>
    public void Close(SmtpReply reply) => throw new NotImplementedException();

    long IDeadline.Deadline => throw new NotImplementedException();
    void IDeadline.Expired() => throw new NotImplementedException();
}
