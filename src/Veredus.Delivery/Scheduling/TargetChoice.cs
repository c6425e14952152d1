namespace Veredus.Delivery;

/// <summary>One address that a connection might go to.</summary>
/// <param name="Tried">This attempt has failed there already.</param>
/// <param name="RestsUntil">Left alone until then after a failure; scheduler milliseconds.</param>
/// <param name="IsFull">A limit of its host is reached.</param>
/// <param name="Open">Connections to it now.</param>
internal readonly record struct TargetCandidate(long Rank, bool Tried, long RestsUntil, bool IsFull, int Open);

/// <summary>The address to connect to, or why there is none.</summary>
/// <param name="Index">Of the candidates; −1: none.</param>
/// <param name="RestsUntil">With none: when the first resting one may be tried; <see cref="long.MaxValue"/>: none rests.</param>
/// <param name="Full">With none: index of one that only its host's limit keeps from being used; −1: there is none.</param>
internal readonly record struct TargetChoice(int Index, long RestsUntil = long.MaxValue, int Full = -1)
{
    /// <summary>Lowest rank first; among equals the least used, and among those the one that <paramref name="turn"/> points to.</summary>
    public static TargetChoice Among(ReadOnlySpan<TargetCandidate> candidates, long now, int turn)
    {
        var (best, restsUntil, full) = (-1, long.MaxValue, -1);
        for (var step = 0; step < candidates.Length; step++)
        {
            var i = (int)(((uint)turn + (uint)step) % (uint)candidates.Length);
            var candidate = candidates[i];
            if (candidate.Tried)
                continue;
            if (candidate.RestsUntil > now)
                restsUntil = Math.Min(restsUntil, candidate.RestsUntil);
            else if (candidate.IsFull)
                full = full < 0 || candidate.Rank < candidates[full].Rank ? i : full;
            else if (best < 0 || candidate.Rank < candidates[best].Rank || (candidate.Rank == candidates[best].Rank && candidate.Open < candidates[best].Open))
                best = i;
        }
        return best >= 0 ? new(best) : new(-1, restsUntil, full);
    }
}
