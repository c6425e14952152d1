namespace Veredus.Delivery;

/// <summary>How many connections a queue wants (<c>mta.md</c> 6.2). A function of its figures.</summary>
internal static class OpeningRule
{
    /// <summary>Least time between two new connections of a queue that grows normally.</summary>
    public const int NormalGrowthMs = 250;

    /// <summary>Waiting messages per connection that a queue growing normally bears.</summary>
    public const int NormalLoad = 8;

    /// <param name="active">Messages that wait.</param>
    /// <param name="connections">Open and being opened.</param>
    /// <param name="max">Most connections; negative: any number.</param>
    /// <param name="lastOpened">When the last one was begun.</param>
    /// <returns>When one more may be begun: <paramref name="now"/> for at once, <see cref="long.MaxValue"/> for not as things are.</returns>
    public static long NextOpening(int active, int connections, int max, Growth growth, long lastOpened, long now)
    {
        if (active == 0 || (max >= 0 && connections >= max))
            return long.MaxValue;
        if (connections == 0)
            return now;
        if (growth is Growth.High)
            return active > connections ? now : long.MaxValue;
        return active > NormalLoad * connections ? Math.Max(now, lastOpened + NormalGrowthMs) : long.MaxValue;
    }
}
