using System.Buffers;
using System.Globalization;
using System.Text;

namespace Veredus.Logging;

/// <summary>Makes text from outside harmless for a terminal: what would drive it is shown instead.</summary>
public static class SafeText
{
    private static readonly SearchValues<char> Dangerous = SearchValues.Create(
    [
        .. Range(0, 8), .. Range(11, 31), .. Range(127, 159),           // C0 but tab and newline, DEL, C1
        '\u061C', .. Range(0x200E, 0x200F), .. Range(0x2028, 0x202E), .. Range(0x2066, 0x2069), '\uFEFF',  // bidi, separators, BOM
    ]);

    /// <summary>Replaces controls (except tab and newline), C1, DEL and bidirectional controls by <c>\xHH</c> or <c>\u{HHHH}</c>.</summary>
    public static string Visible(string text)
    {
        if (text.AsSpan().IndexOfAny(Dangerous) < 0)
            return text;
        var shown = new StringBuilder(text.Length + 16);
        foreach (var character in text)
        {
            if (!Dangerous.Contains(character))
                shown.Append(character);
            else if (character < 128)
                shown.Append(CultureInfo.InvariantCulture, $"\\x{(int)character:X2}");
            else
                shown.Append(CultureInfo.InvariantCulture, $"\\u{{{(int)character:X4}}}");
        }
        return shown.ToString();
    }

    private static IEnumerable<char> Range(int first, int last) => Enumerable.Range(first, last - first + 1).Select(code => (char)code);
}
