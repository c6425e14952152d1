using System.Buffers;
using System.Globalization;
using System.Text;

namespace Veredus.Logging;

/// <summary>The escaping that all classic logs share (mta.md 8.1): a backslash before what would break the line apart.</summary>
public static class LogText
{
    private static readonly SearchValues<char> SpecialInField = SearchValues.Create([.. Controls(), '\\', '@']);
    private static readonly SearchValues<char> SpecialInLine = SearchValues.Create([.. Controls(), '\\']);
    private static readonly SearchValues<char> SpecialInQuotes = SearchValues.Create([.. Controls(), '\\', '"']);

    /// <summary>One field of an <c>@</c> log: <c>\@</c>, <c>\\</c>, <c>\n</c>, and <c>\xHH</c> for the other controls.</summary>
    public static void AppendField(LineBuffer buffer, ReadOnlySpan<char> text) => AppendEscaped(buffer, text, SpecialInField);

    /// <summary>The free rest of a line: only the backslash and controls are escaped.</summary>
    public static void AppendLine(LineBuffer buffer, ReadOnlySpan<char> text) => AppendEscaped(buffer, text, SpecialInLine);

    /// <summary>What stands inside double quotes: the quote, the backslash and controls are escaped.</summary>
    public static void AppendQuoted(LineBuffer buffer, ReadOnlySpan<char> text) => AppendEscaped(buffer, text, SpecialInQuotes);

    /// <summary>Undoes the escaping. <see langword="false"/> for a lone backslash at the end or a broken <c>\x</c>.</summary>
    public static bool TryUnescape(ReadOnlySpan<byte> escaped, out string text)
    {
        if (escaped.IndexOf((byte)'\\') < 0)
        {
            text = Encoding.UTF8.GetString(escaped);
            return true;
        }
        text = "";
        var bytes = new ArrayBufferWriter<byte>(escaped.Length);
        while (!escaped.IsEmpty)
        {
            var slash = escaped.IndexOf((byte)'\\');
            var plain = slash < 0 ? escaped.Length : slash;
            bytes.Write(escaped[..plain]);
            escaped = escaped[plain..];
            if (escaped.IsEmpty)
                break;
            if (escaped.Length < 2)
                return false;
            var taken = 2;
            switch (escaped[1])
            {
                case (byte)'n':
                    bytes.Write("\n"u8);
                    break;
                case (byte)'x':
                    if (escaped.Length < 4 || !byte.TryParse(escaped[2..4], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code))
                        return false;
                    bytes.Write([code]);
                    taken = 4;
                    break;
                default:
                    bytes.Write(escaped[1..2]);
                    break;
            }
            escaped = escaped[taken..];
        }
        text = Encoding.UTF8.GetString(bytes.WrittenSpan);
        return true;
    }

    private static void AppendEscaped(LineBuffer buffer, ReadOnlySpan<char> text, SearchValues<char> special)
    {
        for (int at; (at = text.IndexOfAny(special)) >= 0; text = text[(at + 1)..])
        {
            buffer.Append(text[..at]);
            buffer.Append((byte)'\\');
            switch (text[at])
            {
                case '\n':
                    buffer.Append((byte)'n');
                    break;
                case < ' ' or '\x7F':
                    buffer.Append((byte)'x');
                    buffer.Append("0123456789ABCDEF"u8.Slice(text[at] >> 4, 1));
                    buffer.Append("0123456789ABCDEF"u8.Slice(text[at] & 15, 1));
                    break;
                default:
                    buffer.Append((byte)text[at]);
                    break;
            }
        }
        buffer.Append(text);
    }

    private static IEnumerable<char> Controls() => Enumerable.Range(0, 32).Append(127).Select(code => (char)code);
}
