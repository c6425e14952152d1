namespace Veredus.Configuration;

/// <summary>The effective value at a console path: section 6 for the scopes that fall back, else own value or default.</summary>
internal static class Evaluation
{
    public static Resolved Effective(ConfigurationSnapshot snapshot, IReadOnlyList<ScopeStep> path, Option option)
    {
        var node = ConfigurationEdit.Locate(snapshot.Root, path);
        if (node?.Find(option) is { } own)
            return own;
        if (path.Count == 0)
            return snapshot.Root.Find(option) ?? option.ResolvedDefault(ResolutionFamily.Global);
        var first = path[0].Definition.Kind;
        var last = path[^1].Definition.Kind;
        if (first.Includes(ScopeKinds.BindingGroup | ScopeKinds.Binding | ScopeKinds.Domain | ScopeKinds.Host))
            return Outbound(snapshot, path, option, last);
        if (first.Includes(ScopeKinds.AnyListener))
            return Inbound(snapshot, path, node, option);
        if (last == ScopeKinds.Pathway && node?.Parent is { } parent)
            return parent.Find(option) ?? snapshot.Root.Find(option) ?? option.ResolvedDefault(ResolutionFamily.Inbound);
        return (last == ScopeKinds.Pathway || last == ScopeKinds.PathwayGroup ? snapshot.Root.Find(option) : null) ?? option.ResolvedDefault(ResolutionFamily.Scope);
    }

    private static Resolved Outbound(ConfigurationSnapshot snapshot, IReadOnlyList<ScopeStep> path, Option option, ScopeKinds last)
    {
        string? Of(ScopeKinds kind) => path.Where(s => s.Definition.Kind == kind).Select(s => s.Instance).FirstOrDefault();
        var binding = Of(ScopeKinds.Binding) ?? "";
        // A bare domain stanza stands for itself and the global scope, not for the default group.
        var group = Of(ScopeKinds.BindingGroup) ?? (binding.Length == 0 ? "" : snapshot.GroupOf(binding) ?? "default");
        if (last == ScopeKinds.Host)
            return snapshot.Host(group, binding, path[^1].Instance).ResolveAny(option);
        var domain = Of(ScopeKinds.Domain) ?? "";
        return snapshot.Sending(group, binding, InstanceNames.IsRegex(domain) ? "" : domain).ResolveAny(option);
    }

    private static Resolved Inbound(ConfigurationSnapshot snapshot, IReadOnlyList<ScopeStep> path, ScopeNode? node, Option option)
    {
        var listen = path.Count > 1 && path[1].Definition.Kind == ScopeKinds.Listen
            ? snapshot.Listens.FirstOrDefault(l => l.Listener == path[0].Definition.Kind && l.Scope.Instance == path[1].Instance) : null;
        if (listen is not null)
        {
            var peer = path.Count > 2 && CidrList.TryParseNetwork(path[2].Instance, out var network) ? network.BaseAddress : null;
            return (peer is null ? listen.Own : listen.For(peer)).ResolveAny(option);
        }
        for (var scope = node ?? ConfigurationEdit.Locate(snapshot.Root, [path[0]]); scope is not null; scope = scope.Parent)
        {
            if (scope.Find(option) is { } found)
                return found;
        }
        return snapshot.Root.Find(option) ?? option.ResolvedDefault(ResolutionFamily.Inbound);
    }
}
