using System.Net;
using Veredus.Network;

namespace Veredus.Vipd;

/// <summary>One request in the order of its arrival, carried out in slices so that a beat, or the end of the node, never waits for a large one.</summary>
internal abstract class Request(uint id)
{
    public uint Id { get; } = id;

    /// <summary>Does the next slice. Returns the answer when the request is done.</summary>
    public abstract byte[]? Step(long now);
}

/// <summary>Clean, add or remove: a list of addresses and a result for each.</summary>
internal sealed class AddressRequest(GuardVerb verb, uint id, IPAddress[] addresses, AddressKeeper keeper, LeaseClock lease) : Request(id)
{
    private const int SliceSize = 256;
    private readonly List<GuardResult> _results = [];
    private IPAddress[] _addresses = addresses;
    private int _next;
    private bool _surveyed;

    public override byte[]? Step(long now)
    {
        if (!_surveyed)
        {
            _surveyed = true;
            keeper.Survey();
            if (verb == GuardVerb.Clean)
                _addresses = keeper.Leftovers(_addresses);
        }
        var slice = _addresses.AsSpan(_next, Math.Min(SliceSize, _addresses.Length - _next));
        _next += slice.Length;
        if (verb == GuardVerb.Add)
        {
            // With nothing held, the lease of the first address begins now.
            if (keeper.Held.Count == 0)
                lease.Extended(now);
            keeper.Add(slice, lease.KernelSeconds, lease.IsFresh(now), _results);
        }
        else if (verb == GuardVerb.Remove)
            keeper.Remove(slice, _results);
        else
            keeper.RemoveLeftovers(slice, _results);
        return _next < _addresses.Length ? null : GuardWire.Frame(GuardVerb.Results, Id, writer => GuardWire.Write(writer, InOrder()));
    }

    /// <summary>Refusals come before the kernel's answers in each slice; the caller gets the order it asked in.</summary>
    private List<GuardResult> InOrder()
    {
        var byAddress = _results.GroupBy(result => result.Address).ToDictionary(group => group.Key, group => group.MaxBy(result => result.Outcome)!);
        return [.. _addresses.Where(byAddress.ContainsKey).Select(address => byAddress[address])];
    }
}

/// <summary>Settings for what follows.</summary>
internal sealed class ConfigureRequest(uint id, GuardSettings settings, AddressKeeper keeper, LeaseClock lease) : Request(id)
{
    public override byte[] Step(long now)
    {
        lease.Configure(settings.Lease, settings.Hold);
        keeper.Configure(settings);
        // What is held gets the new lifetime at once: the old one may be shorter than the new interval of renewal.
        keeper.Renew(lease.KernelSeconds);
        lease.Extended(now);
        return GuardWire.Frame(GuardVerb.Results, Id, writer => GuardWire.Write(writer, Array.Empty<GuardResult>()));
    }
}

/// <summary>The first round of announcements.</summary>
internal sealed class AnnounceRequest(
    uint id, AnnounceScope scope, IPAddress[] addresses, NeighbourInfo[] known, Announcer announcer) : Request(id)
{
    private const int SliceSize = 128;
    private IReadOnlyList<NeighbourInfo>? _listeners;
    private int _next;

    public override byte[]? Step(long now)
    {
        _listeners ??= announcer.Listeners(scope, known);
        var end = Math.Min(_next + SliceSize, addresses.Length);
        for (; _next < end; _next++)
            announcer.Announce(addresses[_next], scope, _listeners, now);
        return _next < addresses.Length ? null : GuardWire.Frame(GuardVerb.Results, Id, writer => GuardWire.Write(writer, Array.Empty<GuardResult>()));
    }
}
