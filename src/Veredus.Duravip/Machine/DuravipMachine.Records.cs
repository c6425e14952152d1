namespace Veredus.Duravip;

/// <summary>Says what was decided and why: placement records, changed marks, mismatches.</summary>
public sealed partial class DuravipMachine
{
    /// <summary>Records that a node keeps.</summary>
    public const int MaxHistory = 1_000;

    private readonly Queue<PlacementRecord> _history = new();
    private (string By, string Why) _operator = ("", "");
    private long _serial;

    /// <summary>The last placements, oldest first.</summary>
    public IReadOnlyCollection<PlacementRecord> History => _history;

    /// <summary>Turns the owner changes of the message just applied into records.</summary>
    /// <param name="onOpen">When a view opened: the reason for units that were not merged.</param>
    /// <param name="opened">A view opened: who had it before is known from memory only.</param>
    private void ReportChanges(ChangeReason? onOpen, bool opened)
    {
        var table = _table;
        if (table is null || table.Changes.Count == 0)
            return;
        var seen = new HashSet<VipRow>();
        for (var i = table.Changes.Count - 1; i >= 0; i--)
        {
            // The last change of a row counts; a message may take it away and give it in two steps.
            var change = table.Changes[i];
            if (!seen.Add(change.Row))
                continue;
            Attend(change.Row.Address);
            var memory = change.Row.Memory;
            var owner = table.NameOf(change.Row.Owner);
            if (memory.Owner == owner && memory.Placement is not null)
                continue;
            var reason = opened && change.Reason != ChangeReason.Merge ? onOpen!.Value : change.Reason;
            Record(change.Row, reason, memory.Owner, owner);
        }
        table.Changes.Clear();
        _operator = ("", "");
    }

    private void Record(VipRow row, ChangeReason reason, string previous, string owner)
    {
        var table = _table!;
        var unit = row.Unit;
        var count = table.Members.Length;
        var candidates = new Candidate[count];
        var loads = table.Electorate.Loads;
        for (var n = 0; n < count; n++)
        {
            var units = loads[n] - (n == row.Owner ? 1 : 0);
            candidates[n] = new(table.NameOf(n) is { Length: > 0 } name ? name : table.Ids[n].ToString(),
                EligibilityOf(unit, n), Math.Max(0, units), n == unit.Preferred);
        }
        var steps = new List<PlacementStep>(3);
        foreach (var (name, why) in _departed)
        {
            if (name == previous)
                steps.Add(new(_membershipSince, $"{name} left ({ReasonText.Of(why)})"));
        }
        steps.Add(new(_now, owner.Length == 0 ? $"given up in view {table.View}" : $"given to {owner} in view {table.View}"));
        var record = new PlacementRecord
        {
            Serial = ++_serial,
            Address = row.Address,
            Unit = unit.Address,
            View = table.View,
            AtMs = _now,
            Trigger = reason,
            Rule = AgreedTable.RuleOf(row),
            Winner = owner,
            Previous = previous,
            Preferred = row.IsRoot ? row.Preference : unit.Root.Preference,
            WinnerUnits = row.Owner < 0 ? 0 : Math.Max(0, loads[row.Owner] - 1),
            Candidates = candidates,
            Steps = steps,
            By = reason == ChangeReason.Move ? _operator.By : "",
            Why = reason == ChangeReason.Move ? _operator.Why : row.MarkReason,
        };
        (row.Memory.Owner, row.Memory.Placement) = (owner, record);
        Keep(record);
    }

    private void Keep(PlacementRecord record)
    {
        if (_history.Count >= MaxHistory)
            _history.Dequeue();
        _history.Enqueue(record);
        Emit(new ExplainEffect(record));
    }

    private void RecordReleased(VipRow row, int sender)
    {
        if (row.Memory.Placement is { } record && record.Previous == _table!.NameOf(sender) && record.Winner != record.Previous)
            AddStep(row, record, $"released by {record.Previous}");
    }

    private void RecordAcquired(VipRow row, int sender)
    {
        if (row.Memory.Placement is { } record && record.Winner == _table!.NameOf(sender))
            AddStep(row, record, $"answers on {record.Winner}");
    }

    /// <summary>Once: a repeated message is no step.</summary>
    private void AddStep(VipRow row, PlacementRecord record, string text)
    {
        if (record.Steps.Any(step => step.Text == text))
            return;
        var placement = record with { Steps = [.. record.Steps, new(_now, text)] };
        row.Memory.Placement = placement;
        Emit(new ExplainEffect(placement));
    }

    private void ReportMarks()
    {
        if (_table is not { } table)
            return;
        foreach (var row in table.Rows)
        {
            var memory = row.Memory;
            if (memory.Marks == row.Marks)
                continue;
            Log(row.IsBroken ? LogLevelHint.Error : LogLevelHint.Warning,
                $"duravip: {row.Address}/{NamesOf(row)}: {SafetyOf(memory.Marks)} -> {SafetyOf(row.Marks)}: {(row.Marks == VipMarks.None ? "all agree" : row.MarkReason)}");
            (memory.Marks, memory.MarkReason) = (row.Marks, row.MarkReason);
        }
    }

    /// <summary>The gravest mark as <c>show</c> prints it.</summary>
    internal static string SafetyOf(VipMarks marks) =>
        (marks & VipMarks.Broken) != 0 ? "BROKEN" : (marks & VipMarks.Unsafe) != 0 ? "UNSAFE" : marks != VipMarks.None ? "conflict" : "safe";

    /// <summary>All binding names that participants announce for the row, in order, separated by slashes.</summary>
    internal static string NamesOf(VipRow row)
    {
        var names = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var n in row.Participants)
            names.UnionWith(AgreedTable.EntryOf(row, n)!.Names);
        return string.Join('/', names);
    }

    private void ReportMismatches(AgreedTable table)
    {
        var first = -1;
        foreach (var n in table.Present)
        {
            var member = table.Members[n]!;
            if (first < 0)
                first = n;
            else if (member.BalanceSetSize != table.Members[first]!.BalanceSetSize)
                Log(LogLevelHint.Warning, $"duravip: duravip_balance_set_size differs: {table.NameOf(first)}={table.Members[first]!.BalanceSetSize}, {member.Name}={member.BalanceSetSize}");
        }
        foreach (var row in table.Rows)
        {
            if (row.Memory.NetworksReported)
                continue;
            string? network = null;
            foreach (var n in row.Participants)
            {
                var entry = AgreedTable.EntryOf(row, n)!;
                network ??= entry.Network;
                if (entry.Network != network)
                {
                    row.Memory.NetworksReported = true;
                    Log(LogLevelHint.Warning, $"duravip: {row.Address}: Topology networks differ: {network} and {entry.Network} on {table.NameOf(n)}; an address cannot move between segments");
                    break;
                }
            }
        }
    }
}
