using Veredus.Delivery;
using Veredus.Delivery.Bounces;
using Veredus.Logging;
using Veredus.Node.Settings;
using Veredus.Reception;
using Veredus.Reception.Bindings;
using Veredus.Smtp;
using Veredus.Spool;

namespace Veredus.Node.Inbound;

/// <summary>Takes accepted mail to delivery, and puts mail that this node writes itself into the spool and its queue.</summary>
internal sealed class ReceivedMail(ISpool spool, MessageIdGenerator ids, LiveSettings settings, IMailLog log, NodeStatistics statistics, TimeProvider time)
    : IReceivedMail, IMessageInjector
{
    private const string OwnProtocol = "internal";
    private readonly Random _random = new();
    private DeliveryEngine? _delivery;

    /// <summary>Delivery needs this to be made, and this needs delivery to queue: called once, before anything is received.</summary>
    public void Connect(DeliveryEngine delivery) => _delivery = delivery;

    public void Accepted(StoredMessage message, Envelope envelope)
    {
        statistics.Received(message.Size);
        _delivery!.Enqueue(message, envelope);
    }

    public void Rejected() => statistics.Rejected();

    public void RefusedAfterData(Envelope envelope, SmtpReply reply)
    {
        var policies = settings.Current.Configuration.Sending(envelope.BindingGroup, envelope.Binding, "");
        var hostname = settings.Current.Files.Hostname;
        if (envelope.Sender.Length == 0 || (envelope.Notify & Spool.DsnNotify.Never) != 0 || !policies.Get(Configuration.Options.GenerateBounces))
            return;
        var from = policies.Get(Configuration.Options.Mailerdaemon) ?? $"mailer-daemon@{hostname}";
        var content = DsnWriter.Write(new(hostname, from, envelope.Sender, envelope, time.GetUtcNow()) { Reply = reply, Include = OriginalInDsn.None });
        // The session's own reply must not wait for the disk a second time; what goes wrong is logged.
        _ = InjectAsync(new("", envelope.Sender, content, envelope.BindingGroup, envelope.Binding), CancellationToken.None).AsTask();
    }

    public async ValueTask<bool> InjectAsync(OwnMessage message, CancellationToken cancellationToken)
    {
        var id = ids.Next();
        var recipient = new EnvelopeAddress(message.Recipient);
        var name = Assign(message, recipient.Domain.ToString().ToLowerInvariant());
        var envelope = new Envelope
        {
            Id = id,
            BatchId = id,
            Received = time.GetUtcNow(),
            Protocol = OwnProtocol,
            Sender = message.Sender,
            Recipient = message.Recipient,
            BindingGroup = name.Group,
            Binding = name.Binding,
            Flags = message.Sender.Length == 0 ? EnvelopeFlags.Bounce : EnvelopeFlags.None,
        };
        using var body = spool.CreateBody();
        System.Buffers.BuffersExtensions.Write(body, message.Content.Span);
        var commit = await spool.CommitAsync(body, [envelope]);
        if (commit.Status != CommitStatus.Durable)
        {
            log.Panic(PanicLevel.Error, PanicSubsystems.Error, "spool", $"own message {id} to {message.Recipient} was not stored: {commit.Reason}");
            return false;
        }

        log.Write(new ReceptionRecord
        {
            Time = envelope.Received.ToUnixTimeSeconds(),
            MessageId = LogId.From(id),
            BatchId = LogId.From(id),
            ConnectionId = default,
            RecipientLocalpart = recipient.LocalPart.ToString(),
            RecipientDomain = recipient.Domain.ToString(),
            SenderLocalpart = new EnvelopeAddress(message.Sender).LocalPart.ToString(),
            SenderDomain = new EnvelopeAddress(message.Sender).Domain.ToString(),
            Size = message.Content.Length,
            Protocol = OwnProtocol,
            BindingGroup = name.Group,
            Binding = name.Binding,
        });
        Accepted(commit.Messages[0], envelope);
        return true;
    }

    /// <summary>A binding rule, else the binding of the message that this one is about (mta.md 7.1).</summary>
    private BindingName Assign(OwnMessage message, string recipientDomain)
    {
        var rules = settings.Current.Rules;
        lock (_random)
        {
            var facts = new BindingFacts(message.Sender, recipientDomain, null, Envelope.EmptyContext, Envelope.EmptyContext);
            var assignment = BindingAssigner.Assign(rules.Configuration, facts, rules.BindingState, _random);
            if (assignment.By == AssignedBy.Rule)
                return assignment.Name;
        }

        return rules.Configuration.GroupOf(message.Binding) is { } home ? new(home, message.Binding) : BindingName.Default;
    }
}
