using System.Globalization;
using System.Net;

namespace Veredus.Cluster;

/// <summary>One entry of <c>msgc_server { peers }</c>: <c>name = "address[,address] [id]"</c>.</summary>
/// <param name="Name">The node's name in the bus: lower case, 1 to 63 characters.</param>
/// <param name="Addresses">One for each link, in the same order on all peers; one or two.</param>
/// <param name="Id">Totem node id; it must never change or be given to another node.</param>
public sealed record BusPeer(string Name, IReadOnlyList<IPAddress> Addresses, uint Id)
{
    private const int MaxLinks = 2;

    /// <summary>Reads the list. An entry without id gets its position, counted from 1.</summary>
    /// <returns>The peers, or <see langword="null"/> with the first error: what stands there and what would be right.</returns>
    public static IReadOnlyList<BusPeer>? ParseAll(IEnumerable<KeyValuePair<string, string>> entries, out string error)
    {
        var peers = new List<BusPeer>();
        foreach (var (name, value) in entries)
        {
            if (Parse(name, value, (uint)peers.Count + 1, out error) is not { } peer)
                return null;
            peers.Add(peer);
        }
        error = Problem(peers);
        return error.Length == 0 ? peers : null;
    }

    private static BusPeer? Parse(string name, string value, uint position, out string error)
    {
        error = "";
        var words = value.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        var addresses = new List<IPAddress>();
        var id = position;
        if (name.Length is 0 or > 63 || name.Any(letter => !char.IsAsciiLetterLower(letter) && !char.IsAsciiDigit(letter) && letter is not ('-' or '.')))
            error = $"peers: name '{name}': 1 to 63 lower case letters, digits, hyphens and dots";
        else if (words.Length is 0 or > 2)
            error = $"peers: {name} = \"{value}\": \"address\", \"address,address\" for two links, or either with an id behind it";
        else if (words.Length == 2 && (!uint.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out id) || id == 0))
            error = $"peers: {name}: id '{words[1]}' is not a number from 1";
        else if (words[0].Split(',').FirstOrDefault(text => !TryAdd(text, addresses)) is { } wrong)
            error = $"peers: {name}: '{wrong}' is not an IP address";
        else if (addresses.Count > MaxLinks)
            error = $"peers: {name} has {addresses.Count} addresses; {MaxLinks} links can be";
        return error.Length == 0 ? new(name, addresses, id) : null;
    }

    private static bool TryAdd(string text, List<IPAddress> addresses)
    {
        if (!IPAddress.TryParse(text, out var address))
            return false;
        addresses.Add(address);
        return true;
    }

    private static string Problem(List<BusPeer> peers)
    {
        if (peers.Count == 0)
            return "peers: the list is empty; name every node of the cluster";
        if (peers.GroupBy(peer => peer.Name).FirstOrDefault(group => group.Count() > 1) is { } name)
            return $"peers: '{name.Key}' stands there {name.Count()} times";
        if (peers.GroupBy(peer => peer.Id).FirstOrDefault(group => group.Count() > 1) is { } id)
            return $"peers: id {id.Key} belongs to {string.Join(" and ", id.Select(peer => peer.Name))}; give each its own, as in {id.Last().Name} = \"{id.Last().Addresses[0]} {peers.Max(peer => peer.Id) + 1}\"";
        if (peers.SelectMany(peer => peer.Addresses).GroupBy(address => address).FirstOrDefault(group => group.Count() > 1) is { } address)
            return $"peers: address {address.Key} stands there {address.Count()} times";
        return peers.FirstOrDefault(peer => peer.Addresses.Count != peers[0].Addresses.Count) is { } odd
            ? $"peers: {odd.Name} has {odd.Addresses.Count} address(es) and {peers[0].Name} {peers[0].Addresses.Count}; every node is on the same links"
            : "";
    }
}
