using System.Buffers.Binary;
using System.Net;

namespace Veredus.Spool;

/// <summary>How the sender wants to hear about one recipient (RFC 3461 §4.1); <see cref="Unspecified"/> when RCPT had no NOTIFY.</summary>
[Flags]
public enum DsnNotify : byte
{
    Unspecified = 0,
    Never = 1,
    Success = 2,
    Failure = 4,
    Delay = 8,
}

/// <summary>How much of the message a failure DSN returns (RFC 3461 §4.3).</summary>
public enum DsnReturn : byte
{
    Unspecified = 0,
    Full = 1,
    Headers = 2,
}

/// <summary>The BODY parameter of MAIL (RFC 6152, RFC 3030).</summary>
public enum BodyType : byte
{
    Unspecified = 0,
    SevenBit = 1,
    EightBitMime = 2,
    BinaryMime = 3,
}

[Flags]
public enum EnvelopeFlags : ushort
{
    None = 0,

    /// <summary>The body has octets above 127.</summary>
    EightBit = 1,

    /// <summary>An address or a header needs SMTPUTF8 (RFC 6531).</summary>
    SmtpUtf8 = 2,

    /// <summary>No Received line was added and none shall be.</summary>
    TraceSuppressed = 4,

    /// <summary>A DSN of this system: never bounced again.</summary>
    Bounce = 8,

    /// <summary>No line of the body begins with a dot, so that DATA needs no dot-stuffing (RFC 5321 §4.5.2).</summary>
    NoLeadingDots = 16,

    /// <summary>Every line of the body ends in CRLF and none is longer than 998 octets.</summary>
    CleanLines = 32,
}

/// <summary>Where a message came from that was moved or imported, so that a repeated transfer is recognised.</summary>
/// <param name="Source">Identity of the spool (import) or the transfer id (move between nodes).</param>
/// <param name="SourceId">The message's ID there.</param>
/// <param name="SourceCrc">CRC-32C of the body there.</param>
public sealed record MessageOrigin(Guid Source, MessageId SourceId, uint SourceCrc);

/// <summary>What a message has gone through between the nodes of a cluster; it goes with the message.</summary>
/// <param name="Lineage">Names the message in the whole cluster, from the first move on: made from the spool that it left and its ID there.</param>
/// <param name="Generation">How often it was moved: a copy with a higher one came later.</param>
/// <param name="Hops">Moves since somebody owned its binding or kept it for a while.</param>
/// <param name="Origin">The node that accepted it from outside.</param>
public sealed record TransferState(Guid Lineage, uint Generation, byte Hops, string Origin)
{
    /// <summary>The node that handed it over last; empty: none.</summary>
    public string From { get; init; } = "";

    /// <summary>The last try before the move.</summary>
    public AttemptRecord? LastAttempt { get; init; }

    /// <summary>When it shall be tried next, as planned before the move; <see langword="null"/>: at once.</summary>
    public DateTimeOffset? NextAttempt { get; init; }

    /// <summary>The name of a message that leaves the spool where it was accepted: that spool's identity with the ID in its lower half.</summary>
    public static Guid LineageOf(Guid spool, MessageId id)
    {
        Span<byte> octets = stackalloc byte[16];
        spool.TryWriteBytes(octets);
        var lower = octets[8..];
        BinaryPrimitives.WriteUInt64LittleEndian(lower, BinaryPrimitives.ReadUInt64LittleEndian(lower) ^ id.Value);
        return new(octets);
    }
}

/// <summary>Everything about a message except its octets: one body for exactly one recipient. Its size is <see cref="StoredMessage.Size"/>.</summary>
/// <remarks>Two envelopes are equal only if they share the same context dictionaries; the codec keeps content, not identity.</remarks>
public sealed record Envelope
{
    public required MessageId Id { get; init; }

    /// <summary>ID of the first message of the transaction.</summary>
    public required MessageId BatchId { get; init; }

    /// <summary>Zero for a message that no connection brought.</summary>
    public MessageId ConnectionId { get; init; }

    /// <summary>Wall clock, kept to the microsecond, in UTC.</summary>
    public required DateTimeOffset Received { get; init; }

    /// <summary>The client, or <see langword="null"/> for a message made here.</summary>
    public IPEndPoint? ReceivedFrom { get; init; }

    /// <summary>The local end of the client's connection.</summary>
    public IPEndPoint? ReceivedVia { get; init; }

    /// <summary>As in the Received line and the logs: ESMTPS, import, xfer, internal, ….</summary>
    public required string Protocol { get; init; }

    /// <summary>Empty for the null sender.</summary>
    public required string Sender { get; init; }

    public required string Recipient { get; init; }

    /// <summary>ORCPT as given, with its address type and still in xtext (RFC 3461 §4.2).</summary>
    public string? OriginalRecipient { get; init; }

    public DsnNotify Notify { get; init; }

    public DsnReturn Return { get; init; }

    /// <summary>ENVID as given, still in xtext (RFC 3461 §4.4).</summary>
    public string? EnvelopeId { get; init; }

    public BodyType BodyType { get; init; }

    public EnvelopeFlags Flags { get; init; }

    public required string BindingGroup { get; init; }

    public required string Binding { get; init; }

    /// <summary>Domain to queue under instead of the recipient's; the recipient stays as it is.</summary>
    public string? RoutingOverride { get; init; }

    public IReadOnlyDictionary<string, string> ConnectionContext { get; init; } = EmptyContext;

    public IReadOnlyDictionary<string, string> MessageContext { get; init; } = EmptyContext;

    public MessageOrigin? Origin { get; init; }

    /// <summary><see langword="null"/>: it was never moved.</summary>
    public TransferState? Transfer { get; init; }

    /// <summary>A context without entries.</summary>
    public static IReadOnlyDictionary<string, string> EmptyContext { get; } = new Dictionary<string, string>();
}
