namespace Veredus.Duravip;

/// <summary>One unit as the election sees it.</summary>
internal class ElectionUnit(VipAddress address)
{
    public VipAddress Address { get; } = address;
    /// <summary>P(x): the healthy participants.</summary>
    public MemberSet Healthy { get; set; }
    /// <summary>p(x) ∈ P(x), a usable pin included; -1 = ⊥.</summary>
    public int Preferred { get; set; } = -1;
    /// <summary>H(x) ∩ P(x).</summary>
    public MemberSet EligibleHolders { get; set; }
    public int Owner { get; set; } = -1;
    /// <summary>Not managed: it may stay with a holder, and is given to nobody.</summary>
    public bool StayOnly { get; set; }
    /// <summary>The last claim left it with the one that held it.</summary>
    public bool Stayed { get; set; }
}

/// <summary>Claim and balancing, the election function of the protocol. Same members, units and loads in, same owners out, on every node.</summary>
internal static class Election
{
    /// <summary>Gives every unowned unit an owner, or none. <paramref name="units"/> are sorted by address; the loads must count the owned ones and are kept up.</summary>
    public static void Claim(IReadOnlyList<ElectionUnit> units, Electorate electorate)
    {
        foreach (var unit in units)
            unit.Stayed = false;
        foreach (var unit in units)
        {
            if (unit.Owner < 0 && unit.EligibleHolders.Count == 1)
                Give(unit, unit.EligibleHolders.First, electorate, stayed: true);
        }
        foreach (var unit in units)
        {
            if (unit.Owner < 0 && unit.EligibleHolders.Count > 1)
            {
                Give(unit, unit.EligibleHolders.Contains(unit.Preferred)
                    ? unit.Preferred : electorate.LeastLoaded(unit.Address, unit.EligibleHolders), electorate, stayed: true);
            }
        }
        foreach (var unit in units)
        {
            if (unit is { Owner: < 0, StayOnly: false, Preferred: >= 0 })
                Give(unit, unit.Preferred, electorate, stayed: false);
        }
        var rest = units.Where(unit => unit is { Owner: < 0, StayOnly: false } && !unit.Healthy.IsEmpty)
            .OrderBy(unit => unit.Healthy.Count).ThenBy(unit => unit.Address);
        foreach (var unit in rest)
            Give(unit, electorate.LeastLoaded(unit.Address, unit.Healthy), electorate, stayed: false);
    }

    private static void Give(ElectionUnit unit, int member, Electorate electorate, bool stayed)
    {
        unit.Owner = member;
        unit.Stayed = stayed;
        electorate.Loads[member]++;
    }

    /// <summary>Up to <paramref name="limit"/> moves that bring the loads closer; a chain longer than that is taken whole if it is the first.</summary>
    /// <param name="movable">The units that may move: owned, mature, not pinned, not where they are preferred, not BROKEN, not moving; sorted by address. Owners and loads are changed as moves are found.</param>
    /// <param name="electorate">The members; loads count all owned units.</param>
    /// <param name="limit">At least 1.</param>
    public static List<(ElectionUnit Unit, int From, int To)> Balance(
        IReadOnlyList<ElectionUnit> movable, Electorate electorate, int limit)
    {
        var moves = new List<(ElectionUnit, int, int)>();
        // Where each member could send something, and what it owns that may move.
        var owned = new List<ElectionUnit>[electorate.Count];
        for (var n = 0; n < owned.Length; n++)
            owned[n] = [];
        foreach (var unit in movable)
            owned[unit.Owner].Add(unit);
        var reach = Array.ConvertAll(owned, units => units.Aggregate(MemberSet.Empty, (set, unit) => set | unit.Healthy));
        while (moves.Count < limit && FindPath(electorate, reach) is { } path)
        {
            if (moves.Count > 0 && moves.Count + path.Count - 1 > limit)
                break;
            for (var i = 0; i + 1 < path.Count; i++)
            {
                var (from, to) = (path[i], path[i + 1]);
                var unit = Pick(owned[from], to, electorate);
                moves.Add((unit, from, to));
                // What was moved in this round stays put: its move is under way.
                owned[from].Remove(unit);
                reach[from] = owned[from].Aggregate(MemberSet.Empty, (set, other) => set | other.Healthy);
                unit.Owner = to;
            }
            electorate.Loads[path[0]]--;
            electorate.Loads[path[^1]]++;
        }
        return moves;
    }

    /// <summary>The unit of the highest score for the receiver, ties to the lowest address.</summary>
    private static ElectionUnit Pick(List<ElectionUnit> owned, int to, Electorate electorate)
    {
        ElectionUnit? best = null;
        var bestScore = 0UL;
        foreach (var unit in owned)
        {
            if (!unit.Healthy.Contains(to))
                continue;
            var score = electorate.Score(unit.Address, to);
            if (best is null || score > bestScore || score == bestScore && unit.Address < best.Address)
                (best, bestScore) = (unit, score);
        }
        return best!;
    }

    private static List<int>? FindPath(Electorate electorate, MemberSet[] reach)
    {
        var fullestFirst = Enumerable.Range(0, electorate.Count).Where(n => !reach[n].IsEmpty).ToList();
        fullestFirst.Sort((a, b) => electorate.CompareLoad(b, 0, a, 0) is var order && order != 0 ? order : ByName(electorate, a, b));
        var cameFrom = new int[electorate.Count];
        foreach (var a in fullestFirst)
        {
            var best = -1;
            foreach (var b in Reachable(a, electorate, reach, cameFrom))
            {
                if (electorate.CompareLoad(a, 0, b, 1) <= 0)
                    continue;
                var order = best < 0 ? -1 : electorate.CompareLoad(b, 0, best, 0);
                if (order < 0 || order == 0 && ByName(electorate, b, best) < 0)
                    best = b;
            }
            if (best < 0)
                continue;
            var path = new List<int> { best };
            while (path[^1] != a)
                path.Add(cameFrom[path[^1]]);
            path.Reverse();
            return path;
        }
        return null;
    }

    /// <summary>Breadth first from <paramref name="a"/>, neighbours by name; fills the tree in <paramref name="cameFrom"/>.</summary>
    private static List<int> Reachable(int a, Electorate electorate, MemberSet[] reach, int[] cameFrom)
    {
        var seen = MemberSet.Of(a);
        var queue = new List<int> { a };
        for (var head = 0; head < queue.Count; head++)
        {
            var next = new List<int>();
            foreach (var v in reach[queue[head]].Except(seen))
                next.Add(v);
            next.Sort((x, y) => ByName(electorate, x, y));
            foreach (var v in next)
            {
                seen = seen.With(v);
                cameFrom[v] = queue[head];
                queue.Add(v);
            }
        }
        queue.RemoveAt(0);
        return queue;
    }

    private static int ByName(Electorate electorate, int a, int b) =>
        string.CompareOrdinal(electorate.Names[a], electorate.Names[b]) is var order && order != 0 ? order : a.CompareTo(b);
}
