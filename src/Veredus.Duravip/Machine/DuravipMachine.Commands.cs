namespace Veredus.Duravip;

/// <summary>Operator commands. Whatever is ordered goes through the group's order, so any node can take it.</summary>
public sealed partial class DuravipMachine
{
    private void OnCommand(OperatorCommand command)
    {
        switch (command)
        {
            case MoveCommand move:
                OnMoveCommand(move);
                break;
            case EvacuateCommand evacuate:
                OnEvacuate(evacuate);
                break;
            case UnpinCommand unpin:
                OnUnpin(unpin);
                break;
            case DrainCommand drain:
                _draining = drain.Drain || _stopping;
                Announce([], []);
                Answer(true, drain.Drain ? $"draining: {Node} gives its addresses away" : $"{Node} takes part again");
                break;
            case AnnounceCommand:
                AnnounceAll();
                Answer(!_view.IsNone, _view.IsNone ? "no view is open; it will be announced when one is" : "view announced");
                break;
            case BalanceCommand:
                OnBalance();
                break;
            case ResetCommand:
                DropAndRejoin(leave: true);
                Answer(true, "all addresses dropped, rejoining");
                break;
            case DebugCommand debug:
                _debug = debug.On;
                Answer(true, $"debug {(debug.On ? "on" : "off")}");
                break;
            default:
                Answer(false, $"unknown command {command.GetType().Name}");
                break;
        }
    }

    private void Answer(bool ok, string text) => Emit(new AnswerEffect(ok, text));

    private void Refuse(string why) => Answer(false, $"move refused: {why}");

    /// <summary>The unit that an address, a follower's address or a binding's name means.</summary>
    private Unit? FindUnit(string target)
    {
        if (Table is not { } table)
            return null;
        if (VipAddress.TryParse(target, out var address))
            return table.Find(address)?.Unit;
        foreach (var row in table.Rows)
        {
            foreach (var n in row.Participants)
            {
                if (AgreedTable.EntryOf(row, n)!.Names.Contains(target))
                    return row.Unit;
            }
        }
        return null;
    }

    private int FindNode(string name)
    {
        foreach (var n in Table!.Present)
        {
            if (Table.Members[n]!.Role == MemberRole.Node && NodeName.Matches(Table.NameOf(n), name))
                return n;
        }
        return -1;
    }

    private void OnMoveCommand(MoveCommand command)
    {
        if (!CanOrder())
            return;
        if (FindUnit(command.Target) is not { } unit)
        {
            Refuse($"{command.Target} is not a DuraVIP");
            return;
        }
        var to = FindNode(command.To);
        if (WhyNot(unit, to, command.To) is { } why)
        {
            Refuse(why);
            return;
        }
        Order(MoveKind.Operator, [new(unit.Address, _table!.Ids[unit.Root.Owner], _table.Ids[to])], command, command.PinMs);
        Answer(true, unit.Root.Owner == to
            ? $"{unit.Address} stays on {_table.NameOf(to)}, pinned"
            : $"moving {unit.Address} from {_table.NameOf(unit.Root.Owner)} to {_table.NameOf(to)}");
    }

    private bool CanOrder()
    {
        if (Table is null)
            Refuse("no view is open");
        else if (!MayServe)
            Refuse("no quorum");
        else
            return true;
        return false;
    }

    private string? WhyNot(Unit unit, int to, string name)
    {
        if (unit.IsBroken)
            return $"{unit.Address} is BROKEN";
        if (to < 0 || !unit.Root.Participants.Contains(to))
            return $"{unit.Address}: {name} is not a participant";
        if (!unit.Healthy.Contains(to))
            return $"{unit.Address}: {name} cannot take it: {ReasonText.Of(EligibilityOf(unit, to), unit.Address)}";
        if (unit.Root.Owner < 0 || AgreedTable.IsMoving(unit))
            return $"{unit.Address}: a move is in progress";
        return null;
    }

    private void OnEvacuate(EvacuateCommand command)
    {
        if (!CanOrder())
            return;
        var (from, to) = (FindNode(command.From), FindNode(command.To));
        if (from < 0 || to < 0)
        {
            Refuse($"{(from < 0 ? command.From : command.To)} is not a member");
            return;
        }
        var moves = new List<UnitMove>();
        foreach (var unit in _table!.Units)
        {
            if (unit.Root.Owner == from && from != to && WhyNot(unit, to, command.To) is null)
                moves.Add(new(unit.Address, _table.Ids[from], _table.Ids[to]));
        }
        if (moves.Count == 0)
        {
            Refuse($"{_table.NameOf(from)} owns nothing that {_table.NameOf(to)} can hold");
            return;
        }
        Order(MoveKind.Operator, moves, command);
        Answer(true, $"moving {moves.Count} from {_table.NameOf(from)} to {_table.NameOf(to)}");
    }

    private void OnUnpin(UnpinCommand command)
    {
        if (!CanOrder())
            return;
        if (command.Target is null)
        {
            Send(new UnpinMessage([]));
            Answer(true, "all pins removed");
        }
        else if (FindUnit(command.Target) is not { } unit)
        {
            Answer(false, $"{command.Target} is not a DuraVIP");
        }
        else
        {
            Send(new UnpinMessage([unit.Address]));
            Answer(true, unit.Pin is null ? $"{unit.Address} is not pinned" : $"{unit.Address} unpinned");
        }
    }

    private void OnBalance()
    {
        if (!CanOrder())
            return;
        if (_table!.Leader != _me)
            Answer(false, $"only the leader can order a round; ask {_table.NameOf(_table.Leader)}");
        else if (!_table.IsMature || _moveInFlight)
            Answer(false, "not yet: the view is not settled");
        else
            Answer(true, OrderBalancing() ? "a balancing round is under way" : "nothing to move");
    }

    internal Eligibility EligibilityOf(Unit unit, int member)
    {
        var table = _table!;
        if (member < 0 || table.Members[member] is not { } one)
            return Eligibility.Absent;
        if (!table.Present.Contains(member))
            return Eligibility.Excluded;
        if (one.Role != MemberRole.Node)
            return Eligibility.Manager;
        switch (AgreedTable.EntryOf(unit.Root, member)?.Placeability)
        {
            case null:
                return Eligibility.NotConfigured;
            case Placeability.NoTopology:
                return Eligibility.NoTopology;
            case Placeability.NoInterface:
                return Eligibility.NoInterface;
        }
        if (one.IsDraining)
            return Eligibility.Draining;
        return unit.Healthy.Contains(member) ? Eligibility.Eligible : Eligibility.Failed;
    }
}
