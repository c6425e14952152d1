using System.Text.Json;
using System.Text.Json.Serialization;

namespace Veredus.Control;

internal sealed record HelpEntry(string Name, string Arguments, string Summary, bool Json);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(List<HelpEntry>))]
internal sealed partial class ControlJson : JsonSerializerContext
{
    public static string Help(IEnumerable<ControlCommand> commands) => JsonSerializer.Serialize(
        [.. commands.Select(command => new HelpEntry(command.Name, command.Arguments, command.Summary, command.HasJson))], Default.ListHelpEntry);
}
