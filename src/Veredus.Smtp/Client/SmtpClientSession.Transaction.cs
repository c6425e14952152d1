using System.Runtime.CompilerServices;

namespace Veredus.Smtp;

/// <summary>MAIL, RCPT, DATA or BDAT.</summary>
public sealed partial class SmtpClientSession
{
    /// <summary>
    /// Commands that may go out before their replies are read. Both sides writing with full buffers would wait for each
    /// other (RFC 2920 §3.1); replies to this much fit into any receive buffer.
    /// </summary>
    private const int PipelineWindow = 8 * 1024;
    /// <summary>A content up to here goes with its commands in one write, by BDAT.</summary>
    private const int SmallContent = OutputSize - PipelineWindow - 4096;
    private const int MoveReply = -2, MailReply = -1;

    /// <summary>Sends one message. RSET goes first only when the last transaction was left incomplete.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<SmtpTransactionResult> SendAsync(SmtpTransaction transaction, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        using var call = Begin(cancellationToken);
        var outcomes = new SmtpOutcome[transaction.Recipients.Count];
        if (Impossible(transaction) is { } reason)
            Settle(outcomes, new(reason, SmtpStage.DuringMail));
        else if (!_needsReset || await ResetAsync(outcomes))
            await TransactAsync(transaction, outcomes);
        foreach (var outcome in outcomes)
        {
            if (!outcome.IsSuccess)
                continue;
            Deliveries++;
            break;
        }

        return new(outcomes, _bytesSent, IsUsable);
    }

    private SmtpReply? Impossible(SmtpTransaction transaction) =>
        MaxSize > 0 && transaction.Content.Length > MaxSize ? InternalReplies.TooLargeForPeer
        : transaction.SmtpUtf8 && (Capabilities & SmtpCapabilities.SmtpUtf8) == 0 ? InternalReplies.NeedsSmtpUtf8
        : transaction.Move is { } move && ((Capabilities & SmtpCapabilities.Xecmmove) == 0 || move.AsSpan().ContainsAnyInRange('\0', '\x1F')) ? InternalReplies.CannotMove
        : IsUnsendable(transaction.Sender.Value) || IsUnsendable(transaction.EnvelopeId) ? InternalReplies.BadSender
        : null;

    // What could end a command early must never reach the wire, wherever the value came from.
    private static bool IsUnsendable(string? text) => text is not null && (text.AsSpan().ContainsAnyInRange('\0', '\x1F') || text.Length > 1000);

    /// <summary>Gives <paramref name="outcome"/> to every recipient that has none yet.</summary>
    private static void Settle(SmtpOutcome[] outcomes, SmtpOutcome outcome)
    {
        foreach (ref var each in outcomes.AsSpan())
            if (each.Reply is null)
                each = outcome;
    }

    private async ValueTask<bool> ResetAsync(SmtpOutcome[] outcomes)
    {
        var outcome = await ExchangeAsync("RSET", SmtpStage.DuringRset, _options.RsetTimeout, 250);
        _needsReset = !outcome.IsSuccess;
        if (!outcome.IsSuccess)
        {
            // A server that can't forget a transaction is of no use; the messages have done nothing wrong.
            IsUsable = false;
            Settle(outcomes, outcome.Reply.IsPermanent ? new(InternalReplies.Unexpected(outcome.Reply, outcome.Stage), outcome.Stage) : outcome);
        }

        return outcome.IsSuccess;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask TransactAsync(SmtpTransaction transaction, SmtpOutcome[] outcomes)
    {
        var pipelines = _options.UsePipelining && (Capabilities & SmtpCapabilities.Pipelining) != 0;
        var chunks = _options.UseChunking && (Capabilities & SmtpCapabilities.Chunking) != 0;
        var content = transaction.Content;
        var window = pipelines ? PipelineWindow : 0;
        if (transaction.Move is { } move)
            AppendMove(move);
        AppendMail(transaction);
        var envelope = new Envelope(outcomes) { Next = transaction.Move is null ? MailReply : MoveReply };
        if (_outputLength > window && !await SettleEnvelopeAsync(envelope, 0, SmtpStage.DuringMail))
            return;
        for (var i = 0; i < outcomes.Length; i++)
        {
            if (envelope.MailRefused)
                break;
            if (!AppendRcpt(transaction.Recipients[i], ref outcomes[i]))
                continue;
            envelope.Sent = i + 1;
            if (_outputLength > window && !await SettleEnvelopeAsync(envelope, i + 1, SmtpStage.DuringRcpt))
                return;
        }

        // With pipelining the last command goes out before we know whether it makes sense: DATA, or a small BDAT with its content.
        var early = pipelines && envelope.Sent > 0 && !envelope.MailRefused && (!chunks || content.Length <= SmallContent);
        if (early && !await AppendEarlyAsync(content, chunks, envelope))
            return;
        if (!await SettleEnvelopeAsync(envelope, envelope.Sent, early ? SmtpStage.DuringData : SmtpStage.DuringRcpt))
            return;
        if (envelope.Accepted == 0 && !early)
        {
            _needsReset = envelope.MailAccepted;
            return;
        }

        if (chunks)
            await FinishChunkAsync(content, envelope, early);
        else
            await FinishDataAsync(content, envelope, early);
    }

    /// <summary>What is known about the replies to MAIL and RCPT. One per transaction.</summary>
    private sealed class Envelope(SmtpOutcome[] outcomes)
    {
        public SmtpOutcome[] Outcomes => outcomes;
        /// <summary>Recipients before this one were sent, but for those whose outcome says <see cref="NotSent"/>.</summary>
        public int Sent { get; set; }
        /// <summary>-2: the reply to XECMMOVE comes next; -1: that to MAIL; else that of the recipient with this index.</summary>
        public int Next { get; set; }
        public bool MailAccepted { get; set; }
        public bool MailRefused { get; set; }
        public int Accepted { get; set; }
    }

    /// <summary>Writes what is appended and reads the replies to MAIL and to the recipients before <paramref name="until"/>.</summary>
    /// <returns><see langword="false"/>: the transaction is over and all outcomes are set.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> SettleEnvelopeAsync(Envelope envelope, int until, SmtpStage stage)
    {
        var outcomes = envelope.Outcomes;
        if (_outputLength > 0 && !await FlushAsync(stage, _options.WriteTimeout))
            return Lost(outcomes);
        for (; envelope.Next < until; envelope.Next++)
        {
            // A refused XECMMOVE refuses the message, and so does the MAIL behind it.
            var isMail = envelope.Next < 0;
            if (!isMail && outcomes[envelope.Next].Reply?.Module == NotSent)
                continue;
            var after = isMail ? SmtpStage.AfterMail : SmtpStage.AfterRcpt;
            var code = await ReadReplyAsync(after, isMail ? _options.MailTimeout : _options.RcptTimeout);
            if (code == 0)
                return Lost(outcomes);
            if (code is >= 300 and < 400)
            {
                Settle(outcomes, Unexpected(Answer(after)));
                return false;
            }

            if (code < 300)
            {
                envelope.MailAccepted |= envelope.Next == MailReply;
                if (!isMail && outcomes[envelope.Next].Reply is null)
                    envelope.Accepted++;
                continue;
            }

            var answer = Answer(after);
            if (isMail || code == 421)
                Settle(outcomes, answer);
            else if (outcomes[envelope.Next].Reply is null)
                outcomes[envelope.Next] = answer;
            envelope.MailRefused |= isMail;
            if (code == 421)
                return false;
        }

        return true;
    }

    private bool Lost(SmtpOutcome[] outcomes)
    {
        Settle(outcomes, _failure);
        return false;
    }

    private void AppendMove(string move)
    {
        Append("XECMMOVE "u8);
        Append(move);
        Append("\r\n"u8);
    }

    private void AppendMail(SmtpTransaction transaction)
    {
        Append("MAIL FROM:<"u8);
        Append(transaction.Sender.Value);
        Append(">"u8);
        if ((Capabilities & SmtpCapabilities.Size) != 0)
        {
            Append(" SIZE="u8);
            Append(transaction.Content.Length);
        }

        if (transaction.Send8BitMime && transaction.Content.IsEightBit && (Capabilities & SmtpCapabilities.EightBitMime) != 0)
            Append(" BODY=8BITMIME"u8);
        if (transaction.SmtpUtf8)
            Append(" SMTPUTF8"u8);
        if ((Capabilities & SmtpCapabilities.Dsn) != 0)
        {
            if (transaction.Return != DsnReturn.Unspecified)
                Append(transaction.Return == DsnReturn.Full ? " RET=FULL"u8 : " RET=HDRS"u8);
            if (transaction.EnvelopeId is { Length: > 0 } envelopeId)
            {
                Append(" ENVID="u8);
                Append(envelopeId);
            }
        }

        Append("\r\n"u8);
    }

    private const string NotSent = "not sent";

    private bool AppendRcpt(in SmtpRecipient recipient, ref SmtpOutcome outcome)
    {
        if (IsUnsendable(recipient.Address.Value) || IsUnsendable(recipient.OriginalRecipient))
        {
            outcome = new(InternalReplies.BadRecipient with { Module = NotSent }, SmtpStage.DuringRcpt);
            return false;
        }

        RecipientsSent++;
        Append("RCPT TO:<"u8);
        Append(recipient.Address.Value);
        Append(">"u8);
        if ((Capabilities & SmtpCapabilities.Dsn) != 0)
        {
            AppendNotify(recipient.Notify);
            if (recipient.OriginalRecipient is { Length: > 0 } original)
            {
                Append(" ORCPT="u8);
                Append(original);
            }
        }

        Append("\r\n"u8);
        return true;
    }

    private void AppendNotify(DsnNotify notify)
    {
        if (notify == DsnNotify.Unspecified)
            return;
        Append(" NOTIFY="u8);
        if ((notify & DsnNotify.Never) != 0)
        {
            Append("NEVER"u8);
            return;
        }

        var separator = ""u8;
        foreach (var one in (ReadOnlySpan<DsnNotify>)[DsnNotify.Success, DsnNotify.Failure, DsnNotify.Delay])
        {
            if ((notify & one) == 0)
                continue;
            Append(separator);
            Append(one == DsnNotify.Success ? "SUCCESS"u8 : one == DsnNotify.Failure ? "FAILURE"u8 : "DELAY"u8);
            separator = ","u8;
        }
    }
}
