using Veredus.Delivery;
using Veredus.Logging;
using Veredus.Node.Doubts;
using Veredus.Smtp;
using Veredus.Spool;

namespace Veredus.Node.Logs;

/// <summary>Writes what delivery reports to the mainlog, the bouncelog and the paniclog.</summary>
internal sealed class DeliveryLog(IMailLog log, NodeStatistics statistics, DoubtList doubts) : IDeliveryObserver
{
    public void Delivered(in DeliveredEvent delivered)
    {
        statistics.Delivered();
        var envelope = delivered.Envelope;
        log.Write(new DeliveryRecord
        {
            Time = delivered.Time.ToUnixTimeSeconds(),
            MessageId = LogId.From(envelope.Id),
            BatchId = LogId.From(envelope.BatchId),
            ConnectionId = ConnectionOf(envelope),
            Kind = DeliveryKind.Delivered,
            Domain = delivered.Domain,
            Size = delivered.BytesSent,
            BindingGroup = envelope.BindingGroup,
            Binding = envelope.Binding,
            Retries = delivered.Retries,
            SinceReception = TimeSpan.FromSeconds(delivered.Seconds),
            RemoteAddress = delivered.Remote,
            Facts = Facts(envelope, delivered.Time, delivered.Size),
        });
    }

    public void Moved(in MovedEvent moved)
    {
        var envelope = moved.Envelope;
        log.Write(new DeliveryRecord
        {
            Time = moved.Time.ToUnixTimeSeconds(),
            MessageId = LogId.From(envelope.Id),
            BatchId = LogId.From(envelope.BatchId),
            ConnectionId = ConnectionOf(envelope),
            Kind = DeliveryKind.HandedOver,
            Domain = moved.Domain,
            Size = moved.BytesSent,
            BindingGroup = envelope.BindingGroup,
            Binding = envelope.Binding,
            Retries = moved.Retries,
            SinceReception = TimeSpan.FromSeconds(moved.Seconds),
            RemoteAddress = moved.Remote,
            Facts = Facts(envelope, moved.Time, moved.Size),
        });
    }

    public void Failed(in FailedEvent failed)
    {
        statistics.Failed(failed.IsPermanent);
        var envelope = failed.Envelope;
        var (time, kind, stage) = (failed.Time.ToUnixTimeSeconds(), failed.IsPermanent ? FailureKind.Permanent : FailureKind.Transient, (DeliveryStage)(int)failed.Stage);
        var reply = failed.Reply.ToString();
        log.Write(new FailureRecord
        {
            Time = time,
            MessageId = LogId.From(envelope.Id),
            BatchId = LogId.From(envelope.BatchId),
            ConnectionId = ConnectionOf(envelope),
            Kind = kind,
            Domain = failed.Domain,
            BytesSent = failed.BytesSent,
            BindingGroup = envelope.BindingGroup,
            Binding = envelope.Binding,
            Stage = stage,
            Retries = failed.Retries,
            SinceReception = TimeSpan.FromSeconds(failed.Seconds),
            RemoteAddress = failed.Remote,
            Reply = reply,
            Facts = Facts(envelope, failed.Time, failed.Size) with { Classification = failed.Classification },
        });
        var (sender, recipient) = (new EnvelopeAddress(envelope.Sender), new EnvelopeAddress(envelope.Recipient));
        log.Write(new BounceRecord
        {
            Time = time,
            MessageId = LogId.From(envelope.Id),
            BatchId = LogId.From(envelope.BatchId),
            ConnectionId = ConnectionOf(envelope),
            Kind = kind,
            RecipientLocalpart = recipient.LocalPart.ToString(),
            RecipientDomain = recipient.Domain.ToString(),
            SenderLocalpart = sender.LocalPart.ToString(),
            SenderDomain = sender.Domain.ToString(),
            BindingGroup = envelope.BindingGroup,
            Binding = envelope.Binding,
            Stage = stage,
            Classification = failed.Classification,
            Size = failed.Size,
            RemoteAddress = failed.Remote,
            Reply = reply,
        });
    }

    public void InDoubt(in DoubtEvent doubt) => doubts.Add(doubt);

    public void Notice(DeliveryNotice notice, string text) => log.Panic(
        notice is DeliveryNotice.Fault or DeliveryNotice.SpoolUnreadable ? PanicLevel.Critical : PanicLevel.Error,
        notice is DeliveryNotice.TlsMaterial ? PanicSubsystems.Ssl : PanicSubsystems.Smtp, "delivery", text);

    private static MailFacts Facts(Envelope envelope, DateTimeOffset at, long size) => new()
    {
        At = at,
        Sender = envelope.Sender,
        Recipient = envelope.Recipient,
        Protocol = envelope.Protocol,
        Size = size,
        ConnectionContext = envelope.ConnectionContext,
        MessageContext = envelope.MessageContext,
    };

    private static LogId ConnectionOf(Envelope envelope) => envelope.ConnectionId.Value == 0 ? default : LogId.From(envelope.ConnectionId);
}
