using System.Buffers;
using System.Net;

namespace Veredus.Logging;

/// <summary>The JSON form: one object a line, fields by name, empty fields left out.</summary>
internal struct JsonFieldWriter(LineBuffer buffer) : IFieldWriter
{
    // U+2028 and U+2029 end a line for some readers, and bidirectional controls change what a person reads.
    private static readonly SearchValues<char> Special =
        SearchValues.Create([.. Enumerable.Range(0, 32).Append(127).Select(code => (char)code), '"', '\\', '\u2028', '\u2029']);

    private bool _started;

    /// <summary>Opens the object and names the log that the record belongs to.</summary>
    public void Begin(ReadOnlySpan<byte> log)
    {
        buffer.Append("{\"log\":\""u8);
        buffer.Append(log);
        buffer.Append((byte)'"');
        _started = true;
    }

    public readonly void End() => buffer.Append((byte)'}');

    public void Field(ReadOnlySpan<byte> name, string? value)
    {
        if (string.IsNullOrEmpty(value))
            return;
        Name(name);
        Text(value);
    }

    public void Field(ReadOnlySpan<byte> name, LogId value)
    {
        if (!value.IsEmpty)
            Field(name, value.ToString());
    }

    public void Field(ReadOnlySpan<byte> name, long value)
    {
        Name(name);
        buffer.Append(value);
    }

    public void Field(ReadOnlySpan<byte> name, TimeSpan value)
    {
        Name(name);
        buffer.AppendSeconds(value);
    }

    public void Field(ReadOnlySpan<byte> name, IPAddress? value)
    {
        if (value is null)
            return;
        Name(name);
        buffer.Append((byte)'"');
        buffer.Append(value);
        buffer.Append((byte)'"');
    }

    public void Field(ReadOnlySpan<byte> name, IPEndPoint? value)
    {
        if (value is null)
            return;
        Name(name);
        buffer.Append((byte)'"');
        buffer.Append(value);
        buffer.Append((byte)'"');
    }

    public readonly void Placeholder()
    {
    }

    /// <summary>A context as an object of its own; left out when empty.</summary>
    public void Field(ReadOnlySpan<byte> name, IReadOnlyCollection<KeyValuePair<string, string>> context)
    {
        if (context.Count == 0)
            return;
        Name(name);
        buffer.Append((byte)'{');
        var first = true;
        foreach (var (key, value) in context)
        {
            if (!first)
                buffer.Append((byte)',');
            first = false;
            Text(key);
            buffer.Append((byte)':');
            Text(value);
        }
        buffer.Append((byte)'}');
    }

    private void Name(ReadOnlySpan<byte> name)
    {
        buffer.Append(_started ? ",\""u8 : "\""u8);
        _started = true;
        buffer.Append(name);
        buffer.Append("\":"u8);
    }

    private readonly void Text(ReadOnlySpan<char> text)
    {
        buffer.Append((byte)'"');
        for (int at; (at = text.IndexOfAny(Special)) >= 0; text = text[(at + 1)..])
        {
            buffer.Append(text[..at]);
            if (text[at] is '"' or '\\')
            {
                buffer.Append((byte)'\\');
                buffer.Append((byte)text[at]);
                continue;
            }
            buffer.Append("\\u"u8);
            for (var shift = 12; shift >= 0; shift -= 4)
                buffer.Append("0123456789abcdef"u8.Slice((text[at] >> shift) & 15, 1));
        }
        buffer.Append(text);
        buffer.Append((byte)'"');
    }
}
