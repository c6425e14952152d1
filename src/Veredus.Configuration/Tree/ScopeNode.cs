namespace Veredus.Configuration;

/// <summary>
/// One scope with its settings and children. Built by one thread, then never changed again: edits work on a clone.
/// </summary>
public sealed class ScopeNode
{
    private readonly Dictionary<Option, Resolved> _settings = [];
    private readonly HashSet<Option> _refused = [];
    private readonly List<ScopeNode> _children = [];
    private readonly Dictionary<(ScopeDefinition, string), ScopeNode> _index = [];

    internal ScopeNode(ScopeDefinition definition, string instance, ScopeNode? parent, SourcePosition position)
    {
        (Definition, Instance, Parent, Position) = (definition, instance, parent, position);
        Id = new(parent is null ? "" : $"{parent.Id.Path}{definition.DisplayName}:{Escape(instance)}:");
    }

    internal ScopeDefinition Definition { get; }
    public ScopeKinds Kind => Definition.Kind;
    /// <summary>As printed: <c>Binding_Group</c>; empty for the global scope.</summary>
    public string Name => Definition.DisplayName;
    /// <summary>In canonical form; empty for scopes without.</summary>
    public string Instance { get; }
    public ScopeNode? Parent { get; }
    public ScopeId Id { get; }
    /// <summary>Where the scope was opened first.</summary>
    public SourcePosition Position { get; }
    /// <summary>In the order of their first opening.</summary>
    public IReadOnlyList<ScopeNode> Children => _children;
    /// <summary>Own settings, in the order of their first setting.</summary>
    public IEnumerable<Resolved> Settings => _settings.Values;
    /// <summary>The pattern of a <c>/regex/</c> instance.</summary>
    internal Pattern? InstancePattern { get; set; }
    public bool IsRegex => InstancePattern is not null;

    /// <summary>"binding_group bulk binding bulk-1": as on the console.</summary>
    public string ConsolePath => Parent is null ? "" : string.Join(' ', (string[])[.. (Parent.Parent is null ? Array.Empty<string>() : [Parent.ConsolePath]), Definition.Name, .. (Instance.Length == 0 ? Array.Empty<string>() : [Instance])]);

    /// <summary>The own setting of this option, or null.</summary>
    public Resolved? Find(Option option) => _settings.GetValueOrDefault(option);

    /// <summary>The own value, else the option's default.</summary>
    public T Get<T>(Option<T> option) => Find(option) is Resolved<T> own ? own.Value : option.Default;

    internal ScopeNode? FindChild(ScopeDefinition definition, string instance) => _index.GetValueOrDefault((definition, instance));

    internal ScopeNode? FindChild(string name, string instance) => Schema.FindScope(name) is { } definition ? FindChild(definition, instance) : null;

    internal IEnumerable<ScopeNode> ChildrenOf(ScopeKinds kind) => _children.Where(c => c.Kind == kind);

    internal ScopeNode Open(ScopeDefinition definition, string instance, SourcePosition position)
    {
        if (!_index.TryGetValue((definition, instance), out var child))
        {
            child = new(definition, instance, this, position);
            if (definition.InstanceKind is InstanceKind.Domain or InstanceKind.Host && InstanceNames.IsRegex(instance) && Pattern.TryParse(instance[1..^1], ignoreCase: true, out var pattern, out _))
                child.InstancePattern = pattern;
            _index.Add((definition, instance), child);
            _children.Add(child);
        }
        return child;
    }

    /// <summary>Notes that this option stands in the text, with a value that it can't have.</summary>
    internal void Refuse(Option option) => _refused.Add(option);

    internal bool IsRefused(Option option) => _refused.Contains(option);

    internal void Set(Resolved setting) => _settings[setting.Option] = setting;

    internal bool Unset(Option option) => _settings.Remove(option);

    internal bool Remove(ScopeNode child) => _index.Remove((child.Definition, child.Instance)) && _children.Remove(child);

    internal ScopeNode Clone(ScopeNode? parent = null)
    {
        var copy = new ScopeNode(Definition, Instance, parent, Position) { InstancePattern = InstancePattern };
        foreach (var setting in _settings.Values)
            copy._settings.Add(setting.Option, setting.MovedTo(copy));
        foreach (var child in _children)
        {
            var childCopy = child.Clone(copy);
            copy._children.Add(childCopy);
            copy._index.Add((childCopy.Definition, childCopy.Instance), childCopy);
        }
        return copy;
    }

    /// <summary>This scope and all below it, parents first.</summary>
    public IEnumerable<ScopeNode> Walk()
    {
        yield return this;
        foreach (var child in _children)
        {
            foreach (var below in child.Walk())
                yield return below;
        }
    }

    private static string Escape(string instance) => instance.Replace("\\", "\\\\", StringComparison.Ordinal).Replace(":", "\\:", StringComparison.Ordinal);

    public override string ToString() => Id.Path;
}
