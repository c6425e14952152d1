namespace Veredus.Duravip;

/// <summary>The action rules A1–A5: what happens to the addresses of this host once the queue is empty.</summary>
public sealed partial class DuravipMachine
{
    /// <summary>30 s doubling to 10 min.</summary>
    private const int LongestBackoffs = 20;

    private const int LongestLingerMs = 1_000;

    /// <summary>Addresses that are handed over go in waves: the next when most of the former are with their new owners, or after so long.</summary>
    private const int Waves = 16, LongestWaveMs = 50;

    private readonly HashSet<VipAddress> _attention = [];
    private readonly List<VipAddress> _releasing = [];
    private readonly List<VipAddress> _acquiring = [];
    private readonly Dictionary<ulong, LocalAddress> _operations = [];
    /// <summary>Addresses of the current wave: since when nobody serves them, here or elsewhere.</summary>
    private readonly Dictionary<VipAddress, long> _handingOver = [];
    private readonly List<VipAddress> _nextWave = [];
    private int _room;
    private bool _attendAll;
    /// <summary>0: it has something, or does not stop.</summary>
    private long _lingerUntil;
    private ulong _lastOperation;

    private void Attend(VipAddress address) => _attention.Add(address);

    private void AttendAll() => _attendAll = true;

    private void OnDrained()
    {
        RunTimers();
        Act();
        LeaveOrJoin();
        ArmTimer();
    }

    private void Act()
    {
        if (_attendAll)
        {
            _attendAll = false;
            _attention.Clear();
            foreach (var row in (IEnumerable<VipRow>?)Table?.Rows ?? [])
            {
                if (row.Owner == _me || row.Holders.Contains(_me))
                    _attention.Add(row.Address);
            }
            _attention.UnionWith(_locals.Keys);
        }
        if (_attention.Count > 0)
        {
            _room = RoomInWave();
            foreach (var address in _attention.Order())
                Evaluate(address);
            _attention.Clear();
            _attention.UnionWith(_nextWave);
            _nextWave.Clear();
        }
        if (_releasing.Count > 0)
            Send(new ReleasedMessage(_ordered, [.. _releasing]));
        if (_acquiring.Count > 0)
            Send(new AcquiredMessage([.. _acquiring]));
        _releasing.Clear();
        _acquiring.Clear();
    }

    /// <summary>Under the quorum policy an inquorate component serves nothing.</summary>
    private bool MayServe => _quorate || _options.PartitionPolicy == PartitionPolicy.Component;

    private void Evaluate(VipAddress address)
    {
        var local = _locals.GetValueOrDefault(address);
        var placement = _vips.Find(address)?.Placement;
        if (Phase != ProtocolPhase.Run)
        {
            // A5: releasing is allowed in any phase.
            if (local is { Phase: LocalPhase.Plumbing or LocalPhase.Plumbed } && (placement != local.Placement || !MayServe || _rejoining || _stopping))
                Unplumb(local, !MayServe ? ChangeReason.Quorum : _stopping ? ChangeReason.Drain : _rejoining ? ChangeReason.Reset : ChangeReason.Reload);
            else if (local is { Phase: LocalPhase.Plumbed, ServiceStarted: false })
                StartService(local);
            else if (local is not null && !local.IsHeld && !local.ReleaseInFlight && !_view.IsNone && _reported.Contains(address))
                Release(local);
            return;
        }
        var row = _table!.Find(address);
        var mine = row is not null && row.Owner == _me && placement is not null && MayServe;
        if (mine)
            Serve(row!, local, placement!.Value);
        else if (local is { Phase: LocalPhase.Plumbed } && _room == 0 && IsHandOver(row, placement))
            _nextWave.Add(address);
        else if (local is { Phase: LocalPhase.Plumbing or LocalPhase.Plumbed })
        {
            if (IsHandOver(row, placement))
            {
                _handingOver[address] = _now;
                _room--;
            }
            Unplumb(local, ReasonToRelease(row, placement));  // A2
        }
        // A3, also for an owner that may not serve.
        if (!mine && row is not null && row.Holders.Contains(_me) && (local is null || !local.IsHeld && !local.ReleaseInFlight))
            Release(Local(address));
    }

    /// <summary>Only this node has it, and another that is there will take it: until that one can, it is better kept.</summary>
    private bool IsHandOver(VipRow? row, Placement? placement) =>
        row is { IsBroken: false, Owner: >= 0 } && placement is not null && MayServe && row.Owner != _me && row.Holders == MemberSet.Of(_me);

    /// <summary>
    /// How many more addresses may be let go now. All at once would each be gone for as long as all take together: the others have to open, add and announce every one.
    /// </summary>
    private int RoomInWave()
    {
        foreach (var (address, since) in _handingOver)
        {
            if (_now - since >= LongestWaveMs || Table?.Find(address) is not { } row || row.Owner == _me || row.Holders == MemberSet.Of(row.Owner))
                _handingOver.Remove(address);
        }
        var wave = Math.Max(_options.SmallestWave, _vips.Vips.Count / Waves);
        return _handingOver.Count <= wave / 2 ? wave - _handingOver.Count : 0;
    }

    private void Serve(VipRow row, LocalAddress? local, Placement placement)
    {
        switch (local?.Phase ?? LocalPhase.None)
        {
            case LocalPhase.None when MayPlumb(row):  // A1
                Plumb(Local(row.Address), placement, row.Memory.Placement?.Trigger ?? ChangeReason.Elected, probe: !row.IsHandedOver);
                break;
            case LocalPhase.Plumbed or LocalPhase.Plumbing when local!.Placement != placement:
                Unplumb(local, ChangeReason.Reload);
                break;
            case LocalPhase.Plumbed:
                if (!local!.ServiceStarted)
                    StartService(local);
                if (row.Holders != MemberSet.Of(_me) && row.Holders.Without(_me).IsEmpty)
                    _acquiring.Add(row.Address);
                TellAgain(local, row);
                break;
        }
    }

    /// <summary>Whoever joined may have had the address, here or in a component of its own, and told the neighbours so; what still has it must let go first.</summary>
    private void TellAgain(LocalAddress local, VipRow row)
    {
        if (!local.MustTell || !row.Holders.Without(_me).IsEmpty)
            return;
        local.MustTell = false;
        Emit(new TellNeighboursEffect(local.Address));
    }

    private bool MayPlumb(VipRow row) =>
        IsProvedAlive && !row.IsBroken && !row.Failed.Contains(_me) && !_stopping
        && (row.Holders.Without(_me).IsEmpty || (_weaknesses & Weaknesses.NoReleaseBeforeAcquire) != 0)
        && (row.WasHeldInView || _now >= _guardUntil);

    private ChangeReason ReasonToRelease(VipRow? row, Placement? placement)
    {
        if (!MayServe)
            return ChangeReason.Quorum;
        if (placement is null || row is null)
            return ChangeReason.Reload;
        if (row.IsBroken)
            return ChangeReason.Broken;
        return row.Memory.Placement?.Trigger ?? ChangeReason.Merge;
    }

    private void Plumb(LocalAddress local, Placement placement, ChangeReason reason, bool probe)
    {
        local.Placement = placement;
        local.MissingSinceMs = -1;
        Begin(local, LocalPhase.Plumbing, reason);
        Emit(new PlumbEffect(local.Operation, local.Address, placement, _options.EffectiveLeaseMs, _options.Probe && probe, reason));
    }

    private void Unplumb(LocalAddress local, ChangeReason reason)
    {
        if (local.ServiceStarted)
        {
            // Nobody else serves it before it is gone from here, so sessions may finish, unless somebody already does.
            var drain = reason is ChangeReason.Move or ChangeReason.Balance or ChangeReason.Preference or ChangeReason.Drain or ChangeReason.Reload;
            Emit(new StopServiceEffect(local.Address, drain ? _options.DrainMs : 0));
            local.ServiceStarted = false;
        }
        Begin(local, LocalPhase.Unplumbing, reason);
        Emit(new UnplumbEffect(local.Operation, local.Address, reason));
    }

    private void Begin(LocalAddress local, LocalPhase phase, ChangeReason reason)
    {
        _operations.Remove(local.Operation);
        (local.Phase, local.Reason, local.Operation) = (phase, reason, ++_lastOperation);
        _operations.Add(local.Operation, local);
    }

    private void Release(LocalAddress local)
    {
        local.ReleaseInFlight = true;
        _releasing.Add(local.Address);
    }

    private void StartService(LocalAddress local)
    {
        if (_vips.Find(local.Address) is not { } vip)
            return;
        local.ServiceStarted = true;
        Emit(new StartServiceEffect(vip));
    }

    private void OnPlumbed(ulong operation)
    {
        if (!_operations.Remove(operation, out var local) || local.Phase != LocalPhase.Plumbing)
            return;
        local.Phase = LocalPhase.Plumbed;
        (local.LastError, local.BackoffMs) = ("", 0);
        Log(LogLevelHint.Info, $"duravip: plumbed {local.Address} on {local.Placement.Interface} ({ReasonText.Of(local.Reason)})");
        Attend(local.Address);
    }

    private void OnPlumbFailed(ulong operation, string error)
    {
        if (!_operations.Remove(operation, out var local))
            return;
        Log(LogLevelHint.Error, $"duravip: cannot plumb {local.Address} on {local.Placement.Interface}: {error}");
        if (local.ServiceStarted)
        {
            Emit(new StopServiceEffect(local.Address, 0));
            local.ServiceStarted = false;
        }
        Fail(local, error);
    }

    private void OnUnplumbed(ulong operation)
    {
        if (!_operations.Remove(operation, out var local) || local.Phase != LocalPhase.Unplumbing)
            return;
        Log(LogLevelHint.Info, $"duravip: released {local.Address} ({ReasonText.Of(local.Reason)})");
        local.MissingSinceMs = -1;
        if (local.FailAfterRemoval is { } error)
        {
            local.FailAfterRemoval = null;
            Fail(local, error);
            return;
        }
        local.Phase = LocalPhase.None;
        Attend(local.Address);
    }

    /// <summary>It is not on this host and will not be tried again before an own announcement (A4).</summary>
    private void Fail(LocalAddress local, string error)
    {
        local.BackoffMs = local.BackoffMs == 0 ? _options.FailBackoffMs : Math.Min(local.BackoffMs * 2, _options.FailBackoffMs * LongestBackoffs);
        local.RetryAtMs = _now + local.BackoffMs;
        local.LastError = error;
        local.Phase = (_weaknesses & Weaknesses.NoQuarantine) != 0 ? LocalPhase.None : LocalPhase.Failed;
        local.FailInFlight = !_view.IsNone;
        if (local.FailInFlight)
            Send(new FailMessage(local.Address, error));
        Attend(local.Address);
    }

    private void FailDelivered(int sender, VipAddress address)
    {
        if (sender == _me && _locals.TryGetValue(address, out var local))
            local.FailInFlight = false;
    }

    /// <summary>A4 ends when a table agrees that this node may have the address again, and no FAIL is under way to say otherwise.</summary>
    private void EndQuarantine(LocalAddress local)
    {
        if (local is { Phase: LocalPhase.Failed, FailInFlight: false } && _table!.Find(local.Address)?.Failed.Contains(_me) != true)
            local.Phase = LocalPhase.None;
    }

    private void OnServiceFailed(ServiceFailedEvent failed)
    {
        if (!_locals.TryGetValue(failed.Address, out var local) || local.Phase != LocalPhase.Plumbed)
            return;
        Log(LogLevelHint.Error, $"duravip: cannot serve {local.Address} on {local.Placement.Interface}: {failed.Error}");
        local.FailAfterRemoval = failed.Error;
        Unplumb(local, ChangeReason.Failover);
    }

    /// <summary>Removes everything at once and takes part anew.</summary>
    private void DropAndRejoin(bool leave)
    {
        (Phase, _view, _table, _joined, _rejoining, _mature) = (ProtocolPhase.Boot, ViewId.None, null, false, !_stopping, false);
        _quorate = false;
        (_members, _me, _openDue, _excludeDue) = ([], -1, long.MaxValue, long.MaxValue);
        _joinNotBefore = 0;
        _assembler.Reset();
        _reported.Clear();
        _releasing.Clear();
        _acquiring.Clear();
        foreach (var local in _locals.Values)
        {
            local.FailAfterRemoval = null;
            if (local.Phase is LocalPhase.Plumbing or LocalPhase.Plumbed)
                Unplumb(local, ChangeReason.Reset);
            else if (local.Phase == LocalPhase.Unplumbing)
                Emit(new StopServiceEffect(local.Address, 0));  // no time left for what was draining
        }
        _leaving |= leave;
    }

    /// <summary>Only with nothing left here: the others take everything the moment they see this member leave.</summary>
    private void LeaveOrJoin()
    {
        if (_stopped || HoldsAnything() || Lingers())
            return;
        if (_leaving || _stopping && _joined)
            Emit(new LeaveGroupEffect());
        _leaving = false;
        if (_stopping)
        {
            (_stopped, _joined) = (true, false);
            Emit(new StoppedEffect());
        }
        else if (_rejoining && _now >= _joinNotBefore)
        {
            _rejoining = false;
            Emit(new JoinGroupEffect());
        }
    }

    /// <summary>
    /// Whether a stopping node stays until the others have what it let go. The view that its leaving makes would come between, and of an address that nobody of that
    /// view had the new owner asks the network first whether somebody else has it.
    /// </summary>
    private bool Lingers()
    {
        if (!_stopping || _leaving || !_joined || Phase != ProtocolPhase.Run)
            return false;
        if (_lingerUntil == 0)
            _lingerUntil = _now + LongestLingerMs;
        return _now < _lingerUntil && _table!.Rows.Exists(row =>
            _locals.GetValueOrDefault(row.Address)?.ReleaseInFlight == true || row.IsHandedOver && row.Holders.IsEmpty && row.Owner >= 0 && row.Owner != _me);
    }
}
