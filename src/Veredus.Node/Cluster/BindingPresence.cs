using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Net;
using Veredus.Configuration;
using Veredus.Delivery;

namespace Veredus.Node;

/// <summary>
/// Which bindings can send from here: those with a static address always, those on a virtual address while it is here; and which node has the others. A node
/// that is drained gives its static bindings' mail away as well: to the others, each binding to one of them.
/// </summary>
internal sealed class BindingPresence : IBindingPresence
{
    private readonly Lock _gate = new();
    private volatile State _state = new();

    public event Action<string, string>? Changed;

    public bool IsHere(string group, string binding) => _state.IsHere(binding);

    public string? Elsewhere(string group, string binding) => _state.Elsewhere(binding);

    public bool IsMember(string node) => _state.IsMember(node);

    /// <summary>The owner of a binding's address as all agree, whether or not mail can be handed to it; <see langword="null"/>: nobody, or a static binding.</summary>
    public string? Owner(string binding) => _state is var state && state.Virtual.TryGetValue(binding, out var at) ? state.Owners.GetValueOrDefault(at.Address) : null;

    /// <summary>The virtual address of a binding; <see langword="null"/>: it has a static one.</summary>
    public IPAddress? AddressOf(string binding) => _state.Virtual.TryGetValue(binding, out var at) ? at.Address : null;

    /// <summary>The bindings on a virtual address.</summary>
    public IEnumerable<(string Group, string Name)> On(IPAddress address) => _state.OnAddress[address];

    /// <summary>The bindings of a configuration.</summary>
    public void Use(ConfigurationSnapshot configuration)
    {
        var virtuals = VirtualAddresses.Of(configuration);
        var found = configuration.Bindings
            .Select(binding => (binding.Name, binding.Group, Address: binding.Scope?.Get(Options.BindAddress).Address))
            .Where(binding => binding.Address is { } address && virtuals.Contains(address))
            .ToFrozenDictionary(binding => binding.Name, binding => (binding.Group, binding.Address!), StringComparer.Ordinal);
        var others = configuration.Bindings.Where(binding => !found.ContainsKey(binding.Name)).Select(binding => (binding.Group, binding.Name))
            .Append((Group: "default", Name: "default")).DistinctBy(binding => binding.Name).ToArray();
        var onAddress = found.ToLookup(pair => pair.Value.Item2, pair => (pair.Value.Group, pair.Key));
        Replace(state => state with { Virtual = found, OnAddress = onAddress, Static = others });
    }

    /// <summary>Whether this node serves a virtual address. Touches its bindings alone: a takeover sets a thousand, one after the other.</summary>
    public void Set(IPAddress address, bool isHere) => Replace(state => state with { Here = isHere ? state.Here.Add(address) : state.Here.Remove(address) }, state => state.OnAddress[address]);

    /// <summary>Whether this node gives all its mail away.</summary>
    public bool IsDrained => _state.IsDrained;

    /// <summary>Who owns which address; empty: nobody is known. A node that takes part again is not drained any more.</summary>
    /// <param name="present">Who takes part; <see langword="null"/>: unknown.</param>
    /// <param name="isDraining">Whether this node is among those that give everything away; <see langword="null"/>: unknown.</param>
    public void SetOwners(IReadOnlyDictionary<IPAddress, string> owners, IEnumerable<string> draining, IEnumerable<string>? present, bool? isDraining) =>
        Replace(state => state with { Owners = owners.ToFrozenDictionary(), Draining = [.. draining], Present = present?.ToFrozenSet(StringComparer.Ordinal), IsDrained = state.IsDrained && isDraining is not false });

    /// <summary>The other nodes that mail can be handed to.</summary>
    public void SetMembers(IEnumerable<string> others) => Replace(state => state with { Members = others.ToFrozenSet(StringComparer.Ordinal) });

    /// <summary>Whether this node gives all its mail away.</summary>
    public void SetDrained(bool isDrained) => Replace(state => state with { IsDrained = isDrained });

    /// <param name="touched">The bindings that it can make a difference to; <see langword="null"/>: all.</param>
    private void Replace(Func<State, State> change, Func<State, IEnumerable<(string Group, string Name)>>? touched = null)
    {
        State before, after;
        lock (_gate)
        {
            before = _state;
            after = change(before);
            _state = after;
        }
        foreach (var (group, name) in touched?.Invoke(after) ?? after.Names.Concat(before.Names.Where(one => !after.Virtual.ContainsKey(one.Name))).Distinct())
            if (before.IsHere(name) != after.IsHere(name) || before.Elsewhere(name) != after.Elsewhere(name) || before.Members != after.Members || before.Present != after.Present)
                Changed?.Invoke(group, name);
    }

    private sealed record State
    {
        public FrozenDictionary<string, (string Group, IPAddress Address)> Virtual { get; init; } = FrozenDictionary<string, (string, IPAddress)>.Empty;
        public ILookup<IPAddress, (string Group, string Name)> OnAddress { get; init; } = Enumerable.Empty<(string, string)>().ToLookup(_ => IPAddress.None);
        public (string Group, string Name)[] Static { get; init; } = [];
        /// <summary>Not frozen: a takeover adds a thousand, one after the other.</summary>
        public ImmutableHashSet<IPAddress> Here { get; init; } = [];
        public FrozenDictionary<IPAddress, string> Owners { get; init; } = FrozenDictionary<IPAddress, string>.Empty;
        public string[] Draining { get; init; } = [];
        public FrozenSet<string> Members { get; init; } = FrozenSet<string>.Empty;
        public FrozenSet<string>? Present { get; init; }
        public bool IsDrained { get; init; }

        /// <summary>In the control group, and not put out of the addresses' for its silence (a process that is frozen).</summary>
        public bool IsMember(string node) => Members.Contains(node) && Present?.Contains(node) is not false;

        public IEnumerable<(string Group, string Name)> Names => Virtual.Select(pair => (pair.Value.Group, pair.Key)).Concat(Static);

        public bool IsHere(string binding) => Virtual.TryGetValue(binding, out var at) ? Here.Contains(at.Address) : !IsDrained || Heir(binding) is null;

        public string? Elsewhere(string binding)
        {
            if (!Virtual.TryGetValue(binding, out var at))
                return IsDrained ? Heir(binding) : null;
            return !Here.Contains(at.Address) && Owners.TryGetValue(at.Address, out var owner) && IsMember(owner) ? owner : null;
        }

        /// <summary>Who takes the mail of a static binding when this node is drained: the same one for a binding while the members are the same.</summary>
        private string? Heir(string binding)
        {
            var (best, bestHash) = ((string?)null, 0u);
            foreach (var member in Members)
            {
                if (Array.IndexOf(Draining, member) >= 0 || !IsMember(member))
                    continue;
                var hash = 2166136261u;
                foreach (var letter in $"{binding}@{member}")
                    hash = (hash ^ letter) * 16777619;
                if (best is null || hash > bestHash)
                    (best, bestHash) = (member, hash);
            }
            return best;
        }
    }
}
