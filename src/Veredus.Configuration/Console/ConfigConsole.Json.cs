using System.Text.Json;

namespace Veredus.Configuration;

public sealed partial class ConfigConsole
{
    /// <summary>
    /// As <see cref="ExecuteAsync"/>, with the answer as JSON: an object for <c>get</c>, <c>eval</c>, <c>show</c> and
    /// <c>showrecurse</c>, an array for <c>locate</c> and <c>replay</c>, <c>{ "text" }</c> for what only acts. Errors stay text.
    /// </summary>
    public async Task<ConsoleResult> ExecuteJsonAsync(string line, CancellationToken cancellationToken = default)
    {
        var words = new CommandLine(line);
        words.TakeWord("config");
        var verb = words.Word()?.ToLowerInvariant();
        var result = await ExecuteAsync(line, cancellationToken);
        if (!result.IsOk)
            return result;
        words.TakeWord("--explain");
        return ConsoleResult.Ok(ConfigurationTools.Json(json =>
        {
            switch (verb)
            {
                case "get" or "eval":
                    WriteOption(json, words.Path(), effective: verb == "eval");
                    break;
                case "show" or "showrecurse" when words.Path() is { Option: null } path:
                    WriteScope(json, path, recurse: verb == "showrecurse");
                    break;
                case "locate":
                    WriteLines(json, result.Text.Split('\n').Where(l => l.StartsWith("  is at ", StringComparison.Ordinal)).Select(l => l[8..]));
                    break;
                case "replay":
                    WriteLines(json, result.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries));
                    break;
                default:
                    json.WriteStartObject();
                    json.WriteString("text", result.Text);
                    json.WriteEndObject();
                    break;
            }
        }));
    }

    private void WriteOption(Utf8JsonWriter json, ConsolePath path, bool effective)
    {
        var resolved = effective ? Evaluation.Effective(Working, path.Steps, path.Option!) : ConfigurationEdit.Locate(Working.Root, path.Steps)?.Find(path.Option!);
        json.WriteStartObject();
        json.WriteString("option", path.Option!.Name);
        json.WriteBoolean("set", resolved is { IsSet: true });
        json.WritePropertyName("value");
        if (resolved?.Raw is { } raw)
            ConfigurationTools.WriteValue(json, Masking.Show(path.Option, raw));
        else if (resolved is not null && (path.Option.DefaultText.Length > 0 || resolved is Resolved<int>))
            json.WriteStringValue(Value(resolved));
        else
            json.WriteNullValue();
        if (resolved is { IsSet: true })
        {
            json.WriteString("scope", resolved.ScopeId.Path);
            json.WriteString("at", resolved.Position.ToString());
        }
        json.WriteEndObject();
    }

    private void WriteScope(Utf8JsonWriter json, ConsolePath path, bool recurse)
    {
        json.WriteStartObject();
        ConfigurationTools.WriteBody(json, ConfigurationEdit.Locate(Working.Root, path.Steps)!, recurse);
        json.WriteEndObject();
    }

    private static void WriteLines(Utf8JsonWriter json, IEnumerable<string> lines)
    {
        json.WriteStartArray();
        foreach (var line in lines)
            json.WriteStringValue(line);
        json.WriteEndArray();
    }
}
