namespace Veredus.Duravip;

/// <summary>Facts about this host: addresses that vanish or appear, carriers, neighbours; and a changed configuration.</summary>
public sealed partial class DuravipMachine
{
    private const long NeighbourSampleMs = 60_000;

    private readonly Dictionary<string, (bool Up, long Since)> _carriers = new(StringComparer.Ordinal);
    private readonly HashSet<VipAddress> _withoutCarrier = [];
    private long _neighboursDue;

    /// <summary>The neighbours that the cluster's nodes know.</summary>
    public ArpTable Neighbours { get; } = new();

    private void OnAddressPresent(AddressPresentEvent present)
    {
        if (_vips.Find(present.Address) is null && !_locals.ContainsKey(present.Address))
            return;  // not ours: never touched
        var local = Local(present.Address);
        switch (local.Phase)
        {
            case LocalPhase.None or LocalPhase.Failed:
                Log(LogLevelHint.Warning, $"duravip: removed foreign {present.Address} from {present.Placement.Interface}");
                local.FailAfterRemoval = local.Phase == LocalPhase.Failed ? local.LastError : null;
                Unplumb(local, ChangeReason.Foreign);
                break;
            case LocalPhase.Plumbed when present.Placement != local.Placement:
                Unplumb(local, ChangeReason.Repair);
                break;
            case LocalPhase.Plumbed:
                local.MissingSinceMs = -1;
                break;
        }
    }

    private void OnAddressGone(AddressGoneEvent gone)
    {
        if (!_locals.TryGetValue(gone.Address, out var local) || local.Phase != LocalPhase.Plumbed)
            return;
        if (local.MissingSinceMs < 0)
            local.MissingSinceMs = _now;
        if (gone.LeaseExpired)
            local.MissingSinceMs = long.MinValue / 2;  // this node was stalled: as soon as the queue shows that it is still the owner
        _repairsPending = true;
    }

    private bool _repairsPending;

    private void WatchHost()
    {
        if (_now >= _inspectDue)
        {
            _inspectDue = _now + _options.IfCheckIntervalMs;
            Emit(new InspectHostEffect());
        }
        if (_now >= _neighboursDue)
            SampleNeighbours();
        if (_repairsPending)
            Repair();
        WatchCarriers();
    }

    private void Repair()
    {
        _repairsPending = false;
        if (Phase != ProtocolPhase.Run)
        {
            _repairsPending = true;
            return;
        }
        foreach (var local in _locals.Values)
        {
            if (local.MissingSinceMs == -1 || local.Phase != LocalPhase.Plumbed)
                continue;
            var row = _table!.Find(local.Address);
            var mine = IsProvedAlive && row?.Owner == _me && MayServe && _vips.Find(local.Address)?.Placement == local.Placement;
            if (!mine || _now - local.MissingSinceMs < _options.IfDownLimitMs)
                _repairsPending = true;
            else if (row!.Holders.Without(_me).IsEmpty && !row.IsBroken)
                Plumb(local, local.Placement, ChangeReason.Repair, probe: false);
        }
    }

    private void OnCarrierChanged(CarrierChangedEvent carrier)
    {
        if (!_carriers.TryGetValue(carrier.Interface, out var known) || known.Up != carrier.HasCarrier)
            _carriers[carrier.Interface] = (carrier.HasCarrier, _now);
    }

    /// <summary>Without carrier this node withdraws from what is placed there, if somebody else can have it; it comes back when the carrier has been up for a while.</summary>
    private void WatchCarriers()
    {
        if (_carriers.Count == 0)
            return;
        var changed = false;
        foreach (var vip in _vips.Vips)
        {
            if (vip.Placement is not { } placement || !_carriers.TryGetValue(placement.Interface, out var carrier))
                continue;
            var age = _now - carrier.Since;
            if (carrier.Up && age >= _options.ViewMatureMs)
                changed |= _withoutCarrier.Remove(vip.Address);
            else if (!carrier.Up && age >= _options.IfDownLimitMs && !_withoutCarrier.Contains(vip.Address) && OthersCanHave(vip.Address))
                changed |= _withoutCarrier.Add(vip.Address);
        }
        if (changed)
            Announce([], []);
    }

    private bool OthersCanHave(VipAddress address) =>
        Table?.Find(address) is { } row && !row.Unit.Healthy.Without(_me).IsEmpty;

    private void SampleNeighbours()
    {
        _neighboursDue = _now + NeighbourSampleMs;
        Neighbours.Expire(_now);
        Emit(new SampleNeighboursEffect());
    }

    private void OnNeighboursSampled(NeighboursSampledEvent sampled)
    {
        if (_joined && sampled.Neighbours.Count > 0)
            Send(new NeighbourMessage([.. sampled.Neighbours.Take(ArpTable.MaxSample)]));
    }

    private void OnReconfigured(ReconfiguredEvent reconfigured)
    {
        var before = _configuration.Entries;
        var after = reconfigured.Vips.Vips;
        var changed = after.Where(vip => !vip.Entry.Equals(before.GetValueOrDefault(vip.Address))).Select(vip => vip.Entry).ToList();
        var removed = before.Keys.Where(address => reconfigured.Vips.Find(address) is null).Order().ToList();
        var weightChanged = reconfigured.Options.Weight != _options.Weight;
        (_vips, _options) = (reconfigured.Vips, reconfigured.Options);
        _configuration = new(after.Select(vip => vip.Entry));
        _withoutCarrier.RemoveWhere(address => _vips.Find(address) is null);
        foreach (var entry in changed)
        {
            if (_locals.TryGetValue(entry.Address, out var local) && local.ServiceStarted)
                Emit(new StartServiceEffect(_vips.Find(entry.Address)!));
        }
        if (changed.Count + removed.Count > 0 || weightChanged)
            Announce(changed, removed);
        AttendAll();
    }

    private void AnnounceAll()
    {
        if (_view.IsNone)
            return;
        Send(new AnnounceMessage
        {
            Complete = true,
            Changed = [.. _configuration.Entries.Values],
            Failed = FailedAddresses(),
            Draining = _draining,
            Weight = _options.Weight,
        });
    }

    /// <summary>Tells what changed. Without an open view the next STATE tells it.</summary>
    private void Announce(IReadOnlyList<VipEntry> changed, IReadOnlyList<VipAddress> removed)
    {
        if (_view.IsNone)
            return;
        Send(new AnnounceMessage
        {
            Changed = changed,
            Removed = removed,
            Failed = FailedAddresses(),
            Draining = _draining,
            Weight = _options.Weight,
        });
    }
}
