namespace Veredus.Configuration;

/// <summary>A scope and perhaps an option in it, as typed on the console.</summary>
internal sealed record ConsolePath(IReadOnlyList<ScopeStep> Steps, Option? Option, string? Error)
{
    public string Text => string.Join(' ', Steps.Select(s => s.Instance.Length == 0 ? s.Definition.DisplayName : $"{s.Definition.DisplayName} {s.Instance}"));
}

/// <summary>Words of a console line, split as the configuration language splits them.</summary>
internal sealed class CommandLine
{
    private readonly List<Token> _tokens = [];
    private int _next;

    public CommandLine(string line)
    {
        Line = line;
        var diagnostics = new DiagnosticBag();
        var lexer = new Lexer(line, "console", diagnostics);
        Token token;
        while ((token = lexer.Next()).Kind != TokenKind.End)
            _tokens.Add(token);
        Error = diagnostics.HasErrors ? diagnostics.Items[0].Message : null;
    }

    public string Line { get; }
    public string? Error { get; }
    public bool AtEnd => _next >= _tokens.Count;
    public string Remaining => AtEnd ? "" : Line[_tokens[_next].Start..];

    /// <summary>Takes the next word; null at the end or before a sign such as '='.</summary>
    public string? Word() => !AtEnd && _tokens[_next].IsString ? _tokens[_next++].Text : null;

    public bool TakeWord(string word)
    {
        var found = !AtEnd && _tokens[_next].Kind == TokenKind.Word && _tokens[_next].Text.Equals(word, StringComparison.OrdinalIgnoreCase);
        _next += found ? 1 : 0;
        return found;
    }

    public void TakeEquals() => _next += !AtEnd && _tokens[_next].Kind == TokenKind.Equals ? 1 : 0;

    /// <summary>Reads scope names with their instances, then possibly an option's name.</summary>
    public ConsolePath Path()
    {
        List<ScopeStep> steps = [];
        var kind = ScopeKinds.Global;
        while (!AtEnd && _tokens[_next].IsString)
        {
            var word = _tokens[_next].Text;
            if (Schema.FindScope(word, kind) is not { } definition)
            {
                _next++;
                if (Schema.Find(word, kind) is { } option)
                    return new(steps, option, null);
                var scope = steps.Count == 0 ? "global" : steps[^1].Definition.DisplayName;
                return new(steps, null, $"'{word}' is not a valid option or scope name in scope '{scope}'{Names.Hint(word, Schema.NamesIn(kind))}");
            }
            _next++;
            if (!Instance(definition, out var instance, out var error))
                return new(steps, null, error);
            steps.Add(new(definition, instance));
            kind = definition.Kind;
        }
        return new(steps, null, null);
    }

    private bool Instance(ScopeDefinition definition, out string instance, out string error)
    {
        (instance, error) = ("", "");
        if (!definition.TakesInstance)
            return true;
        var given = !AtEnd && _tokens[_next].IsString;
        if (definition.InstanceOptional && (!given || Schema.Find(_tokens[_next].Text, definition.Kind) is not null))
            return true;
        if (given)
            instance = _tokens[_next++].Text;
        return TreeBuilder.CheckInstance(definition, ref instance, given, out error);
    }
}
