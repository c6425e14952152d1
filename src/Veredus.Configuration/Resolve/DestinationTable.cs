namespace Veredus.Configuration;

/// <summary>The <c>domain</c> (or <c>host</c>) stanzas of one container: the plain one first, then matching patterns in order.</summary>
internal sealed class DestinationTable
{
    private readonly Dictionary<string, ScopeNode> _plain = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<ScopeNode> _patterns = [];

    private DestinationTable(IEnumerable<ScopeNode> stanzas)
    {
        foreach (var stanza in stanzas)
        {
            if (stanza.IsRegex)
                _patterns.Add(stanza);
            else
                _plain.Add(stanza.Instance, stanza);
        }
    }

    /// <summary>Null when the container has no such stanza.</summary>
    public static DestinationTable? Of(ScopeNode container, ScopeKinds kind) =>
        container.ChildrenOf(kind).Any() ? new(container.ChildrenOf(kind)) : null;

    public void AddMatches(string name, List<ScopeNode> matches)
    {
        if (_plain.TryGetValue(name, out var exact))
            matches.Add(exact);
        foreach (var stanza in _patterns)
        {
            if (stanza.InstancePattern!.IsMatch(name))
                matches.Add(stanza);
        }
    }
}
