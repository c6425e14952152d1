using System.Text.Json;
using System.Text.Json.Serialization;
using Veredus.Control.Commands;

namespace Veredus.Commands;

internal sealed record StatusData(string Node, string Version, string Severity, NodeSummary Summary, IReadOnlyList<StatusCommand.Problem> Problems, System.Text.Json.Nodes.JsonNode? Logs = null);

internal sealed record ClusterStatusData(ClusterStatus.Snapshot Status, string Severity);

/// <param name="Damaged">Places of the spool that cannot be read.</param>
internal sealed record SpoolData(IReadOnlyList<SpoolList.Line> Items, long Total, long Damaged);

internal sealed record DoctorData(IReadOnlyList<DoctorCommand.Finding> Findings);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(StatusData))]
[JsonSerializable(typeof(ClusterStatusData))]
[JsonSerializable(typeof(ConfigServer.FollowState))]
[JsonSerializable(typeof(DoctorData))]
[JsonSerializable(typeof(SpoolData))]
internal sealed partial class StatusJson : JsonSerializerContext
{
    public static string Serialize(StatusData data) => JsonSerializer.Serialize(data, Default.StatusData);

    public static string Serialize(ClusterStatus.Snapshot status, string severity) => JsonSerializer.Serialize(new(status, severity), Default.ClusterStatusData);

    public static string Serialize(SpoolData data) => JsonSerializer.Serialize(data, Default.SpoolData);

    public static string Serialize(DoctorData data) => JsonSerializer.Serialize(data, Default.DoctorData);
}
