using System.Collections.Immutable;

namespace Veredus.Duravip;

/// <summary>What building the local set came to.</summary>
/// <param name="Set">The set; <see langword="null"/> if <paramref name="Errors"/> is not empty: a failed load changes nothing.</param>
/// <param name="Errors">Each says what is wrong; the load fails.</param>
/// <param name="Warnings">The load succeeds.</param>
public sealed record VipSetResult(VipSet? Set, ImmutableArray<string> Errors, ImmutableArray<string> Warnings);

/// <summary>Builds a node's set of addresses from its configuration values (upgrade rule, followers, validation).</summary>
public static class VipSetBuilder
{
    /// <summary>The service name that stands for "a binding uses this address".</summary>
    public const string BindingService = "multivip";
    private const int MaxName = 255;

    public static VipSetResult Build(
        IReadOnlyCollection<ListenValue> listens, IReadOnlyCollection<BindingValue> bindings,
        IReadOnlyCollection<TopologyValue> topology, HostValues host)
    {
        ArgumentNullException.ThrowIfNull(listens);
        ArgumentNullException.ThrowIfNull(bindings);
        ArgumentNullException.ThrowIfNull(topology);
        ArgumentNullException.ThrowIfNull(host);
        return new Builder(listens, bindings, topology, host).Run();
    }

    private sealed class Builder(
        IReadOnlyCollection<ListenValue> listens, IReadOnlyCollection<BindingValue> bindings,
        IReadOnlyCollection<TopologyValue> topology, HostValues host)
    {
        private readonly List<string> _errors = [];
        private readonly List<string> _warnings = [];
        private readonly HashSet<VipAddress> _enabled = [];
        private readonly Dictionary<VipAddress, (string Target, VipAddress? Unit)> _follows = [];
        private readonly ILookup<VipAddress, ListenValue> _listensAt =
            listens.Where(listen => listen.Address is not null).ToLookup(listen => listen.Address!.Value);
        private readonly ILookup<VipAddress, BindingValue> _bindingsAt =
            bindings.Where(binding => binding.Address is not null).ToLookup(binding => binding.Address!.Value);

        public VipSetResult Run()
        {
            foreach (var listen in listens)
                Collect(listen);
            foreach (var binding in bindings)
                Collect(binding);
            foreach (var (address, follow) in _follows.OrderBy(pair => pair.Key).ToList())
                Attach(address, follow.Target);
            var addresses = _enabled.Union(_follows.Keys).Order().ToList();
            foreach (var address in addresses.Where(address => _bindingsAt[address].Count() > MessageReader.MaxTexts))
                _errors.Add($"duravip: {address}: {_bindingsAt[address].Count()} bindings use it; at most {MessageReader.MaxTexts} can");
            foreach (var address in addresses.Where(host.MainAddresses.Contains))
                _errors.Add($"duravip: {address} is a main address of this host");
            if (addresses.Count > VipSet.MaxVips)
                _errors.Add($"duravip: {addresses.Count} addresses exceed the limit of {VipSet.MaxVips}");
            if (_errors.Count > 0)
                return new(null, [.. _errors], [.. _warnings]);
            var vips = addresses.ConvertAll(ToVip);
            WarnOfWildcards();
            return new(new VipSet(vips), [], [.. _warnings]);
        }

        private void Collect(ListenValue listen)
        {
            if (listen.Address is not { } address)
            {
                if (listen.EnableDuravip || listen.Follow is not null)
                    _warnings.Add($"duravip: listen *:{listen.Port}: a wildcard listener is never a VIP service; give it an address");
                return;
            }
            CheckPreference($"listen {address}", listen.Preference);
            if (listen.EnableDuravip)
                _enabled.Add(address);
            if (listen.Follow is not { } target)
                return;
            if (listen.EnableDuravip)
                _errors.Add($"duravip: listen {address}: Enable_Duravip and Duravip_Follow are mutually exclusive");
            if (listen.Preference is not null)
                _errors.Add($"duravip: listen {address}: Duravip_Preference is not allowed with Duravip_Follow");
            if (_follows.TryGetValue(address, out var earlier) && earlier.Target != target)
                _errors.Add($"duravip: {address} cannot follow both {earlier.Target} and {target}");
            _follows.TryAdd(address, (target, null));
        }

        private void Collect(BindingValue binding)
        {
            if (binding.Follow is not null)
                _errors.Add($"duravip: binding {binding.Name}: a binding cannot follow");
            if (binding.Name.Length is 0 or > MaxName)
                _errors.Add($"duravip: binding '{binding.Name}': a name has 1 to {MaxName} characters");
            CheckPreference($"binding {binding.Name}", binding.Preference);
            if (!binding.EnableDuravip)
                return;
            if (binding.Address is { } address)
                _enabled.Add(address);
            else
                _warnings.Add($"duravip: binding {binding.Name}: Enable_Duravip without Bind_Address has no effect");
        }

        private void CheckPreference(string where, string? preference)
        {
            if (preference is not null && !NodeName.IsValid(preference))
                _errors.Add($"duravip: {where}: '{preference}' is not a node name (1-63 of a-z, 0-9, hyphen, dot)");
        }

        private void Attach(VipAddress address, string target)
        {
            var binding = bindings.FirstOrDefault(candidate => candidate.Name == target)
                ?? (VipAddress.TryParse(target, out var byAddress) ? _bindingsAt[byAddress].FirstOrDefault() : null);
            if (binding?.Address is not { } unit || !_enabled.Contains(unit))
            {
                _errors.Add($"duravip: listen {address}: follow target '{target}' is not a DuraVIP binding");
                return;
            }
            if (unit == address)
                _errors.Add($"duravip: listen {address} follows binding {binding.Name} which has the same address");
            else if (_bindingsAt[address].FirstOrDefault() is { } other)
                _errors.Add($"duravip: {address} follows {binding.Name} but is also the address of binding {other.Name}");
            else if (_enabled.Contains(address) && !_listensAt[address].Any(listen => listen.EnableDuravip && listen.Follow is not null))
                _errors.Add($"duravip: listen {address}: Enable_Duravip and Duravip_Follow are mutually exclusive");
            _follows[address] = (target, unit);
        }

        private LocalVip ToVip(VipAddress address)
        {
            var services = _listensAt[address].Select(listen => listen.Kind)
                .Concat(_bindingsAt[address].Take(1).Select(_ => BindingService));
            var (placement, placeability, network) = Place(address);
            var entry = new VipEntry(
                address, _follows.TryGetValue(address, out var follow) ? follow.Unit!.Value : address,
                [.. services.Distinct().Order(StringComparer.Ordinal)],
                [.. _bindingsAt[address].Select(binding => binding.Name).Distinct().Order(StringComparer.Ordinal)],
                Preference(address), placeability, network);
            return new(entry, placement);
        }

        private string Preference(VipAddress address)
        {
            var given = _listensAt[address].Select(listen => listen.Preference)
                .Concat(_bindingsAt[address].Select(binding => binding.Preference))
                .Where(preference => preference is not null).Distinct().Order(StringComparer.Ordinal).ToList();
            if (given.Count > 1)
                _warnings.Add($"duravip: {address}: conflicting Duravip_Preference '{given[0]}' and '{given[1]}'");
            return given.Count == 1 ? given[0]! : "";
        }

        private (Placement?, Placeability, string) Place(VipAddress address)
        {
            var stanza = topology.Where(stanza => address.IsIn(stanza.Network, stanza.PrefixLength))
                .MaxBy(stanza => stanza.PrefixLength);
            if (stanza is null)
            {
                _warnings.Add($"duravip: {address}: no Topology for this address");
                return (null, Placeability.NoTopology, "");
            }
            var network = $"{stanza.Network}/{stanza.PrefixLength}";
            if (!host.Interfaces.Contains(stanza.Interface))
            {
                _warnings.Add($"duravip: {address}: interface {stanza.Interface} does not exist");
                return (null, Placeability.NoInterface, network);
            }
            return (new(stanza.Interface, stanza.AliasPrefix ?? address.HostPrefix), Placeability.Placeable, network);
        }

        private void WarnOfWildcards()
        {
            var ports = listens.Where(listen => listen.Address is { } address && (_enabled.Contains(address) || _follows.ContainsKey(address)))
                .ToLookup(listen => listen.Port);
            foreach (var wildcard in listens.Where(listen => listen.Address is null))
            {
                if (ports[wildcard.Port].FirstOrDefault() is { } vip)
                    _warnings.Add($"duravip: listen *:{wildcard.Port} shares its port with VIP listener {vip.Address}; connections to the VIP may reach it");
            }
        }
    }
}
