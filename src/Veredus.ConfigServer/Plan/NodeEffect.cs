using System.Text.Json.Serialization;

namespace Veredus.ConfigServer;

/// <summary>One option that a revision would change, as the console writes it; secrets are masked.</summary>
public sealed record OptionChange(string Path, string? Old, string? New);

/// <summary>What a node's configuration says of a virtual address.</summary>
/// <param name="Unit">The address that is elected: itself, or the one it follows.</param>
/// <param name="Preference">The node it prefers; empty = none.</param>
/// <param name="CanPlace">Its host has a place for it.</param>
public sealed record PlannedAddress(string Address, string Unit, IReadOnlyList<string> Services, IReadOnlyList<string> Names, string Preference, bool CanPlace);

/// <summary>What a revision would do on one node, found out there: read, checked and prepared for as a reload would, and given up again.</summary>
/// <param name="Errors">Why it does not load; empty: it loads.</param>
/// <param name="Restart">What would be used only after a restart.</param>
/// <param name="Before">The virtual addresses of the configuration in force.</param>
/// <param name="Owned">Those that this node has now.</param>
public sealed record NodeEffect(
    string Node, string Subcluster, IReadOnlyList<string> Errors, IReadOnlyList<string> Warnings, IReadOnlyList<OptionChange> Options,
    IReadOnlyList<string> ListenersOpened, IReadOnlyList<string> ListenersClosed, IReadOnlyList<string> BindingsAdded, IReadOnlyList<string> BindingsRemoved, IReadOnlyList<string> BindingsChanged,
    IReadOnlyList<string> Restart, IReadOnlyList<PlannedAddress> Before, IReadOnlyList<PlannedAddress> After, IReadOnlyList<string> Owned)
{
    [JsonIgnore]
    public bool Loads => Errors.Count == 0;

    /// <summary>A node that can't take the revision.</summary>
    public static NodeEffect Refusing(string node, string subcluster, IReadOnlyList<string> errors) => new(node, subcluster, errors, [], [], [], [], [], [], [], [], [], [], []);
}

/// <summary>What came from one node.</summary>
/// <param name="Effect">Null: it has not answered, see <paramref name="Problem"/>.</param>
public sealed record PlanAnswer(string Node, NodeEffect? Effect, string? Problem);

/// <summary>The answers of all nodes of a subcluster.</summary>
public sealed record PlanAnswers(string Repository, string Commit, IReadOnlyList<PlanAnswer> Nodes);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(NodeEffect))]
[JsonSerializable(typeof(PlanAnswers))]
[JsonSerializable(typeof(PlanSummary))]
public sealed partial class PlanJson : JsonSerializerContext;
