using System.Text;

namespace Veredus.Configuration;

/// <summary>The forms a value can have in the text.</summary>
public enum RawKind
{
    Scalar,
    List,
    Dictionary,
}

/// <summary>A value as written, before its option's type is known. Immutable.</summary>
public sealed class RawValue : IEquatable<RawValue>
{
    private RawValue(RawKind kind, string text, IReadOnlyList<string> items, IReadOnlyList<KeyValuePair<string, RawValue>> pairs) =>
        (Kind, Text, Items, Pairs) = (kind, text, items, pairs);

    public RawKind Kind { get; }
    /// <summary>The text of a scalar without its quotes; empty for the other kinds.</summary>
    public string Text { get; }
    public IReadOnlyList<string> Items { get; }
    public IReadOnlyList<KeyValuePair<string, RawValue>> Pairs { get; }

    public static RawValue Scalar(string text) => new(RawKind.Scalar, text, [], []);
    public static RawValue List(IReadOnlyList<string> items) => new(RawKind.List, "", items, []);
    public static RawValue Dictionary(IReadOnlyList<KeyValuePair<string, RawValue>> pairs) => new(RawKind.Dictionary, "", [], pairs);

    public bool Equals(RawValue? other) => other is not null && Kind == other.Kind && Text == other.Text
        && Items.SequenceEqual(other.Items) && Pairs.SequenceEqual(other.Pairs);

    public override bool Equals(object? obj) => Equals(obj as RawValue);
    public override int GetHashCode() => HashCode.Combine(Kind, Text, Items.Count, Pairs.Count);

    /// <summary>The value in the configuration language, so that reading it again gives the same value.</summary>
    public override string ToString() => Render("");

    /// <summary>As <see cref="ToString"/>, lists and dictionaries over several lines, each but the first led by <paramref name="indent"/>.</summary>
    public string Render(string indent)
    {
        if (Kind == RawKind.Scalar)
            return IsPlain(Text) ? Text : Quote(Text);
        var text = new StringBuilder(Kind == RawKind.List ? "(" : "[");
        if (Kind == RawKind.List)
        {
            foreach (var item in Items)
                text.Append('\n').Append(indent).Append("  ").Append(Quote(item));
        }
        else
        {
            foreach (var (key, value) in Pairs)
                text.Append('\n').Append(indent).Append("  ").Append(IsPlain(key) ? key : Quote(key)).Append(" = ")
                    .Append(value.Kind == RawKind.Scalar ? Quote(value.Text) : value.Render(indent + "  "));
        }
        if (Items.Count + Pairs.Count > 0)
            text.Append('\n').Append(indent);
        else
            text.Append(' ');
        return text.Append(Kind == RawKind.List ? ')' : ']').ToString();
    }

    /// <summary>Double quotes with the escapes that the lexer undoes.</summary>
    public static string Quote(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (var c in text)
            quoted.Append(c switch { '"' => "\\\"", '\\' => "\\\\", '\n' => "\\n", '\r' => "\\r", '\t' => "\\t", _ => c.ToString() });
        return quoted.Append('"').ToString();
    }

    private static bool IsPlain(string text) =>
        text.Length is > 0 and <= 64 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.');
}
