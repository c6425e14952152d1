using System.Globalization;
using Veredus.Reception.Content;
using Veredus.Reception.Policy;
using Veredus.Smtp;
using Veredus.Spool;

namespace Veredus.Reception;

/// <summary>One accepted recipient.</summary>
/// <param name="Domain">In lower case.</param>
internal readonly record struct AcceptedRecipient(EnvelopeAddress Address, string Domain, Smtp.DsnNotify Notify, string? Original);

/// <summary>One transaction: from MAIL to the reply to its content.</summary>
internal sealed class Transaction(MailCommand mail)
{
    private Dictionary<string, string>? _stored;

    public MailCommand Mail => mail;

    public List<AcceptedRecipient> Recipients { get; } = [];

    public MessageId BatchId { get; private set; }

    public SpoolBody? Body { get; private set; }

    public ContentFilter? Filter { get; private set; }

    public TraceFacts? Trace { get; private set; }

    /// <summary>The part of the message context that is kept in the spool; the rest follows from the envelope.</summary>
    public IReadOnlyDictionary<string, string> StoredContext => _stored ?? Envelope.EmptyContext;

    public void Begin(ReceptionParts parts, InboundPolicy policy, MessageId batchId, TraceFacts trace)
    {
        BatchId = batchId;
        Trace = trace with { Id = batchId.ToString() };
        Body = parts.Spool.CreateBody();
        Filter = new(policy.Content, Trace, Body);
    }

    public void Store(string key, string value) => (_stored ??= new(StringComparer.Ordinal))[key] = value;

    public void NoteFacts(HeaderFacts facts, InboundPolicy policy)
    {
        if (facts.DateMissing)
            Store(ContextKeys.DateMissing, "true");
        if (facts.ReceivedHeaders > policy.Content.MaxReceivedHeaders)
            Store(ContextKeys.MailLoopCount, facts.ReceivedHeaders.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>The whole message context, for the log.</summary>
    /// <param name="recipient">The recipient in question; empty when it is about the message.</param>
    public IReadOnlyDictionary<string, string> ContextFor(EnvelopeAddress recipient)
    {
        var context = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [ContextKeys.MailFrom] = mail.Sender.Value,
            [ContextKeys.MailFromLocalpart] = mail.Sender.LocalPart.ToString(),
            [ContextKeys.MailFromDomain] = mail.Sender.Domain.ToString(),
        };
        if (!recipient.IsNull)
        {
            context[ContextKeys.RcptTo] = recipient.Value;
            context[ContextKeys.RcptToLocalpart] = recipient.LocalPart.ToString();
            context[ContextKeys.RcptToDomain] = recipient.Domain.ToString();
        }

        foreach (var (key, value) in StoredContext)
            context[key] = value;
        return context;
    }

    /// <summary>Gives back what the content holds.</summary>
    public void Release()
    {
        Filter?.Dispose();
        Body?.Dispose();
        (Filter, Body) = (null, null);
    }
}
