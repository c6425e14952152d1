using System.Net;
using System.Net.Sockets;

namespace Veredus.Network;

/// <summary>One <c>Topology</c> stanza: addresses inside <paramref name="Network"/> go on <paramref name="Interface"/>.</summary>
/// <param name="AliasPrefixLength">Prefix length given to an address when it is added (<c>cidrmask</c>); normally 32 or 128.</param>
public sealed record TopologyBlock(IPNetwork Network, string Interface, int AliasPrefixLength)
{
    public string Interface { get; } = Interface.Length is > 0 and < 16
        ? Interface : throw new ArgumentException($"Interface name '{Interface}' must have 1 to 15 characters.", nameof(Interface));

    public int AliasPrefixLength { get; } =
        AliasPrefixLength > 0 && AliasPrefixLength <= (Network.BaseAddress.AddressFamily == AddressFamily.InterNetwork ? 32 : 128)
            ? AliasPrefixLength
            : throw new ArgumentOutOfRangeException(nameof(AliasPrefixLength), AliasPrefixLength, $"cidrmask of {Network} must be 1 to 32 (IPv4) or 1 to 128 (IPv6).");
}

/// <summary>Where each address belongs. A value: built once from the configuration.</summary>
public sealed class Topology
{
    public static readonly Topology Empty = new([]);

    private readonly TopologyBlock[] _longestFirst;

    public Topology(IEnumerable<TopologyBlock> blocks) =>
        _longestFirst = [.. blocks.OrderByDescending(block => block.Network.PrefixLength)];

    /// <summary>The blocks, longest prefix first.</summary>
    public IReadOnlyList<TopologyBlock> Blocks => _longestFirst;

    /// <summary>The block that places <paramref name="address"/>: where several match, the longest prefix.</summary>
    public TopologyBlock? Find(IPAddress address)
    {
        foreach (var block in _longestFirst)
            if (block.Network.BaseAddress.AddressFamily == address.AddressFamily && block.Network.Contains(address))
                return block;
        return null;
    }
}
