using System.Net;

namespace Veredus.Network;

/// <summary>
/// Who is on the segment, as all nodes together have seen it: each samples its kernel's table and sends the sample to the others; a node that takes
/// an address over can then tell hosts that it has never talked to itself.
/// </summary>
/// <remarks>No clock of its own: time comes in. For one thread.</remarks>
public sealed class SharedNeighbourTable
{
    /// <summary>An entry that nobody has seen for this long is forgotten.</summary>
    public static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(10);
    /// <summary>Entries kept; a flooded segment can't fill the memory. The longest unseen go first.</summary>
    public const int MaxEntries = 16_384;

    private readonly Dictionary<IPAddress, (MacAddress Mac, TimeSpan Seen)> _entries = [];

    /// <summary>Takes a sample in, one's own or another node's. A later sighting of an address replaces an earlier one.</summary>
    /// <param name="now">Any clock that only moves forward.</param>
    public void Apply(IEnumerable<NeighbourInfo> sample, TimeSpan now)
    {
        foreach (var neighbour in sample)
            if (neighbour.Mac != MacAddress.None && neighbour.Mac != MacAddress.Broadcast)
                _entries[neighbour.Address] = (neighbour.Mac, now);
        Expire(now);
    }

    /// <summary>What is known, by address.</summary>
    public IReadOnlyList<(NeighbourInfo Neighbour, TimeSpan Age)> Entries(TimeSpan now)
    {
        Expire(now);
        return [.. _entries.OrderBy(entry => entry.Key, AddressOrder.Instance)
            .Select(entry => (new NeighbourInfo(0, entry.Key, entry.Value.Mac), now - entry.Value.Seen))];
    }

    private void Expire(TimeSpan now)
    {
        foreach (var (address, entry) in _entries)
            if (now - entry.Seen > MaxAge)
                _entries.Remove(address);
        if (_entries.Count > MaxEntries)
            foreach (var oldest in _entries.OrderBy(entry => entry.Value.Seen).Take(_entries.Count - MaxEntries).Select(entry => entry.Key).ToArray())
                _entries.Remove(oldest);
    }
}

/// <summary>IPv4 before IPv6, then by bytes.</summary>
public sealed class AddressOrder : IComparer<IPAddress>
{
    public static readonly AddressOrder Instance = new();

    public int Compare(IPAddress? x, IPAddress? y)
    {
        Span<byte> left = stackalloc byte[16], right = stackalloc byte[16];
        var (a, b) = (0, 0);
        x?.TryWriteBytes(left, out a);
        y?.TryWriteBytes(right, out b);
        return a != b ? a.CompareTo(b) : left[..a].SequenceCompareTo(right[..b]);
    }
}
