namespace Veredus.Configuration;

/// <summary>
/// The <c>config …</c> and <c>write config</c> commands of one console session: text in, text out. Holds the session's
/// open transaction; disposing of the session rolls it back. Not for use by two threads at a time.
/// </summary>
public sealed partial class ConfigConsole(ConfigurationStore store)
{
    private Transaction? _open;

    private sealed record Transaction(ConfigurationSnapshot Basis, bool FromScratch)
    {
        public List<ConfigurationEdit> Edits { get; } = [];
        public ConfigurationSnapshot Working { get; set; } = Basis;
    }

    /// <summary>Forms of the command, one a line.</summary>
    public const string Help = """
        config get [scope...] option
        config eval [--explain] [scope...] option
        config set [scope...] option [=] value
        config unset [scope...] option
        config unset scope...
        config show [scope...] [option]
        config showrecurse [scope...]
        config locate scope [regex]
        config begin [from scratch]
        config replay
        config commit
        config rollback
        config reload [file]
        config writeback [file]
        write config [file]
        """;

    /// <summary>True between <c>begin</c> and <c>commit</c> or <c>rollback</c>.</summary>
    public bool InTransaction => _open is not null;

    private ConfigurationSnapshot Working => _open?.Working ?? store.Current;

    /// <summary>Runs one command line that starts with <c>config</c> or <c>write config</c>.</summary>
    public async Task<ConsoleResult> ExecuteAsync(string line, CancellationToken cancellationToken = default)
    {
        var words = new CommandLine(line);
        if (words.Error is { } error)
            return ConsoleResult.Syntax(error);
        if (words.TakeWord("write"))
            return words.TakeWord("config") ? WriteConfig(words.Word()) : ConsoleResult.Syntax("Expected: write config [file]");
        if (!words.TakeWord("config"))
            return ConsoleResult.Syntax("Expected a command that starts with 'config'.");
        var verb = words.Word()?.ToLowerInvariant();
        return verb switch
        {
            "get" => Get(words),
            "eval" => Eval(words),
            "set" => await SetAsync(words, cancellationToken),
            "unset" => await UnsetAsync(words, cancellationToken),
            "show" => Show(words),
            "showrecurse" => ShowRecurse(words),
            "locate" => Locate(words),
            "begin" => Begin(words),
            "replay" => _open is { } open ? ConsoleResult.Ok(string.Join('\n', open.Edits.Select(e => e.Text))) : NoTransaction(),
            "commit" => await CommitAsync(cancellationToken),
            "rollback" => Rollback(),
            "reload" => await ReloadAsync(words.Word(), cancellationToken),
            "writeback" => await WriteBackAsync(words.Word(), cancellationToken),
            null or "help" => ConsoleResult.Ok(Help),
            _ => ConsoleResult.Syntax($"'{verb}' is no form of config{Names.Hint(verb, ["get", "eval", "set", "unset", "show", "showrecurse", "locate", "begin", "replay", "commit", "rollback", "reload", "writeback"])}\n{Help}"),
        };
    }

    private ConsoleResult Get(CommandLine words)
    {
        var path = words.Path();
        if (NeedsOption(path, words) is { } refused)
            return refused;
        return ConfigurationEdit.Locate(Working.Root, path.Steps)?.Find(path.Option!) is { } setting
            ? ConsoleResult.Ok(Renderer.Setting(setting.Option, setting.Raw!))
            : ConsoleResult.Ok($"Option '{path.Option!.DisplayName}' is not set in scope '{path.Text}'.");
    }

    private ConsoleResult Eval(CommandLine words)
    {
        var explain = words.TakeWord("--explain");
        var path = words.Path();
        explain |= words.TakeWord("--explain");
        if (NeedsOption(path, words) is { } refused)
            return refused;
        var resolved = Evaluation.Effective(Working, path.Steps, path.Option!);
        var text = Effective(resolved);
        if (path.Option!.NonDynamic && Evaluation.Effective(store.Started, path.Steps, path.Option) is var running && !Equals(running.Raw, resolved.Raw))
            text += $" (pending restart, running value {Value(running)})";
        if (explain)
        {
            text += !resolved.IsSet ? "\n  built-in default"
                : $"\n  set {(resolved.ScopeId.Path.Length == 0 ? "in the global scope" : $"at {resolved.ScopeId}")}, {(resolved.Position.Line == 0 ? "by a console command" : resolved.Position)}";
        }
        return ConsoleResult.Ok(text);
    }

    private async Task<ConsoleResult> SetAsync(CommandLine words, CancellationToken cancellationToken)
    {
        var path = words.Path();
        if (path.Error is not null || path.Option is null)
            return NeedsOption(path, words)!;
        words.TakeEquals();
        var diagnostics = new DiagnosticBag();
        if (words.AtEnd)
            return ConsoleResult.Syntax($"Expected a value for {path.Option.DisplayName}.");
        if (SyntaxParser.ParseValue(words.Remaining, "console", diagnostics) is not { } value)
            return ConsoleResult.Syntax(diagnostics.Items[0].Message);
        var shown = Masking.Show(path.Option, value);
        var edit = new ConfigurationEdit(path.Steps, path.Option, value, $"config set {Prefix(path)}{path.Option.DisplayName} = {shown.Render("")}");
        var failure = await ApplyAsync(edit, cancellationToken);
        return failure ?? ConsoleResult.Ok(Renderer.Setting(path.Option, value));
    }

    private async Task<ConsoleResult> UnsetAsync(CommandLine words, CancellationToken cancellationToken)
    {
        var path = words.Path();
        if (path.Error is not null)
            return ConsoleResult.NotFound(path.Error);
        if (!words.AtEnd)
            return ConsoleResult.Syntax($"Unexpected '{words.Remaining}'.");
        if (path.Option is null && path.Steps.Count == 0)
            return ConsoleResult.Invalid("The global scope can't be unset; name an option or a scope.");
        var node = ConfigurationEdit.Locate(Working.Root, path.Steps);
        if (path.Option is null && node is null)
            return ConsoleResult.NotFound($"There is no scope '{path.Text}'.");
        if (path.Option is not null && node?.Find(path.Option) is null)
            return ConsoleResult.NotFound($"Option '{path.Option.DisplayName}' is not set in scope '{path.Text}'.");
        var edit = new ConfigurationEdit(path.Steps, path.Option, null, $"config unset {Prefix(path)}{path.Option?.DisplayName}".TrimEnd());
        if (await ApplyAsync(edit, cancellationToken) is { } failure)
            return failure;
        return ConsoleResult.Ok(path.Option is null
            ? $"Scope '{path.Text}' has been removed."
            : $"\"{path.Option.DisplayName}\" has been unset. Effective value is now:\n  {Effective(Evaluation.Effective(Working, path.Steps, path.Option))}");
    }

    /// <summary>Outside a transaction every change is a transaction of its own. Null when it went well.</summary>
    private async Task<ConsoleResult?> ApplyAsync(ConfigurationEdit edit, CancellationToken cancellationToken)
    {
        if (_open is { } open)
        {
            var root = open.Working.Root.Clone();
            var diagnostics = new DiagnosticBag();
            if (!edit.Apply(root, diagnostics))
                return ConsoleResult.Invalid(diagnostics.Items[0].Message);
            open.Edits.Add(edit);
            open.Working = new(root, open.Basis.Files, open.Basis.MainFile);
            return null;
        }
        var result = await store.CommitAsync(store.Current, [edit], fromScratch: false, cancellationToken);
        return result.Success ? null : ConsoleResult.Invalid(result.Text);
    }

    private ConsoleResult Show(CommandLine words)
    {
        var path = words.Path();
        if (path.Option is not null)
            return ConfigurationEdit.Locate(Working.Root, path.Steps)?.Find(path.Option) is { } setting
                ? ConsoleResult.Ok(Renderer.Setting(setting.Option, setting.Raw!))
                : ConsoleResult.Ok($"Option '{path.Option.DisplayName}' is not set in scope '{path.Text}'.");
        return FindScope(path, words, out var refused) is { } node ? ConsoleResult.Ok(Renderer.Shallow(node)) : refused!;
    }

    private ConsoleResult ShowRecurse(CommandLine words)
    {
        var path = words.Path();
        if (FindScope(path, words, out var refused) is not { } node)
            return refused!;
        if (path.Steps.Count == 0)
            return ConsoleResult.Ok(Renderer.Recurse(node));
        var body = Renderer.Recurse(node).TrimEnd('\n');
        return ConsoleResult.Ok($"{Renderer.ScopeHead(node)} {{\n{(body.Length == 0 ? "" : "  " + body.Replace("\n", "\n  ", StringComparison.Ordinal) + "\n")}}}");
    }

    private ConsoleResult Locate(CommandLine words)
    {
        if (words.Word() is not { } name || Schema.FindScope(name) is not { } definition)
            return ConsoleResult.Syntax("Expected: config locate scope [regex], with the name of a scope such as Binding.");
        Pattern? pattern = null;
        var remaining = words.Remaining.Trim();
        var text = remaining.StartsWith('"') || remaining.StartsWith('\'') ? words.Word() ?? "" : remaining;
        if (text.Length > 0 && !Pattern.TryParse(text, ignoreCase: true, out pattern, out var error))
            return ConsoleResult.Invalid($"'{text}' is no regular expression: {error}");
        var found = Working.Root.Walk().Where(n => n.Definition == definition && (pattern is null || pattern.IsMatch(n.Instance)))
            .Select(n => $"{Renderer.ScopeHead(n)}\n  is at {n.Id}").ToList();
        return found.Count == 0 ? ConsoleResult.NotFound($"No scope '{definition.DisplayName}'{(pattern is null ? "" : " that matches")}.") : ConsoleResult.Ok(string.Join('\n', found));
    }

    private ConsoleResult Begin(CommandLine words)
    {
        if (_open is not null)
            return ConsoleResult.Conflict("A transaction is open already; commit it or roll it back.");
        var fromScratch = words.TakeWord("from");
        if (fromScratch ? !words.TakeWord("scratch") || !words.AtEnd : !words.AtEnd)
            return ConsoleResult.Syntax("Expected: config begin [from scratch]");
        _open = new(store.Current, fromScratch);
        if (fromScratch)
            _open.Working = new(TreeBuilder.NewRoot(), _open.Basis.Files, _open.Basis.MainFile);
        return ConsoleResult.Ok("Transaction begun.");
    }

    private async Task<ConsoleResult> CommitAsync(CancellationToken cancellationToken)
    {
        if (_open is not { } open)
            return NoTransaction();
        var result = await store.CommitAsync(open.Basis, open.Edits, open.FromScratch, cancellationToken);
        if (!result.Success)
            return result.Diagnostics.Any(d => d.Code == "CFG-0508") ? ConsoleResult.Conflict(result.Text) : ConsoleResult.Invalid(result.Text);
        _open = null;
        return ConsoleResult.Ok(result.Text);
    }

    private ConsoleResult Rollback()
    {
        if (_open is null)
            return NoTransaction();
        _open = null;
        return ConsoleResult.Ok("Transaction rolled back.");
    }

    private async Task<ConsoleResult> ReloadAsync(string? file, CancellationToken cancellationToken)
    {
        if (_open is not null)
            return ConsoleResult.Conflict("A transaction is open; commit it or roll it back before a reload.");
        var result = await store.ReloadAsync(file, cancellationToken);
        return result.Success ? ConsoleResult.Ok(result.Text) : ConsoleResult.Invalid(result.Text);
    }

    private async Task<ConsoleResult> WriteBackAsync(string? file, CancellationToken cancellationToken)
    {
        var result = await store.WriteBackAsync(file, cancellationToken);
        return result.Success ? ConsoleResult.Ok(result.Text) : ConsoleResult.Invalid(result.Text);
    }

    /// <summary>On the console secrets are masked; a file gets them, readable for its owner only.</summary>
    private ConsoleResult WriteConfig(string? file)
    {
        if (file is null)
            return ConsoleResult.Ok(Renderer.Recurse(store.Current.Root));
        try
        {
            using var stream = new FileStream(file, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
            using var writer = new StreamWriter(stream);
            writer.Write(Renderer.Recurse(store.Current.Root, mask: false));
            return ConsoleResult.Ok($"Wrote the configuration to '{file}'.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ConsoleResult.Invalid($"Can't write '{file}' (it must not exist yet): {e.Message}");
        }
    }

    private ScopeNode? FindScope(ConsolePath path, CommandLine words, out ConsoleResult? refused)
    {
        refused = path.Error is { } error ? ConsoleResult.NotFound(error)
            : !words.AtEnd ? ConsoleResult.Syntax($"Unexpected '{words.Remaining}'.")
            : null;
        if (refused is not null)
            return null;
        var node = ConfigurationEdit.Locate(Working.Root, path.Steps);
        if (node is null)
            refused = ConsoleResult.NotFound($"There is no scope '{path.Text}'.");
        return node;
    }

    private static ConsoleResult? NeedsOption(ConsolePath path, CommandLine words) =>
        path.Error is { } error ? ConsoleResult.NotFound(error)
        : path.Option is null ? ConsoleResult.Syntax("Expected the name of an option.")
        : words.AtEnd ? null : ConsoleResult.Syntax($"Unexpected '{words.Remaining}'.");

    private static ConsoleResult NoTransaction() => ConsoleResult.Conflict("No transaction is open; start one with: config begin");

    private static string Prefix(ConsolePath path) => path.Steps.Count == 0 ? "" : string.Concat(path.Steps.Select(s => s.Instance.Length == 0 ? $"{s.Definition.DisplayName} " : $"{s.Definition.DisplayName} {RawValue.Quote(s.Instance)} "));

    private static string Effective(Resolved resolved) => $"{resolved.Option.DisplayName} = {Value(resolved)}";

    private static string Value(Resolved resolved) => resolved.Raw is { } raw ? Masking.Show(resolved.Option, raw).Render("")
        : resolved is Resolved<int> number ? number.Value.ToString(System.Globalization.CultureInfo.InvariantCulture)
        : resolved.Option.DefaultText.Length > 0 ? resolved.Option.DefaultText : "(not set)";
}
