using System.Text.Json;
using System.Text.Json.Serialization;

namespace Veredus.ConfigServer;

/// <summary>What configuration servers say to each other in <c>ec_config</c>.</summary>
/// <param name="Repository">Which repository it is about; null for a hello and for users.</param>
/// <param name="Leader">With an override that ends: the master for the moment.</param>
/// <param name="Users">The sender's file of users.</param>
internal sealed record BusMessage(string? Repository, ServerInfo? Hello = null, WireReport? Report = null, MasterOverride? Override = null, string? Freeze = null, string? Users = null, string? Leader = null)
{
    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, BusJson.Default.BusMessage);

    /// <summary>Null for what no server of this version can have sent.</summary>
    public static BusMessage? Parse(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return JsonSerializer.Deserialize(bytes, BusJson.Default.BusMessage);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>A server: its name, where it listens, and the certificate it shows.</summary>
public sealed record ServerInfo(string Name, string Host, int Port, string Certificate)
{
    [JsonIgnore]
    public string Url => $"https://{Host}:{Port}";
}

internal sealed record WireReport(string Server, int Revision, string Commit, Dictionary<string, bool> Contains, bool ClaimsMaster, long Term, MasterOverride Override, string[] Conflict)
{
    public static WireReport Of(ServerReport report) => new(
        report.Server, report.Head.Revision, report.Head.Commit.Hex, report.Contains.ToDictionary(), report.ClaimsMaster, report.Term, report.Override, [.. report.Conflict]);

    public ServerReport? ToReport() => !CommitId.IsValid(Commit) || Server is null || Contains is null || Override is null || Conflict is null ? null
        : new(Server, new(Revision, new(Commit)), System.Collections.Immutable.ImmutableDictionary.CreateRange(Contains), ClaimsMaster, Term, Override, [.. Conflict]);
}

internal sealed record WireMemory(long Term, bool WasMaster, MasterOverride Override, string[] Conflict);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(BusMessage))]
[JsonSerializable(typeof(WireMemory))]
[JsonSerializable(typeof(string[]))]
internal sealed partial class BusJson : JsonSerializerContext;
