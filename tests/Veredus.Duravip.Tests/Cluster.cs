using System.Collections.Immutable;

namespace Veredus.Duravip.Tests;

/// <summary>A few machines on one perfect bus with a clock turned by hand: for tests of one behaviour each. The simulation has the imperfect bus.</summary>
internal sealed class Cluster
{
    private readonly Queue<(int Sender, byte[] Chunk)> _wire = new();
    private readonly List<DuravipEffect> _effects = [];
    private readonly bool[] _up;
    private readonly Func<int, DuravipMachine> _create;
    private bool _unsettled;

    public Cluster(int nodes, Func<int, VipSet> vips, DuravipOptions? options = null)
    {
        _create = n => new DuravipMachine(Name(n), MemberRole.Node, vips(n), options ?? Fast);
        Machines = [.. Enumerable.Range(0, nodes).Select(_create)];
        Logs = [.. Machines.Select(_ => new List<string>())];
        Host = [.. Machines.Select(_ => new HashSet<VipAddress>())];
        Effects = [.. Machines.Select(_ => new List<DuravipEffect>())];
        _up = new bool[nodes];
        for (var n = 0; n < nodes; n++)
            Tell(n, new StartedEvent());
        for (var n = 0; n < nodes; n++)
            Join(n);
        Run(4_000);
    }

    public static DuravipOptions Fast { get; } = new() { ViewMatureMs = 1_000, ViewBalanceIntervalMs = 1_000, HeartbeatStartDelayMs = 1_000, BrokenGraceMs = 3_000 };

    public long Now { get; private set; } = 1_000;
    public DuravipMachine[] Machines { get; }
    public List<string>[] Logs { get; }
    public List<DuravipEffect>[] Effects { get; }
    /// <summary>What each host's kernel has.</summary>
    public HashSet<VipAddress>[] Host { get; }
    /// <summary>Plumbing this on that host fails.</summary>
    public HashSet<(int Host, VipAddress Address)> Refused { get; } = [];
    /// <summary>These machines do not run: events wait.</summary>
    public HashSet<int> Hung { get; } = [];
    private readonly Dictionary<int, Queue<DuravipEvent>> _waiting = [];

    public static string Name(int n) => $"mta{n + 1}";
    public static MemberId Id(int n) => new((uint)n + 1, 100);

    public static VipSet Vips(int count, Func<int, string>? preference = null, ImmutableArray<string>? services = null, Func<int, string>? name = null) =>
        new(Enumerable.Range(0, count).Select(i => Vip($"192.0.2.{i + 1}", name?.Invoke(i) ?? $"cust-{i}", preference?.Invoke(i) ?? "", services)));

    public static LocalVip Vip(string address, string name, string preference = "", ImmutableArray<string>? services = null, string? unit = null) => new(
        new(VipAddress.Parse(address), VipAddress.Parse(unit ?? address), services ?? ["multivip"], name.Length > 0 ? [name] : [], preference, Placeability.Placeable, "192.0.2.0/24"),
        new("eth0", 32));

    public void Join(int n)
    {
        _up[n] = true;
        Tell(n, new HostCleanedEvent());
        Tell(n, new JoinedEvent(Id(n), (ulong)Now << 8 | (uint)n));
        Tell(n, new QuorumChangedEvent(true));
        View([], [Id(n)]);
    }

    public void Kill(int n, DepartureReason reason = DepartureReason.ProcessDeath)
    {
        _up[n] = false;
        Host[n].Clear();
        Machines[n] = _create(n);
        View([new(Id(n), reason)], []);
    }

    private void View(ImmutableArray<Departure> left, ImmutableArray<MemberId> joined)
    {
        var members = Enumerable.Range(0, _up.Length).Where(n => _up[n]).Select(Id).ToImmutableArray();
        for (var n = 0; n < _up.Length; n++)
        {
            if (_up[n])
                Tell(n, new ViewChangedEvent(members, left, members.Length == joined.Length ? members : joined), drain: false);
        }
        Settle();
    }

    public string Command(int n, OperatorCommand command)
    {
        Tell(n, command);
        return Effects[n].OfType<AnswerEffect>().Last().Text;
    }

    public void Tell(int n, DuravipEvent happened, bool drain = true)
    {
        if (Hung.Contains(n))
        {
            if (!_waiting.TryGetValue(n, out var waiting))
                _waiting.Add(n, waiting = new());
            waiting.Enqueue(happened);
            return;
        }
        Apply(n, happened);
        if (drain)
            Settle();
    }

    public void Wake(int n)
    {
        Hung.Remove(n);
        foreach (var happened in _waiting.Remove(n, out var waiting) ? waiting : [])
            Apply(n, happened);
        Settle();
    }

    public void Run(long ms)
    {
        for (var until = Now + ms; Now < until;)
        {
            Now += 100;
            Settle();
        }
    }

    private void Settle()
    {
        do
        {
            _unsettled = false;
            while (_wire.TryDequeue(out var sent))
            {
                for (var n = 0; n < Machines.Length; n++)
                {
                    if (_up[n])
                        Tell(n, new DeliveredEvent(Id(sent.Sender), sent.Chunk), drain: false);
                }
            }
            for (var n = 0; n < Machines.Length; n++)
            {
                if (_up[n] && !Hung.Contains(n))
                    Apply(n, new QueueDrainedEvent());
            }
        }
        while (_wire.Count > 0 || _unsettled);
    }

    private void Apply(int n, DuravipEvent happened)
    {
        _unsettled |= happened is PlumbedEvent or PlumbFailedEvent or UnplumbedEvent;
        _effects.Clear();
        Machines[n].Apply(happened, Now, _effects);
        foreach (var effect in _effects.ToArray())
        {
            Effects[n].Add(effect);
            switch (effect)
            {
                case MulticastEffect send:
                    foreach (var chunk in send.Chunks)
                        _wire.Enqueue((n, chunk));
                    break;
                case PlumbEffect plumb when Refused.Contains((n, plumb.Address)):
                    Apply(n, new PlumbFailedEvent(plumb.Operation, "Operation not permitted"));
                    break;
                case PlumbEffect plumb:
                    Host[n].Add(plumb.Address);
                    Apply(n, new PlumbedEvent(plumb.Operation));
                    break;
                case UnplumbEffect unplumb:
                    Host[n].Remove(unplumb.Address);
                    Apply(n, new UnplumbedEvent(unplumb.Operation));
                    break;
                case LogEffect log:
                    Logs[n].Add(log.Text);
                    break;
            }
        }
    }

    /// <summary>The host that has the address; -1 if none, and a failure if several.</summary>
    public int HolderOf(string address)
    {
        var holders = Enumerable.Range(0, Host.Length).Where(n => Host[n].Contains(VipAddress.Parse(address))).ToList();
        Assert.True(holders.Count <= 1, $"{address} is on {string.Join(' ', holders.Select(Name))}");
        return holders.Count == 0 ? -1 : holders[0];
    }
}
