using Veredus.Logging;
using Veredus.Reception.Bindings;
using Veredus.Reception.Content;
using Veredus.Reception.Policy;
using Veredus.Smtp;
using Veredus.Spool;

namespace Veredus.Reception;

public sealed partial class ReceptionSession : IMessageSink
{
    private static readonly TimeSpan LongestThrottle = TimeSpan.FromSeconds(30);
    private Transaction? _transaction;
    private EnvelopeAddress _refusedRecipient;

    public async ValueTask<SmtpReply?> MailAsync(SmtpServerSession session, MailCommand mail, CancellationToken cancellationToken)
    {
        DropTransaction();
        FollowClient(session);
        _refusedRecipient = default;
        var sender = mail.Sender is { IsNull: false, IsQualified: false } bare && _policy.SenderDomain is { } domain ? new($"{bare.Value}@{domain}") : mail.Sender;
        _transaction = new(mail with { Sender = sender });
        if (MailRefusal(mail) is { } refusal)
            return refusal;
        if (_policy.Throttle is { } throttle)
        {
            if (throttle.Reserve(LongestThrottle) is not { } wait)
                return ReceptionReplies.Throttled;
            if (wait > TimeSpan.Zero)
                await Task.Delay(wait, _parts.Time, cancellationToken);
        }

        return null;
    }

    public ValueTask<SmtpReply?> RcptAsync(SmtpServerSession session, RcptCommand rcpt, CancellationToken cancellationToken)
    {
        var transaction = _transaction!;
        _refusedRecipient = rcpt.Recipient;
        var verdict = RelayDecision.Decide(_policy, MayRelay, transaction.Mail.Sender, rcpt.Recipient);
        if (!verdict.IsAccepted)
            return new(SmtpReplies.RelayingDenied);
        if (!verdict.Recipient.IsQualified)
            return new(ReceptionReplies.UnqualifiedRecipient);
        var domain = verdict.Recipient.Domain.ToString().ToLowerInvariant();
        if (_parts.Settings.Rules.IsBlackholed(domain))
            return new(ReceptionReplies.Blackholed);
        transaction.Recipients.Add(new(verdict.Recipient, domain, rcpt.Notify, rcpt.OriginalRecipient));
        return default;
    }

    public ValueTask<DataStart> DataAsync(SmtpServerSession session, CancellationToken cancellationToken)
    {
        var transaction = _transaction!;
        _refusedRecipient = default;
        if (_parts.Spool.Fault is not null)
            return new(new DataStart(SmtpReplies.LocalError));
        transaction.Begin(_parts, _policy, _parts.Ids.Next(), new(
            IsUnixSocket ? null : session.RemoteEndPoint, session.HelloName, _policy.ReceivedHostname, transaction.Mail.Sender.Value,
            ProtocolOf(session, transaction.Mail.SmtpUtf8), "", _policy.Hostname, _parts.Time.GetUtcNow()));
        return new(new DataStart(this));
    }

    void IMessageSink.Write(ReadOnlySpan<byte> content) => _transaction!.Filter!.Write(content);

    async ValueTask<bool> IMessageSink.FlushAsync(CancellationToken cancellationToken)
    {
        var transaction = _transaction!;
        await transaction.Body!.FlushAsync();
        return transaction.Filter!.Fault == ContentFault.None && transaction.Body.Error is null;
    }

    public async ValueTask<SmtpReply> EndOfDataAsync(SmtpServerSession session, DataResult result, CancellationToken cancellationToken)
    {
        var transaction = _transaction!;
        try
        {
            return await FinishAsync(session, transaction, result);
        }
        finally
        {
            // The refusal itself is logged with the message's context, so that goes last.
            transaction.Release();
        }
    }

    public void TransactionAborted(SmtpServerSession session) => DropTransaction();

    private async ValueTask<SmtpReply> FinishAsync(SmtpServerSession session, Transaction transaction, DataResult result)
    {
        var (filter, body) = (transaction.Filter!, transaction.Body!);
        if ((result.Facts & DataFacts.NoFinalLineEnd) != 0)
            filter.Write("\r\n"u8);
        var isWhole = filter.Complete();
        transaction.NoteFacts(filter.Facts, _policy);
        if (JudgeContent(result, filter) is { } refusal)
            return refusal;
        if (!isWhole)
            return ReceptionReplies.For(filter.Fault, _policy.LoopCode);

        var rules = _parts.Settings.Rules;
        KeepPolicyHeaders(filter.Facts, transaction, rules);
        var context = _context.Snapshot();
        var envelopes = new List<Envelope>(transaction.Recipients.Count);
        List<Envelope>? refused = null;
        foreach (var recipient in transaction.Recipients)
        {
            var facts = new BindingFacts(transaction.Mail.Sender.Value, recipient.Domain, session.RemoteEndPoint.Address, context, transaction.StoredContext);
            var assignment = BindingAssigner.Assign(rules.Configuration, facts, rules.BindingState, _parts.Random);
            if (assignment.UnknownName is { } unknown)
                _parts.Log.Panic(PanicLevel.Notice, PanicSubsystems.Smtp, "", $"message {transaction.BatchId}: {unknown} does not exist");
            if (assignment.IsRefused)
                (refused ??= []).Add(EnvelopeFor(session, transaction, recipient, transaction.BatchId, assignment.Name, context, result));
            else
                envelopes.Add(EnvelopeFor(session, transaction, recipient, envelopes.Count == 0 ? transaction.BatchId : _parts.Ids.Next(), assignment.Name, context, result));
        }

        if (envelopes.Count == 0)
            return ReceptionReplies.NoBinding;
        var commit = await _parts.Spool.CommitAsync(body, envelopes);
        if (commit.Status != CommitStatus.Durable)
        {
            _parts.Log.Panic(PanicLevel.Error, PanicSubsystems.Error, "spool", $"message {transaction.BatchId} was not accepted: {commit.Reason}");
            return commit.Status == CommitStatus.NoSpace ? SmtpReplies.NoSpace : SmtpReplies.LocalError;
        }

        for (var i = 0; i < envelopes.Count; i++)
            Accept(commit.Messages[i], envelopes[i], result.Size);
        foreach (var envelope in refused ?? [])
            RefuseRecipient(session, envelope, rules);
        return new(250, new(2, 0, 0), $"OK id={transaction.Trace!.Id}");
    }

    private Envelope EnvelopeFor(
        SmtpServerSession session, Transaction transaction, in AcceptedRecipient recipient, MessageId id, BindingName binding,
        IReadOnlyDictionary<string, string> context, DataResult result) => new()
    {
        Id = id,
        BatchId = transaction.BatchId,
        ConnectionId = _connectionId,
        Received = transaction.Trace!.Received,
        ReceivedFrom = IsUnixSocket ? null : session.RemoteEndPoint,
        ReceivedVia = IsUnixSocket ? null : session.LocalEndPoint,
        Protocol = transaction.Trace.Protocol,
        Sender = transaction.Mail.Sender.Value,
        Recipient = recipient.Address.Value,
        OriginalRecipient = recipient.Original,
        Notify = (Spool.DsnNotify)recipient.Notify,
        Return = (Spool.DsnReturn)transaction.Mail.Return,
        EnvelopeId = transaction.Mail.EnvelopeId,
        BodyType = (Spool.BodyType)transaction.Mail.Body,
        Flags = FlagsOf(result, transaction.Mail.SmtpUtf8),
        BindingGroup = binding.Group,
        Binding = binding.Binding,
        ConnectionContext = context,
        MessageContext = transaction.StoredContext,
    };

    private void Accept(StoredMessage message, Envelope envelope, long size)
    {
        var (sender, recipient) = (new EnvelopeAddress(envelope.Sender), new EnvelopeAddress(envelope.Recipient));
        _parts.Log.Write(new ReceptionRecord
        {
            Time = envelope.Received.ToUnixTimeSeconds(),
            MessageId = LogId.From(envelope.Id),
            BatchId = LogId.From(envelope.BatchId),
            ConnectionId = LogId.From(envelope.ConnectionId),
            RecipientLocalpart = recipient.LocalPart.ToString(),
            RecipientDomain = recipient.Domain.ToString(),
            SenderLocalpart = sender.LocalPart.ToString(),
            SenderDomain = sender.Domain.ToString(),
            ClientAddress = envelope.ReceivedFrom?.Address,
            Size = size,
            Protocol = "esmtp",
            BindingGroup = envelope.BindingGroup,
            Binding = envelope.Binding,
            Facts = new() { ConnectionContext = envelope.ConnectionContext, MessageContext = envelope.MessageContext },
        });
        _parts.Received.Accepted(message, envelope);
    }

    private void RefuseRecipient(SmtpServerSession session, Envelope envelope, ReceptionRules rules)
    {
        _refusedRecipient = new(envelope.Recipient);
        Refused(session, ReceptionReplies.NoBinding);
        if (rules.BounceRefusedRecipients)
            _parts.Received.RefusedAfterData(envelope, ReceptionReplies.NoBinding);
    }

    private SmtpReply? MailRefusal(MailCommand mail)
    {
        var rules = _parts.Settings.Rules;
        if (_parts.Memory.IsAbove(rules.MemoryHighWaterPercent))
            return SmtpReplies.MemoryLimit;
        if (_parts.Spool.Fault is not null)
            return ReceptionReplies.NoMailNow;
        if (_policy.RequireAuthentication && !MayRelay)
            return SmtpReplies.AuthenticationRequired;
        // Room for twice the largest message, so that those already under way find theirs.
        if (!_parts.Spool.HasRoomFor(Math.Max(Math.Max(0, mail.Size), 2 * _policy.Options.MaxMessageSize)))
            return SmtpReplies.NoSpace;
        return null;
    }

    private SmtpReply? JudgeContent(DataResult result, ContentFilter filter)
    {
        var facts = result.Facts;
        if ((facts & DataFacts.LoneDot) != 0 && !_policy.Content.FixLineEndsInBody)
            return SmtpReplies.LoneDot;
        if (_transaction!.Body!.Error is { } error)
        {
            _parts.Log.Panic(PanicLevel.Error, PanicSubsystems.Error, "spool", $"message {_transaction.BatchId} was not accepted: {error.Message}");
            return error.Error is DiskError.NoSpace ? SmtpReplies.NoSpace : SmtpReplies.LocalError;
        }

        if (filter.Fault != ContentFault.None)
            return null;
        if (_policy.RefuseLoneBreaksInHeaders && (facts & (DataFacts.BareLfInHeaders | DataFacts.BareCrInHeaders)) != 0)
            return ReceptionReplies.LoneBreakInHeaders;
        if (_policy.RefuseLoneBreaksInBody && (facts & (DataFacts.BareLfInBody | DataFacts.BareCrInBody)) != 0)
            return ReceptionReplies.LoneBreakInBody;
        return _policy.RefuseLinesAbove > 0 && result.LongestLine > _policy.RefuseLinesAbove ? ReceptionReplies.LineTooLong : null;
    }

    /// <summary>What assignment will ask for, now and at a later rebind, goes into the stored context.</summary>
    private void KeepPolicyHeaders(HeaderFacts facts, Transaction transaction, ReceptionRules rules)
    {
        if (_policy.Content.RemovedHeader is { } bindingHeader && (MayRelay || _policy.TrustBindingHeaderFromAny) && facts.Header(bindingHeader) is { } named)
            transaction.Store(ContextKeys.BindingHeader, named);
        foreach (var name in _policy.Content.WantedHeaders)
        {
            if (facts.Header(name) is { } value)
                transaction.Store(ContextKeys.Header(name), value);
        }
    }

    private EnvelopeFlags FlagsOf(DataResult result, bool smtpUtf8)
    {
        var facts = result.Facts;
        var flags = EnvelopeFlags.None;
        if ((facts & DataFacts.EightBit) != 0)
            flags |= EnvelopeFlags.EightBit;
        if (smtpUtf8)
            flags |= EnvelopeFlags.SmtpUtf8;
        if ((facts & DataFacts.LeadingDot) == 0 && _policy.Content.BreakLinesAt == 0)
            flags |= EnvelopeFlags.NoLeadingDots;
        const DataFacts Bare = DataFacts.BareCrInBody | DataFacts.BareLfInBody | DataFacts.BareCrInHeaders | DataFacts.BareLfInHeaders;
        if (((facts & Bare) == 0 || _policy.Content.FixLineEndsInBody) && (result.LongestLine <= 998 || _policy.Content.BreakLinesAt > 0))
            flags |= EnvelopeFlags.CleanLines;
        return flags;
    }

    private void DropTransaction()
    {
        _transaction?.Release();
        _transaction = null;
    }

    /// <summary>RFC 3848 and RFC 6531 §4.3.</summary>
    private static string ProtocolOf(SmtpServerSession session, bool smtpUtf8)
    {
        if (session.HelloVerb != HelloVerb.Ehlo)
            return "SMTP";
        var isAuthenticated = session.AuthenticatedUser is not null;
        return (smtpUtf8, session.Tls is not null, isAuthenticated) switch
        {
            (false, false, false) => "ESMTP",
            (false, true, false) => "ESMTPS",
            (false, false, true) => "ESMTPA",
            (false, true, true) => "ESMTPSA",
            (true, false, false) => "UTF8SMTP",
            (true, true, false) => "UTF8SMTPS",
            (true, false, true) => "UTF8SMTPA",
            (true, true, true) => "UTF8SMTPSA",
        };
    }
}
