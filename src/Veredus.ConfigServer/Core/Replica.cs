using System.Collections.Immutable;
using Veredus.Cluster;

namespace Veredus.ConfigServer;

/// <summary>
/// One repository on one server, as a value: mastership, catch-up, CONFLICT. Events come in the order of the group <c>ec_config</c>,
/// effects go to the shell; no git, no bus, no clock in here.
/// </summary>
public sealed record Replica
{
    private ReplicaEffect.SendReport? _sent;
    private Head _sentHead;
    private Head? _fetching;
    private ImmutableHashSet<CommitId> _kept = [];
    private bool _isAhead;
    // First reports of this view: claims of mastership count from these alone. Later ones are answers to what is decided here, and
    // deciding by them again would let two servers change places for ever.
    private ImmutableSortedDictionary<MemberId, ServerReport> _first = ImmutableSortedDictionary<MemberId, ServerReport>.Empty;
    private MemberId? _incumbent;
    /// <summary>The newest override that was delivered in this view, by itself or in a report: the same on all, before each has reported it.</summary>
    private MasterOverride _forced = MasterOverride.Never;

    private Replica(MemberId self, string name, Head head, ReplicaMemory memory) => (Self, Name, Head, Memory) = (self, name, head, memory);

    /// <param name="self">This process in the group.</param>
    /// <param name="name">This server's node name.</param>
    /// <param name="head">Its <c>main</c> now.</param>
    /// <param name="memory">What was stored before.</param>
    public static Replica Start(MemberId self, string name, Head head, ReplicaMemory memory) => new(self, name, head, memory);

    public MemberId Self { get; }
    public string Name { get; }
    public Head Head { get; private init; }
    public ReplicaMemory Memory { get; private init; }
    public ImmutableSortedSet<MemberId> Members { get; private init; } = [];
    public ImmutableSortedDictionary<MemberId, ServerReport> Reports { get; private init; } = ImmutableSortedDictionary<MemberId, ServerReport>.Empty;
    public Standing Standing { get; private init; } = Standing.Unknown;

    public bool InConflict => Standing.InConflict || !Memory.Conflict.IsEmpty;

    /// <summary>All that a history has to contain for this CONFLICT to be over.</summary>
    public ImmutableSortedSet<string> Marks => Standing.Conflict.Union(Memory.Conflict).Union(Standing.Tops.Select(top => top.Commit.Hex));

    public bool IsMaster => Standing.Master == Self;

    /// <summary>The master's node name; <see langword="null"/> while the servers have not agreed on one.</summary>
    public string? MasterName => Standing.Master is { } master && Reports.TryGetValue(master, out var report) ? report.Server : null;

    /// <summary>Ends what is about to pass by itself.</summary>
    public const string TryAgain = "try again in a moment";

    /// <summary>Why no commit is accepted here now; <see langword="null"/> when one is.</summary>
    /// <param name="knownServers">How many servers the cluster has, present or not.</param>
    /// <param name="requireMajority"><c>require_majority</c>; <see langword="null"/> = auto: on from three servers up.</param>
    public string? WhyNoCommit(int knownServers, bool? requireMajority)
    {
        if (InConflict)
            return "the subcluster is in CONFLICT; see 'eccfg subcluster resolve'";
        if (!Standing.IsComplete)
            return $"the configuration servers are still agreeing on a master; {TryAgain}";
        if (!IsMaster)
            return $"this server is not the master; the master is {MasterName}";
        if (Reports[Self].Head != Standing.Tops[0])
            return $"this master is still catching up; {TryAgain}";
        if ((requireMajority ?? knownServers >= 3) && Members.Count * 2 <= knownServers)
            return $"only {Members.Count} of {knownServers} configuration servers are here and a majority is required";
        return null;
    }

    /// <summary>The other members whose history is known to contain a commit that is this server's head.</summary>
    public ImmutableArray<string> AcknowledgedBy(CommitId commit) =>
        [.. Reports.Where(entry => entry.Key != Self && (entry.Value.Head.Commit == commit || entry.Value.Contains.GetValueOrDefault(commit.Hex))).Select(entry => entry.Value.Server)];

    /// <summary>Applies one event.</summary>
    public (Replica Next, ImmutableArray<ReplicaEffect> Effects) Apply(ReplicaEvent happened)
    {
        var next = happened switch
        {
            // Reports of the previous view say nothing about who is here now: everybody reports again.
            ReplicaEvent.ViewChanged view => this with { Members = view.Members, Reports = Reports.Clear(), _sent = null, _fetching = null, _kept = [], _first = Reports.Clear(), _incumbent = null, _forced = MasterOverride.Never },
            ReplicaEvent.Reported reported when Members.Contains(reported.Sender) => TakeReport(reported),
            ReplicaEvent.Overridden overridden => this with
            {
                Memory = Memory with { Override = Memory.Override.Newer(overridden.Override) },
                _forced = _forced.Newer(overridden.Override),
                _incumbent = overridden.Override.Serial > Memory.Override.Serial && Reports.FirstOrDefault(entry => entry.Value.Server == overridden.Now) is { Value: not null } named ? named.Key : _incumbent,
            },
            ReplicaEvent.Frozen frozen => this with { Memory = Memory with { Conflict = Memory.Conflict.Add(frozen.Mark) } },
            ReplicaEvent.HeadMoved moved => this with { Head = moved.Head, _fetching = null, _isAhead = true },
            ReplicaEvent.FetchFailed failed => this with { _fetching = _fetching == failed.Head ? null : _fetching, _kept = _kept.Remove(failed.Head.Commit) },
            _ => this,
        };
        return next.Settle(Memory);
    }

    private Replica TakeReport(ReplicaEvent.Reported reported) => this with
    {
        Reports = Reports.SetItem(reported.Sender, reported.Report),
        _first = _first.ContainsKey(reported.Sender) ? _first : _first.Add(reported.Sender, reported.Report),
        // Own news come back on the bus: until then, reports show an older head of this server.
        _isAhead = _isAhead && !(reported.Sender == Self && reported.Report.Head == Head),
        Memory = Memory with { Override = Memory.Override.Newer(reported.Report.Override) },
        _forced = _forced.Newer(reported.Report.Override),
    };

    private (Replica, ImmutableArray<ReplicaEffect>) Settle(ReplicaMemory before)
    {
        var effects = ImmutableArray.CreateBuilder<ReplicaEffect>();
        var next = this with { Standing = Mastership.Decide(Members, Reports, _incumbent ?? Mastership.FindIncumbent(_first), _forced) };
        if (next.Standing.IsComplete)
        {
            // A mark that the others have not delivered yet stays until they have.
            var unheard = next.Memory.Conflict.Except(next.Reports[Self].Conflict);
            var conflict = next.Standing.Conflict.Union(unheard);
            // The highest term is remembered by all: a new master's is above it also when the old master is not there to tell.
            var term = Math.Max(next.Memory.Term, next.Reports.Values.Max(report => report.Term));
            var memory = next.Memory with
            {
                Conflict = conflict.SetEquals(next.Memory.Conflict) ? next.Memory.Conflict : conflict, WasMaster = next.IsMaster, Term = next.IsMaster && !next.Memory.WasMaster ? term + 1 : term,
            };
            next = next with { Memory = memory, _incumbent = next.Standing.Master };
            next = next.Follow(effects);
        }
        if (next.Memory != before)
            effects.Add(new ReplicaEffect.Remember(next.Memory));
        if (!next.Members.IsEmpty)
        {
            var report = next.NextReport();
            if (next._sent is null || !Same(next._sent, report) || next._sentHead != next.Head)
            {
                effects.Add(report);
                next = next with { _sent = report, _sentHead = next.Head };
            }
        }
        return (next, effects.ToImmutable());
    }

    private Replica Follow(ImmutableArray<ReplicaEffect>.Builder effects)
    {
        var next = this;
        if (Standing.InConflict)
        {
            foreach (var (member, report) in Reports.Where(entry => Standing.Tops.Contains(entry.Value.Head) && entry.Value.Head != Head && !_kept.Contains(entry.Value.Head.Commit)))
            {
                effects.Add(new ReplicaEffect.KeepSide(member, report.Server, report.Head));
                next = next with { _kept = next._kept.Add(report.Head.Commit) };
            }
        }
        else if (Standing.Tops[0] is var top && top != Head && !_isAhead && _fetching != top)
        {
            var source = Standing.Master is { } master && Reports[master].Head == top ? master : Reports.First(entry => entry.Value.Head == top).Key;
            effects.Add(new ReplicaEffect.CatchUp(source, top));
            next = next with { _fetching = top };
        }
        return next;
    }

    private ReplicaEffect.SendReport NextReport()
    {
        var questions = Reports.Values.Select(report => report.Head).Where(head => head != Head && head != Head.None).Select(head => head.Commit.Hex)
            .Concat(Reports.Values.SelectMany(report => report.Conflict)).Concat(Memory.Conflict).Where(mark => mark != Head.Commit.Hex);
        return new([.. questions], Memory.WasMaster, Memory.Term, Memory.Override, Memory.Conflict);
    }

    private static bool Same(ReplicaEffect.SendReport left, ReplicaEffect.SendReport right) =>
        left.Override == right.Override && left.Conflict.SetEquals(right.Conflict) && right.Questions.IsSubsetOf(left.Questions);
}
