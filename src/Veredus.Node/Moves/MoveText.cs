using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Veredus.Spool;

namespace Veredus.Node.Moves;

/// <summary>Argument of XECMMOVE: all that is known of a message but its octets.</summary>
internal sealed record MoveText
{
    /// <summary>A node refuses a higher one.</summary>
    public const int CurrentVersion = 1;

    public int V { get; init; }
    public Guid Transfer { get; init; }
    public uint Generation { get; init; }
    public byte Hops { get; init; }
    public string Origin { get; init; } = "";
    public string Id { get; init; } = "";
    public string Batch { get; init; } = "";
    public string? Connection { get; init; }

    /// <summary>Microseconds since 1970.</summary>
    public long Received { get; init; }
    public string? From { get; init; }
    public string? Via { get; init; }
    public string Protocol { get; init; } = "";
    public string Sender { get; init; } = "";
    public string Recipient { get; init; } = "";
    public string? Orcpt { get; init; }
    public byte Notify { get; init; }
    public byte Ret { get; init; }
    public string? Envid { get; init; }
    public byte Body { get; init; }
    public ushort Flags { get; init; }
    public string Group { get; init; } = "";
    public string Binding { get; init; } = "";
    public string? Route { get; init; }
    public Dictionary<string, string>? ConnectionContext { get; init; }
    public Dictionary<string, string>? MessageContext { get; init; }
    public ushort Attempts { get; init; }

    /// <summary>Unix seconds.</summary>
    public long LastTry { get; init; }
    public ushort Code { get; init; }
    public byte Stage { get; init; }

    /// <summary>Unix milliseconds; 0: at once.</summary>
    public long NextTry { get; init; }
    public long Size { get; init; }

    public static string Write(Envelope envelope, long size, Guid lineage, uint generation, int hops, string origin, AttemptRecord? last, DateTimeOffset? nextTry) => JsonSerializer.Serialize(new MoveText
    {
        V = CurrentVersion,
        Transfer = lineage,
        Generation = generation,
        Hops = (byte)hops,
        Origin = origin,
        Id = envelope.Id.ToString(),
        Batch = envelope.BatchId.ToString(),
        Connection = envelope.ConnectionId.Value == 0 ? null : envelope.ConnectionId.ToString(),
        Received = (envelope.Received.UtcTicks - DateTimeOffset.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond,
        From = envelope.ReceivedFrom?.ToString(),
        Via = envelope.ReceivedVia?.ToString(),
        Protocol = envelope.Protocol,
        Sender = envelope.Sender,
        Recipient = envelope.Recipient,
        Orcpt = envelope.OriginalRecipient,
        Notify = (byte)envelope.Notify,
        Ret = (byte)envelope.Return,
        Envid = envelope.EnvelopeId,
        Body = (byte)envelope.BodyType,
        Flags = (ushort)envelope.Flags,
        Group = envelope.BindingGroup,
        Binding = envelope.Binding,
        Route = envelope.RoutingOverride,
        ConnectionContext = Copy(envelope.ConnectionContext),
        MessageContext = Copy(envelope.MessageContext),
        Attempts = last?.Count ?? 0,
        LastTry = last?.Time.ToUnixTimeSeconds() ?? 0,
        Code = last?.Code ?? 0,
        Stage = last?.Stage ?? 0,
        NextTry = nextTry?.ToUnixTimeMilliseconds() ?? 0,
        Size = size,
    }, MoveJson.Default.MoveText);

    /// <summary>Reads what another node wrote; <see langword="null"/>, with why, for anything else.</summary>
    /// <param name="version">As the text says, also of a version that is not known here; 0: it says none.</param>
    public static MoveText? Read(string text, out int version, out string problem)
    {
        (version, problem) = (0, "");
        try
        {
            var read = JsonSerializer.Deserialize(text, MoveJson.Default.MoveText);
            version = read?.V ?? 0;
            problem = read is null ? "nothing" : version != CurrentVersion ? OtherVersion(version)
                : !MessageId.TryParse(read.Id, out _) || !MessageId.TryParse(read.Batch, out _) || (read.Connection is { } connection && !MessageId.TryParse(connection, out _)) ? "an ID that is none"
                : read.Transfer == Guid.Empty || read.Recipient.Length == 0 || read.Binding.Length == 0 || read.Group.Length == 0 ? "no transfer, recipient or binding"
                : (read.From is { } from && !IPEndPoint.TryParse(from, out _)) || (read.Via is { } via && !IPEndPoint.TryParse(via, out _)) ? "an address that is none"
                : !IsTime(read.Received / 1_000_000) || !IsTime(read.LastTry) || !IsTime(read.NextTry / 1000) ? "a time that is none"
                : "";
            return problem.Length == 0 ? read : null;
        }
        catch (JsonException e)
        {
            var said = VersionOf(text);
            version = said ?? 0;
            problem = said is null or CurrentVersion ? e.Message : OtherVersion(version);
            return null;
        }

        static bool IsTime(long seconds) => seconds is >= 0 and < 253_402_300_799;
        static string OtherVersion(int version) => $"version {version}; this node speaks version {CurrentVersion}";
    }

    /// <summary>Of a text that is no <see cref="MoveText"/>: another version may look otherwise. <see langword="null"/>: the text is no JSON.</summary>
    private static int? VersionOf(string text)
    {
        try
        {
            using var json = JsonDocument.Parse(text);
            return json.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("v", out var version) && version.ValueKind is JsonValueKind.Number && version.TryGetInt32(out var number) ? number : 0;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <param name="id">In this spool.</param>
    /// <param name="from">The node that hands it over.</param>
    public Envelope ToEnvelope(MessageId id, string from) => new()
    {
        Id = id,
        BatchId = MessageId.Parse(Batch),
        ConnectionId = Connection is null ? default : MessageId.Parse(Connection),
        Received = DateTimeOffset.UnixEpoch.AddMicroseconds(Received),
        ReceivedFrom = From is null ? null : IPEndPoint.Parse(From),
        ReceivedVia = Via is null ? null : IPEndPoint.Parse(Via),
        Protocol = Protocol,
        Sender = Sender,
        Recipient = Recipient,
        OriginalRecipient = Orcpt,
        Notify = (DsnNotify)Notify,
        Return = (DsnReturn)Ret,
        EnvelopeId = Envid,
        BodyType = (BodyType)Body,
        Flags = (EnvelopeFlags)Flags,
        BindingGroup = Group,
        Binding = Binding,
        RoutingOverride = Route,
        ConnectionContext = ConnectionContext ?? Envelope.EmptyContext,
        MessageContext = MessageContext ?? Envelope.EmptyContext,
        Transfer = new(Transfer, Generation, (byte)(Hops + 1), Origin)
        {
            From = from,
            LastAttempt = Attempts == 0 ? null : new(Attempts, DateTimeOffset.FromUnixTimeSeconds(LastTry), Code, Stage),
            NextAttempt = NextTry == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(NextTry),
        },
    };

    private static Dictionary<string, string>? Copy(IReadOnlyDictionary<string, string> context) => context.Count == 0 ? null : new(context);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(MoveText))]
internal sealed partial class MoveJson : JsonSerializerContext;
