namespace Veredus.Duravip;

/// <summary>Owners: who gets what, when a view opens and when something changes in it.</summary>
internal sealed partial class AgreedTable
{
    /// <summary>Elects for every unit whose owner is missing or not a healthy participant any more; everything else stays.</summary>
    public void ElectWhereNeeded(ChangeReason reason)
    {
        CountLoads();
        var open = new List<ElectionUnit>();
        foreach (var unit in Units)
        {
            unit.Owner = unit.Root.Owner;
            if (unit.Owner >= 0 && unit.Healthy.Contains(unit.Owner))
                continue;
            if (unit.Owner >= 0)
                Electorate.Loads[unit.Owner]--;
            unit.Owner = -1;
            unit.EligibleHolders = HoldersOf(unit) & unit.Healthy;
            open.Add(unit);
        }
        if (IsMature)
            Election.Claim(open, Electorate);
        foreach (var unit in Units)
        {
            foreach (var row in unit.Rows)
                Assign(row, unit.Owner, ReasonOf(unit, reason));
        }
    }

    /// <summary>Who may have the elected address; where nobody has that one, who may have a follower.</summary>
    private static MemberSet HoldersOf(Unit unit)
    {
        if (!unit.Root.Holders.IsEmpty)
            return unit.Root.Holders;
        return unit.Rows.Aggregate(MemberSet.Empty, (set, row) => set | row.Holders);
    }

    private static ChangeReason ReasonOf(Unit unit, ChangeReason reason)
    {
        // When a view opens: several holders met, or somebody is gone, or it is the first election.
        if (reason is not ChangeReason.Elected || !unit.Stayed)
            return reason;
        return unit.EligibleHolders.Count > 1 ? ChangeReason.Merge : reason;
    }

    /// <summary>Why this unit is where it is.</summary>
    public static PlacementRule RuleOf(VipRow row)
    {
        var unit = row.Unit;
        if (row.IsBroken)
            return PlacementRule.Unmanaged;
        if (row.Owner < 0)
            return PlacementRule.Unowned;
        if (!row.IsRoot)
            return PlacementRule.Follows;
        if (row.Owner == unit.Preferred)
            return unit.Pin is not null ? PlacementRule.Operator : PlacementRule.Preferred;
        if (unit.Healthy.Count == 1)
            return PlacementRule.OnlyCandidate;
        return unit.Stayed ? PlacementRule.Sticky : PlacementRule.Balanced;
    }

    /// <summary>Somebody is removing, waiting for, or adding an address of the unit.</summary>
    public static bool IsMoving(Unit unit)
    {
        foreach (var row in unit.Rows)
        {
            if (IsMoving(row))
                return true;
        }
        return false;
    }

    /// <summary>The owner does not have it yet, or somebody else may still have it.</summary>
    public static bool IsMoving(VipRow row)
    {
        if (row.Owner < 0)
            return !row.Holders.IsEmpty;
        // An owner that does not configure a follower never gets it.
        return row.Participants.Contains(row.Owner) && !row.Failed.Contains(row.Owner)
            ? row.Holders != MemberSet.Of(row.Owner)
            : !row.Holders.IsEmpty;
    }

    /// <summary>Carries out one ordered move if it is valid at this point of the order.</summary>
    public bool Move(UnitMove move, MoveKind kind, ChangeReason reason)
    {
        if (Find(move.Unit) is not { IsRoot: true } root || root.Owner < 0 || root.Owner != IndexOf(move.From))
            return false;
        var unit = root.Unit;
        if (kind == MoveKind.GraceOver)
        {
            if (!unit.IsBroken || move.To is not null)
                return false;
            foreach (var row in unit.Rows)
                Assign(row, -1, reason);
            CountLoads();
            return true;
        }
        if (move.To is not { } target || IndexOf(target) is var to && (to < 0 || !unit.Healthy.Contains(to)) || unit.IsBroken)
            return false;
        var from = MemberSet.Of(root.Owner);
        foreach (var row in unit.Rows)
        {
            if (row.Owner != root.Owner || !row.Holders.IsSubsetOf(from))
                return false;
        }
        if (to == root.Owner)
            return kind == MoveKind.Operator;
        unit.Stayed = false;
        foreach (var row in unit.Rows)
            Assign(row, to, reason);
        CountLoads();
        return true;
    }

    public void SetPin(VipAddress unit, string node, long remainingMs)
    {
        _pins[unit] = new(unit, node, ++_pinSequence, remainingMs);
        PrunePins();
    }

    /// <summary>Merges a member's pins: the higher sequence wins, then the lower name.</summary>
    public void MergePins(IReadOnlyList<Pin> pins)
    {
        foreach (var pin in pins)
        {
            _pinSequence = Math.Max(_pinSequence, pin.Sequence);
            if (!_pins.TryGetValue(pin.Unit, out var known) || known.Sequence < pin.Sequence
                || known.Sequence == pin.Sequence && string.CompareOrdinal(pin.Node, known.Node) < 0)
                _pins[pin.Unit] = pin;
        }
        PrunePins();
    }

    /// <summary>Pins are bounded; the oldest removed ones are forgotten first.</summary>
    private void PrunePins()
    {
        if (_pins.Count <= VipSet.MaxVips)
            return;
        foreach (var pin in _pins.Values.OrderBy(pin => pin.Node.Length > 0).ThenBy(pin => pin.Sequence).ThenBy(pin => pin.Unit)
            .Take(_pins.Count - VipSet.MaxVips).ToList())
            _pins.Remove(pin.Unit);
    }

    public void RemovePins(IReadOnlyCollection<VipAddress> units)
    {
        foreach (var address in units.Count > 0 ? units : [.. _pins.Values.Where(pin => pin.Node.Length > 0).Select(pin => pin.Unit).Order()])
        {
            if (_pins.TryGetValue(address, out var pin) && pin.Node.Length > 0)
                SetPin(address, "", 0);
        }
        foreach (var unit in Units)
            Settle(unit);
    }

    public void SettleAll()
    {
        foreach (var unit in Units)
            Settle(unit);
    }

    /// <summary>Every unit that a preferred (or pinned) node should have and that may move now.</summary>
    public List<UnitMove> PreferenceMoves(Func<Unit, bool> isMature)
    {
        var moves = new List<UnitMove>();
        foreach (var unit in Units)
        {
            var owner = unit.Root.Owner;
            if (owner >= 0 && unit.Preferred >= 0 && owner != unit.Preferred && !unit.IsBroken && isMature(unit) && !IsMoving(unit))
                moves.Add(new(unit.Address, Ids[owner], Ids[unit.Preferred]));
        }
        return moves;
    }

    /// <summary>Rows of units that a preferred node should have, whatever their age: where they end up when all is settled.</summary>
    public List<(VipRow Row, int To)> PreferenceMovesOnly() =>
        [.. from unit in Units
            where unit.Root.Owner >= 0 && unit.Preferred >= 0 && unit.Root.Owner != unit.Preferred && !unit.IsBroken
            from row in unit.Rows
            select (row, unit.Preferred)];

    /// <summary>One balancing round.</summary>
    public List<UnitMove> BalancingMoves(int limit, Func<Unit, bool> isMature)
    {
        CountLoads();
        var movable = new List<ElectionUnit>();
        foreach (var unit in Units)
        {
            unit.Owner = unit.Root.Owner;
            if (unit.Owner >= 0 && unit.Pin is null && unit.Owner != unit.Preferred && !unit.IsBroken && isMature(unit) && !IsMoving(unit))
                movable.Add(unit);
        }
        var moves = Election.Balance(movable, Electorate, limit)
            .ConvertAll(move => new UnitMove(move.Unit.Address, Ids[move.From], Ids[move.To]));
        foreach (var unit in Units)
            unit.Owner = unit.Root.Owner;
        CountLoads();
        return moves;
    }
}
