using System.Net;

namespace Veredus.Logging;

/// <summary>How a message left this node for good.</summary>
public enum DeliveryKind
{
    /// <summary><c>D</c>: a remote host took it.</summary>
    Delivered,
    /// <summary><c>X</c>: another node of the cluster took it and logs <c>R</c> with <c>xfer</c>.</summary>
    HandedOver,
}

/// <summary>mainlog <c>D</c> and <c>X</c>: one message left.</summary>
public readonly record struct DeliveryRecord : ILogRecord, IFieldRecord
{
    /// <summary>When it was confirmed, in Unix seconds.</summary>
    public required long Time { get; init; }
    public required LogId MessageId { get; init; }
    public required LogId BatchId { get; init; }
    public required LogId ConnectionId { get; init; }
    public required DeliveryKind Kind { get; init; }
    /// <summary>The routing domain.</summary>
    public required string Domain { get; init; }
    /// <summary>Octets delivered.</summary>
    public required long Size { get; init; }
    public required string BindingGroup { get; init; }
    public required string Binding { get; init; }
    /// <summary>Retries so far; 0 for success at the first attempt.</summary>
    public required int Retries { get; init; }
    public required TimeSpan SinceReception { get; init; }
    /// <summary>The host that took it.</summary>
    public required IPAddress? RemoteAddress { get; init; }

    /// <summary>For own formats only; not a part of the line.</summary>
    public MailFacts Facts { get; init; }

    public void FormatLine(LineBuffer buffer) => FieldRecord.FormatLine(this, buffer);

    public void FormatJson(LineBuffer buffer) => FieldRecord.FormatJson(this, "main"u8, buffer);

    void IFieldRecord.Fields<TWriter>(ref TWriter writer)
    {
        writer.Field("time"u8, Time);
        writer.Field("messageId"u8, MessageId);
        writer.Field("batchId"u8, BatchId);
        writer.Field("connectionId"u8, ConnectionId);
        writer.Field("type"u8, Kind is DeliveryKind.HandedOver ? "X" : "D");
        writer.Field("domain"u8, Domain);
        writer.Field("size"u8, Size);
        writer.Field("bindingGroup"u8, BindingGroup);
        writer.Field("binding"u8, Binding);
        writer.Field("retries"u8, Retries);
        writer.Field("sinceReception"u8, SinceReception);
        writer.Field("remoteAddress"u8, RemoteAddress);
    }
}
