using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Veredus.Output;

/// <summary>The JSON envelope of cli.md 4.2.</summary>
internal static class Envelope
{
    private static readonly JsonWriterOptions Options = new() { Indented = false, Encoder = JavaScriptEncoder.Default };

    /// <summary>One document around data that is JSON already.</summary>
    /// <param name="schema">e.g. <c>veredus.status/1</c>.</param>
    /// <param name="node">Who answered; empty when nobody was asked.</param>
    /// <param name="missing">Nodes that have not answered.</param>
    public static string Wrap(string schema, DateTimeOffset at, string node, string data, IReadOnlyList<string>? missing = null) => Write(schema, at, writer =>
    {
        writer.WriteStartObject("source");
        if (node.Length > 0)
            writer.WriteString("node", node);
        writer.WriteBoolean("complete", missing is null or []);
        writer.WriteStartArray("missing");
        foreach (var one in missing ?? [])
            writer.WriteStringValue(one);
        writer.WriteEndArray();
        writer.WriteEndObject();
        writer.WritePropertyName("data");
        using var document = JsonDocument.Parse(data);  // on one line, however it came
        document.WriteTo(writer);
    });

    public static string Error(DateTimeOffset at, int code, string message, string hint) => Write("veredus.error/1", at, writer =>
    {
        writer.WriteNumber("code", code);
        writer.WriteString("message", message);
        writer.WriteString("hint", hint);
    });

    private static string Write(string schema, DateTimeOffset at, Action<Utf8JsonWriter> rest)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, Options))
        {
            writer.WriteStartObject();
            writer.WriteString("schema", schema);
            writer.WriteString("at", at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
            rest(writer);
            writer.WriteEndObject();
        }
        return Encoding.UTF8.GetString(stream.ToArray());
    }
}
