using System.Collections.Frozen;
using System.Net;
using Veredus.Configuration;
using Veredus.Delivery;

namespace Veredus.Node;

/// <summary>Which bindings can send from here: those with a static address always, those on a virtual address while it is here.</summary>
internal sealed class BindingPresence : IBindingPresence
{
    private readonly Lock _gate = new();
    private readonly HashSet<IPAddress> _here = [];
    private volatile State _state = new(FrozenDictionary<string, (string, IPAddress)>.Empty, FrozenSet<string>.Empty);

    public event Action<string, string>? Changed;

    public bool IsHere(string group, string binding) => _state is var state && (!state.Virtual.ContainsKey(binding) || state.Here.Contains(binding));

    /// <summary>The bindings of a configuration.</summary>
    public void Use(ConfigurationSnapshot configuration)
    {
        var virtuals = VirtualAddresses.Of(configuration);
        Replace(configuration.Bindings
            .Select(binding => (binding.Name, binding.Group, Address: binding.Scope?.Get(Options.BindAddress).Address))
            .Where(binding => binding.Address is { } address && virtuals.Contains(address))
            .ToFrozenDictionary(binding => binding.Name, binding => (binding.Group, binding.Address!), StringComparer.Ordinal), null);
    }

    public void Set(IPAddress address, bool isHere) => Replace(null, () => _ = isHere ? _here.Add(address) : _here.Remove(address));

    private void Replace(FrozenDictionary<string, (string Group, IPAddress Address)>? bindings, Action? change)
    {
        State before, after;
        lock (_gate)
        {
            change?.Invoke();
            before = _state;
            bindings ??= before.Virtual;
            _state = after = new(bindings, bindings.Where(pair => _here.Contains(pair.Value.Address)).Select(pair => pair.Key).ToFrozenSet(StringComparer.Ordinal));
        }
        foreach (var (name, (group, _)) in after.Virtual)
            if (before.Here.Contains(name) != after.Here.Contains(name) || !before.Virtual.ContainsKey(name))
                Changed?.Invoke(group, name);
        foreach (var (name, (group, _)) in before.Virtual.Where(pair => !after.Virtual.ContainsKey(pair.Key)))
            Changed?.Invoke(group, name);
    }

    private sealed record State(FrozenDictionary<string, (string Group, IPAddress Address)> Virtual, FrozenSet<string> Here);
}
