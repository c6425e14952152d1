namespace Veredus.ConfigServer;

/// <summary>Something that several nodes say alike.</summary>
public sealed record OnNodes(string What, IReadOnlyList<string> Nodes);

/// <summary>One node's verdict: <c>loads</c>, <c>refuses</c> or <c>silent</c>.</summary>
public sealed record NodeVerdict(string Node, string State, IReadOnlyList<string> Why);

/// <summary>What a revision would do to a cluster: the nodes' answers put together. A pure function of them.</summary>
/// <param name="Nodes">Every node of the subcluster, those that did not answer included.</param>
/// <param name="Gained">Virtual addresses that no node has now.</param>
/// <param name="Lost">Addresses that no node would have any more.</param>
/// <param name="Moved">Addresses that leave the node that has them now.</param>
/// <param name="Marks">Marks (BROKEN, UNSAFE, conflict) that would appear, with the nodes' differing words.</param>
/// <param name="Cleared">Marks that would go.</param>
public sealed record PlanSummary(
    IReadOnlyList<NodeVerdict> Nodes, IReadOnlyList<OnNodes> Options, IReadOnlyList<OnNodes> Listeners, IReadOnlyList<OnNodes> Bindings, IReadOnlyList<OnNodes> Restart,
    IReadOnlyList<OnNodes> Gained, IReadOnlyList<OnNodes> Lost, IReadOnlyList<string> Moved, IReadOnlyList<string> Marks, IReadOnlyList<string> Cleared)
{
    /// <summary>Nodes that could not load it, or have not said that they could; a commit needs to leave them out by name.</summary>
    public IReadOnlyList<NodeVerdict> InTheWay(IReadOnlyCollection<string> without) => [.. Nodes.Where(node => node.State != "loads" && !without.Contains(node.Node))];

    public static PlanSummary Of(IReadOnlyList<PlanAnswer> answers)
    {
        var effects = answers.Select(answer => answer.Effect).OfType<NodeEffect>().ToList();
        var loading = effects.Where(effect => effect.Loads).ToList();
        var (before, after) = (Addresses(effects, effect => effect.Before), Addresses(effects, effect => effect.Loads ? effect.After : effect.Before));
        var (marksBefore, marksAfter) = (MarksOf(before), MarksOf(after));
        return new(
            [.. answers.Select(answer => answer.Effect switch
            {
                null => new NodeVerdict(answer.Node, "silent", [answer.Problem ?? "no answer"]),
                { Loads: true } effect => new(answer.Node, "loads", effect.Warnings),
                { } effect => new(answer.Node, "refuses", effect.Errors),
            }).OrderBy(verdict => verdict.Node, StringComparer.Ordinal)],
            Group(loading, effect => effect.Options.Select(option => $"{option.Path}  {option.Old ?? "(unset)"} -> {option.New ?? "(unset)"}")),
            Group(loading, effect => effect.ListenersOpened.Select(listener => $"{listener} opens").Concat(effect.ListenersClosed.Select(listener => $"{listener} closes"))),
            Group(loading, effect => effect.BindingsAdded.Select(binding => $"{binding} comes").Concat(effect.BindingsRemoved.Select(binding => $"{binding} goes")).Concat(effect.BindingsChanged.Select(binding => $"{binding} changes"))),
            Group(loading, effect => effect.Restart),
            [.. after.Where(entry => !before.ContainsKey(entry.Key)).Select(entry => new OnNodes(entry.Key, [.. entry.Value.Keys]))],
            [.. before.Where(entry => !after.ContainsKey(entry.Key)).Select(entry => new OnNodes(entry.Key, [.. entry.Value.Keys]))],
            [.. effects.SelectMany(effect => effect.Owned.Where(address => after.TryGetValue(address, out var left) && !left.ContainsKey(effect.Node)).Select(address => $"{address} leaves {effect.Node}; can go to {string.Join(' ', after[address].Keys)}"))],
            [.. marksAfter.Except(marksBefore)], [.. marksBefore.Except(marksAfter)]);
    }

    /// <summary>Per address, what the nodes that can place it say of it.</summary>
    private static SortedDictionary<string, SortedDictionary<string, PlannedAddress>> Addresses(List<NodeEffect> effects, Func<NodeEffect, IReadOnlyList<PlannedAddress>> of)
    {
        var found = new SortedDictionary<string, SortedDictionary<string, PlannedAddress>>(StringComparer.Ordinal);
        foreach (var effect in effects)
        {
            foreach (var address in of(effect).Where(address => address.CanPlace))
            {
                if (!found.TryGetValue(address.Address, out var nodes))
                    found[address.Address] = nodes = new(StringComparer.Ordinal);
                nodes[effect.Node] = address;
            }
        }
        return found;
    }

    private static List<OnNodes> Group(List<NodeEffect> effects, Func<NodeEffect, IEnumerable<string>> of) =>
        [.. effects.SelectMany(effect => of(effect).Select(what => (What: what, effect.Node))).GroupBy(pair => pair.What, StringComparer.Ordinal)
            .Select(group => new OnNodes(group.Key, [.. group.Select(pair => pair.Node).Distinct().Order(StringComparer.Ordinal)]))];

    /// <summary>The marks that DuraVIP gives (duravip.md 3): the same rules, on what the nodes would announce.</summary>
    private static List<string> MarksOf(SortedDictionary<string, SortedDictionary<string, PlannedAddress>> addresses)
    {
        var marks = new List<string>();
        foreach (var (address, nodes) in addresses)
        {
            Differ("BROKEN", entry => entry.Unit == entry.Address ? "follows nothing" : $"follows {entry.Unit}", _ => true);
            Differ("BROKEN", entry => string.Join(' ', entry.Names), entry => entry.Names.Count > 0);
            Differ("UNSAFE", entry => entry.Services.Count == 0 ? "no service" : string.Join(' ', entry.Services), _ => true);
            Differ("conflict", entry => $"prefers {entry.Preference}", entry => entry.Preference.Length > 0);

            void Differ(string mark, Func<PlannedAddress, string> say, Func<PlannedAddress, bool> counts)
            {
                var said = nodes.Where(node => counts(node.Value)).GroupBy(node => say(node.Value), StringComparer.Ordinal).ToList();
                if (said.Count > 1)
                    marks.Add($"{address} {mark}: {string.Join(", ", said.Select(group => $"{string.Join(' ', group.Select(node => node.Key))}: {group.Key}"))}");
            }
        }
        var places = addresses.SelectMany(entry => entry.Value.Values.SelectMany(address => address.Names).Distinct().Select(name => (Name: name, Address: entry.Key))).Distinct().GroupBy(pair => pair.Name, StringComparer.Ordinal);
        marks.AddRange(places.Where(place => place.Count() > 1).Select(place => $"{string.Join(" and ", place.Select(pair => pair.Address))} BROKEN: binding {place.Key} is at both"));
        return marks;
    }
}
