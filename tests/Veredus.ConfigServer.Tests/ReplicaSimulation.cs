using System.Collections.Immutable;
using Veredus.Cluster;

namespace Veredus.ConfigServer.Tests;

/// <summary>Servers with histories of invented commits on a bus that splits, merges and loses servers; one seed, one run.</summary>
internal sealed class ReplicaSimulation
{
    private readonly Random _random;
    private readonly List<Server> _servers = [];
    private readonly Dictionary<string, Commit> _commits = [];
    private readonly List<(string Commit, HashSet<Server> Holders)> _confirmed = [];
    private readonly List<(string Commit, Server Master)> _waiting = [];
    private int _next;

    public ReplicaSimulation(int seed, int servers)
    {
        _random = new(seed);
        _commits[Id(0)] = new(null, 1, []);
        for (var i = 0; i < servers; i++)
            _servers.Add(new(new((uint)i + 1, 1), $"cfg{i + 1}", Id(0)));
        Regroup();
    }

    public int Conflicts { get; private set; }
    public int Confirmed => _confirmed.Count;
    public IEnumerable<Server> Alive => _servers.Where(server => server.IsAlive);
    public List<string> Trace { get; } = [];

    public void Run(int steps)
    {
        for (var step = 0; step < steps; step++)
        {
            Act(_random.Next(100));
            Check();
        }
        // Heal: everybody back, all messages delivered; then either one history, or CONFLICT said by all.
        foreach (var server in _servers.Where(server => !server.IsAlive))
            Restart(server);
        _servers.ForEach(server => server.Component = 0);
        Regroup();
        Quiesce();
        CheckHealed();
        for (var round = 0; _servers[0].Replica.InConflict; round++)
        {
            Conflicts++;
            Assert.True(round < 3, $"the conflict does not end\n{string.Join('\n', Trace.TakeLast(60))}");
            Resolve(_servers.Single(server => server.Replica.IsMaster));
            Quiesce();
            CheckHealed();
        }
        Assert.All(_servers, server => Assert.False(server.Replica.InConflict));
        foreach (var (commit, _) in _confirmed)
            Assert.True(Contains(_servers[0].Main, commit), $"confirmed commit {Brief(commit)} is in no history");
    }

    private void Act(int dice)
    {
        var live = Alive.ToList();
        switch (dice)
        {
            case < 55 when live.Count > 0:
                Deliver(live[_random.Next(live.Count)]);
                break;
            case < 72 when live.Count > 0:
                FinishFetch(live[_random.Next(live.Count)]);
                break;
            case < 84 when live.Count > 0:
                Push(live[_random.Next(live.Count)]);
                break;
            case < 88:
                live.ForEach(server => server.Component = _random.Next(2));
                Regroup();
                break;
            case < 91:
                live.ForEach(server => server.Component = 0);
                Regroup();
                break;
            case < 94 when live.Count > 1:
                Crash(live[_random.Next(live.Count)]);
                break;
            case < 98:
                if (_servers.FirstOrDefault(server => !server.IsAlive) is { } dead)
                    Restart(dead);
                break;
            case 98 when live.Count > 0:
                var from = live[_random.Next(live.Count)];
                Send(from, new ReplicaEvent.Overridden(new(from.Replica.Memory.Override.Serial + 1, _random.Next(2) == 0 ? null : _servers[_random.Next(_servers.Count)].Name), _servers[_random.Next(_servers.Count)].Name));
                break;
            case 99:
                foreach (var master in live.Where(server => server.Replica.IsMaster && server.Replica.InConflict))
                    Resolve(master);
                break;
        }
    }

    private void Push(Server server)
    {
        if (server.Replica.WhyNoCommit(_servers.Count, requireMajority: false) is not null)
            return;
        var commit = NewCommit(server.Main, []);
        server.Store.Add(commit);
        Move(server, commit);
        _waiting.Add((commit, server));
        Note($"{server.Name} takes {Brief(commit)}");
    }

    private void Resolve(Server server)
    {
        if (!server.Replica.InConflict || !server.Replica.Standing.Tops.All(top => server.Store.Contains(top.Commit.Hex)))
            return;
        var sides = server.Replica.Standing.Tops.Select(top => top.Commit.Hex).Concat(server.Replica.Memory.Conflict).Distinct();
        var commit = NewCommit(server.Main, [.. sides.Where(mark => !Contains(server.Main, mark))]);
        server.Store.Add(commit);
        Move(server, commit);
        Note($"{server.Name} resolves with {Brief(commit)}");
    }

    private void Move(Server server, string to)
    {
        Assert.True(Contains(to, server.Main), $"{server.Name} moved main from {server.Main[..7]} to {to[..7]}, which does not contain it");
        Assert.Contains(to, server.Store);
        server.Main = to;
        Apply(server, new ReplicaEvent.HeadMoved(HeadOf(to)));
    }

    private void Deliver(Server server)
    {
        if (server.Inbox.TryDequeue(out var happened))
            Apply(server, happened);
    }

    private void FinishFetch(Server server)
    {
        if (!server.Fetches.TryDequeue(out var fetch))
            return;
        var (from, head, side) = fetch;
        var source = _servers.Single(other => other.Id == from);
        if (!source.IsAlive || source.Component != server.Component || !source.Store.Contains(head.Commit.Hex))
        {
            Apply(server, new ReplicaEvent.FetchFailed(head));
            return;
        }
        Copy(head.Commit.Hex, source, server);
        if (!side && Contains(head.Commit.Hex, server.Main) && !server.Replica.InConflict)
            Move(server, head.Commit.Hex);
    }

    /// <summary>The history, and the sides that resolutions in it have merged (refs/conflict).</summary>
    private void Copy(string commit, Server from, Server to)
    {
        for (var at = commit; at is not null && to.Store.Add(at); at = _commits[at].Parent)
            foreach (var side in _commits[at].Resolves.Where(from.Store.Contains))
                Copy(side, from, to);
    }

    private void Apply(Server server, ReplicaEvent happened)
    {
        var (next, effects) = server.Replica.Apply(happened);
        server.Replica = next;
        foreach (var effect in effects)
        {
            Note($"{server.Name} {happened.GetType().Name} -> {effect.GetType().Name} {(effect is ReplicaEffect.SendReport r ? $"claims {r.ClaimsMaster} term {r.Term} conflict {string.Join(',', r.Conflict.Select(Brief))} asks {string.Join(',', r.Questions.Select(Brief))}" : "")} head {Brief(server.Main)}");
            switch (effect)
            {
                case ReplicaEffect.SendReport report:
                    var answers = report.Questions.ToImmutableDictionary(mark => mark, mark => Contains(server.Main, mark));
                    Send(server, new ReplicaEvent.Reported(server.Id, new(server.Name, HeadOf(server.Main), answers, report.ClaimsMaster, report.Term, report.Override, report.Conflict)));
                    break;
                case ReplicaEffect.CatchUp catchUp:
                    server.Fetches.Enqueue((catchUp.From, catchUp.Head, false));
                    break;
                case ReplicaEffect.KeepSide side:
                    server.Fetches.Enqueue((side.From, side.Head, true));
                    break;
                case ReplicaEffect.Remember remember:
                    server.Memory = remember.Memory;
                    break;
            }
        }
        foreach (var waiting in _waiting.Where(waiting => waiting.Master == server && server.IsAlive).ToList())
        {
            var names = server.Replica.AcknowledgedBy(new(waiting.Commit));
            if (names.IsEmpty && !(server.Replica.Members.Count == 1 && server.Inbox.Count == 0))
                continue;
            _waiting.Remove(waiting);
            _confirmed.Add((waiting.Commit, [server, .. _servers.Where(other => names.Contains(other.Name))]));
        }
    }

    private void Send(Server from, ReplicaEvent message)
    {
        foreach (var server in Alive.Where(server => server.Component == from.Component))
            server.Inbox.Enqueue(message);
    }

    private void Regroup()
    {
        foreach (var component in Alive.GroupBy(server => server.Component))
        {
            var members = component.Select(server => server.Id).ToImmutableSortedSet();
            foreach (var server in component)
                server.Inbox.Enqueue(new ReplicaEvent.ViewChanged(members));
        }
    }

    private void Crash(Server server)
    {
        server.IsAlive = false;
        server.Inbox.Clear();
        server.Fetches.Clear();
        _waiting.RemoveAll(waiting => waiting.Master == server);
        Note($"{server.Name} crashes");
        Regroup();
    }

    private void Restart(Server server)
    {
        server.IsAlive = true;
        server.Replica = Replica.Start(server.Id, server.Name, HeadOf(server.Main), server.Memory);
        Regroup();
    }

    private void Quiesce()
    {
        for (var turns = 0; Alive.Any(server => server.Inbox.Count + server.Fetches.Count > 0); turns++)
        {
            Assert.True(turns < 20_000, $"the servers never come to rest\n{string.Join('\n', Trace.TakeLast(60))}");
            foreach (var server in Alive)
            {
                Deliver(server);
                FinishFetch(server);
            }
        }
    }

    private string States() => string.Join('\n', _servers.Select(server => $"{server.Name} main {Brief(server.Main)} conflict {string.Join(',', server.Replica.Memory.Conflict.Select(Brief))} complete {server.Replica.Standing.IsComplete} "
        + string.Join("; ", server.Replica.Reports.Select(entry => $"{entry.Value.Server}: {Brief(entry.Value.Head.Commit.Hex)} c {string.Join(',', entry.Value.Conflict.Select(Brief))} answers {string.Join(',', entry.Value.Contains.Select(a => $"{Brief(a.Key)}={a.Value}"))}"))));

    private static string Brief(string mark) => mark.TrimStart('0');

    private void Note(string line)
    {
        Trace.Add(line);
        if (Trace.Count > 200)
            Trace.RemoveRange(0, 100);
    }

    private void Check()
    {
        foreach (var (commit, holders) in _confirmed)
            Assert.All(holders.Where(holder => holder.IsAlive), holder => Assert.Contains(commit, holder.Store));
    }

    private void CheckHealed()
    {
        var diverged = _servers.Any(left => _servers.Any(right => !Contains(left.Main, right.Main) && !Contains(right.Main, left.Main)));
        Assert.All(_servers, server => Assert.True(server.Replica.InConflict || !diverged, $"{server.Name} does not see the divergence"));
        Assert.Single(_servers.Select(server => server.Replica.InConflict).Distinct());
        Assert.True(_servers.Count(server => server.Replica.IsMaster) == 1, $"{_servers.Count(server => server.Replica.IsMaster)} masters\n{States()}\n{string.Join('\n', Trace.TakeLast(40))}");
        Assert.Single(_servers.Select(server => server.Replica.MasterName).Distinct());
        if (!_servers[0].Replica.InConflict)
            Assert.Single(_servers.Select(server => server.Main).Distinct());
    }

    private bool Contains(string history, string mark)
    {
        for (var at = history; at is not null; at = _commits[at].Parent)
            if (at == mark || _commits[at].Resolves.Any(resolved => resolved == mark || (_commits.ContainsKey(resolved) && Contains(resolved, mark))))
                return true;
        return false;
    }

    private string NewCommit(string parent, string[] resolves)
    {
        var id = Id(++_next);
        _commits[id] = new(parent, _commits[parent].Revision + 1, resolves);
        return id;
    }

    private Head HeadOf(string commit) => new(_commits[commit].Revision, new(commit));

    private static string Id(int number) => number.ToString("x40", System.Globalization.CultureInfo.InvariantCulture);

    private sealed record Commit(string? Parent, int Revision, string[] Resolves);

    internal sealed class Server(MemberId id, string name, string main)
    {
        public MemberId Id { get; } = id;
        public string Name { get; } = name;
        public string Main { get; set; } = main;
        public HashSet<string> Store { get; } = [main];
        public bool IsAlive { get; set; } = true;
        public int Component { get; set; }
        public ReplicaMemory Memory { get; set; } = ReplicaMemory.Empty;
        public Replica Replica { get; set; } = Replica.Start(id, name, new(1, new(main)), ReplicaMemory.Empty);
        public Queue<ReplicaEvent> Inbox { get; } = [];
        public Queue<(MemberId From, Head Head, bool Side)> Fetches { get; } = [];
    }
}
