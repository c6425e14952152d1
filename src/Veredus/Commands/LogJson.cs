using System.Text.Json;
using System.Text.Json.Serialization;

namespace Veredus.Commands;

/// <summary>One line of <c>log tail --json</c> and <c>log grep --json</c>.</summary>
internal sealed record LoggedLine(string Node, string Log, string Line);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(LoggedLine))]
internal sealed partial class LogJson : JsonSerializerContext
{
    public static string Serialize(LoggedLine line) => JsonSerializer.Serialize(line, Default.LoggedLine);
}
