using System.Text;

namespace Veredus.Contexts;

/// <summary>One setting of a TOML file.</summary>
/// <param name="Table">Dotted name of its table, empty at the top.</param>
/// <param name="Value">A <see cref="string"/>, a <see cref="bool"/>, or a list of strings.</param>
/// <param name="Line">Counted from 1.</param>
internal sealed record TomlSetting(string Table, string Key, object Value, int Line);

/// <summary>Reads as much of TOML 1.0 as <c>cli.toml</c> needs: tables, bare keys, strings on one line, booleans, arrays of strings, comments. All else is refused with its line.</summary>
internal sealed class TomlText
{
    private readonly string _text;
    private int _at;
    private int _line = 1;

    private TomlText(string text) => _text = text.ReplaceLineEndings("\n");

    /// <exception cref="FormatException">The message begins with the line's number.</exception>
    public static IReadOnlyList<TomlSetting> Read(string text) => new TomlText(text).Settings();

    /// <summary>A basic string with its quotes.</summary>
    public static string Quote(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (var c in text)
        {
            quoted.Append(c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                < ' ' or '\x7f' => $"\\u{(int)c:x4}",
                _ => c.ToString(),
            });
        }
        return quoted.Append('"').ToString();
    }

    private List<TomlSetting> Settings()
    {
        var (settings, table) = (new List<TomlSetting>(), "");
        while (true)
        {
            SkipSpace(lines: true);
            if (_at == _text.Length)
                return settings;
            var line = _line;
            if (Take('['))
            {
                table = DottedKey();
                Expect(']');
            }
            else
            {
                var key = DottedKey();
                Expect('=');
                var setting = new TomlSetting(table, key, Value(), line);
                if (settings.Exists(other => other.Table == table && other.Key == key))
                    throw Wrong($"'{key}' is set twice", line);
                settings.Add(setting);
            }
            SkipSpace(lines: false);
            if (_at < _text.Length && _text[_at] != '\n')
                throw Wrong($"'{_text[_at]}' was not expected here");
        }
    }

    private string DottedKey()
    {
        SkipSpace(lines: false);
        var start = _at;
        while (_at < _text.Length && (char.IsAsciiLetterOrDigit(_text[_at]) || _text[_at] is '_' or '-' or '.'))
            _at++;
        return _at > start ? _text[start.._at] : throw Wrong("a key was expected: letters, digits, '_', '-'");
    }

    private object Value()
    {
        SkipSpace(lines: false);
        if (_text.AsSpan(_at).StartsWith("true", StringComparison.Ordinal))
            return Skip(4, true);
        if (_text.AsSpan(_at).StartsWith("false", StringComparison.Ordinal))
            return Skip(5, false);
        if (!Take('['))
            return String();
        var list = new List<string>();
        while (true)
        {
            SkipSpace(lines: true);
            if (Take(']'))
                return list;
            list.Add(String());
            SkipSpace(lines: true);
            if (Take(','))
                continue;
            Expect(']');
            return list;
        }
    }

    private string String()
    {
        if (Take('\''))
        {
            var end = _text.IndexOf('\'', _at);
            if (end < 0 || _text.AsSpan(_at, end - _at).Contains('\n'))
                throw Wrong("a string does not end on its line");
            var literal = _text[_at..end];
            _at = end + 1;
            return literal;
        }
        if (!Take('"'))
            throw Wrong("a string in quotes, true, false or an array of strings was expected");
        var text = new StringBuilder();
        while (_at < _text.Length && _text[_at] is not '\n')
        {
            var c = _text[_at++];
            if (c == '"')
                return text.ToString();
            text.Append(c == '\\' ? Escaped() : c);
        }
        throw Wrong("a string does not end on its line");
    }

    private char Escaped()
    {
        var c = _at < _text.Length ? _text[_at++] : '\n';
        if (c == 'u' && _at + 4 <= _text.Length && ushort.TryParse(_text.AsSpan(_at, 4), System.Globalization.NumberStyles.AllowHexSpecifier, null, out var code))
            return Skip(4, (char)code);
        return c switch
        {
            '"' or '\\' => c,
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            _ => throw Wrong($"'\\{c}' is no escape that is known here"),
        };
    }

    private T Skip<T>(int count, T value)
    {
        _at += count;
        return value;
    }

    private bool Take(char c)
    {
        if (_at == _text.Length || _text[_at] != c)
            return false;
        _at++;
        return true;
    }

    private void Expect(char c)
    {
        SkipSpace(lines: false);
        if (!Take(c))
            throw Wrong($"'{c}' was expected");
    }

    private void SkipSpace(bool lines)
    {
        while (_at < _text.Length)
        {
            if (_text[_at] == '#')
                _at = _text.IndexOf('\n', _at) is >= 0 and var end ? end : _text.Length;
            else if (_text[_at] == '\n' && lines)
                _line += Skip(1, 1);
            else if (_text[_at] is ' ' or '\t')
                _at++;
            else
                return;
        }
    }

    private FormatException Wrong(string what, int line = 0) => new($"{(line == 0 ? _line : line)}: {what}");
}
