namespace Veredus.Configuration;

/// <summary>One step down in the tree of scopes.</summary>
internal readonly record struct ScopeStep(ScopeDefinition Definition, string Instance);

/// <summary>One change at run time.</summary>
/// <param name="Option">Null removes the whole scope.</param>
/// <param name="Value">Null removes the option.</param>
/// <param name="Text">The command, for <c>config replay</c>.</param>
internal sealed record ConfigurationEdit(IReadOnlyList<ScopeStep> Path, Option? Option, RawValue? Value, string Text)
{
    private static readonly SourcePosition Console = new("console", 0, 0);

    public ScopeId ScopeId => new(string.Concat(Path.Select(step => $"{step.Definition.DisplayName}:{step.Instance.Replace("\\", "\\\\", StringComparison.Ordinal).Replace(":", "\\:", StringComparison.Ordinal)}:")));

    /// <summary>Finds a scope by its path, or null.</summary>
    public static ScopeNode? Locate(ScopeNode root, IReadOnlyList<ScopeStep> path)
    {
        ScopeNode? node = root;
        foreach (var (definition, instance) in path)
            node = node?.FindChild(definition, instance);
        return node;
    }

    /// <summary>Applies the change to a tree of its own; false with a finding when the value is refused.</summary>
    public bool Apply(ScopeNode root, DiagnosticBag diagnostics)
    {
        if (Value is null || Option is null)
        {
            if (Locate(root, Path) is { } target)
            {
                if (Option is null)
                    target.Parent?.Remove(target);
                else
                    target.Unset(Option);
            }
            return true;
        }
        var scope = root;
        foreach (var (definition, instance) in Path)
            scope = scope.FindChild(definition, instance) ?? scope.Open(definition, instance, Console);
        if (Option.Read(Value, scope, Console, out var error) is not { } setting)
        {
            var shown = Option.Secret ? Masking.Mask : Value.Kind == RawKind.Scalar ? Masking.Uri(Value.Text) : Value.ToString();
            diagnostics.Error(error.Code, Console, shown, $"{Option.DisplayName} can't be '{shown}'; expected {error.Expected}.");
            return false;
        }
        if (!Option.IsWildcard)
            scope.Set(setting);
        return true;
    }

    /// <summary>Whether both would change the same thing.</summary>
    public bool Touches(OptionDifference difference) => Option is null
        ? difference.Scope.Id.Path.StartsWith(ScopeId.Path, StringComparison.Ordinal)
        : difference.Option == Option && difference.Scope.Id == ScopeId;
}
