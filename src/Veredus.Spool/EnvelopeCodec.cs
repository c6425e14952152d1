using System.Buffers;
using System.Net;

namespace Veredus.Spool;

/// <summary>Envelope to octets and back. Little-endian; integers of unknown size as LEB128 ("varint").</summary>
/// <remarks>
/// format u8 = 1 · presence u16 (bit 0 ORCPT, 1 ENVID, 2 routing override, 3 client, 4 local end, 5 origin, 6 connection ID, 7 transfer) ·
/// ID u64 · batch u64 · [connection u64] · received i64, µs since 1970 · NOTIFY u8 · RET u8 · body type u8 · flags u16 ·
/// [client] · [local end] · protocol, sender, recipient, binding group, binding · [ORCPT] · [ENVID] · [override] ·
/// [origin: guid 16 · u64 · u32] · both contexts (count varint, key, value) ·
/// [transfer: guid 16 · generation u32 · hops u8 · origin · from · tries u16 · last try i64, Unix s · code u16 · stage u8 · next try i64, Unix ms, 0 = none].
/// A string is a varint length and UTF-8. An endpoint is family u8 (4 or 6) · address · port u16 · (6 only) scope u32.
/// The record around it carries the CRC. What follows is ignored: room for later minor additions.
/// </remarks>
public static class EnvelopeCodec
{
    /// <summary>Version of the envelope format; a reader refuses a higher one.</summary>
    public const byte Format = 1;

    /// <summary>Upper bound of one encoded envelope; anything longer is refused on both sides.</summary>
    public const int MaxBytes = 1 << 20;

    private const int MaxContextEntries = 10_000;

    [Flags]
    private enum Has : ushort
    {
        OriginalRecipient = 1,
        EnvelopeId = 2,
        RoutingOverride = 4,
        ReceivedFrom = 8,
        ReceivedVia = 16,
        Origin = 32,
        ConnectionId = 64,
        Transfer = 128,
    }

    /// <summary>Appends the octets of <paramref name="envelope"/>.</summary>
    /// <exception cref="ArgumentException">The envelope is longer than <see cref="MaxBytes"/>.</exception>
    public static void Write(Envelope envelope, IBufferWriter<byte> target)
    {
        var size = MaxEncodedSize(envelope);
        if (size > MaxBytes)
            throw new ArgumentException($"The envelope of {envelope.Id} needs up to {size} octets; at most {MaxBytes} can be stored. Shorten its context.", nameof(envelope));
        target.Advance(Write(envelope, target.GetSpan(size)));
    }

    /// <summary>Octets that suffice for <see cref="Write(Envelope, Span{byte})"/>.</summary>
    internal static int MaxEncodedSize(Envelope envelope)
    {
        var size = 128L + Text(envelope.Protocol) + Text(envelope.Sender) + Text(envelope.Recipient) + Text(envelope.BindingGroup) + Text(envelope.Binding)
            + Text(envelope.OriginalRecipient) + Text(envelope.EnvelopeId) + Text(envelope.RoutingOverride) + Context(envelope.ConnectionContext) + Context(envelope.MessageContext)
            + (envelope.Transfer is { } transfer ? 64 + Text(transfer.Origin) + Text(transfer.From) : 0);
        return (int)Math.Min(size, int.MaxValue);

        static long Text(string? text) => text is null ? 0 : 5 + 3L * text.Length;

        static long Context(IReadOnlyDictionary<string, string> context)
        {
            var size = 5L;
            foreach (var (key, value) in context)
                size += Text(key) + Text(value);
            return context.Count <= MaxContextEntries ? size : int.MaxValue;
        }
    }

    internal static int Write(Envelope envelope, Span<byte> target)
    {
        var writer = new SpanWriter(target);
        writer.U8(Format);
        writer.U16((ushort)Present(envelope));
        writer.U64(envelope.Id.Value);
        writer.U64(envelope.BatchId.Value);
        if (envelope.ConnectionId != default)
            writer.U64(envelope.ConnectionId.Value);
        writer.U64((ulong)ToMicroseconds(envelope.Received));
        writer.U8((byte)envelope.Notify);
        writer.U8((byte)envelope.Return);
        writer.U8((byte)envelope.BodyType);
        writer.U16((ushort)envelope.Flags);
        if (envelope.ReceivedFrom is { } from)
            WriteEndPoint(ref writer, from);
        if (envelope.ReceivedVia is { } via)
            WriteEndPoint(ref writer, via);
        writer.Text(envelope.Protocol);
        writer.Text(envelope.Sender);
        writer.Text(envelope.Recipient);
        writer.Text(envelope.BindingGroup);
        writer.Text(envelope.Binding);
        if (envelope.OriginalRecipient is { } orcpt)
            writer.Text(orcpt);
        if (envelope.EnvelopeId is { } envid)
            writer.Text(envid);
        if (envelope.RoutingOverride is { } route)
            writer.Text(route);
        if (envelope.Origin is { } origin)
        {
            writer.Guid(origin.Source);
            writer.U64(origin.SourceId.Value);
            writer.U32(origin.SourceCrc);
        }
        WriteContext(ref writer, envelope.ConnectionContext);
        WriteContext(ref writer, envelope.MessageContext);
        if (envelope.Transfer is { } transfer)
            WriteTransfer(ref writer, transfer);
        return writer.Length;
    }

    /// <summary>Reads what <see cref="Write(Envelope, IBufferWriter{byte})"/> wrote; <see langword="false"/> for anything else, a higher format included.</summary>
    public static bool TryRead(ReadOnlySpan<byte> source, out Envelope envelope)
    {
        envelope = null!;
        var reader = new SpanReader(source);
        if (reader.U8() != Format)
            return false;
        var has = (Has)reader.U16();
        var id = reader.U64();
        var batch = reader.U64();
        var connection = has.HasFlag(Has.ConnectionId) ? reader.U64() : 0;
        var received = (long)reader.U64();
        var notify = (DsnNotify)reader.U8();
        var ret = (DsnReturn)reader.U8();
        var bodyType = (BodyType)reader.U8();
        var flags = (EnvelopeFlags)reader.U16();
        var from = has.HasFlag(Has.ReceivedFrom) ? ReadEndPoint(ref reader) : null;
        var via = has.HasFlag(Has.ReceivedVia) ? ReadEndPoint(ref reader) : null;
        var protocol = reader.Text();
        var sender = reader.Text();
        var recipient = reader.Text();
        var group = reader.Text();
        var binding = reader.Text();
        var orcpt = has.HasFlag(Has.OriginalRecipient) ? reader.Text() : null;
        var envid = has.HasFlag(Has.EnvelopeId) ? reader.Text() : null;
        var route = has.HasFlag(Has.RoutingOverride) ? reader.Text() : null;
        var origin = has.HasFlag(Has.Origin) ? new MessageOrigin(reader.Guid(), new(reader.U64()), reader.U32()) : null;
        var connectionContext = ReadContext(ref reader);
        var messageContext = ReadContext(ref reader);
        var transfer = has.HasFlag(Has.Transfer) ? ReadTransfer(ref reader) : null;
        if (reader.Failed || received is < MinMicroseconds or > MaxMicroseconds)
            return false;
        envelope = new()
        {
            Id = new(id),
            BatchId = new(batch),
            ConnectionId = new(connection),
            Received = DateTimeOffset.UnixEpoch.AddMicroseconds(received),
            ReceivedFrom = from,
            ReceivedVia = via,
            Protocol = protocol,
            Sender = sender,
            Recipient = recipient,
            OriginalRecipient = orcpt,
            Notify = notify,
            Return = ret,
            EnvelopeId = envid,
            BodyType = bodyType,
            Flags = flags,
            BindingGroup = group,
            Binding = binding,
            RoutingOverride = route,
            ConnectionContext = connectionContext,
            MessageContext = messageContext,
            Origin = origin,
            Transfer = transfer,
        };
        return true;
    }

    /// <summary>Reads only when the message came, in microseconds since 1970.</summary>
    internal static bool TryReadReceived(ReadOnlySpan<byte> source, out long received)
    {
        var reader = new SpanReader(source);
        var known = reader.U8() == Format;
        reader.Bytes(((Has)reader.U16()).HasFlag(Has.ConnectionId) ? 24 : 16);
        received = (long)reader.U64();
        return known && !reader.Failed && received is >= MinMicroseconds and <= MaxMicroseconds;
    }

    // Years 1 to 9999: what DateTimeOffset can hold.
    private const long MinMicroseconds = -62_135_596_800_000_000, MaxMicroseconds = 253_402_300_799_999_999;

    internal static long ToMicroseconds(DateTimeOffset time) => (time.UtcTicks - DateTimeOffset.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond;

    private static Has Present(Envelope envelope) =>
        (envelope.OriginalRecipient is null ? 0 : Has.OriginalRecipient)
        | (envelope.EnvelopeId is null ? 0 : Has.EnvelopeId)
        | (envelope.RoutingOverride is null ? 0 : Has.RoutingOverride)
        | (envelope.ReceivedFrom is null ? 0 : Has.ReceivedFrom)
        | (envelope.ReceivedVia is null ? 0 : Has.ReceivedVia)
        | (envelope.Origin is null ? 0 : Has.Origin)
        | (envelope.ConnectionId == default ? 0 : Has.ConnectionId)
        | (envelope.Transfer is null ? 0 : Has.Transfer);

    private static void WriteTransfer(ref SpanWriter writer, TransferState transfer)
    {
        writer.Guid(transfer.Lineage);
        writer.U32(transfer.Generation);
        writer.U8(transfer.Hops);
        writer.Text(transfer.Origin);
        writer.Text(transfer.From);
        var last = transfer.LastAttempt ?? default;
        writer.U16(last.Count);
        writer.U64((ulong)(last.Count == 0 ? 0 : last.Time.ToUnixTimeSeconds()));
        writer.U16(last.Code);
        writer.U8(last.Stage);
        writer.U64((ulong)(transfer.NextAttempt?.ToUnixTimeMilliseconds() ?? 0));
    }

    private static TransferState? ReadTransfer(ref SpanReader reader)
    {
        var (lineage, generation, hops, origin, from) = (reader.Guid(), reader.U32(), reader.U8(), reader.Text(), reader.Text());
        var (count, time, code, stage, next) = (reader.U16(), (long)reader.U64(), reader.U16(), reader.U8(), (long)reader.U64());
        if (!IsTime(time) || !IsTime(next / 1000))
            reader.Fail();
        return reader.Failed ? null : new(lineage, generation, hops, origin)
        {
            From = from,
            LastAttempt = count == 0 ? null : new(count, DateTimeOffset.FromUnixTimeSeconds(time), code, stage),
            NextAttempt = next == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(next),
        };

        static bool IsTime(long seconds) => seconds is >= MinMicroseconds / 1_000_000 and <= MaxMicroseconds / 1_000_000;
    }

    private static void WriteEndPoint(ref SpanWriter writer, IPEndPoint endPoint)
    {
        Span<byte> address = stackalloc byte[16];
        endPoint.Address.TryWriteBytes(address, out var length);
        writer.U8(length == 4 ? (byte)4 : (byte)6);
        writer.Bytes(address[..length]);
        writer.U16((ushort)endPoint.Port);
        if (length == 16)
            writer.U32((uint)endPoint.Address.ScopeId);
    }

    private static IPEndPoint? ReadEndPoint(ref SpanReader reader)
    {
        var family = reader.U8();
        if (family is not (4 or 6))
            reader.Fail();
        var address = reader.Bytes(family == 4 ? 4 : 16);
        var port = reader.U16();
        var scope = family == 4 ? 0 : reader.U32();
        return reader.Failed ? null : new(family == 4 ? new IPAddress(address) : new IPAddress(address, scope), port);
    }

    private static void WriteContext(ref SpanWriter writer, IReadOnlyDictionary<string, string> context)
    {
        writer.Varint((uint)context.Count);
        foreach (var (key, value) in context)
        {
            writer.Text(key);
            writer.Text(value);
        }
    }

    private static IReadOnlyDictionary<string, string> ReadContext(ref SpanReader reader)
    {
        var count = reader.Varint();
        if (count > MaxContextEntries)
            reader.Fail();
        if (count == 0 || reader.Failed)
            return Envelope.EmptyContext;
        var context = new Dictionary<string, string>((int)Math.Min(count, 64));
        for (; count > 0 && !reader.Failed; count--)
            context[reader.Text()] = reader.Text();
        return context;
    }
}
