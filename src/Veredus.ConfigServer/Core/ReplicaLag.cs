using System.Collections.Immutable;

namespace Veredus.ConfigServer;

/// <summary>A server that is here and whose copy of a repository lacks what another one has.</summary>
/// <param name="Since">When that was seen first, in seconds of a clock that only runs forward.</param>
/// <param name="IsSaid">It has lasted long enough to be told, and was.</param>
public sealed record LaggingServer(string Repository, string Server, double Since, bool IsSaid = false);

/// <summary>Which copies lag, and since when (configuration server specification, 5.2): a value, moved on by what servers report and by the clock.</summary>
public sealed record ReplicaLag
{
    /// <summary>How long a copy may lag before it is told.</summary>
    public const double PatienceSeconds = 60;

    public static readonly ReplicaLag None = new();

    private ReplicaLag() { }

    public ImmutableArray<LaggingServer> Lagging { get; private init; } = [];

    /// <summary>When the next one has to be told; null while all are told.</summary>
    public double? Due => Lagging.Where(lag => !lag.IsSaid).Select(lag => (double?)lag.Since + PatienceSeconds).Min();

    /// <summary>Looks at the repositories as they are now.</summary>
    /// <returns>Who is told now, and who was and has caught up or gone since.</returns>
    public (ReplicaLag Next, ImmutableArray<LaggingServer> Behind, ImmutableArray<LaggingServer> Over) Look(IEnumerable<KeyValuePair<string, Replica>> replicas, double now)
    {
        var before = Lagging.ToDictionary(lag => (lag.Repository, lag.Server));
        var found = replicas.SelectMany(entry => Behind(entry.Value).Select(server => before.GetValueOrDefault((entry.Key, server)) ?? new(entry.Key, server, now)))
            .OrderBy(lag => lag.Repository, StringComparer.Ordinal).ThenBy(lag => lag.Server, StringComparer.Ordinal).ToList();
        var late = found.Where(lag => !lag.IsSaid && now - lag.Since >= PatienceSeconds).ToHashSet();
        return (new() { Lagging = [.. found.Select(lag => late.Contains(lag) ? lag with { IsSaid = true } : lag)] }, [.. late], [.. Lagging.Where(lag => lag.IsSaid && !found.Contains(lag))]);
    }

    /// <summary>In CONFLICT nobody is behind: the sides differ on purpose until somebody resolves it.</summary>
    private static IEnumerable<string> Behind(Replica replica) => replica.InConflict || !replica.Standing.IsComplete || replica.Standing.Tops is not [var top] ? []
        : replica.Reports.Values.Where(report => report.Head != top && !report.Contains.GetValueOrDefault(top.Commit.Hex)).Select(report => report.Server).Distinct();
}
