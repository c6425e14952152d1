using Veredus.Smtp;
using Veredus.Spool;

namespace Veredus.Delivery;

/// <summary>Messages over an open session.</summary>
internal sealed partial class ConnectionRunner
{
    private async ValueTask<bool> ServeAsync(OutboundConnection connection, SmtpClientSession session)
    {
        var envelopes = new List<Envelope>();
        while (true)
        {
            if (connection.Batch.Count == 0)
            {
                var taken = engine.Locked(static (scheduler, now, connection) => scheduler.Take(connection, now), connection);
                if (taken is Taken.Quit || (taken is Taken.Park && !await connection.ParkedAsync()))
                    break;
                if (taken is Taken.Park)
                    continue;
            }
            if (!parts.Spool.IsHeld && !await engine.UntilSpoolHeldAsync())
            {
                PutBack(connection, 0);
                break;
            }
            if (!await PrepareAsync(connection, envelopes))
                break;
            if (envelopes.Count > 0)
                await SendAsync(connection, session, envelopes);
            if (!session.IsUsable)
                return connection.Deliveries == 0 && !IsAway(connection);
        }
        await session.QuitAsync(engine.Aborting);
        return false;
    }

    /// <summary>Reads the envelopes of the batch; what can't go in one transaction with the first goes back.</summary>
    /// <returns><see langword="false"/>: this connection said EHLO for another sender; quit.</returns>
    private async ValueTask<bool> PrepareAsync(OutboundConnection connection, List<Envelope> envelopes)
    {
        envelopes.Clear();
        for (var i = 0; i < connection.Batch.Count;)
        {
            var message = connection.Batch[i];
            var envelope = outcomes.TryRead(message, out var trouble);
            if (envelope is not null && (envelopes.Count == 0 || CanShare(envelopes[0], envelope)))
            {
                if (envelopes.Count == 0 && connection.SenderDomain is { } said && !IsFrom(envelope, said))
                {
                    PutBack(connection, 0);
                    return false;
                }
                envelopes.Add(envelope);
                i++;
                continue;
            }
            connection.Batch.RemoveAt(i);
            if (envelope is not null)
                engine.Locked(static (scheduler, now, message) => { scheduler.PutBack(message, now); return 0; }, message);
            else if (trouble!.IsPermanent)
                await outcomes.ForgetUnreadableAsync(message);
            else
                outcomes.Requeue(message, Outcomes.TroubleDelayMs);
        }
        return true;
    }

    private bool IsFrom(Envelope envelope, string said)
    {
        var domain = new EnvelopeAddress(envelope.Sender).Domain;
        return domain.Equals(said, StringComparison.OrdinalIgnoreCase) || (domain.IsEmpty && said == parts.Policies.Node.Hostname);
    }

    private static bool CanShare(Envelope first, Envelope other) =>
        first.Sender == other.Sender && first.BatchId == other.BatchId && first.Return == other.Return && first.EnvelopeId == other.EnvelopeId && first.Flags == other.Flags;

    private void PutBack(OutboundConnection connection, int from)
    {
        engine.Locked(static (scheduler, now, rest) =>
        {
            // From the last to the first, so that they stand in their old order.
            for (var i = rest.connection.Batch.Count - 1; i >= rest.from; i--)
                scheduler.PutBack(rest.connection.Batch[i], now);
            return 0;
        }, (connection, from));
        connection.Batch.RemoveRange(from, connection.Batch.Count - from);
    }

    private async ValueTask SendAsync(OutboundConnection connection, SmtpClientSession session, List<Envelope> envelopes)
    {
        var first = envelopes[0];
        var target = connection.Target!;
        SmtpTransactionResult result;
        var started = parts.Time.GetTimestamp();
        SpoolContent content;
        try
        {
            content = new(parts.Spool, connection.Batch[0].Stored, first.Flags, connection.Queue.Policy.Method is SmtpDialect.Lmtp ? first.Sender : null) { Batch = connection.Batch };
        }
        catch (IOException error)
        {
            parts.Observer.Notice(DeliveryNotice.SpoolUnreadable, error.Message);
            var lost = error is SpoolCorruptException;
            await FailAllAsync(connection, envelopes, lost ? DeliveryReplies.BodyMissing : DeliveryReplies.SpoolUnreadable);
            return;
        }
        using (content)
            result = await session.SendAsync(Transaction(connection, envelopes, content), engine.Aborting);
        var hasEnded = content.HasEnded;
        EndDoubts(connection, envelopes, result, target, hasEnded);
        connection.Recipients = session.RecipientsSent;
        if (!result.ConnectionUsable && connection.Deliveries > 0 && WasStale(result))
        {
            PutBack(connection, 0);
            return;
        }
        if (!result.ConnectionUsable && IsAway(connection) && WasCutOff(result))
        {
            PutBack(connection, 0);
            return;
        }
        await FinishAsync(connection, session, envelopes, result, target, hasEnded, parts.Time.GetElapsedTime(started).TotalMilliseconds);
    }

    /// <summary>What was answered is in doubt no longer, but for its record on the disk; what will never be answered goes on the list.</summary>
    private void EndDoubts(OutboundConnection connection, List<Envelope> envelopes, SmtpTransactionResult result, Target target, bool hasEnded)
    {
        for (var i = 0; i < result.Recipients.Length; i++)
        {
            var outcome = result.Recipients[i];
            if (outcome.IsSuccess)
                continue;  // its removal ends the mark
            if (IsInDoubt(outcome, result, hasEnded))
                parts.Observer.InDoubt(new(parts.Time.GetUtcNow(), connection.Batch[i].Stored.Id, envelopes[i], DoubtCause.CutOff, target.Address.Endpoint.Address.ToString()));
            parts.Spool.EndHandOver(connection.Batch[i].Stored);
        }
    }

    /// <summary>Lost after all of the content went out: the host may have taken the message (RFC 5321 §6.1). A small one goes out with its MAIL where the host allows it, so the stage does not tell.</summary>
    private static bool IsInDoubt(SmtpOutcome outcome, SmtpTransactionResult result, bool hasEnded) => hasEnded && !result.ConnectionUsable && outcome.Reply.IsInternal();

    private static SmtpTransaction Transaction(OutboundConnection connection, List<Envelope> envelopes, SpoolContent content)
    {
        var first = envelopes[0];
        var recipients = new SmtpRecipient[envelopes.Count];
        for (var i = 0; i < recipients.Length; i++)
            recipients[i] = new(new EnvelopeAddress(envelopes[i].Recipient)) { Notify = (Smtp.DsnNotify)envelopes[i].Notify, OriginalRecipient = envelopes[i].OriginalRecipient };
        return new(new EnvelopeAddress(first.Sender), recipients, content)
        {
            Send8BitMime = connection.Queue.Policy.Send8BitMime,
            SmtpUtf8 = first.Flags.HasFlag(EnvelopeFlags.SmtpUtf8),
            Return = (Smtp.DsnReturn)first.Return,
            EnvelopeId = first.EnvelopeId,
        };
    }

    /// <summary>The host had ended a used connection before this message began: nothing is charged, another connection is opened.</summary>
    private static bool WasStale(SmtpTransactionResult result)
    {
        foreach (var outcome in result.Recipients)
            if (outcome.Stage is not (SmtpStage.DuringMail or SmtpStage.AfterMail or SmtpStage.DuringRset or SmtpStage.AfterRset) || !(outcome.Reply.Code == 421 || outcome.Reply.IsInternal()))
                return false;
        return true;
    }

    /// <summary>The connection ended before the host can have taken the message, and not by the host's word.</summary>
    private static bool WasCutOff(SmtpTransactionResult result)
    {
        foreach (var outcome in result.Recipients)
            if (outcome.IsSuccess || !outcome.Reply.IsInternal() || outcome.Stage is SmtpStage.ReadingConfirmation)
                return false;
        return true;
    }

    private async ValueTask FinishAsync(
        OutboundConnection connection, SmtpClientSession session, List<Envelope> envelopes, SmtpTransactionResult result, Target target, bool hasEnded, double milliseconds)
    {
        var success = false;
        var inDoubt = 0;
        foreach (var outcome in result.Recipients)
        {
            success |= outcome.IsSuccess;
            inDoubt += IsInDoubt(outcome, result, hasEnded) ? 1 : 0;
        }
        if (success || inDoubt > 0)
        {
            engine.Locked(static (scheduler, now, done) =>
            {
                scheduler.InDoubt += done.inDoubt;
                if (done.success)
                    Scheduler.TransactionSucceeded(done.connection, done.milliseconds, now);
                return 0;
            }, (connection, success, inDoubt, milliseconds));
        }
        for (var i = 0; i < envelopes.Count; i++)
        {
            var outcome = result.Recipients[i];
            var attempt = new Attempt(outcome.Reply, outcome.Stage, result.BytesSent, target.Address.Endpoint.Address, target.Host.Name);
            if (outcome.IsSuccess)
                await outcomes.DeliveredAsync(connection.Batch[i], envelopes[i], attempt, session.Tls);
            else
                await outcomes.FailedAsync(connection.Batch[i], envelopes[i], attempt);
        }
        connection.Batch.Clear();
    }

    private async ValueTask FailAllAsync(OutboundConnection connection, List<Envelope> envelopes, SmtpReply reply)
    {
        for (var i = 0; i < envelopes.Count; i++)
            await outcomes.FailedAsync(connection.Batch[i], envelopes[i], new(reply, SmtpStage.Idle));
        connection.Batch.Clear();
    }
}
