using System.Collections.Immutable;
using Veredus.Cluster;

namespace Veredus.ConfigServer;

/// <summary>A git commit: 40 lower-case hex digits.</summary>
public readonly record struct CommitId
{
    private readonly string? _hex;

    /// <exception cref="ArgumentException">Not 40 lower-case hex digits.</exception>
    public CommitId(string hex)
    {
        if (!IsValid(hex))
            throw new ArgumentException($"'{hex}' is no commit: 40 lower-case hex digits are.", nameof(hex));
        _hex = hex;
    }

    /// <summary>What a server has that does not have the repository at all.</summary>
    public static readonly CommitId None = new(new string('0', 40));

    public string Hex => _hex ?? None.Hex;

    public static bool IsValid(string? hex) => hex is { Length: 40 } && hex.All(char.IsAsciiHexDigitLower);

    /// <summary>Seven digits, for people.</summary>
    public string Short => Hex[..7];

    public override string ToString() => Hex;
}

/// <summary>Where <c>main</c> stands.</summary>
/// <param name="Revision">Number of first-parent commits; 0 when there is no such repository.</param>
public readonly record struct Head(int Revision, CommitId Commit)
{
    public static readonly Head None = new(0, CommitId.None);

    public override string ToString() => Revision == 0 ? "nothing" : $"revision {Revision} ({Commit.Short})";
}

/// <summary>A forced master. The higher serial wins, so servers that were away learn of it.</summary>
/// <param name="Serial">0: never forced.</param>
/// <param name="Server"><see langword="null"/>: normal election again.</param>
public sealed record MasterOverride(long Serial, string? Server)
{
    public static readonly MasterOverride Never = new(0, null);

    internal MasterOverride Newer(MasterOverride other) =>
        (Serial, Server ?? "").CompareTo((other.Serial, other.Server ?? "")) >= 0 ? this : other;
}

/// <summary>What a server says about one repository, multicast in <c>ec_config</c>.</summary>
/// <param name="Server">Its node name.</param>
/// <param name="Head">Its <c>main</c>.</param>
/// <param name="Contains">Whether the history of <paramref name="Head"/> contains a mark: a commit, or the id of a freeze. A commit that was merged by a
/// resolution counts as contained (the trailer <c>Resolves:</c> names it), so these answers are facts that never change.</param>
/// <param name="ClaimsMaster">It was the master before; with <paramref name="Term"/> the basis of sticky election.</param>
/// <param name="Conflict">Marks that a history has to contain before the conflict is over.</param>
public sealed record ServerReport(
    string Server, Head Head, ImmutableDictionary<string, bool> Contains, bool ClaimsMaster, long Term, MasterOverride Override, ImmutableSortedSet<string> Conflict);

/// <summary>What of a repository's state survives a restart, beside the repository itself.</summary>
public sealed record ReplicaMemory(long Term, bool WasMaster, MasterOverride Override, ImmutableSortedSet<string> Conflict)
{
    public static readonly ReplicaMemory Empty = new(0, false, MasterOverride.Never, []);
}

/// <summary>What happened, in the order of the bus (<see cref="HeadMoved"/> alone is local).</summary>
public abstract record ReplicaEvent
{
    private ReplicaEvent() { }
    public sealed record ViewChanged(ImmutableSortedSet<MemberId> Members) : ReplicaEvent;
    public sealed record Reported(MemberId Sender, ServerReport Report) : ReplicaEvent;
    /// <summary>An operator forces a master, or ends that. <paramref name="Now"/>: with the end, who is master for the moment, as if it had been before.</summary>
    public sealed record Overridden(MasterOverride Override, string? Now = null) : ReplicaEvent;
    /// <summary>Somebody forces CONFLICT: <c>eccfg subcluster conflict</c>.</summary>
    public sealed record Frozen(string Mark) : ReplicaEvent;
    /// <summary>This server's <c>main</c> has moved: a push, a catch-up, a resolution.</summary>
    public sealed record HeadMoved(Head Head) : ReplicaEvent;
    /// <summary>A fetch did not work: it is asked for again at once; the shell waits a little before it says so.</summary>
    public sealed record FetchFailed(Head Head) : ReplicaEvent;
}

/// <summary>What the shell shall do.</summary>
public abstract record ReplicaEffect
{
    private ReplicaEffect() { }
    /// <summary>Multicast a report. <paramref name="Questions"/>: the marks that <see cref="ServerReport.Contains"/> shall answer, asked of the repository.</summary>
    public sealed record SendReport(ImmutableSortedSet<string> Questions, bool ClaimsMaster, long Term, MasterOverride Override, ImmutableSortedSet<string> Conflict) : ReplicaEffect;
    /// <summary>Fetch, then move <c>main</c> to this head, which contains the present one.</summary>
    public sealed record CatchUp(MemberId From, Head Head) : ReplicaEffect;
    /// <summary>Fetch another side of a conflict and keep it as <c>refs/conflict/Server</c>.</summary>
    public sealed record KeepSide(MemberId From, string Server, Head Head) : ReplicaEffect;
    /// <summary>Store what must survive a restart.</summary>
    public sealed record Remember(ReplicaMemory Memory) : ReplicaEffect;
}
