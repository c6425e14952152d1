using System.Net;

namespace Veredus.Logging;

/// <summary>One event as own formats see it, made from the record of the native logs.</summary>
internal readonly record struct StageEvent
{
    public required LogStage Stage { get; init; }

    /// <summary>Unix seconds.</summary>
    public required long Time { get; init; }
    public LogId MessageId { get; init; }
    public LogId BatchId { get; init; }
    public LogId ConnectionId { get; init; }
    public string? RoutingDomain { get; init; }
    public string? BindingGroup { get; init; }
    public string? Binding { get; init; }
    public long? Size { get; init; }
    public IPAddress? Remote { get; init; }
    public string? Pathway { get; init; }
    public string? PathwayGroup { get; init; }
    public string? Reply { get; init; }

    /// <summary>Attempts to deliver, this one included; a move is none.</summary>
    public int? Attempts { get; init; }
    public DeliveryStage? At { get; init; }
    public TimeSpan? SinceReception { get; init; }
    public MailFacts Facts { get; init; }

    public DateTimeOffset Moment => Facts.At ?? DateTimeOffset.FromUnixTimeSeconds(Time);

    public static StageEvent Of(in ReceptionRecord record) => new()
    {
        Stage = LogStage.Reception,
        Time = record.Time,
        MessageId = record.MessageId,
        BatchId = record.BatchId,
        ConnectionId = record.ConnectionId,
        RoutingDomain = record.RecipientDomain,
        BindingGroup = record.BindingGroup,
        Binding = record.Binding,
        Size = record.Size,
        Remote = record.ClientAddress,
        Attempts = 0,
        SinceReception = TimeSpan.Zero,
        Facts = record.Facts with
        {
            Protocol = record.Protocol,
            Sender = Address(record.SenderLocalpart, record.SenderDomain),
            Recipient = Address(record.RecipientLocalpart, record.RecipientDomain),
        },
    };

    public static StageEvent Of(in DeliveryRecord record) => new()
    {
        Stage = record.Kind is DeliveryKind.HandedOver ? LogStage.Xfer : LogStage.Delivery,
        Time = record.Time,
        MessageId = record.MessageId,
        BatchId = record.BatchId,
        ConnectionId = record.ConnectionId,
        RoutingDomain = record.Domain,
        BindingGroup = record.BindingGroup,
        Binding = record.Binding,
        Size = record.Facts.Size ?? record.Size,
        Remote = record.RemoteAddress,
        Attempts = record.Retries + (record.Kind is DeliveryKind.HandedOver ? 0 : 1),
        SinceReception = record.SinceReception,
        Facts = record.Facts,
    };

    public static StageEvent Of(in FailureRecord record) => new()
    {
        Stage = record.Kind is FailureKind.Permanent ? LogStage.PermanentFailure : LogStage.TransientFailure,
        Time = record.Time,
        MessageId = record.MessageId,
        BatchId = record.BatchId,
        ConnectionId = record.ConnectionId,
        RoutingDomain = record.Domain,
        BindingGroup = record.BindingGroup,
        Binding = record.Binding,
        Size = record.Facts.Size,
        Remote = record.RemoteAddress,
        Reply = record.Reply,
        Attempts = record.Retries + 1,
        At = record.Stage,
        SinceReception = record.SinceReception,
        Facts = record.Facts,
    };

    public static StageEvent Of(in RejectRecord record) => new()
    {
        Stage = LogStage.Rejection,
        Time = record.Time,
        ConnectionId = record.ConnectionId,
        Remote = record.Remote?.Address,
        Pathway = record.Pathway,
        PathwayGroup = record.PathwayGroup,
        Reply = $"{record.Code} {record.Text}",
        Facts = record.Facts with
        {
            ConnectionContext = record.ConnectionContext as IReadOnlyDictionary<string, string>,
            MessageContext = record.MessageContext as IReadOnlyDictionary<string, string>,
        },
    };

    private static string Address(string local, string domain) => domain.Length == 0 ? local : $"{local}@{domain}";
}
