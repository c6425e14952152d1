using System.Text;

namespace Veredus.Configuration;

internal enum TokenKind
{
    Word,
    Quoted,
    Equals,
    OpenBrace,
    CloseBrace,
    OpenParen,
    CloseParen,
    OpenBracket,
    CloseBracket,
    Comma,
    Semicolon,
    End,
}

/// <param name="Text">Content without quotes, escapes undone.</param>
/// <param name="Start">Offset of the first character, quotes included.</param>
/// <param name="End">Offset behind the last character.</param>
internal readonly record struct Token(TokenKind Kind, string Text, int Start, int End, int Line, int Column, bool FirstOnLine)
{
    public bool IsString => Kind is TokenKind.Word or TokenKind.Quoted;
}

/// <summary>Splits a configuration text into tokens (configuration.md section 1). Total: any text gives tokens and findings.</summary>
internal sealed class Lexer(string text, string file, DiagnosticBag diagnostics)
{
    private int _position = text.StartsWith('\uFEFF') ? 1 : 0;
    private int _line = 1;
    private int _lineStart = text.StartsWith('\uFEFF') ? 1 : 0;
    private int _lastTokenLine;
    private int _listDepth;

    public string File => file;

    public Token Next()
    {
        SkipBlank();
        if (_position >= text.Length)
            return Make(TokenKind.End, "", _position, _line, Column(_position));
        var start = _position;
        var (line, column) = (_line, Column(start));
        var c = text[start];
        var kind = c switch
        {
            '=' => TokenKind.Equals,
            '{' => TokenKind.OpenBrace,
            '}' => TokenKind.CloseBrace,
            '(' => TokenKind.OpenParen,
            ')' => TokenKind.CloseParen,
            '[' => TokenKind.OpenBracket,
            ']' => TokenKind.CloseBracket,
            ',' when _listDepth > 0 => TokenKind.Comma,
            ';' when EndsStatement(start) => TokenKind.Semicolon,
            '"' or '\'' => TokenKind.Quoted,
            _ => TokenKind.Word,
        };
        if (kind == TokenKind.Word)
            return Make(kind, ReadWord(), start, line, column);
        if (kind == TokenKind.Quoted)
            return Make(kind, c == '"' ? ReadDoubleQuoted() : ReadSingleQuoted(), start, line, column);
        _position++;
        _listDepth = kind switch
        {
            TokenKind.OpenParen or TokenKind.OpenBracket => _listDepth + 1,
            TokenKind.CloseParen or TokenKind.CloseBracket => Math.Max(0, _listDepth - 1),
            TokenKind.OpenBrace or TokenKind.CloseBrace => 0,
            _ => _listDepth,
        };
        return Make(kind, text[start].ToString(), start, line, column);
    }

    private Token Make(TokenKind kind, string content, int start, int line, int column)
    {
        var first = line != _lastTokenLine;
        _lastTokenLine = line;
        return new(kind, content, start, _position, line, column, first);
    }

    private int Column(int offset) => offset - _lineStart + 1;

    private SourcePosition At(int line, int column) => new(file, line, column);

    private void Advance()
    {
        if (text[_position++] == '\n')
        {
            _line++;
            _lineStart = _position;
        }
    }

    private void SkipBlank()
    {
        while (_position < text.Length)
        {
            var c = text[_position];
            if (c is ' ' or '\t' or '\r' or '\n')
            {
                Advance();
            }
            else if (c == '#')
            {
                while (_position < text.Length && text[_position] != '\n')
                    _position++;
            }
            else if (c == '/' && _position + 1 < text.Length && text[_position + 1] == '*')
            {
                SkipBlockComment();
            }
            else
            {
                return;
            }
        }
    }

    private void SkipBlockComment()
    {
        var (line, column) = (_line, Column(_position));
        var close = text.IndexOf("*/", _position + 2, StringComparison.Ordinal);
        if (close < 0)
            diagnostics.Error("CFG-0103", At(line, column), "/*", "This block comment is never closed; expected '*/'.");
        var end = close < 0 ? text.Length : close + 2;
        while (_position < end)
            Advance();
    }

    private bool EndsStatement(int offset)
    {
        if (_listDepth > 0)
            return false;
        var next = offset + 1;
        return next >= text.Length || text[next] is ' ' or '\t' or '\r' or '\n' or '}' or '#' or ';';
    }

    private string ReadWord()
    {
        var start = _position;
        while (_position < text.Length)
        {
            var c = text[_position];
            if (c is ' ' or '\t' or '\r' or '\n' or '#' or '"' or '\'' or '=' or '{' or '}' or '[' or ']' or '(' or ')'
                || (c == ',' && _listDepth > 0) || (c == ';' && EndsStatement(_position)))
                break;
            if (c is '\u201C' or '\u201D' or '\u201E' or '\u2018' or '\u2019' or '\u00AB' or '\u00BB')
                diagnostics.Error("CFG-0105", At(_line, Column(_position)), c.ToString(), $"Typographic quote {c}; use the plain quotes \" or '.");
            else if (char.IsControl(c))
                diagnostics.Error("CFG-0106", At(_line, Column(_position)), "", $"Control character U+{(int)c:X4} outside quotes; remove it.");
            _position++;
        }
        return text[start.._position];
    }

    private string ReadSingleQuoted()
    {
        var (line, column) = (_line, Column(_position));
        _position++;
        var start = _position;
        while (_position < text.Length && text[_position] != '\'')
            Advance();
        if (_position >= text.Length)
            return Unclosed(line, column, start, '\'');
        return text[start.._position++];
    }

    private string ReadDoubleQuoted()
    {
        var (line, column) = (_line, Column(_position));
        _position++;
        var start = _position;
        StringBuilder? unescaped = null;
        var copied = start;
        while (_position < text.Length && text[_position] != '"')
        {
            if (text[_position] == '\\' && _position + 1 < text.Length && Unescape(text[_position + 1]) is { } c)
            {
                (unescaped ??= new()).Append(text, copied, _position - copied).Append(c);
                _position += 2;
                copied = _position;
            }
            else
            {
                Advance();
            }
        }
        if (_position >= text.Length)
            return Unclosed(line, column, start, '"');
        var content = unescaped is null ? text[start.._position] : unescaped.Append(text, copied, _position - copied).ToString();
        _position++;
        return content;
    }

    /// <summary>Other <c>\x</c> pairs keep both characters, so that regular expressions need no doubling.</summary>
    private static char? Unescape(char c) => c switch { '"' => '"', '\\' => '\\', 'n' => '\n', 'r' => '\r', 't' => '\t', _ => null };

    private string Unclosed(int line, int column, int start, char quote)
    {
        diagnostics.Error("CFG-0102", At(line, column), text.Substring(start, Math.Min(40, text.Length - start)), $"This quoted text is never closed; expected {quote}.");
        return text[start..];
    }
}
