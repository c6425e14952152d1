using System.Globalization;
using System.Text;

namespace Veredus.Duravip;

/// <summary>One node in an explanation.</summary>
/// <param name="Node">Its name.</param>
/// <param name="Eligibility">Whether it can have the address.</param>
/// <param name="Why">Why not, or what speaks for it.</param>
/// <param name="Units">Units it owns without this one.</param>
/// <param name="IsChosen">It is the owner.</param>
public sealed record ExplainedCandidate(string Node, Eligibility Eligibility, string Why, int Units, bool IsChosen);

/// <summary>Where an address would go.</summary>
/// <param name="Address">The address.</param>
/// <param name="From">Its owner now; empty if none.</param>
/// <param name="To">Its owner then; empty if none.</param>
/// <param name="Rule">Why there.</param>
public sealed record ForecastMove(VipAddress Address, string From, string To, PlacementRule Rule);

/// <summary>What would happen if nodes went out.</summary>
/// <param name="Down">The nodes.</param>
/// <param name="Moves">Addresses whose owner would change, in order.</param>
/// <param name="OffPreferred">Addresses that would have a preferred node, and be elsewhere because it is out.</param>
public sealed record Forecast(IReadOnlyList<string> Down, IReadOnlyList<ForecastMove> Moves, IReadOnlyList<VipAddress> OffPreferred)
{
    public IEnumerable<ForecastMove> Lost => Moves.Where(move => move.To.Length == 0);
}

/// <summary>Why an address is where it is.</summary>
/// <param name="Address">The address.</param>
/// <param name="Owner">Its owner; empty if none.</param>
/// <param name="Rule">The rule.</param>
/// <param name="Sentence">The same in words; the one sentence that console, command line, API and UI show.</param>
/// <param name="Candidates">Every node and what it could do for the address; the owner first.</param>
/// <param name="Steps">What led there, oldest first.</param>
/// <param name="Next">What will happen by itself; empty if nothing.</param>
public sealed record Explanation(
    VipAddress Address, string Owner, PlacementRule Rule, string Sentence,
    IReadOnlyList<ExplainedCandidate> Candidates, IReadOnlyList<PlacementStep> Steps, string Next);

/// <summary>A step of a placement with the wall clock's time.</summary>
public readonly record struct TimedStep(DateTimeOffset At, string Text);

/// <summary>Explains placements from the state of a machine, and runs the election on what might be.</summary>
public static class Explainer
{
    /// <summary>Why <paramref name="address"/> is where it is; <see langword="null"/> if this view does not know it.</summary>
    public static Explanation? Explain(this DuravipMachine machine, VipAddress address, long nowMs)
    {
        ArgumentNullException.ThrowIfNull(machine);
        if (machine.Table is not { } table || table.Find(address) is not { } row)
            return null;
        var unit = row.Unit;
        var owner = table.NameOf(row.Owner);
        var record = row.Memory.Placement is { } placed && placed.Winner == owner ? placed : null;
        var waiting = row.Owner >= 0 && unit.Preferred >= 0 && row.Owner != unit.Preferred;
        var rule = AgreedTable.RuleOf(row) switch
        {
            PlacementRule.Unowned when !table.IsMature => PlacementRule.Settling,
            PlacementRule.Balanced or PlacementRule.Sticky or PlacementRule.OnlyCandidate when waiting => PlacementRule.Settling,
            PlacementRule.Balanced or PlacementRule.Sticky when record is { Rule: PlacementRule.Balanced or PlacementRule.Sticky } => record.Rule,
            var current => current,
        };
        var candidates = Candidates(machine, table, row);
        return new(address, owner, rule, Sentence(machine, table, row, rule, record, candidates, nowMs), candidates,
            record?.Steps ?? [], Next(machine, table, row, waiting, nowMs));
    }

    private static List<ExplainedCandidate> Candidates(DuravipMachine machine, AgreedTable table, VipRow row)
    {
        var unit = row.Unit;
        table.CountLoads();
        var list = new List<ExplainedCandidate>();
        for (var n = 0; n < table.Ids.Count; n++)
        {
            if (table.Members[n] is { Role: not MemberRole.Node })
                continue;
            var eligibility = machine.EligibilityOf(unit, n);
            var why = ReasonText.Of(eligibility, unit.Address);
            if (eligibility == Eligibility.Eligible && n == unit.Preferred)
                why = unit.Pin is null ? "preferred" : "pinned";
            var name = table.NameOf(n) is { Length: > 0 } known ? known : table.Ids[n].ToString();
            list.Add(new(name, eligibility, why, table.Electorate.Loads[n] - (n == row.Owner ? 1 : 0), n == row.Owner));
        }
        if (unit.Root.Preference is { Length: > 0 } preferred && !list.Exists(candidate => candidate.Node == preferred))
            list.Add(new(preferred, Eligibility.Absent, "preferred; not in the view", 0, false));
        return [.. list.OrderBy(candidate => candidate.IsChosen ? 0 : candidate.Eligibility == Eligibility.Eligible ? 1 : 2)
            .ThenBy(candidate => candidate.Units).ThenBy(candidate => candidate.Node, StringComparer.Ordinal)];
    }

    private static string Sentence(DuravipMachine machine, AgreedTable table, VipRow row, PlacementRule rule,
        PlacementRecord? record, List<ExplainedCandidate> candidates, long nowMs)
    {
        var (address, owner) = (row.Address, table.NameOf(row.Owner));
        var others = candidates.Where(candidate => candidate.Eligibility != Eligibility.Eligible).Select(candidate => $"{candidate.Node}: {candidate.Why}");
        switch (rule)
        {
            case PlacementRule.Preferred:
                return $"{address} is on {owner} because {owner} is its preferred node and is present.";
            case PlacementRule.OnlyCandidate:
                return $"{address} is on {owner} because {owner} is the only present node that can hold it{(others.Any() ? $" ({string.Join("; ", others)})" : "")}.";
            case PlacementRule.Sticky:
                return $"{address} is on {owner} because {owner} already had it and nothing better is available.";
            case PlacementRule.Operator:
                var by = record is { By.Length: > 0 } ? record.By : "an operator";
                var why = record is { Why.Length: > 0 } ? $" (\"{record.Why}\")" : "";
                return $"{address} is on {owner} because {by} moved it{why}; it stays until moved again, unpinned, or {owner} is gone.";
            case PlacementRule.Follows:
                return $"{address} is on {owner} because it follows {row.Unit.Address}, which is on {owner}.";
            case PlacementRule.Balanced:
                var units = record?.WinnerUnits ?? 0;
                return $"{address} is on {owner} because {PreferredWas(record)}, and {owner} held the fewest addresses for its weight ({units}).";
            case PlacementRule.Settling when row.Owner < 0:
                return $"{address} is on no node for the moment: the cluster is starting and elects when its members have settled.";
            case PlacementRule.Settling:
                var since = (nowMs - row.Unit.Root.Memory.ViewStableSince) / 1000;
                return $"{address} is on {owner} for the moment: the view changed {since} s ago; it may move to {table.NameOf(row.Unit.Preferred)} when it has been stable for {machine.Options.ViewMatureMs / 1000} s.";
            case PlacementRule.Unmanaged:
                var frozen = row.Owner >= 0 ? $" It stays on {owner} until its grace is over." : "";
                return $"Veredus does not manage {address} because it is BROKEN: {row.MarkReason}.{frozen}";
            default:
                return $"No node has {address}: {(others.Any() ? string.Join("; ", others) : "no node configures it")}.";
        }
    }

    private static string PreferredWas(PlacementRecord? record)
    {
        if (record is null || record.Preferred.Length == 0)
            return "no node is preferred";
        foreach (var candidate in record.Candidates)
        {
            if (candidate.Node == record.Preferred && candidate.Eligibility != Eligibility.Absent)
                return $"the preferred node {record.Preferred} could not take it ({ReasonText.Of(candidate.Eligibility, record.Unit)}) when it was placed";
        }
        return $"the preferred node {record.Preferred} was out of the cluster when it was placed";
    }

    private static string Next(DuravipMachine machine, AgreedTable table, VipRow row, bool waiting, long nowMs)
    {
        if (row.IsBroken && row.Owner >= 0)
            return $"released when its grace is over: about {Seconds(row.Memory.BrokenSince + machine.Options.BrokenGraceMs - nowMs)} s";
        if (!waiting)
            return "";
        var left = row.Unit.Root.Memory.ViewStableSince + machine.Options.ViewMatureMs - nowMs;
        return $"returns to {table.NameOf(row.Unit.Preferred)} when the view has been stable for {machine.Options.ViewMatureMs / 1000} s: about {Seconds(left)} s";
    }

    private static string Seconds(long ms) => Math.Max(0, (ms + 999) / 1000).ToString(CultureInfo.InvariantCulture);

    /// <summary>Runs the election as if these nodes were out (or drained: the outcome is the same). Changes nothing.</summary>
    /// <returns><see langword="null"/> while no view is open.</returns>
    public static Forecast? WhatIfDown(this DuravipMachine machine, IReadOnlyCollection<string> down)
    {
        ArgumentNullException.ThrowIfNull(machine);
        ArgumentNullException.ThrowIfNull(down);
        if (machine.Table is not { } table)
            return null;
        var members = table.Members.ToArray();
        for (var n = 0; n < members.Length; n++)
        {
            if (!table.Present.Contains(n) || down.Contains(table.NameOf(n)))
                members[n] = null;
        }
        var then = new AgreedTable(table.View, table.Ids, members, new()) { IsMature = true };
        foreach (var row in table.Rows)
        {
            var copy = then.Add(row.Address, _ => new(0));
            copy.Failed = row.Failed;
            if (row.Owner >= 0 && members[row.Owner] is not null)
                then.SetHolders(copy, MemberSet.Of(row.Owner));
        }
        then.MergePins([.. table.Pins]);
        then.Derive(_ => new(0), 0);
        then.ElectWhereNeeded(ChangeReason.Failover);
        foreach (var move in then.PreferenceMovesOnly())
            then.Assign(move.Row, move.To, ChangeReason.Preference);
        var moves = new List<ForecastMove>();
        var off = new List<VipAddress>();
        foreach (var row in table.Rows)
        {
            var copy = then.Find(row.Address);
            var (from, to) = (table.NameOf(row.Owner), copy is null ? "" : then.NameOf(copy.Owner));
            if (from != to)
                moves.Add(new(row.Address, from, to, copy is null ? PlacementRule.Unowned : AgreedTable.RuleOf(copy)));
            if (copy is { IsRoot: true, Preference.Length: > 0 } && to.Length > 0 && to != copy.Preference && from == copy.Preference)
                off.Add(row.Address);
        }
        return new(down.Order(StringComparer.Ordinal).ToList(), moves, off);
    }

    /// <summary>The forecast as <c>whatif --down</c> prints it.</summary>
    public static string Text(Forecast forecast)
    {
        ArgumentNullException.ThrowIfNull(forecast);
        var text = new StringBuilder($"If {string.Join(", ", forecast.Down)} went out now:\n");
        var going = forecast.Moves.Where(move => move.To.Length > 0).ToList();
        var to = going.GroupBy(move => move.To).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => $"{group.Count()} to {group.Key}");
        text.Append(CultureInfo.InvariantCulture, $"  {going.Count} addresses move{(going.Count > 0 ? ": " + string.Join(", ", to) : "")}\n");
        text.Append(CultureInfo.InvariantCulture, $"  {forecast.Lost.Count()} addresses would be without an owner\n");
        text.Append(CultureInfo.InvariantCulture, $"  {forecast.OffPreferred.Count} would become off-preferred{(forecast.OffPreferred.Count is > 0 and <= 10 ? ": " + string.Join(", ", forecast.OffPreferred) : "")}\n");
        return text.Append("nothing was changed\n").ToString();
    }

    /// <summary>The explanation as <c>explain vip</c> prints it. Times count from the first step.</summary>
    /// <param name="timed">The steps with the wall clock's times, where the caller has them; shown instead.</param>
    public static string Text(Explanation explanation, IReadOnlyList<TimedStep>? timed = null)
    {
        ArgumentNullException.ThrowIfNull(explanation);
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{explanation.Sentence}   rule: {ReasonText.Of(explanation.Rule)}\n\n");
        var width = Math.Max(4, explanation.Candidates.Select(candidate => candidate.Node.Length).DefaultIfEmpty(4).Max());
        var whys = Math.Max(3, explanation.Candidates.Select(candidate => candidate.Why.Length).DefaultIfEmpty(3).Max());
        text.Append(CultureInfo.InvariantCulture, $"  {"node".PadRight(width)}  eligible  {"why".PadRight(whys)}  addresses\n");
        foreach (var candidate in explanation.Candidates)
        {
            var eligible = candidate.Eligibility switch { Eligibility.Eligible => "yes", Eligibility.Absent => "-", _ => "no" };
            var units = candidate.Eligibility != Eligibility.Eligible ? "" : candidate.IsChosen
                ? string.Create(CultureInfo.InvariantCulture, $"{candidate.Units} -> {candidate.Units + 1}    chosen")
                : candidate.Units.ToString(CultureInfo.InvariantCulture);
            text.Append($"  {candidate.Node.PadRight(width)}  {eligible.PadRight(8)}  {candidate.Why.PadRight(whys)}  {units}".TrimEnd()).Append('\n');
        }
        if ((timed?.Count ?? explanation.Steps.Count) > 0)
            text.Append('\n');
        for (var i = 0; i < timed?.Count; i++)
        {
            var since = timed[i].At - timed[Math.Max(0, i - 1)].At;
            text.Append(CultureInfo.InvariantCulture, $"  {timed[i].At.UtcDateTime:HH:mm:ss.fff}  {timed[i].Text}{(i == 0 ? "" : $"   +{since.TotalSeconds:0.000} s")}\n");
        }
        for (var i = 0; i < explanation.Steps.Count && timed is null; i++)
        {
            var since = explanation.Steps[i].AtMs - explanation.Steps[Math.Max(0, i - 1)].AtMs;
            text.Append(CultureInfo.InvariantCulture, $"  +{since / 1000}.{since % 1000:000} s  {explanation.Steps[i].Text}\n");
        }
        if (explanation.Next.Length > 0)
            text.Append("  next  ").Append(explanation.Next).Append('\n');
        return text.ToString();
    }

    /// <summary>The explanation as the <c>data</c> of <c>explain vip --json</c>.</summary>
    /// <param name="timed">The steps with the wall clock's times, where the caller has them.</param>
    public static string Json(Explanation explanation, IReadOnlyList<TimedStep>? timed = null)
    {
        ArgumentNullException.ThrowIfNull(explanation);
        return JsonText.Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("address", explanation.Address.ToString());
            writer.WriteString("owner", explanation.Owner);
            writer.WriteString("rule", ReasonText.Of(explanation.Rule));
            writer.WriteString("sentence", explanation.Sentence);
            writer.WriteStartArray("candidates");
            foreach (var candidate in explanation.Candidates)
            {
                writer.WriteStartObject();
                writer.WriteString("node", candidate.Node);
                writer.WriteBoolean("eligible", candidate.Eligibility == Eligibility.Eligible);
                writer.WriteString("why", candidate.Why);
                writer.WriteNumber("addresses", candidate.Units);
                writer.WriteBoolean("chosen", candidate.IsChosen);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteStartArray("steps");
            foreach (var step in timed ?? [])
            {
                writer.WriteStartObject();
                writer.WriteString("at", step.At.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
                writer.WriteString("text", step.Text);
                writer.WriteEndObject();
            }
            foreach (var step in timed is null ? explanation.Steps : [])
            {
                writer.WriteStartObject();
                writer.WriteNumber("atMs", step.AtMs);
                writer.WriteString("text", step.Text);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteString("next", explanation.Next);
            writer.WriteEndObject();
        });
    }
}
