namespace Veredus.Configuration;

/// <summary>A binding and the group it belongs to.</summary>
/// <param name="Scope">Its stanza; null for an implied <c>default</c>.</param>
public sealed record BindingDefinition(string Name, string Group, ScopeNode? Scope);

/// <summary>A binding group with its members, in the order of their declaration.</summary>
/// <param name="Scope">Its stanza; null for an implied <c>default</c>.</param>
public sealed record BindingGroupDefinition(string Name, ScopeNode? Scope, IReadOnlyList<BindingDefinition> Bindings)
{
    internal static IReadOnlyList<BindingGroupDefinition> All(ScopeNode root)
    {
        var defaultScope = root.FindChild("binding_group", "default");
        List<BindingDefinition> members = [.. root.ChildrenOf(ScopeKinds.Binding).Concat(defaultScope?.ChildrenOf(ScopeKinds.Binding) ?? [])
            .DistinctBy(b => b.Instance).Select(b => new BindingDefinition(b.Instance, "default", b))];
        if (members.All(b => b.Name != "default"))
            members.Insert(0, new("default", "default", null));
        List<BindingGroupDefinition> groups = [new("default", defaultScope, members)];
        foreach (var group in root.ChildrenOf(ScopeKinds.BindingGroup).Where(g => g != defaultScope))
            groups.Add(new(group.Instance, group, [.. group.ChildrenOf(ScopeKinds.Binding).Select(b => new BindingDefinition(b.Instance, group.Instance, b))]));
        return groups;
    }
}

/// <summary>Roles and the console commands they may give (stanza <c>authorization</c>).</summary>
public sealed class CommandAuthorization
{
    private readonly Dictionary<string, PatternList> _roles = [];

    internal CommandAuthorization(ScopeNode root)
    {
        foreach (var role in root.ChildrenOf(ScopeKinds.Authorization).SelectMany(a => a.ChildrenOf(ScopeKinds.Role)))
            _roles[role.Instance] = role.Get(Options.RoleAllow);
    }

    /// <summary>Names of the configured roles.</summary>
    public IEnumerable<string> Roles => _roles.Keys;

    /// <summary>The first of <paramref name="roles"/> (user name included) that allows the command; null = not authorized.</summary>
    public string? RoleThatAllows(IEnumerable<string> roles, string command) =>
        roles.FirstOrDefault(role => _roles.TryGetValue(role, out var allow) && allow.IsMatch(command));
}
