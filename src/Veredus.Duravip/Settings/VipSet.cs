using System.Collections.Immutable;

namespace Veredus.Duravip;

/// <summary>Whether a node can place an address at all.</summary>
public enum Placeability : byte { Placeable, NoTopology, NoInterface }

/// <summary>Where an address goes on this host.</summary>
public readonly record struct Placement(string Interface, int PrefixLength);

/// <summary>What one node's configuration says about one address; this is what it announces to the others.</summary>
public sealed class VipEntry : IEquatable<VipEntry>
{
    /// <param name="address">The address.</param>
    /// <param name="unit">The address that is elected: itself, or the target it follows.</param>
    /// <param name="services">Listener kinds and <c>multivip</c>, sorted, no duplicates.</param>
    /// <param name="names">Names of the bindings with this address, sorted, no duplicates.</param>
    /// <param name="preference">The preferred node; empty = none.</param>
    /// <param name="placeability">Whether this node can place the address.</param>
    /// <param name="network">The matching Topology block, e.g. <c>192.0.2.0/24</c>; empty if none.</param>
    public VipEntry(VipAddress address, VipAddress unit, ImmutableArray<string> services, ImmutableArray<string> names,
        string preference, Placeability placeability, string network)
    {
        (Address, Unit, Services, Names) = (address, unit, services, names);
        (Preference, Placeability, Network) = (preference, placeability, network);
        var hash = Mixing.Combine(Mixing.Combine(address.Hash64, unit.Hash64), (ulong)placeability);
        foreach (var service in services)
            hash = Mixing.Combine(hash, service);
        hash = Mixing.Combine(hash, (ulong)services.Length);
        foreach (var name in names)
            hash = Mixing.Combine(hash, name);
        Hash64 = Mixing.Combine(Mixing.Combine(hash, preference), network);
    }

    public VipAddress Address { get; }
    public VipAddress Unit { get; }
    public ImmutableArray<string> Services { get; }
    public ImmutableArray<string> Names { get; }
    public string Preference { get; }
    public Placeability Placeability { get; }
    public string Network { get; }
    public bool IsFollower => Unit != Address;

    internal ulong Hash64 { get; }

    public bool Equals(VipEntry? other) => other is not null && Hash64 == other.Hash64 && Address == other.Address;
    public override bool Equals(object? obj) => Equals(obj as VipEntry);
    public override int GetHashCode() => (int)Hash64;
    public override string ToString() => $"{Address}/{string.Join('/', Names)} {string.Join(' ', Services)}";
}

/// <summary>One address of the local set: what is announced, and where it goes here.</summary>
/// <param name="Entry">What the group is told.</param>
/// <param name="Placement"><see langword="null"/> if this node cannot place it.</param>
public sealed record LocalVip(VipEntry Entry, Placement? Placement)
{
    public VipAddress Address => Entry.Address;
}

/// <summary>The addresses that one node's configuration enables. Immutable; built by <see cref="VipSetBuilder"/>.</summary>
public sealed class VipSet
{
    /// <summary>VIPs (aliases) one node may have.</summary>
    public const int MaxVips = 10_240;

    public static readonly VipSet Empty = new([]);

    private readonly Dictionary<VipAddress, LocalVip> _byAddress;

    public VipSet(IEnumerable<LocalVip> vips)
    {
        Vips = [.. vips.OrderBy(vip => vip.Address)];
        _byAddress = Vips.ToDictionary(vip => vip.Address);
    }

    /// <summary>Sorted by address.</summary>
    public IReadOnlyList<LocalVip> Vips { get; }

    public LocalVip? Find(VipAddress address) => _byAddress.GetValueOrDefault(address);
}
