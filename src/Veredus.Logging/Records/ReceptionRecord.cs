using System.Net;

namespace Veredus.Logging;

/// <summary>mainlog <c>R</c>: one message was received and is durable.</summary>
public readonly record struct ReceptionRecord : ILogRecord, IFieldRecord
{
    /// <summary>When it was received, in Unix seconds.</summary>
    public required long Time { get; init; }
    public required LogId MessageId { get; init; }
    public required LogId BatchId { get; init; }
    public required LogId ConnectionId { get; init; }
    public required string RecipientLocalpart { get; init; }
    public required string RecipientDomain { get; init; }
    /// <summary>Empty for the null sender, like <see cref="SenderDomain"/>.</summary>
    public required string SenderLocalpart { get; init; }
    public required string SenderDomain { get; init; }
    /// <summary>Bare address of the client; <see langword="null"/> is empty, and <c>unknown</c> when <see cref="Protocol"/> is <c>rest</c>.</summary>
    public IPAddress? ClientAddress { get; init; }
    /// <summary>Octets.</summary>
    public required long Size { get; init; }
    /// <summary><c>esmtp</c>, <c>lmtp</c>, <c>rest</c>, <c>xfer</c>, <c>internal</c> or <c>import</c>.</summary>
    public required string Protocol { get; init; }
    public required string BindingGroup { get; init; }
    public required string Binding { get; init; }

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
        writer.Field("type"u8, "R");
        writer.Field("recipientLocalpart"u8, RecipientLocalpart);
        writer.Field("recipientDomain"u8, RecipientDomain);
        writer.Field("senderLocalpart"u8, SenderLocalpart);
        writer.Field("senderDomain"u8, SenderDomain);
        if (ClientAddress is null && Protocol == "rest")
            writer.Field("clientAddress"u8, "unknown");
        else
            writer.Field("clientAddress"u8, ClientAddress);
        writer.Field("size"u8, Size);
        writer.Field("protocol"u8, Protocol);
        writer.Field("bindingGroup"u8, BindingGroup);
        writer.Field("binding"u8, Binding);
    }
}
