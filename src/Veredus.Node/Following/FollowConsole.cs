using System.Text.Json;
using System.Text.Json.Serialization;
using Veredus.ConfigServer;
using Veredus.Control;

namespace Veredus.Node;

/// <summary>The console's commands about the working copy and its servers.</summary>
internal sealed class FollowConsole(ConfigFollowing following)
{
    public IEnumerable<ControlCommand> Commands =>
    [
        new("config status", "", "revision of the working copy, and what keeps it from the servers' state", (call, _) => new(Answer(call, following.Follower?.State))) { HasJson = true },
        new("config pull", "", "looks at the servers now and loads what is new", PullAsync) { HasJson = true },
    ];

    private async ValueTask<ControlAnswer> PullAsync(ControlCall call, CancellationToken cancellationToken) =>
        Answer(call, following.Follower is { } follower ? await follower.PullNowAsync(cancellationToken) : null);

    private ControlAnswer Answer(ControlCall call, FollowState? state)
    {
        if (following.Follower is null)
            return ControlAnswer.NotFound($"this node follows no configuration server: there is no {Path.Combine(following.Etc, ClusterBoot.FileName)}; 'eccfg bootstrap' makes it");
        if (state is null)
            return ControlAnswer.Error(ControlErrors.Conflict, "the servers have not been asked yet; try again in a moment");
        if (call.Json)
            return ControlAnswer.Body(JsonSerializer.Serialize(state, FollowStateJson.Default.FollowState));
        List<string> lines = [$"{state.Node} of {state.Subcluster}: revision {state.Revision} ({state.Commit[..7]}) since {state.At.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z"];
        if (state.Wanted is { } wanted)
            lines.Add($"the servers have {wanted[..7]}");
        foreach (var (code, text) in state.Findings)
            lines.AddRange($"{FollowCodes.Severity(code)} {code}: {text}".Split('\n'));
        return ControlAnswer.Body(lines);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(FollowState))]
internal sealed partial class FollowStateJson : JsonSerializerContext;
