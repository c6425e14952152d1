namespace Veredus.Configuration;

/// <summary>Puts statements into the tree of scopes, checking names and values against the schema.</summary>
internal sealed class TreeBuilder(DiagnosticBag diagnostics, Action<IncludeStatement, ScopeNode, bool> include)
{
    private readonly HashSet<object> _warned = [];

    public ScopeNode Root { get; } = NewRoot();

    public static ScopeNode NewRoot() => new(ScopeDefinition.Root, "", null, default);

    public void Apply(IEnumerable<Statement> statements, ScopeNode scope, bool readOnly)
    {
        foreach (var statement in statements)
        {
            switch (statement)
            {
                case IncludeStatement inclusion:
                    include(inclusion, scope, readOnly);
                    break;
                case AssignmentStatement assignment when scope.Kind != ScopeKinds.Ignored:
                    Assign(assignment, scope);
                    break;
                case ScopeStatement child when scope.Kind != ScopeKinds.Ignored:
                    if (Open(child, scope) is { } opened)
                        Apply(child.Body, opened, readOnly);
                    break;
            }
        }
    }

    private void Assign(AssignmentStatement statement, ScopeNode scope)
    {
        if (Schema.Find(statement.Name, scope.Kind) is not { } option)
        {
            UnknownName(statement.Name, statement.Position, scope, isScope: false);
            return;
        }
        if (option.Read(statement.Value, scope, statement.Position, out var error) is not { } setting)
        {
            diagnostics.Error(error.Code, statement.ValuePosition, option.Secret ? Masking.Mask : Near(statement.Value), $"{option.DisplayName} can't be {ShowValue(option, statement.Value)}; expected {error.Expected}.");
            scope.Refuse(option);
            return;
        }
        if (!option.IsWildcard)
            scope.Set(setting);
        if (option.Status != OptionStatus.DefaultOnly || !option.IsDefault(setting))
            WarnAbout(option, option.Status, statement.Name, statement.Position, scope, option.Summary);
    }

    private static string ShowValue(Option option, RawValue value) => option.Secret ? Masking.Mask
        : value.Kind == RawKind.Scalar ? $"'{Near(value)}'" : value.Kind == RawKind.List ? "this list" : "this dictionary";

    private static string Near(RawValue value) => value.Kind == RawKind.Scalar
        ? Masking.Uri(value.Text.Length > 80 ? value.Text[..80] + "..." : value.Text) : value.Kind == RawKind.List ? "(" : "[";

    private ScopeNode? Open(ScopeStatement statement, ScopeNode parent)
    {
        if (Schema.FindScope(statement.Name, parent.Kind) is not { } definition)
        {
            UnknownName(statement.Name, statement.Position, parent, isScope: true);
            return null;
        }
        var instance = statement.Instance ?? "";
        if (CheckInstance(definition, ref instance, statement.Instance is not null, out var message))
        {
            WarnAbout(definition, definition.Status, statement.Name, statement.Position, parent, definition.Summary);
            return parent.Open(definition, instance, statement.Position);
        }
        diagnostics.Error("CFG-0205", statement.InstancePosition, instance, message);
        return null;
    }

    /// <summary>Checks the instance text and makes it canonical.</summary>
    public static bool CheckInstance(ScopeDefinition definition, ref string instance, bool given, out string message)
    {
        message = "";
        if (!given)
        {
            message = $"Scope '{definition.DisplayName}' needs a name: {definition.DisplayName} \"name\" {{ ... }}.";
            return !definition.TakesInstance || definition.InstanceOptional;
        }
        if (!definition.TakesInstance)
        {
            message = $"Scope '{definition.DisplayName}' takes no name; write {definition.DisplayName} {{ ... }}.";
            return false;
        }
        if (InstanceNames.Canonical(definition.InstanceKind, instance, out var expected) is not { } canonical)
        {
            message = $"'{instance}' can't name a scope '{definition.DisplayName}'; expected {expected}.";
            return false;
        }
        if (definition.InstanceKind is InstanceKind.Domain or InstanceKind.Host && InstanceNames.IsRegex(instance)
            && !Pattern.TryParse(instance[1..^1], ignoreCase: true, out _, out var error))
        {
            message = $"'{instance}' is no regular expression: {error}";
            return false;
        }
        instance = canonical;
        return true;
    }

    /// <summary>Each option and scope is warned about once, and not within a scope that was warned about.</summary>
    private void WarnAbout(object subject, OptionStatus status, string name, SourcePosition position, ScopeNode scope, string summary)
    {
        for (var outer = scope; outer is not null; outer = outer.Parent)
        {
            if (outer.Definition.Status != OptionStatus.Active)
                return;
        }
        if (status == OptionStatus.Active || !_warned.Add(subject))
            return;
        var shown = Names.Display(name.ToLowerInvariant());
        var (code, message) = status switch
        {
            OptionStatus.Ignored => ("CFG-0901", $"ignored: {shown} is accepted so that existing files load, but not used. {summary}"),
            OptionStatus.NotYet => ("CFG-0902", $"{shown} is not implemented yet and has no effect."),
            OptionStatus.DefaultOnly => ("CFG-0902", $"{shown} has an effect only with its default, which is what happens. {summary}"),
            _ => ("CFG-0903", $"{shown} is checked, but has no effect on a single node."),
        };
        diagnostics.Warn(code, position, name, message);
    }

    private void UnknownName(string name, SourcePosition position, ScopeNode scope, bool isScope)
    {
        var where = scope.Parent is null ? "at top level" : $"in scope '{scope.Name}'";
        if (isScope && Schema.Find(name, scope.Kind) is { } option)
            diagnostics.Error("CFG-0206", position, name, $"'{name}' is an option, not a scope; write {option.DisplayName} = value.");
        else if (!isScope && Schema.FindScope(name, scope.Kind) is { } known)
            diagnostics.Error("CFG-0206", position, name, $"'{name}' is a scope, not an option; write {known.DisplayName} {(known.TakesInstance ? "\"name\" " : "")}{{ ... }}.");
        else if (isScope && Schema.FindScope(name) is { } misplaced)
            diagnostics.Error("CFG-0203", position, name, $"Scope '{misplaced.DisplayName}' is not allowed {where}; it belongs in: {Schema.ScopeNames(misplaced.Parents)}.");
        else if (!isScope && Schema.FindAll(name) is { Count: > 0 } elsewhere)
            diagnostics.Error("CFG-0202", position, name, $"'{name}' is not allowed {where}; it may be set in: {Schema.ScopeNames(elsewhere.Aggregate(ScopeKinds.None, (all, o) => all | o.Scopes))}.");
        else
            diagnostics.Error("CFG-0201", position, name, $"'{name}' is not a valid option or scope name {where}{Names.Hint(name, Schema.NamesIn(scope.Kind))}");
    }
}
