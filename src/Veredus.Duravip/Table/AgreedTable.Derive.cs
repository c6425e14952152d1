using System.Runtime.InteropServices;

namespace Veredus.Duravip;

/// <summary>What follows from the announcements: participants, marks, units, health. Computed anew whenever an announcement changes.</summary>
internal sealed partial class AgreedTable
{
    /// <summary>Recomputes everything that depends on announcements. Rows nobody mentions any more are dropped.</summary>
    public void Derive(Func<VipAddress, RowMemory> memory, long nowMs)
    {
        foreach (var row in Rows)
            Array.Clear(row.Entries);
        foreach (var n in Present)
        {
            foreach (var (address, entry) in Members[n]!.Configuration.Entries)
                Add(address, memory).Entries[n] = entry;
        }
        Rows.RemoveAll(row =>
        {
            if (row.Owner >= 0 || !row.Holders.IsEmpty || IsMentioned(row))
                return false;
            _index.Remove(row.Address);
            return true;
        });
        Rows.Sort((a, b) => a.Address.CompareTo(b.Address));
        var bindingsAt = new Dictionary<string, VipRow>(StringComparer.Ordinal);
        foreach (var row in Rows)
            Describe(row);
        foreach (var row in Rows)
            CheckNames(row, bindingsAt);
        BuildUnits();
        Digest = 0;
        foreach (var row in Rows)
        {
            row.Hash = row.ComputeHash();
            Digest ^= row.Hash;
            Remember(row, nowMs);
        }
    }

    private static bool IsMentioned(VipRow row)
    {
        foreach (var entry in row.Entries)
        {
            if (entry is not null)
                return true;
        }
        return false;
    }

    private void Describe(VipRow row)
    {
        row.Participants = MemberSet.Empty;
        row.Marks = VipMarks.None;
        row.MarkReason = "";
        row.Preference = "";
        VipEntry? first = null;
        var (firstMember, preferrer, preference) = (-1, -1, "");
        var root = row.Address;
        foreach (var n in Present)
        {
            if (Members[n]!.Role != MemberRole.Node || EntryOf(row, n) is not { Placeability: Placeability.Placeable } entry)
                continue;
            row.Participants = row.Participants.With(n);
            if (first is null)
            {
                (first, firstMember, root) = (entry, n, entry.Unit);
            }
            else
            {
                if (entry.Unit != first.Unit)
                    Mark(row, VipMarks.Broken, $"{Say(firstMember, Following(first))}, {Say(n, Following(entry))}");
                if (!entry.Services.AsSpan().SequenceEqual(first.Services.AsSpan()))
                    Mark(row, VipMarks.Unsafe, $"{Say(firstMember, first.Services, "no service")}, {Say(n, entry.Services, "no service")}");
            }
            if (entry.Preference.Length == 0)
                continue;
            if (preferrer >= 0 && entry.Preference != preference)
                Mark(row, VipMarks.Conflict, $"{Say(preferrer, "prefers " + preference)}, {Say(n, "prefers " + entry.Preference)}");
            else
                (preferrer, preference) = (n, entry.Preference);
        }
        row.Preference = (row.Marks & VipMarks.Conflict) == 0 ? preference : "";
        _roots[row] = root;
    }

    private readonly Dictionary<VipRow, VipAddress> _roots = [];

    private static string Following(VipEntry entry) => entry.IsFollower ? $"follows {entry.Unit}" : "follows nothing";
    private string Say(int member, string what) => $"{NameOf(member)}: {what}";
    private string Say(int member, IReadOnlyCollection<string> words, string none) => Say(member, words.Count == 0 ? none : string.Join(' ', words));

    private static void Mark(VipRow row, VipMarks mark, string reason)
    {
        if ((row.Marks & mark) != 0)
            return;
        // The reason shown is that of the gravest mark.
        if (mark > row.Marks)
            row.MarkReason = reason;
        row.Marks |= mark;
    }

    private void CheckNames(VipRow row, Dictionary<string, VipRow> bindingsAt)
    {
        VipEntry? named = null;
        var namer = -1;
        foreach (var n in row.Participants)
        {
            var entry = EntryOf(row, n)!;
            if (entry.Names.IsEmpty)
                continue;
            if (named is null)
                (named, namer) = (entry, n);
            else if (entry.Names.AsSpan().SequenceEqual(named.Names.AsSpan()))
                continue;
            else
                Mark(row, VipMarks.Broken, $"{Say(namer, named.Names, "")}, {Say(n, entry.Names, "")}");
            foreach (var name in entry.Names)
            {
                ref var other = ref CollectionsMarshal.GetValueRefOrAddDefault(bindingsAt, name, out var known);
                if (!known)
                {
                    other = row;
                }
                else if (other != row)
                {
                    Mark(row, VipMarks.Broken, $"binding {name} is also at {other!.Address}");
                    Mark(other, VipMarks.Broken, $"binding {name} is also at {row.Address}");
                }
            }
        }
    }

    private void BuildUnits()
    {
        Units.Clear();
        foreach (var row in Rows)
        {
            var follows = _roots[row] != row.Address && !row.IsBroken;
            if (follows && (Find(_roots[row]) is not { } target || _roots[target] != target.Address))
            {
                Mark(row, VipMarks.Broken, $"follows {_roots[row]}, which is not elected");
                follows = false;
            }
            if (!follows)
                Units.Add(row.Unit = new Unit(row));
        }
        foreach (var row in Rows)
        {
            if (_roots[row] == row.Address || row.IsBroken)
                continue;
            var target = Find(_roots[row])!;
            row.Unit = target.Unit;
            target.Unit.Rows.Add(row);
            if (target.IsBroken)
                Mark(row, VipMarks.Broken, $"follows {target.Address}, which is BROKEN: {target.MarkReason}");
            else if (!target.Participants.IsSubsetOf(row.Participants))
                Mark(row, VipMarks.Unsafe, $"not configured on {NameOf(target.Participants.Except(row.Participants).First)}, where {target.Address} may be");
        }
        _roots.Clear();
        IsParticipationUniform = true;
        foreach (var unit in Units)
        {
            Settle(unit);
            IsParticipationUniform &= unit.Root.Participants == Units[0].Root.Participants;
        }
    }

    /// <summary>Recomputes who can have a unit. Nodes on which a follower failed are taken only when there is no other.</summary>
    private void Settle(Unit unit)
    {
        var healthy = unit.Root.Participants & Present;
        foreach (var n in healthy)
        {
            if (Members[n]!.IsDraining)
                healthy = healthy.Without(n);
        }
        healthy = healthy.Except(unit.Root.Failed);
        var whole = unit.Rows.Aggregate(healthy, (set, row) => set.Except(row.Failed));
        unit.Healthy = whole.IsEmpty ? healthy : whole;
        unit.StayOnly = unit.IsBroken;
        unit.Preferred = IndexOfName(unit.Root.Preference);
        if (!unit.Healthy.Contains(unit.Preferred))
            unit.Preferred = -1;
        unit.Pin = _pins.GetValueOrDefault(unit.Address);
        if (unit.Pin is not { Node.Length: > 0 } pin)
        {
            unit.Pin = null;
            return;
        }
        var pinned = IndexOfName(pin.Node);
        if (unit.Healthy.Contains(pinned))
        {
            unit.Preferred = pinned;
            return;
        }
        unit.Pin = null;
        SetPin(unit.Address, "", 0);
    }

    private void Remember(VipRow row, long nowMs)
    {
        var (participants, configuration) = (0UL, 0UL);
        foreach (var n in row.Participants)
        {
            var key = Mixing.Combine(Ids[n].NodeId, Ids[n].Pid);
            participants ^= Mixing.Combine(key, row.Unit.Healthy.Contains(n) ? 1UL : 0UL);
            configuration ^= Mixing.Combine(key, EntryOf(row, n)!.Hash64);
        }
        var memory = row.Memory;
        if (memory.ParticipantKey != participants)
            (memory.ParticipantKey, memory.ViewStableSince) = (participants, nowMs);
        if (memory.ConfigurationKey != configuration)
            (memory.ConfigurationKey, memory.ConfigurationStableSince) = (configuration, nowMs);
        if (!row.IsBroken)
            memory.BrokenSince = -1;
        else if (memory.BrokenSince < 0)
            memory.BrokenSince = nowMs;
    }
}
