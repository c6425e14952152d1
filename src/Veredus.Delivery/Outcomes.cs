using System.Net;
using Veredus.Delivery.Bounces;
using Veredus.Smtp;
using Veredus.Spool;

namespace Veredus.Delivery;

/// <summary>How a try ended, for one message.</summary>
/// <param name="BytesSent">0: there was no connection.</param>
/// <param name="Remote">Who spoke; <see langword="null"/> when nobody did.</param>
/// <param name="DsnStatus">Status for the DSN where it differs from the reply's.</param>
internal readonly record struct Attempt(SmtpReply Reply, SmtpStage Stage, long BytesSent = 0, IPAddress? Remote = null, string RemoteName = "", EnhancedStatus DsnStatus = default);

/// <summary>Carries out what becomes of a message: logged, bounced, forgotten or kept (<c>mta.md</c> 6.3, 7.1).</summary>
internal sealed class Outcomes(DeliveryEngine engine, DeliveryParts parts)
{
    /// <summary>Pause before a message is looked at again that the spool or the injector had trouble with.</summary>
    public const long TroubleDelayMs = 60_000;

    /// <summary>Most octets of the original that a DSN carries (<c>mta.md</c> 7.2).</summary>
    public const int MaxOriginal = 64 << 10;

    public async ValueTask DeliveredAsync(QueuedMessage message, Envelope envelope, Attempt attempt, SmtpTlsInfo? tls)
    {
        parts.Observer.Delivered(new(parts.Time.GetUtcNow(), envelope, message.Stored.Size, message.Queue.Domain.Name, attempt.BytesSent, message.Failures, attempt.Remote, attempt.Reply, tls));
        await parts.Spool.RemoveAsync(message.Stored);
        engine.Locked(static (scheduler, now, message) =>
        {
            scheduler.Count(message.Queue, static tally => tally.Delivered++);
            scheduler.Drop(message, now);
            return 0;
        }, message);
    }

    /// <summary>Carries out an outcome that the scheduler or an operator decided.</summary>
    public async ValueTask SettleAsync(Settlement settlement)
    {
        var (message, ending) = settlement;
        if (TryRead(message, out var trouble) is { } envelope)
            await FailedAsync(message, envelope, new(ending.Reply, ending.Stage, DsnStatus: ending.DsnStatus), ending.Quiet);
        else if (trouble!.IsPermanent)
            await ForgetUnreadableAsync(message);
        else
            Requeue(message, TroubleDelayMs);
    }

    /// <summary>A try failed: the message waits for its next try, or is given up.</summary>
    /// <param name="quiet">No DSN.</param>
    public async ValueTask FailedAsync(QueuedMessage message, Envelope envelope, Attempt attempt, bool quiet = false)
    {
        message.LastCode = (ushort)attempt.Reply.Code;
        if (!attempt.Reply.IsTransient)
        {
            await GiveUpAsync(message, envelope, attempt, quiet, last: null);
            return;
        }
        var now = parts.Time.GetUtcNow();
        var policy = message.Queue.Policy;
        var retries = message.Failures++;
        var verdict = RetrySchedule.Next(policy.Retry, message.Failures, message.ReceivedUnixMs, now.ToUnixTimeMilliseconds(), message.Batch);
        if (verdict.Failure is { } failure)
        {
            Report(message, envelope, attempt, now, retries, isPermanent: false, next: null);
            await GiveUpAsync(message, envelope, new(failure, SmtpStage.NotConnected), quiet, last: attempt);
            return;
        }
        parts.Spool.RecordAttempt(message.Stored, new((ushort)Math.Min(message.Failures, ushort.MaxValue), now, message.LastCode, (byte)attempt.Stage));
        engine.Locked(static (scheduler, moment, retry) =>
        {
            scheduler.Count(retry.message.Queue, static tally => tally.Transient++);
            scheduler.Requeue(retry.message, moment.MsOf(retry.AtUnixMs), moment);
            return 0;
        }, (message, verdict.AtUnixMs));
        // Told when it is true: whoever hears of it finds the message delayed.
        Report(message, envelope, attempt, now, retries, isPermanent: false, DateTimeOffset.FromUnixTimeMilliseconds(verdict.AtUnixMs));
    }

    /// <summary>Reads the envelope, unless it is still in memory.</summary>
    /// <param name="trouble">With <see langword="null"/>: 5xx, it is lost; 4xx, the disk could not read just now.</param>
    public Envelope? TryRead(QueuedMessage message, out SmtpReply? trouble)
    {
        trouble = null;
        if (message.Resident is { } resident)
            return resident;
        try
        {
            return parts.Spool.ReadEnvelope(message.Stored);
        }
        catch (SpoolCorruptException error)
        {
            trouble = DeliveryReplies.BodyMissing;
            parts.Observer.Notice(DeliveryNotice.SpoolUnreadable, error.Message);
        }
        catch (IOException error)
        {
            trouble = DeliveryReplies.SpoolUnreadable;
            parts.Observer.Notice(DeliveryNotice.SpoolUnreadable, error.Message);
        }
        return null;
    }

    /// <summary>The spool has set the damaged record aside; the queue forgets it.</summary>
    public async ValueTask ForgetUnreadableAsync(QueuedMessage message)
    {
        await parts.Spool.RemoveAsync(message.Stored);
        engine.Locked(static (scheduler, now, message) =>
        {
            scheduler.Count(message.Queue, static tally => tally.Failed++);
            scheduler.Drop(message, now);
            return 0;
        }, message);
    }

    public void Requeue(QueuedMessage message, long delayMs) =>
        engine.Locked(static (scheduler, now, retry) => { scheduler.Requeue(retry.message, now.Ms + retry.delayMs, now); return 0; }, (message, delayMs));

    private async ValueTask GiveUpAsync(QueuedMessage message, Envelope envelope, Attempt attempt, bool quiet, Attempt? last)
    {
        if (!quiet && !await BounceAsync(message, envelope, attempt, last))
        {
            parts.Observer.Notice(DeliveryNotice.DsnNotStored, $"message {message.Stored.Id} waits: its DSN could not be stored");
            Requeue(message, TroubleDelayMs);
            return;
        }
        Report(message, envelope, attempt, parts.Time.GetUtcNow(), last is null ? message.Failures : message.Failures - 1, isPermanent: true, next: null);
        await parts.Spool.RemoveAsync(message.Stored);
        engine.Locked(static (scheduler, now, message) =>
        {
            scheduler.Count(message.Queue, static tally => tally.Failed++);
            scheduler.Drop(message, now);
            return 0;
        }, message);
    }

    private void Report(QueuedMessage message, Envelope envelope, Attempt attempt, DateTimeOffset now, int retries, bool isPermanent, DateTimeOffset? next)
    {
        var domain = message.Queue.Domain.Name;
        parts.Observer.Failed(new(
            now, envelope, message.Stored.Size, domain, isPermanent, attempt.BytesSent, attempt.Stage, retries, attempt.Reply.IsInternal() ? null : attempt.Remote,
            attempt.Reply, parts.Classifier.Classify(attempt.Reply, domain), next));
    }

    /// <summary>Writes and stores the DSN that is due, if any. <see langword="false"/>: it is due and could not be stored.</summary>
    private async ValueTask<bool> BounceAsync(QueuedMessage message, Envelope envelope, Attempt attempt, Attempt? last)
    {
        var policy = message.Queue.Policy;
        if (DsnRules.Recipient(envelope, policy) is not { } recipient)
            return true;
        var node = parts.Policies.Node;
        var include = DsnRules.Include(policy.BounceOriginal, envelope.Return);
        var report = new FailureReport(node.Hostname, policy.MailerDaemon.Length > 0 ? policy.MailerDaemon : $"mailer-daemon@{node.Hostname}", recipient, envelope, parts.Time.GetUtcNow())
        {
            Reply = attempt.Reply,
            Status = attempt.DsnStatus,
            Cause = last?.Reply,
            RemoteName = (last ?? attempt).RemoteName,
            Include = include,
            Original = include is OriginalInDsn.None ? default : ReadOriginal(message.Stored),
            OriginalSize = message.Stored.Size,
        };
        return await parts.Injector.InjectAsync(new("", recipient, DsnWriter.Write(report), envelope.BindingGroup, envelope.Binding), engine.Aborting);
    }

    private ReadOnlyMemory<byte> ReadOriginal(StoredMessage stored)
    {
        try
        {
            using var reader = parts.Spool.OpenBody(stored);
            var original = new byte[(int)Math.Min(reader.Length, MaxOriginal)];
            return original.AsMemory(0, reader.Read(original));
        }
        catch (IOException error)
        {
            parts.Observer.Notice(DeliveryNotice.SpoolUnreadable, error.Message);
            return default;  // a report without the original is better than none
        }
    }
}
