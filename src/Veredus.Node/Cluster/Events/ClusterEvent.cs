using System.Text.Json;
using System.Text.Json.Serialization;

namespace Veredus.Node;

/// <summary>A step of a placement: when, and what.</summary>
public sealed record EventStep(DateTimeOffset At, string Text);

/// <summary>Something that happened in the cluster, as this node saw it. A line of the event log; what <c>veredus events --json</c> shows.</summary>
public sealed record ClusterEvent
{
    public const string Placement = "placement", Membership = "membership", Operator = "operator", Warning = "warning";

    /// <summary>All kinds, for checks of what was asked for.</summary>
    public static readonly IReadOnlyList<string> Kinds = [Placement, Membership, Operator, Warning];

    /// <summary>Counts this node's events, over restarts.</summary>
    public long Id { get; init; }
    public required DateTimeOffset At { get; init; }
    /// <summary>One of <see cref="Kinds"/>.</summary>
    public required string Kind { get; init; }
    /// <summary>In one sentence.</summary>
    public required string Text { get; init; }
    /// <summary>Membership: whom it is about.</summary>
    public string? Node { get; init; }
    /// <summary>Placement: the address.</summary>
    public string? Address { get; init; }
    /// <summary>Placement: the owner before; empty if there was none.</summary>
    public string? From { get; init; }
    /// <summary>Placement: the owner now; empty if there is none.</summary>
    public string? To { get; init; }
    /// <summary>Placement: the rule by which it is there.</summary>
    public string? Rule { get; init; }
    /// <summary>Placement: what made the change.</summary>
    public string? Reason { get; init; }
    /// <summary>Who ordered it.</summary>
    public string? By { get; init; }
    /// <summary>The reason that was given, or why it is unmanaged.</summary>
    public string? Why { get; init; }
    public string? View { get; init; }
    public IReadOnlyList<EventStep>? Steps { get; init; }

    /// <summary>From the first step to the last; <see langword="null"/> where fewer than two are known.</summary>
    [JsonIgnore]
    public TimeSpan? Took => Steps is { Count: > 1 } steps ? steps[^1].At - steps[0].At : null;
}

/// <summary>The answer to <c>cluster events</c>.</summary>
/// <param name="Last">The newest id there is: ask for what comes after it.</param>
public sealed record ClusterEvents(IReadOnlyList<ClusterEvent> Events, long Last);

/// <summary>Events as JSON: one line each.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, Converters = [typeof(UtcTime)], DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ClusterEvent))]
[JsonSerializable(typeof(ClusterEvents))]
public sealed partial class EventJson : JsonSerializerContext
{
    public static string Serialize(ClusterEvent one) => JsonSerializer.Serialize(one, Default.ClusterEvent);

    public static string Serialize(ClusterEvents many) => JsonSerializer.Serialize(many, Default.ClusterEvents);

    /// <summary><see langword="null"/> for a line that is torn or none of ours.</summary>
    public static ClusterEvent? TryRead(string line)
    {
        try
        {
            return JsonSerializer.Deserialize(line, Default.ClusterEvent) is { Kind: not null, Text: not null, Id: > 0 } read ? read : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
