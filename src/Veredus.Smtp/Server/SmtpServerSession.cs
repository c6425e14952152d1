using System.IO.Pipelines;
using System.Net;

namespace Veredus.Smtp;

/// <summary>One inbound session over a duplex pipe (Kestrel's <c>ConnectionContext.Transport</c>).</summary>
/// <remarks>
/// Properties may be read from any thread. Memory: this object, the pipe's own limits, and at most one command line
/// that lies across two segments. Replies to a pipelined batch are flushed together.
/// </remarks>
public sealed partial class SmtpServerSession : IDeadline
{
    private readonly IDuplexPipe _transport;
    private readonly ISmtpServerHandler _handler;
    private readonly SmtpSessions _sessions;
    private PipeReader _input;
    private PipeWriter _output;
    private CancellationToken _aborted;
    private SmtpReply? _closing;
    private SmtpSessionEnd? _end;
    private SmtpPhase _phase;
    private bool _anyRcpt;
    private bool _utf8;

    /// <param name="transport">Stays the caller's: complete or abort it after <see cref="RunAsync"/>.</param>
    public SmtpServerSession(
        IDuplexPipe transport, IPEndPoint remote, IPEndPoint local, ISmtpServerHandler handler, SmtpServerOptions options, SmtpSessions sessions)
    {
        ArgumentNullException.ThrowIfNull(transport);
        ArgumentNullException.ThrowIfNull(sessions);
        (_transport, _input, _output) = (transport, transport.Input, transport.Output);
        (RemoteEndPoint, LocalEndPoint, _handler, Options, _sessions) = (remote, local, handler, options, sessions);
        Started = sessions.Clock.Time.GetUtcNow();
    }

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
    /// <summary>The mechanism of the successful AUTH.</summary>
    public AuthMechanisms AuthenticatedBy { get; private set; }
    /// <summary>What XCLIENT told last.</summary>
    public XclientCommand? Xclient { get; private set; }
    /// <summary>The client sent something before the greeting.</summary>
    public bool EarlyTalker { get; private set; }
    /// <summary>Messages whose content was accepted.</summary>
    public int MessageCount { get; private set; }
    /// <summary>Accepted recipients of the session.</summary>
    public int RecipientCount { get; private set; }
    /// <summary>Accepted recipients of the running transaction.</summary>
    public int TransactionRecipients { get; private set; }
    public int UnrecognizedCommands { get; private set; }
    public int BadCommands { get; private set; }
    public int FailedAuthentications { get; private set; }
    /// <summary>Between an accepted MAIL and the final reply, RSET or EHLO.</summary>
    public bool InTransaction => _phase >= SmtpPhase.MailGiven;
    public DateTimeOffset Started { get; }
    /// <summary>What a handler threw, when the session ended with <see cref="SmtpSessionEnd.HandlerFailed"/>.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Runs the session to its end. Never throws for what the client does.</summary>
    /// <param name="aborted">
    /// Drops everything at once, handlers included. Not Kestrel's <c>ConnectionClosed</c>: that fires when a client has
    /// merely finished sending, and would cut off the replies it waits for. The end of the input is seen without it.
    /// </param>
    public async Task<SmtpSessionEnd> RunAsync(CancellationToken aborted)
    {
        _aborted = aborted;
        _sessions.Add(this);
        using var registration = aborted.UnsafeRegister(static session => ((SmtpServerSession)session!).Wake(), this);
        try
        {
            if (!Options.ImplicitTls || await HandshakeAsync())
            {
                if (await GreetAsync())
                    await ConverseAsync();
                await FlushAsync();
            }
        }
        catch (Exception failure) when (!aborted.IsCancellationRequested)
        {
            // A handler's fault ends this session and no other. The client may try again.
            Failure = failure;
            _end = SmtpSessionEnd.HandlerFailed;
            SmtpReplies.Closing.WriteTo(_output);
            await FlushAsync();
        }
        catch (Exception)
        {
            _end = SmtpSessionEnd.Disconnected;  // the connection is gone, whatever that made of a handler
        }
        finally
        {
            AbortTransaction();
            _sessions.Remove(this);
            await CloseTlsAsync();
        }

        return _end ?? SmtpSessionEnd.Disconnected;
    }

    /// <summary>Answers <paramref name="reply"/> (a 421) and closes at the next command boundary, never within a transaction.</summary>
    public void Close(SmtpReply reply)
    {
        Volatile.Write(ref _closing, reply);
        _input.CancelPendingRead();
    }

    private void Wake()
    {
        _input.CancelPendingRead();
        _output.CancelPendingFlush();
    }

    private async ValueTask<bool> GreetAsync()
    {
        EarlyTalker = TryPeek();
        var reply = await _handler.ConnectAsync(this, _aborted);
        State = SessionState.SendingBanner;
        EarlyTalker = EarlyTalker || TryPeek();
        if (reply is { IsPositive: false })
        {
            if (reply.Status == SmtpReplies.ConcurrencyLimit.Status)
                State = SessionState.ConcurrencyLimit;
            Reply(reply);
            _end = SmtpSessionEnd.Refused;
            return false;
        }

        WriteBanner();
        return true;
    }

    private async ValueTask ConverseAsync()
    {
        while (_end is null)
        {
            State = StateOf(_phase);
            if (!InTransaction && Volatile.Read(ref _closing) is { } closing)
            {
                Reply(closing);
                _end = SmtpSessionEnd.ShutDown;
                return;
            }

            switch (TryTakeLine(out var line))
            {
                case LineRead.NeedMore:
                    if (!await FillAsync(wholeLine: true, closable: true))
                        return;
                    break;
                case LineRead.Complete:
                    await ExecuteAsync(Read(line));
                    if (_output.CanGetUnflushedBytes && _output.UnflushedBytes > MaxUnflushed)
                        await FlushAsync();
                    break;
                case LineRead.Bad:
                    Bad(SmtpReplies.BadLineEnd);
                    break;
                default:
                    Bad(SmtpReplies.LineTooLong);
                    break;
            }
        }
    }

    private static SessionState StateOf(SmtpPhase phase) => phase switch
    {
        SmtpPhase.Connected => SessionState.AwaitingEhlo,
        SmtpPhase.Greeted => SessionState.AwaitingMailFrom,
        SmtpPhase.Chunking => SessionState.DataPhase,
        _ => SessionState.AwaitingRcptTo,
    };

    /// <summary>Queues a reply; those that aren't about syntax or order go to the reject log as well.</summary>
    private void Reply(SmtpReply reply)
    {
        if (!reply.IsPositive && reply.Module != SmtpReplies.Protocol)
            _handler.Refused(this, reply);
        reply.WriteTo(_output);
        if (reply.Code is 421 or 521)
            _end ??= SmtpSessionEnd.Refused;
    }

    /// <summary>Counts a bad command and answers it; the last one that is tolerated is answered with 421.</summary>
    private void Bad(SmtpReply reply)
    {
        BadCommands++;
        Reply(BadCommands + UnrecognizedCommands >= Options.MaxBadCommands ? SmtpReplies.TooManyBadCommands : reply);
    }

    private void AbortTransaction()
    {
        if (!InTransaction)
            return;
        EndTransaction();
        _handler.TransactionAborted(this);
    }

    private void EndTransaction()
    {
        (_phase, _anyRcpt, _utf8, TransactionRecipients) = (SmtpPhase.Greeted, false, false, 0);
        (_sink, _scanner, _tooLarge) = (null, null, false);
    }
}
