using System.Collections.Frozen;
using System.Net;
using Veredus.Configuration;

namespace Veredus.Node;

/// <summary>The addresses of a configuration that come and go with the cluster: enabled on a Listen or Binding, or following one (duravip.md 2.6).</summary>
internal sealed class VirtualAddresses
{
    private static readonly VirtualAddresses None = new(FrozenSet<IPAddress>.Empty);

    private readonly FrozenSet<IPAddress> _addresses;

    private VirtualAddresses(FrozenSet<IPAddress> addresses) => _addresses = addresses;

    public bool IsEmpty => _addresses.Count == 0;

    public bool Contains(IPAddress address) => _addresses.Contains(address);

    public bool Contains(ListenDefinition listen) => listen.Endpoint is { IsWildcard: false, Address: { } address } && _addresses.Contains(address);

    /// <summary>None where the configuration has no <c>cluster</c>: then all its addresses are static.</summary>
    public static VirtualAddresses Of(ConfigurationSnapshot configuration)
    {
        if (!configuration.Modules(ScopeKinds.Cluster).Any())
            return None;
        var listens = configuration.Listens
            .Where(listen => listen.Scope.Get(Options.EnableDuravip) || listen.Scope.Get(Options.DuravipFollow) is not null)
            .Select(listen => listen.Endpoint is { IsWildcard: false } endpoint ? endpoint.Address : null);
        var bindings = configuration.Bindings.Where(binding => binding.Scope?.Get(Options.EnableDuravip) == true)
            .Select(binding => binding.Scope!.Get(Options.BindAddress).Address);
        var found = listens.Concat(bindings).OfType<IPAddress>().ToFrozenSet();
        return found.Count == 0 ? None : new(found);
    }
}
