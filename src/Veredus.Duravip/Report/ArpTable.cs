using System.Globalization;
using System.Text;

namespace Veredus.Duravip;

/// <summary>The union of what the nodes' kernels know of their neighbours; new owners tell these hosts first.</summary>
public sealed class ArpTable
{
    /// <summary>Entries end this long after they were last sampled.</summary>
    public const long ExpiryMs = 600_000;
    /// <summary>Neighbours that one sample carries.</summary>
    public const int MaxSample = 2_048;
    private const int MaxEntries = 16_384;

    private readonly Dictionary<VipAddress, (ulong Mac, long SeenMs)> _entries = [];

    /// <summary>Sorted by address: address, hardware address, when it was last sampled.</summary>
    public IReadOnlyList<(VipAddress Address, ulong Mac, long SeenMs)> Entries =>
        [.. _entries.OrderBy(entry => entry.Key).Select(entry => (entry.Key, entry.Value.Mac, entry.Value.SeenMs))];

    internal void Merge(IEnumerable<Neighbour> neighbours, long nowMs)
    {
        foreach (var neighbour in neighbours)
        {
            if (_entries.Count < MaxEntries || _entries.ContainsKey(neighbour.Address))
                _entries[neighbour.Address] = (neighbour.Mac, nowMs);
        }
    }

    internal void Expire(long nowMs)
    {
        foreach (var address in _entries.Where(entry => nowMs - entry.Value.SeenMs >= ExpiryMs).Select(entry => entry.Key).ToList())
            _entries.Remove(address);
    }

    /// <summary><c>cluster arp show</c>: address, hardware address in brackets, age in seconds.</summary>
    public string Show(long nowMs)
    {
        var text = new StringBuilder();
        foreach (var (address, mac, seen) in Entries)
            text.Append(CultureInfo.InvariantCulture, $"{address} [{Mac(mac)}] {(nowMs - seen) / 1000}\n");
        return text.ToString();
    }

    /// <summary>The usual spelling of a hardware address.</summary>
    public static string Mac(ulong mac) => string.Create(CultureInfo.InvariantCulture,
        $"{mac >> 40 & 0xFF:x2}:{mac >> 32 & 0xFF:x2}:{mac >> 24 & 0xFF:x2}:{mac >> 16 & 0xFF:x2}:{mac >> 8 & 0xFF:x2}:{mac & 0xFF:x2}");
}
