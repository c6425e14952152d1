using System.Text;

namespace Veredus.Control;

/// <summary>One word of a command line.</summary>
/// <param name="Text">Quotes removed, escapes undone.</param>
/// <param name="Start">Offset of its first character, an opening quote included.</param>
public readonly record struct CommandWord(string Text, int Start);

/// <summary>
/// Splits a command line into words: blanks separate; double quotes know <c>\"</c>, <c>\\</c>, <c>\n</c>, <c>\r</c> and <c>\t</c>,
/// single quotes nothing. Brackets and the like are ordinary characters here; commands that give them a meaning read the raw rest.
/// </summary>
public static class CommandWords
{
    /// <summary>Splits. False for an unclosed quote; <paramref name="error"/> says where it opened.</summary>
    public static bool TrySplit(string line, out IReadOnlyList<CommandWord> words, out string error)
    {
        var found = new List<CommandWord>();
        (words, error) = (found, "");
        for (var at = 0; at < line.Length;)
        {
            if (char.IsWhiteSpace(line[at]))
            {
                at++;
                continue;
            }
            var (text, start) = (new StringBuilder(), at);
            while (at < line.Length && !char.IsWhiteSpace(line[at]))
            {
                if (line[at] is not ('"' or '\''))
                {
                    text.Append(line[at++]);
                }
                else if (!ReadQuoted(line, ref at, text))
                {
                    error = $"the quote at column {start + 1} is not closed";
                    return false;
                }
            }
            found.Add(new(text.ToString(), start));
        }
        return true;
    }

    /// <summary>Quotes a word if it needs quotes, so that <see cref="TrySplit"/> gives it back.</summary>
    public static string Quote(string word) => word.Length > 0 && !word.Any(c => char.IsWhiteSpace(c) || c is '"' or '\'' or '\\')
        ? word
        : $"\"{word.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)
            .Replace("\n", "\\n", StringComparison.Ordinal).Replace("\r", "\\r", StringComparison.Ordinal).Replace("\t", "\\t", StringComparison.Ordinal)}\"";

    private static bool ReadQuoted(string line, ref int at, StringBuilder text)
    {
        var quote = line[at++];
        for (; at < line.Length; at++)
        {
            if (line[at] == quote)
            {
                at++;
                return true;
            }
            if (quote == '"' && line[at] == '\\' && at + 1 < line.Length && Unescaped(line[at + 1]) is { } character)
            {
                text.Append(character);
                at++;
            }
            else
            {
                text.Append(line[at]);
            }
        }
        return false;
    }

    private static char? Unescaped(char letter) => letter switch
    {
        '"' or '\\' => letter,
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        _ => null,
    };
}
