namespace Veredus.Configuration;

/// <summary>
/// Text to statements (configuration.md section 2). After an error it goes on at the next line that can start a statement,
/// so that one run reports all errors of a file.
/// </summary>
internal sealed class SyntaxParser
{
    public const int MaxDepth = 32;
    public const int MaxItems = 1_000_000;
    private readonly Lexer _lexer;
    private readonly DiagnosticBag _diagnostics;
    private Token _token;
    private Token _next;

    private SyntaxParser(string text, string file, DiagnosticBag diagnostics)
    {
        _diagnostics = diagnostics;
        _lexer = new(text, file, diagnostics);
        _token = _lexer.Next();
        _next = _lexer.Next();
    }

    public static List<Statement> Parse(string text, string file, DiagnosticBag diagnostics)
    {
        var nul = text.IndexOf('\0');
        if (nul >= 0)
        {
            var lineStart = text.LastIndexOf('\n', nul) + 1;
            diagnostics.Error("CFG-0106", new(file, text.AsSpan(0, nul).Count('\n') + 1, nul - lineStart + 1), "", "NUL character; this is no text file.");
            return [];
        }
        var parser = new SyntaxParser(text, file, diagnostics);
        List<Statement> statements = [];
        parser.ParseBody(statements, null, 0);
        return statements;
    }

    /// <summary>Reads one value that must be all of <paramref name="text"/>, as typed on the console: a list, a dictionary, or words.</summary>
    public static RawValue? ParseValue(string text, string file, DiagnosticBag diagnostics)
    {
        var parser = new SyntaxParser(text, file, diagnostics);
        var value = parser.ParseValue();
        if (value is not null && parser._token.Kind != TokenKind.End)
        {
            parser.Unexpected("the end of the value (quote a value with blanks)");
            return null;
        }
        return diagnostics.HasErrors ? null : value;
    }

    private void Take() => (_token, _next) = (_next, _lexer.Next());

    private SourcePosition At(in Token token) => new(_lexer.File, token.Line, token.Column);

    private void Unexpected(string expected)
    {
        if (_token.Kind == TokenKind.End)
            _diagnostics.Error("CFG-0101", At(_token), "", $"Unexpected end of the file; expected {expected}.");
        else
            _diagnostics.Error("CFG-0101", At(_token), _token.Text, $"Unexpected '{Printable(_token.Text)}'; expected {expected}.");
    }

    private static string Printable(string text) => text.Length > 40 ? text[..40] + "..." : text;

    private void ParseBody(List<Statement> body, ScopeStatement? scope, int depth)
    {
        while (!_diagnostics.IsFull(_lexer.File))
        {
            switch (_token.Kind)
            {
                case TokenKind.End:
                    if (scope is not null)
                        _diagnostics.Error("CFG-0104", scope.Position, scope.Name, $"Scope '{scope.Name}' is never closed; expected '}}'.");
                    return;
                case TokenKind.CloseBrace when scope is not null:
                    scope.End = _token.End;
                    Take();
                    return;
                case TokenKind.CloseBrace:
                    _diagnostics.Error("CFG-0111", At(_token), "}", "'}' closes no scope; remove it or look for a missing '{' above.");
                    Take();
                    break;
                case TokenKind.Semicolon:
                    Take();
                    break;
                default:
                    if (!ParseStatement(body, depth))
                        Recover();
                    break;
            }
        }
    }

    /// <summary>Skips to a token that can start a statement: the first on its line, or a closing brace.</summary>
    private void Recover()
    {
        while (_token.Kind is not (TokenKind.End or TokenKind.CloseBrace) && !(_token.Kind == TokenKind.Word && _token.FirstOnLine))
            Take();
    }

    private bool ParseStatement(List<Statement> body, int depth)
    {
        if (_token.Kind != TokenKind.Word)
        {
            Unexpected("an option or scope name, or '}'");
            Take();
            return false;
        }
        var name = _token;
        Take();
        if (IsAppend(name))
        {
            _diagnostics.Error("CFG-0107", At(name), name.Text, "There is no '+='; a list replaces the inherited one, so write the whole list with '='.");
            return false;
        }
        if (!IsName(name.Text))
        {
            _diagnostics.Error("CFG-0101", At(name), name.Text, $"'{Printable(name.Text)}' is no name; names have letters, digits and '_' and don't start with a digit.");
            return false;
        }
        if (_token.IsString && name.Text is { } word && (word.Equals("include", StringComparison.OrdinalIgnoreCase) || word.Equals("readonly_include", StringComparison.OrdinalIgnoreCase)))
        {
            body.Add(new IncludeStatement(At(name), name.Start, _token.Text, word.Length > 7) { End = _token.End });
            Take();
            return true;
        }
        Token? instance = null;
        if (_token.IsString && (_next.Kind == TokenKind.OpenBrace || _next.Kind == TokenKind.Equals) && !(_next.Kind == TokenKind.Equals && _token.FirstOnLine))
        {
            instance = _token;
            Take();
        }
        if (_token.Kind == TokenKind.Equals && _next.Kind == TokenKind.OpenBrace)
            Take();
        if (_token.Kind == TokenKind.OpenBrace)
            return ParseScope(body, name, instance, depth);
        if (instance is not null)
        {
            Unexpected($"'{{' after {name.Text} \"{Printable(instance.Value.Text)}\"");
            return false;
        }
        if (_token.Kind == TokenKind.Equals)
        {
            Take();
        }
        else if (_token.Kind is not (TokenKind.OpenParen or TokenKind.OpenBracket))
        {
            _diagnostics.Error("CFG-0108", At(name), name.Text, $"'{name.Text}' needs a value or a body; expected '= value' or '{{'.");
            return false;
        }
        var valueToken = _token;
        var end = 0;
        var value = ParseValue(ref end);
        if (value is null)
            return false;
        body.Add(new AssignmentStatement(At(name), name.Start, name.Text, value, At(valueToken), valueToken.Start) { End = end });
        return true;
    }

    private bool IsAppend(in Token name) =>
        (_token.Kind == TokenKind.Equals && name.Text.EndsWith('+')) || (_token is { Kind: TokenKind.Word, Text: "+" } && _next.Kind == TokenKind.Equals);

    private bool ParseScope(List<Statement> body, in Token name, Token? instance, int depth)
    {
        if (depth >= MaxDepth)
        {
            _diagnostics.Error("CFG-0109", At(name), name.Text, $"Scopes are nested more than {MaxDepth} deep.");
            SkipBraces();
            return true;
        }
        var scope = new ScopeStatement(At(name), name.Start, name.Text, instance?.Text, At(instance ?? name));
        Take();
        ParseBody(scope.Body, scope, depth + 1);
        body.Add(scope);
        return true;
    }

    private void SkipBraces()
    {
        var open = 0;
        while (_token.Kind != TokenKind.End)
        {
            open += _token.Kind switch { TokenKind.OpenBrace => 1, TokenKind.CloseBrace => -1, _ => 0 };
            Take();
            if (open <= 0)
                return;
        }
    }

    private RawValue? ParseValue()
    {
        var end = 0;
        return ParseValue(ref end);
    }

    private RawValue? ParseValue(ref int end)
    {
        switch (_token.Kind)
        {
            case TokenKind.Word or TokenKind.Quoted:
                var text = _token.Text;
                end = _token.End;
                Take();
                return RawValue.Scalar(text);
            case TokenKind.OpenParen:
                return ParseList(ref end) is { } items ? RawValue.List(items) : null;
            case TokenKind.OpenBracket:
                return ParseDictionary(ref end);
            default:
                Unexpected("a value");
                return null;
        }
    }

    private List<string>? ParseList(ref int end)
    {
        Take();
        List<string> items = [];
        while (true)
        {
            if (_token.IsString && items.Count < MaxItems)
            {
                items.Add(_token.Text);
                Take();
                if (_token.Kind == TokenKind.Comma)
                    Take();
            }
            else if (_token.Kind == TokenKind.CloseParen)
            {
                end = _token.End;
                Take();
                return items;
            }
            else
            {
                Unexpected("a list item or ')'");
                return null;
            }
        }
    }

    private RawValue? ParseDictionary(ref int end)
    {
        Take();
        List<KeyValuePair<string, RawValue>> pairs = [];
        Dictionary<string, int> places = [];
        while (_token.Kind != TokenKind.CloseBracket)
        {
            if (!_token.IsString || pairs.Count >= MaxItems)
            {
                Unexpected("a key or ']'");
                return null;
            }
            var key = _token.Text;
            Take();
            if (_token.Kind != TokenKind.Equals)
            {
                Unexpected($"'=' after the key '{Printable(key)}'");
                return null;
            }
            Take();
            if (_token.Kind is TokenKind.OpenBracket)
            {
                Unexpected("a text or a list (dictionaries don't nest)");
                return null;
            }
            if (ParseValue(ref end) is not { } value)
                return null;
            if (places.TryAdd(key, pairs.Count))
                pairs.Add(new(key, value));
            else
                pairs[places[key]] = new(key, value);
            if (_token.Kind == TokenKind.Comma)
                Take();
        }
        end = _token.End;
        Take();
        return RawValue.Dictionary(pairs);
    }

    private static bool IsName(string text) =>
        text.Length <= 64 && (char.IsAsciiLetter(text[0]) || text[0] == '_') && text.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');
}
