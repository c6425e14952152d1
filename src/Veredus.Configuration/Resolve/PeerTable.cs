using System.Net;

namespace Veredus.Configuration;

/// <summary>The <c>peer</c> stanzas of one listener or socket, longest prefix first.</summary>
internal sealed class PeerTable
{
    private readonly (int Bits, bool IsV4, Dictionary<UInt128, ScopeNode> Networks)[] _lengths;

    private PeerTable(IEnumerable<ScopeNode> peers)
    {
        Dictionary<(int, bool), Dictionary<UInt128, ScopeNode>> lengths = [];
        foreach (var peer in peers)
        {
            if (!CidrList.TryParseNetwork(peer.Instance, out var network))
                continue;
            var bits = AddressBits.Of(network.BaseAddress, out var isV4);
            if (!lengths.TryGetValue((network.PrefixLength, isV4), out var networks))
                lengths.Add((network.PrefixLength, isV4), networks = []);
            networks[bits] = peer;
        }
        _lengths = [.. lengths.OrderByDescending(l => l.Key.Item1).Select(l => (l.Key.Item1, l.Key.Item2, l.Value))];
    }

    public static PeerTable? Of(ScopeNode container) =>
        container.ChildrenOf(ScopeKinds.Peer).Any() ? new(container.ChildrenOf(ScopeKinds.Peer)) : null;

    public void AddMatches(IPAddress client, List<ScopeNode> matches)
    {
        var address = AddressBits.Of(client, out var isV4);
        foreach (var (bits, v4, networks) in _lengths)
        {
            if (v4 == isV4 && networks.TryGetValue(AddressBits.Mask(address, bits, isV4), out var peer) && !matches.Contains(peer))
                matches.Add(peer);
        }
    }
}
