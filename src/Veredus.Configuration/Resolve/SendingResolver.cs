namespace Veredus.Configuration;

internal readonly record struct SendingKey(string Group, string Binding, string Destination);

internal sealed class SendingKeyComparer : IEqualityComparer<SendingKey>
{
    public static readonly SendingKeyComparer Instance = new();

    public bool Equals(SendingKey x, SendingKey y) => string.Equals(x.Group, y.Group, StringComparison.Ordinal)
        && string.Equals(x.Binding, y.Binding, StringComparison.Ordinal) && string.Equals(x.Destination, y.Destination, StringComparison.OrdinalIgnoreCase);

    public int GetHashCode(SendingKey key) =>
        HashCode.Combine(key.Group.GetHashCode(StringComparison.Ordinal), key.Binding.GetHashCode(StringComparison.Ordinal), key.Destination.GetHashCode(StringComparison.OrdinalIgnoreCase));
}

/// <summary>Search orders 6.1 (sending) and 6.2 (hosts).</summary>
internal sealed class SendingResolver
{
    private readonly ScopeNode _root;
    private readonly BoundedCache<SendingKey, OptionView> _sending;
    private readonly BoundedCache<SendingKey, OptionView> _hosts;
    private readonly BoundedCache<ScopeNode[], OptionView> _sendingChains;
    private readonly BoundedCache<ScopeNode[], OptionView> _hostChains;
    private readonly Dictionary<ScopeNode, DestinationTable> _domains = [];
    private readonly Dictionary<ScopeNode, DestinationTable> _hostStanzas = [];

    public SendingResolver(ScopeNode root)
    {
        _root = root;
        var capacity = root.Get(Options.MatchCacheSize);
        _sending = new(capacity, SendingKeyComparer.Instance);
        _hosts = new(capacity, SendingKeyComparer.Instance);
        _sendingChains = new(capacity, ChainComparer.Instance);
        _hostChains = new(capacity, ChainComparer.Instance);
        foreach (var container in root.Walk().Where(n => n.Kind.Includes(ScopeKinds.Global | ScopeKinds.BindingGroup | ScopeKinds.Binding)))
        {
            if (DestinationTable.Of(container, ScopeKinds.Domain) is { } domains)
                _domains.Add(container, domains);
            if (DestinationTable.Of(container, ScopeKinds.Host) is { } hosts)
                _hostStanzas.Add(container, hosts);
        }
    }

    public OptionView Sending(string group, string binding, string domain)
    {
        var key = new SendingKey(group, binding, domain);
        if (_sending.TryGet(key, out var view))
            return view;
        var (groupNode, own, top) = Containers(group, binding);
        List<ScopeNode> chain = [];
        AddMatches(_domains, own, domain, chain);
        AddMatches(_domains, top, domain, chain);
        AddMatches(_domains, groupNode, domain, chain);
        chain.AddRange(((ScopeNode?[])[own, top, groupNode]).OfType<ScopeNode>());
        AddMatches(_domains, _root, domain, chain);
        chain.Add(_root);
        return _sending.Add(key, Intern(_sendingChains, ResolutionFamily.Sending, chain));
    }

    public OptionView Hosts(string group, string binding, string host)
    {
        var key = new SendingKey(group, binding, host);
        if (_hosts.TryGet(key, out var view))
            return view;
        var (groupNode, own, top) = Containers(group, binding);
        List<ScopeNode> chain = [];
        foreach (var container in (ScopeNode?[])[own, top, groupNode, _root])
            AddMatches(_hostStanzas, container, host, chain);
        return _hosts.Add(key, Intern(_hostChains, ResolutionFamily.Host, chain));
    }

    /// <summary>A binding declared at top level is in the group <c>default</c>.</summary>
    private (ScopeNode? Group, ScopeNode? Own, ScopeNode? Top) Containers(string group, string binding)
    {
        var groupNode = _root.FindChild("binding_group", group);
        return (groupNode, groupNode?.FindChild("binding", binding), group == "default" ? _root.FindChild("binding", binding) : null);
    }

    private static void AddMatches(Dictionary<ScopeNode, DestinationTable> tables, ScopeNode? container, string name, List<ScopeNode> chain)
    {
        if (container is not null && tables.TryGetValue(container, out var table))
            table.AddMatches(name, chain);
    }

    private static OptionView Intern(BoundedCache<ScopeNode[], OptionView> chains, ResolutionFamily family, List<ScopeNode> chain)
    {
        ScopeNode[] key = [.. chain];
        return chains.TryGet(key, out var known) ? known : chains.Add(key, new(family, key));
    }
}
