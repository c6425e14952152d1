using System.Net;

namespace Veredus.Logging;

/// <summary>Whether a message will be tried again.</summary>
public enum FailureKind
{
    /// <summary><c>T</c>: it waits for its next attempt.</summary>
    Transient,
    /// <summary><c>P</c>: it is given up.</summary>
    Permanent,
}

/// <summary>mainlog <c>T</c> and <c>P</c>: one attempt failed.</summary>
public readonly record struct FailureRecord : ILogRecord, IFieldRecord
{
    /// <summary>When it failed, in Unix seconds.</summary>
    public required long Time { get; init; }
    public required LogId MessageId { get; init; }
    public required LogId BatchId { get; init; }
    public required LogId ConnectionId { get; init; }
    public required FailureKind Kind { get; init; }
    /// <summary>The routing domain.</summary>
    public required string Domain { get; init; }
    /// <summary>Octets sent before the failure; 0 without a connection.</summary>
    public required long BytesSent { get; init; }
    public required string BindingGroup { get; init; }
    public required string Binding { get; init; }
    public required DeliveryStage Stage { get; init; }
    /// <summary>Retries so far; 0 for the first attempt.</summary>
    public required int Retries { get; init; }
    public required TimeSpan SinceReception { get; init; }
    /// <summary>The refusing host; <see langword="null"/> for an internal reason.</summary>
    public IPAddress? RemoteAddress { get; init; }
    /// <summary>The reply with its code; lines joined with a blank.</summary>
    public required string Reply { get; init; }

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
        writer.Field("type"u8, Kind is FailureKind.Permanent ? "P" : "T");
        writer.Field("domain"u8, Domain);
        writer.Field("bytesSent"u8, BytesSent);
        writer.Field("bindingGroup"u8, BindingGroup);
        writer.Field("binding"u8, Binding);
        writer.Field("stage"u8, (int)Stage);
        writer.Field("retries"u8, Retries);
        writer.Field("sinceReception"u8, SinceReception);
        writer.Field("remoteAddress"u8, RemoteAddress);
        writer.Field("reply"u8, Reply);
    }
}
