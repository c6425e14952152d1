namespace Veredus.Configuration;

/// <summary>Printing and guessing names.</summary>
internal static class Names
{
    /// <summary>The canonical mixed case: <c>max_outbound_connections</c> is shown as <c>Max_Outbound_Connections</c>.</summary>
    public static string Display(string name) => string.Create(name.Length, name, static (span, source) =>
    {
        for (var i = 0; i < span.Length; i++)
            span[i] = i == 0 || source[i - 1] == '_' ? char.ToUpperInvariant(source[i]) : source[i];
    });

    /// <summary>The candidate that was most likely meant, or null.</summary>
    public static string? Closest(string typed, IEnumerable<string> candidates)
    {
        if (typed.Length > 64)
            return null;
        var limit = Math.Max(1, typed.Length / 4);
        string? best = null;
        foreach (var candidate in candidates)
        {
            if (Math.Abs(candidate.Length - typed.Length) > limit)
                continue;
            var distance = Distance(typed, candidate);
            if (distance <= limit)
                (best, limit) = (candidate, distance - 1);
        }
        return best;
    }

    /// <summary>", did you mean 'x'?" or nothing.</summary>
    public static string Hint(string typed, IEnumerable<string> candidates) =>
        Closest(typed.ToLowerInvariant(), candidates) is { } guess ? $"; did you mean '{guess}'?" : ".";

    /// <summary>Edit distance, a swap of neighbours counting as one.</summary>
    private static int Distance(string a, string b)
    {
        var (before, previous, current) = (new int[b.Length + 1], new int[b.Length + 1], new int[b.Length + 1]);
        for (var j = 0; j <= b.Length; j++)
            previous[j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            current[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var cost = a[i - 1] == b[j - 1] ? 0 : 1;
                current[j] = Math.Min(Math.Min(current[j - 1], previous[j]) + 1, previous[j - 1] + cost);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    current[j] = Math.Min(current[j], before[j - 2] + 1);
            }
            (before, previous, current) = (previous, current, before);
        }
        return previous[b.Length];
    }
}
