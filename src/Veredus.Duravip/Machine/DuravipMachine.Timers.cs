namespace Veredus.Duravip;

/// <summary>What time brings: retries, maturity, preference return, balancing, grace, back-off. Done only with the queue empty.</summary>
public sealed partial class DuravipMachine
{
    private readonly Dictionary<VipAddress, long> _pinEnds = [];
    private long _timerAt = -1;
    private long _tickDue;
    private long _matureDue;
    private long _balanceDue;
    private long _inspectDue;
    private long _broadcastDue;

    private void RunTimers()
    {
        if (_stopping && _now >= _stopDeadline)
            GiveUpStopping();
        if (!_joined)
            return;
        SendHeartbeat();
        if (Phase == ProtocolPhase.Gather && _view.IsNone && _now >= _openDue)
        {
            _openDue = _now + OpenRetryMs;
            OpenView();
        }
        if (Phase == ProtocolPhase.Gather && !_view.IsNone && _now >= _excludeDue)
        {
            _excludeDue = _now + OpenRetryMs;
            ExcludeSilent();
        }
        if (_guardUntil != 0 && _now >= _guardUntil)
        {
            _guardUntil = 0;
            AttendAll();
        }
        if (_now < _tickDue)
            return;
        _tickDue = _now + TickMs;
        Tick();
    }

    private long TickMs => Math.Min(1_000, _options.HeartbeatPeriodMs);

    private void Tick()
    {
        WatchHost();
        if (Phase != ProtocolPhase.Run)
            return;
        SuspectSilent();
        CompareDigests();
        if (Phase != ProtocolPhase.Run)
            return;
        RetryFailed();
        EndGrace();
        if (_options.ViewBroadcastIntervalMs > 0 && _now >= _broadcastDue)
        {
            _broadcastDue = _now + _options.ViewBroadcastIntervalMs;
            AnnounceAll();
        }
        if (_table!.Leader != _me)
            return;
        if (!_table.IsMature)
        {
            if (_now >= _membershipSince + _options.ViewMatureMs && _now >= _matureDue)
            {
                _matureDue = _now + OpenRetryMs;
                Send(new MatureMessage());
            }
            return;
        }
        EndPins();
        if (!_moveInFlight)
            OrderMoves();
    }

    /// <summary>R5: the first member whose state is here does it, the next ones a little later.</summary>
    private void ExcludeSilent()
    {
        var missing = new List<MemberId>();
        for (var n = 0; n < _gathered.Length; n++)
        {
            if (_gathered[n] is null && !_excluded.Contains(n))
                missing.Add(_members[n]);
        }
        if (_gathered[_me] is not null && missing.Count > 0)
            Send(new ExcludeMessage([.. missing]));
    }

    private bool IsUnitMature(Unit unit) => _now - unit.Root.Memory.ViewStableSince >= _options.ViewMatureMs;

    private void OrderMoves()
    {
        var preferred = _table!.PreferenceMoves(IsUnitMature);
        if (preferred.Count > 0)
            Order(MoveKind.Preference, preferred);
        else if (_now >= _balanceDue)
            OrderBalancing();
    }

    private bool OrderBalancing()
    {
        _balanceDue = _now + _options.ViewBalanceIntervalMs;
        foreach (var unit in _table!.Units)
        {
            if (AgreedTable.IsMoving(unit))
                return false;
        }
        var moves = _table.BalancingMoves(Math.Max(1, _options.BalanceSetSize), IsUnitMature);
        if (moves.Count > 0)
            Order(MoveKind.Balance, moves);
        return moves.Count > 0;
    }

    private void Order(MoveKind kind, List<UnitMove> moves, OperatorCommand? command = null, long pinMs = 0)
    {
        if (kind != MoveKind.Operator)
            _moveInFlight = true;
        Send(new MoveMessage(kind, ++_rounds, Math.Max(1, _options.BalanceSetSize), pinMs, [.. moves], command?.By ?? "", command?.Why ?? ""));
    }

    /// <summary>The owner of a BROKEN address ends its grace: it knows best for how long it has been serving it.</summary>
    private void EndGrace()
    {
        var over = new List<UnitMove>();
        foreach (var unit in _table!.Units)
        {
            if (unit.IsBroken && unit.Root.Owner == _me && _now - unit.Root.Memory.BrokenSince >= _options.BrokenGraceMs)
                over.Add(new(unit.Address, _self, null));
        }
        if (over.Count > 0)
            Order(MoveKind.GraceOver, over);
    }

    private long RemainingOf(Pin pin) =>
        _pinEnds.TryGetValue(pin.Unit, out var end) && end != long.MaxValue ? Math.Max(1, end - _now) : 0;

    private void ReportPinTimes(AgreedTable table)
    {
        _pinEnds.Clear();
        foreach (var pin in table.Pins)
            _pinEnds[pin.Unit] = pin.RemainingMs > 0 ? _now + pin.RemainingMs : long.MaxValue;
    }

    private void EndPins()
    {
        var ended = new List<VipAddress>();
        foreach (var pin in _table!.Pins)
        {
            if (pin.Node.Length > 0 && _pinEnds.TryGetValue(pin.Unit, out var end) && _now >= end)
                ended.Add(pin.Unit);
        }
        if (ended.Count > 0)
            Send(new UnpinMessage([.. ended]));
    }

    private void RetryFailed()
    {
        var due = false;
        foreach (var local in _locals.Values)
            due |= local.Phase == LocalPhase.Failed && _now >= local.RetryAtMs && _table!.Find(local.Address)?.Failed.Contains(_me) == true;
        if (due)
            Announce([], []);
    }

    /// <summary>Addresses this node stays away from: failed ones whose back-off runs, and those without carrier.</summary>
    private List<VipAddress> FailedAddresses()
    {
        var failed = new HashSet<VipAddress>(_withoutCarrier);
        foreach (var local in _locals.Values)
        {
            if (local.Phase == LocalPhase.Failed && _now < local.RetryAtMs)
                failed.Add(local.Address);
        }
        return [.. failed.Order()];
    }

    private void ArmTimer()
    {
        var next = long.MaxValue;
        if (_joined)
        {
            next = Math.Min(_heartbeatDue, _tickDue);
            if (Phase == ProtocolPhase.Gather)
                next = Math.Min(next, _view.IsNone ? _openDue : _excludeDue);
            if (_guardUntil != 0)
                next = Math.Min(next, _guardUntil);
            if (_attention.Count > 0 && _handingOver.Count > 0)
                next = Math.Min(next, _handingOver.Values.Min() + LongestWaveMs);
        }
        else if (_rejoining)
        {
            next = Math.Max(_joinNotBefore, _now);
        }
        if (_stopping && !_stopped)
            next = Math.Min(next, _lingerUntil > _now ? Math.Min(_lingerUntil, _stopDeadline) : _stopDeadline);
        if (next == long.MaxValue || next == _timerAt || _rejoining && !_joined && HoldsAnything())
            return;
        _timerAt = next;
        Emit(new SetTimerEffect(next));
    }

    private void OnStopRequested()
    {
        if (_stopping)
            return;
        (_stopping, _draining, _rejoining) = (true, true, false);
        _stopDeadline = _now + _options.DrainMs + 5_000;
        AnnounceAll();
        AttendAll();
    }

    private void GiveUpStopping()
    {
        _stopDeadline = long.MaxValue;
        DropAndRejoin(leave: true);
    }
}
