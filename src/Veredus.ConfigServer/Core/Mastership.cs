using System.Collections.Immutable;
using Veredus.Cluster;

namespace Veredus.ConfigServer;

/// <summary>What follows from what the servers reported: the same on every server that has delivered the same events.</summary>
/// <param name="IsComplete">Everybody has reported, and how every two heads relate is known. Before that nobody is master.</param>
/// <param name="Tops">Heads that no other head contains; more than one is a divergence.</param>
/// <param name="Conflict">Marks in force; not empty means CONFLICT.</param>
/// <param name="Master">Also named in CONFLICT: it is who resolves.</param>
public sealed record Standing(bool IsComplete, ImmutableArray<Head> Tops, ImmutableSortedSet<string> Conflict, MemberId? Master)
{
    public static readonly Standing Unknown = new(false, [], [], null);

    public bool InConflict => !Conflict.IsEmpty;
}

/// <summary>Election and divergence (configuration server specification, 5.1 and 5.3).</summary>
public static class Mastership
{
    /// <summary>Decides from the reports of one view.</summary>
    /// <param name="members">Who is in the view.</param>
    /// <param name="reports">The last report of each.</param>
    /// <param name="incumbent">The master elected in this view, or, before the first election, who was one before: sticky.</param>
    /// <param name="forced">The newest override that was delivered in this view.</param>
    /// <remarks>Only what was delivered counts, not what this server knows beside it: otherwise two servers could decide differently.</remarks>
    public static Standing Decide(
        ImmutableSortedSet<MemberId> members, ImmutableSortedDictionary<MemberId, ServerReport> reports, MemberId? incumbent, MasterOverride forced)
    {
        if (members.IsEmpty || members.Any(member => !reports.ContainsKey(member)))
            return Standing.Unknown;
        var conflict = reports.Values.Aggregate(ImmutableSortedSet<string>.Empty, (all, report) => all.Union(report.Conflict));
        if (FindTops(reports.Values) is not { } tops)
            return Standing.Unknown;
        if (tops.Length > 1)
            conflict = conflict.Union(tops.Select(head => head.Commit.Hex));
        else if (!conflict.IsEmpty)
        {
            // Over when one history contains all sides. Any server at the top may answer; the answers are facts.
            var answers = reports.Values.Where(report => report.Head == tops[0]).ToList();
            if (conflict.Any(mark => mark != tops[0].Commit.Hex && !answers.Any(report => report.Contains.ContainsKey(mark))))
                return Standing.Unknown;
            if (conflict.All(mark => mark == tops[0].Commit.Hex || answers.Any(report => report.Contains.GetValueOrDefault(mark))))
                conflict = [];
        }
        return new(true, tops, conflict, Elect(reports, tops, incumbent, forced));
    }

    /// <summary>
    /// The forced master while it is a member; else one whose history contains all other heads, among those the present master, among
    /// those the lowest name.
    /// </summary>
    public static MemberId Elect(ImmutableSortedDictionary<MemberId, ServerReport> reports, ImmutableArray<Head> tops, MemberId? incumbent, MasterOverride forced)
    {
        if (forced.Server is { } name && reports.FirstOrDefault(entry => entry.Value.Server == name) is { Value: not null } found)
            return found.Key;
        return reports
            .OrderByDescending(entry => tops.Length == 1 && entry.Value.Head == tops[0])
            .ThenByDescending(entry => entry.Key == incumbent)
            .ThenBy(entry => entry.Value.Server, StringComparer.Ordinal)
            .ThenBy(entry => entry.Key)
            .First().Key;
    }

    /// <summary>Who was master before this view: of those that claim it, the one with the highest term, then the lowest name.</summary>
    public static MemberId? FindIncumbent(ImmutableSortedDictionary<MemberId, ServerReport> firstReports) =>
        firstReports.Where(entry => entry.Value.ClaimsMaster).OrderByDescending(entry => entry.Value.Term).ThenBy(entry => entry.Value.Server, StringComparer.Ordinal)
            .Select(entry => (MemberId?)entry.Key).FirstOrDefault();

    /// <summary>The heads that no other one contains, by commit; <see langword="null"/> while the relation of two is not known.</summary>
    private static ImmutableArray<Head>? FindTops(IEnumerable<ServerReport> reports)
    {
        var holders = reports.ToLookup(report => report.Head);
        var heads = holders.Select(group => group.Key).OrderBy(head => head.Commit.Hex, StringComparer.Ordinal).ToList();
        var tops = new List<Head>(heads);
        for (var i = 0; i < heads.Count; i++)
        {
            for (var j = i + 1; j < heads.Count; j++)
            {
                var (left, right) = (Contains(holders[heads[i]], heads[j]), Contains(holders[heads[j]], heads[i]));
                if (left is true)
                    tops.Remove(heads[j]);
                else if (right is true)
                    tops.Remove(heads[i]);
                else if (left is null || right is null)
                    return null;
            }
        }
        return [.. tops];
    }

    private static bool? Contains(IEnumerable<ServerReport> holders, Head other)
    {
        if (other == Head.None)
            return true;
        foreach (var holder in holders)
        {
            if (holder.Head == Head.None)
                return false;
            if (holder.Contains.TryGetValue(other.Commit.Hex, out var answer))
                return answer;
        }
        return null;
    }
}
