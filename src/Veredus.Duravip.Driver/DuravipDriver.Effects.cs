using Veredus.Cluster;
using Veredus.Network;

namespace Veredus.Duravip.Driver;

/// <summary>Carrying out what the machine decides, and what the kernel and the guard report.</summary>
public sealed partial class DuravipDriver
{
    private const string UnknownLink = "?";

    private void Apply(DuravipEvent happened)
    {
        _effects.Clear();
        _machine.Apply(happened, NowMs, _effects);
        // What is to be done for many addresses at once goes to the guard as one request.
        var plumbs = new List<PlumbEffect>();
        var removals = new List<Removal>();
        var stops = new Dictionary<VipAddress, TimeSpan>();
        var tells = new List<VipAddress>();
        foreach (var effect in _effects.ToArray())
        {
            if (effect is not PlumbEffect && plumbs.Count > 0)
                Plumb(plumbs);
            switch (effect)
            {
                case PlumbEffect plumb:
                    plumbs.Add(plumb);
                    break;
                case UnplumbEffect unplumb:
                    removals.Add(new(unplumb, stops.Remove(unplumb.Address, out var drain) ? drain : null));
                    break;
                case StopServiceEffect stop:
                    stops[stop.Address] = TimeSpan.FromMilliseconds(stop.DrainMs);
                    break;
                case TellNeighboursEffect tell:
                    tells.Add(tell.Address);
                    break;
                default:
                    Carry(effect);
                    break;
            }
        }
        if (plumbs.Count > 0)
            Plumb(plumbs);
        if (removals.Count > 0)
            _addresses.Unplumb(removals);
        foreach (var (address, drain) in stops)
            _addresses.StopService(address, drain);
        if (tells.Count > 0)
            _addresses.TellNeighbours(tells, Audience());
    }

    private void Plumb(List<PlumbEffect> plumbs)
    {
        _addresses.Plumb([.. plumbs], Audience());
        plumbs.Clear();
    }

    private Audience Audience() => new(
        _configuration.Options.ArpAllHosts ? AnnounceScope.AllHosts : AnnounceScope.KnownHosts,
        [.. _machine.Neighbours.Entries.Select(entry => new NeighbourInfo(0, entry.Address.ToIPAddress(), ToMac(entry.Mac)))]);

    private void Carry(DuravipEffect effect)
    {
        switch (effect)
        {
            case MulticastEffect multicast:
                foreach (var chunk in multicast.Chunks)
                    _bus?.Send([(byte)ClusterChannel.Duravip, .. chunk]);  // a send that fails is followed by Lost
                break;
            case SetTimerEffect timer:
                _timerAt = timer.AtMs;
                break;
            case ConfirmAliveEffect alive:
                _evidenceAt = Math.Max(_evidenceAt, alive.EvidenceAtMs);
                break;
            case CleanHostEffect:
                _ = _addresses.CleanAsync([.. _configuration.Vips.Vips.Select(vip => vip.Address.ToIPAddress())]);
                break;
            case JoinGroupEffect:
                _ = JoinAsync();
                break;
            case LeaveGroupEffect:
                LeaveBus();
                break;
            case StoppedEffect:
                _isOver = true;
                break;
            case StartServiceEffect start:
                StartService(start.Vip);
                break;
            case InspectHostEffect:
                Inspect();
                break;
            case SampleNeighboursEffect when _settings.Network is not null:
                _ = Task.Run(SampleNeighbours);
                break;
            case ExplainEffect explained:
                _untold.Enqueue(() => _settings.Observer?.Placed(explained.Record, WallClock));
                break;
            case AnswerEffect answer:
                _asking?.TrySetResult((answer.Ok, answer.Text));
                break;
            case LogEffect log:
                _untold.Enqueue(() => _settings.Log(log.Level, log.Text));
                break;
        }
    }

    private void StartService(LocalVip vip)
    {
        try
        {
            _settings.Services.Start(vip);
        }
        catch (IOException e)
        {
            Post(new ServiceFailedEvent(vip.Address, e.Message));
        }
    }

    private void Inspect()
    {
        if (_settings.Network?.Current is not { } host)
            return;
        foreach (var vip in _configuration.Vips.Vips)
        {
            if (host.Addresses.TryGetValue(vip.Address.ToIPAddress(), out var info))
                Post(new AddressPresentEvent(vip.Address, PlacementOf(host, info)));
            else
                Post(new AddressGoneEvent(vip.Address, LeaseExpired: false));
        }
    }

    private async Task WatchAsync(HostNetwork network)
    {
        try
        {
            await foreach (var change in network.FollowAsync(_ending.Token))
            {
                switch (change)
                {
                    // As it is now: the notice of an address that has left again would make it look foreign.
                    case NetworkChange.AddressAdded(var added) when network.Has(added.Address):
                        Post(new AddressPresentEvent(VipAddress.From(added.Address), new(network.NameOf(added.LinkIndex) ?? UnknownLink, added.PrefixLength)));
                        break;
                    case NetworkChange.AddressRemoved(var removed) when !network.Has(removed.Address):
                        Post(new AddressGoneEvent(VipAddress.From(removed.Address), LeaseExpired: false));
                        break;
                    case NetworkChange.LinkChanged(var link):
                        Post(new CarrierChangedEvent(link.Name, link.HasCarrier));
                        break;
                    case NetworkChange.LinkRemoved(var link):
                        Post(new CarrierChangedEvent(link.Name, false));
                        break;
                    case NetworkChange.Overrun:
                        await PostAsync(Inspect, _ending.Token);
                        break;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Disposed.
        }
        catch (IOException) when (_isOver)
        {
            // The loop has ended while an overrun was reported.
        }
    }

    private void SampleNeighbours()
    {
        try
        {
            using var netlink = new Rtnetlink();
            var sample = netlink.GetNeighbours().Where(one => one.Mac != MacAddress.None)
                .Select(one => new Neighbour(VipAddress.From(one.Address), FromMac(one.Mac))).Distinct().ToList();
            Post(new NeighboursSampledEvent(sample));
        }
        catch (IOException e)
        {
            _settings.Log(LogLevelHint.Warning, $"duravip: the kernel's neighbours cannot be read: {e.Message}");
        }
    }

    private static Placement PlacementOf(HostSnapshot host, AddressInfo info) =>
        new(host.Links.Values.FirstOrDefault(link => link.Index == info.LinkIndex)?.Name ?? UnknownLink, info.PrefixLength);

    private static MacAddress ToMac(ulong mac)
    {
        Span<byte> bytes = stackalloc byte[6];
        for (var i = 0; i < 6; i++)
            bytes[i] = (byte)(mac >> (40 - 8 * i));
        return MacAddress.FromBytes(bytes);
    }

    private static ulong FromMac(MacAddress mac)
    {
        Span<byte> bytes = stackalloc byte[6];
        mac.WriteTo(bytes);
        var value = 0UL;
        foreach (var octet in bytes)
            value = value << 8 | octet;
        return value;
    }
}
