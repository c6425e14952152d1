using System.Text.Json;
using System.Text.Json.Serialization;

namespace Veredus.ConfigServer;

/// <summary>The health codes of a node that follows the configuration servers.</summary>
public static class FollowCodes
{
    /// <summary>A revision does not load here; the old one is in force.</summary>
    public const string NotLoaded = "CONFIG_NOT_LOADED";
    /// <summary>The subcluster takes no commits and gives no updates.</summary>
    public const string Conflict = "CONFIG_CONFLICT";
    /// <summary>Another revision than the servers', or local changes.</summary>
    public const string Drift = "CONFIG_DRIFT";
    /// <summary>No configuration server answers.</summary>
    public const string Unreachable = "CONFIG_UNREACHABLE";

    /// <summary>The servers' revision waits for <c>eccfg keep</c>.</summary>
    public const string Unconfirmed = "CONFIG_UNCONFIRMED";
    /// <summary>A configuration server's copy lags.</summary>
    public const string ReplicaBehind = "CONFIG_REPLICA_BEHIND";

    /// <summary>ERROR, WARN or INFO, as <c>veredus status</c> shows it.</summary>
    public static string Severity(string code) => code switch { NotLoaded or Conflict => "ERROR", Unconfirmed => "INFO", _ => "WARN" };
}

/// <summary>What a node runs, and why it is not what the servers have.</summary>
/// <param name="Revision">Of the subcluster's files in the working copy, <paramref name="Commit"/> and <paramref name="Global"/> as commits.</param>
/// <param name="Wanted">The servers' commit, where it is another.</param>
/// <param name="Code">One of <see cref="FollowCodes"/>; empty: all is well.</param>
/// <param name="Text">The error's text, with file and line.</param>
/// <param name="At">When it became so.</param>
/// <param name="Unconfirmed">What the servers say waits to be kept; null = nothing.</param>
/// <param name="Behind">Which servers lag; null = none.</param>
public sealed record FollowState(
    string Node, string Subcluster, int Revision, string Commit, string Global, string? Wanted, string Code, string Text, DateTimeOffset At, string? Unconfirmed = null, string? Behind = null)
{
    /// <summary>All that is to be known of it, as codes and texts.</summary>
    [JsonIgnore]
    public IEnumerable<(string Code, string Text)> Findings
    {
        get
        {
            if (Code.Length > 0)
                yield return (Code, Text);
            if (Behind is not null)
                yield return (FollowCodes.ReplicaBehind, Behind);
            if (Unconfirmed is not null)
                yield return (FollowCodes.Unconfirmed, Unconfirmed);
        }
    }

    /// <summary>Whether this node runs a commit of one of its two repositories.</summary>
    public bool Runs(string repository, string commit) => (repository == WorkingCopy.GlobalName ? Global : Commit) == commit;
}

/// <summary>A repository's head on a server, told to the nodes at once.</summary>
public sealed record HeadNotice(string Repository, int Revision, string Commit, bool Conflict);

/// <summary>A server asks what a commit would do on each node of its subcluster (of all, for <c>global</c>).</summary>
/// <param name="Server">Where the commit is.</param>
public sealed record PlanAsk(string Id, string Repository, string Commit, string Server);

/// <summary>A node's answer.</summary>
internal sealed record PlanReply(string Id, NodeEffect Effect);

/// <summary>
/// What is said in <see cref="Group"/>: servers tell their heads, nodes what they run. A group of its own, for in <c>ec_config</c> every member elects, and
/// in the cluster's group every member owns addresses.
/// </summary>
internal sealed record FollowMessage(HeadNotice? Head = null, FollowState? State = null, PlanAsk? Ask = null, PlanReply? Reply = null)
{
    public const string Group = "ec_config_nodes";

    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, FollowJson.Default.FollowMessage);

    /// <summary>Null for what no member of this version can have sent.</summary>
    public static FollowMessage? Parse(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return JsonSerializer.Deserialize(bytes, FollowJson.Default.FollowMessage);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(FollowMessage))]
[JsonSerializable(typeof(FollowState))]
internal sealed partial class FollowJson : JsonSerializerContext;
