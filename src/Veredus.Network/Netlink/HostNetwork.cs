using System.Net;

namespace Veredus.Network;

/// <summary>What this host has, at one moment.</summary>
public sealed record HostSnapshot(IReadOnlyDictionary<string, LinkInfo> Links, IReadOnlyDictionary<IPAddress, AddressInfo> Addresses)
{
    /// <summary>A main address of the host: put there by somebody else and not with the mask of a virtual one. It can't be a VIP.</summary>
    public bool IsMainAddress(IPAddress address, Topology topology) =>
        Addresses.TryGetValue(address, out var info) && !info.IsOurs && info.PrefixLength != topology.Find(address)?.AliasPrefixLength;
}

/// <summary>
/// The host's links and addresses, kept current by the kernel's own notices: a look costs nothing, and a change is known when it happens.
/// Needs no privilege. For one network namespace, that of the thread that opens it.
/// </summary>
public sealed class HostNetwork : IDisposable
{
    private readonly NetlinkMonitor _monitor = new();
    private readonly Rtnetlink _netlink = new();
    private readonly Dictionary<int, LinkInfo> _links = [];
    private readonly Dictionary<(int Link, IPAddress Address), AddressInfo> _addresses = [];
    private volatile HostSnapshot? _current;

    public HostNetwork() => ReadAnew();

    /// <summary>The state now; the same object until something changes.</summary>
    public HostSnapshot Current
    {
        get
        {
            if (_current is { } known)
                return known;
            lock (_links)
            {
                // The same address on two interfaces shows once: on the one that the kernel numbered first.
                return _current = new(
                    _links.Values.ToDictionary(link => link.Name),
                    _addresses.OrderByDescending(entry => entry.Key.Link).GroupBy(entry => entry.Key.Address)
                        .ToDictionary(group => group.Key, group => group.Last().Value));
            }
        }
    }

    /// <summary>Whether the host has an address now. <see cref="Current"/> would put all others together, each time when a thousand change one after the other.</summary>
    public bool Has(IPAddress address)
    {
        lock (_links)
            return _links.Keys.Any(link => _addresses.ContainsKey((link, address)));
    }

    /// <summary>The name of an interface; <see langword="null"/>: there is none with this number.</summary>
    public string? NameOf(int link)
    {
        lock (_links)
            return _links.TryGetValue(link, out var info) ? info.Name : null;
    }

    /// <summary>Follows the kernel until cancelled and passes on each change that made a difference: renewals of a lifetime do not.</summary>
    public async IAsyncEnumerable<NetworkChange> FollowAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var change in _monitor.ReadAllAsync(cancellationToken))
            if (Apply(change))
                yield return change;
    }

    /// <summary>Reads everything anew (<c>use_iflist_cache = 0</c> does so in each maintenance cycle).</summary>
    public void ReadAnew()
    {
        lock (_links)
        {
            _links.Clear();
            _addresses.Clear();
            foreach (var link in _netlink.GetLinks())
                _links[link.Index] = link;
            foreach (var address in _netlink.GetAddresses())
                _addresses[(address.LinkIndex, address.Address)] = address;
            _current = null;
        }
    }

    public void Dispose()
    {
        _monitor.Dispose();
        _netlink.Dispose();
    }

    private bool Apply(NetworkChange change)
    {
        if (change is NetworkChange.Overrun)
            ReadAnew();
        lock (_links)
        {
            var different = change switch
            {
                NetworkChange.AddressAdded(var added) => Put(_addresses, (added.LinkIndex, added.Address), added, static (a, b) => a with { ValidLifetime = b.ValidLifetime } == b),
                NetworkChange.AddressRemoved(var removed) => _addresses.Remove((removed.LinkIndex, removed.Address)),
                NetworkChange.LinkChanged(var link) => Put(_links, link.Index, link, static (a, b) => a == b),
                NetworkChange.LinkRemoved(var link) => _links.Remove(link.Index),
                _ => true,
            };
            if (different)
                _current = null;
            return different;
        }
    }

    private static bool Put<TKey, TValue>(Dictionary<TKey, TValue> table, TKey key, TValue value, Func<TValue, TValue, bool> isSame) where TKey : notnull
    {
        var different = !table.TryGetValue(key, out var known) || !isSame(known, value);
        table[key] = value;
        return different;
    }
}
