using System.Text;
using System.Text.Json;

namespace Veredus.Configuration;

/// <summary>What <c>validate_config</c> and <c>ec_dump_config</c> do.</summary>
public static class ConfigurationTools
{
    /// <summary>
    /// Checks a configuration. Prints <c>Configuration valid</c> (0) or <c>No configuration found</c> (2) on
    /// <paramref name="output"/>; errors go to <paramref name="errors"/> (1), warnings too.
    /// </summary>
    /// <param name="file">Null = the node's main file.</param>
    /// <returns>The exit code.</returns>
    public static int Validate(ConfigurationLoader loader, string? file, TextWriter output, TextWriter errors)
    {
        if ((file is null ? loader.LocateNodeFile() : loader.Locate(file)) is not { } path)
        {
            output.WriteLine("No configuration found");
            return 2;
        }
        var result = loader.Load(path, checkResources: true);
        foreach (var finding in result.Diagnostics)
            errors.WriteLine(finding);
        if (!result.Success)
            return 1;
        output.WriteLine("Configuration valid");
        return 0;
    }

    /// <summary>
    /// The configuration as JSON: <c>{ "file", "files", "settings": { Name: value }, "scopes": [ { "scope", "instance", "at",
    /// "settings", "scopes" } ] }</c>. A value is a text, an array or an object; secrets are masked.
    /// </summary>
    public static string DumpJson(ConfigurationSnapshot snapshot) => Json(json =>
    {
        json.WriteStartObject();
        json.WriteString("file", snapshot.MainFile);
        json.WriteStartArray("files");
        foreach (var file in snapshot.Files)
            json.WriteStringValue(file.Path);
        json.WriteEndArray();
        WriteBody(json, snapshot.Root, recurse: true);
        json.WriteEndObject();
    });

    internal static string Json(Action<Utf8JsonWriter> write)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            write(json);
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    /// <summary>Settings and child scopes; without <paramref name="recurse"/> the children have only their names.</summary>
    internal static void WriteBody(Utf8JsonWriter json, ScopeNode scope, bool recurse)
    {
        json.WriteStartObject("settings");
        foreach (var setting in scope.Settings)
        {
            json.WritePropertyName(setting.Option.Name);
            WriteValue(json, Masking.Show(setting.Option, setting.Raw!));
        }
        json.WriteEndObject();
        json.WriteStartArray("scopes");
        foreach (var child in scope.Children)
        {
            json.WriteStartObject();
            json.WriteString("scope", child.Definition.Name);
            if (child.Instance.Length > 0)
                json.WriteString("instance", child.Instance);
            json.WriteString("at", child.Position.ToString());
            if (recurse)
                WriteBody(json, child, recurse);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    internal static void WriteValue(Utf8JsonWriter json, RawValue value)
    {
        switch (value.Kind)
        {
            case RawKind.Scalar:
                json.WriteStringValue(value.Text);
                break;
            case RawKind.List:
                json.WriteStartArray();
                foreach (var item in value.Items)
                    json.WriteStringValue(item);
                json.WriteEndArray();
                break;
            default:
                json.WriteStartObject();
                foreach (var (key, inner) in value.Pairs)
                {
                    json.WritePropertyName(key);
                    WriteValue(json, inner);
                }
                json.WriteEndObject();
                break;
        }
    }
}
