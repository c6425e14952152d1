using System.Net;

namespace Veredus.Logging;

/// <summary>bouncelog <c>B</c> (given up, or an out-of-band bounce) and <c>T</c> (transient): one failure with both addresses and its class.</summary>
public readonly record struct BounceRecord : ILogRecord, IFieldRecord
{
    /// <summary>When it failed, in Unix seconds.</summary>
    public required long Time { get; init; }
    public required LogId MessageId { get; init; }
    public required LogId BatchId { get; init; }
    public required LogId ConnectionId { get; init; }
    /// <summary>Permanent is <c>B</c>, transient <c>T</c>.</summary>
    public required FailureKind Kind { get; init; }
    public required string RecipientLocalpart { get; init; }
    public required string RecipientDomain { get; init; }
    public required string SenderLocalpart { get; init; }
    public required string SenderDomain { get; init; }
    public required string BindingGroup { get; init; }
    public required string Binding { get; init; }
    public required DeliveryStage Stage { get; init; }
    /// <summary>Classification code (mta.md 7.6).</summary>
    public required int Classification { get; init; }
    /// <summary>Octets.</summary>
    public required long Size { get; init; }
    /// <summary>The bouncing host; <see langword="null"/> for an internal reason.</summary>
    public IPAddress? RemoteAddress { get; init; }
    public required string Reply { get; init; }

    public void FormatLine(LineBuffer buffer) => FieldRecord.FormatLine(this, buffer);

    public void FormatJson(LineBuffer buffer) => FieldRecord.FormatJson(this, "bounce"u8, buffer);

    void IFieldRecord.Fields<TWriter>(ref TWriter writer)
    {
        writer.Field("time"u8, Time);
        writer.Field("messageId"u8, MessageId);
        writer.Field("batchId"u8, BatchId);
        writer.Field("connectionId"u8, ConnectionId);
        writer.Field("type"u8, Kind is FailureKind.Permanent ? "B" : "T");
        writer.Field("recipientLocalpart"u8, RecipientLocalpart);
        writer.Field("recipientDomain"u8, RecipientDomain);
        writer.Field("senderLocalpart"u8, SenderLocalpart);
        writer.Field("senderDomain"u8, SenderDomain);
        writer.Field("bindingGroup"u8, BindingGroup);
        writer.Field("binding"u8, Binding);
        writer.Field("stage"u8, (int)Stage);
        writer.Field("classification"u8, Classification);
        writer.Field("size"u8, Size);
        writer.Field("remoteAddress"u8, RemoteAddress);
        writer.Field("reply"u8, Reply);
    }
}
