using Xunit.Abstractions;

namespace Veredus.Moves.Tests;

/// <summary>Whole clusters of ledgers and rules on one clock: owners change, answers get lost, and nodes die between any two steps.</summary>
public sealed class MoveSimulationTests(ITestOutputHelper output)
{
    [Fact]
    public void Whoever_dies_at_whichever_step_no_message_is_lost_and_none_is_delivered_twice()
    {
        var seed = Environment.GetEnvironmentVariable("VEREDUS_SEED") is { } given ? int.Parse(given) : Random.Shared.Next();
        output.WriteLine($"VEREDUS_SEED={seed}");
        var (delivered, crashes, known) = (0, 0, 0);
        for (var run = 0; run < 400; run++)
        {
            var cluster = new Cluster(new Random(seed + run), messages: 30);
            for (var step = 0; step < 1500; step++)
                cluster.Step();
            cluster.Settle();
            cluster.Check($"VEREDUS_SEED={seed + run}");
            (delivered, crashes, known) = (delivered + cluster.Delivered.Count, crashes + cluster.Crashes, known + cluster.Repeats);
        }
        output.WriteLine($"{delivered} messages delivered, {crashes} crashes, {known} copies recognised");
        Assert.True(crashes > 1000 && known > 100);
    }

    private sealed record Copy(Guid Lineage, uint Generation, int Hops);

    /// <summary>What a process keeps on its disk, and what dies with it.</summary>
    private sealed class Node(string name)
    {
        public string Name => name;
        public Dictionary<ulong, Copy> Spool { get; } = [];
        public List<LedgerEntry> Noted { get; } = [];
        public MoveLedger Ledger { get; set; } = new();
        public Dictionary<ulong, (string Node, long Since)> Doubts { get; } = [];
        public bool IsUp { get; set; } = true;
        public int Run { get; set; }
    }

    /// <summary>A message on its way: the steps that are left, in order.</summary>
    private sealed class Transfer(Node from, Node to, ulong id, Copy copy, bool wasInDoubt)
    {
        public (Node From, Node To, ulong Id, Copy Copy, bool WasInDoubt) Parts => (from, to, id, copy, wasInDoubt);
        public uint Generation { get; set; }
        public int Step { get; set; }
        public int FromRun { get; } = from.Run;
        public int ToRun { get; } = to.Run;
        public bool? Accepted { get; set; }
        public bool IsSure { get; set; } = true;
        public bool IsNew { get; set; }
        public ulong Stored { get; set; }
    }

    private sealed class Cluster
    {
        private readonly Random _random;
        private readonly Node[] _nodes = [new("mta1"), new("mta2"), new("mta3")];
        private readonly Dictionary<string, int> _views = [];
        private readonly List<Transfer> _moving = [];
        private readonly List<Guid> _mail = [];
        private long _now;
        private int _owner;
        private ulong _lastId;

        public List<Guid> Delivered { get; } = [];
        public int Crashes { get; private set; }
        public int Repeats { get; private set; }

        public Cluster(Random random, int messages)
        {
            _random = random;
            foreach (var node in _nodes)
                _views[node.Name] = 0;
            for (var i = 0; i < messages; i++)
            {
                var bytes = new byte[16];
                random.NextBytes(bytes);
                _mail.Add(new(bytes));
                _nodes[random.Next(3)].Spool.Add(++_lastId, new(_mail[^1], 0, 0));
            }
        }

        public void Step()
        {
            _now += _random.Next(200);
            switch (_random.Next(40))
            {
                case 0:
                    _owner = _random.Next(3);
                    break;
                case 1:
                    Crash(_nodes[_random.Next(3)]);
                    break;
                case < 6:
                    Start(_nodes[_random.Next(3)]);
                    break;
                case < 12:
                    _views[_nodes[_random.Next(3)].Name] = _owner;  // a node learns late who owns the binding
                    break;
                default:
                    Act(_random);
                    break;
            }
        }

        /// <summary>All come back, nothing more fails, time goes on: everything must find its way.</summary>
        public void Settle()
        {
            foreach (var node in _nodes)
            {
                Start(node);
                _views[node.Name] = _owner;
            }
            for (var i = 0; i < 20_000 && (_moving.Count > 0 || _nodes.Any(node => node.Spool.Count > 0)); i++)
            {
                _now += 500;
                Act(_random);
            }
        }

        public void Check(string seed)
        {
            Assert.True(_nodes.All(node => node.Spool.Count == 0), $"{seed}: messages found no way");
            Assert.True(Delivered.Count == Delivered.Distinct().Count(), $"{seed}: delivered twice");
            Assert.True(Delivered.Count == _mail.Count, $"{seed}: {_mail.Count - Delivered.Count} lost");
        }

        private void Act(Random random)
        {
            if (_moving.Count > 0 && random.Next(4) > 0)
            {
                Advance(_moving[random.Next(_moving.Count)]);
                return;
            }
            var node = _nodes[random.Next(3)];
            if (!node.IsUp || node.Spool.Count == 0)
                return;
            var (id, copy) = node.Spool.ElementAt(random.Next(node.Spool.Count));
            if (_moving.Any(one => (one.Parts.From == node && one.Parts.Id == id && one.FromRun == node.Run)
                || (one.Parts.To == node && one.Stored == id && one.ToRun == node.Run && one.Step <= 3)))
                return;  // under way, or not queued yet
            var doubt = node.Doubts.TryGetValue(id, out var since) ? since : default;
            var decision = MoveRules.Decide(new(copy.Hops, 0, doubt.Node, doubt.Since), _nodes[_views[node.Name]] == node, _nodes[_views[node.Name]].Name,
                name => _nodes.Single(one => one.Name == name).IsUp, _now);
            // Nodes come back within the time that a doubt is waited for; what happens when they don't is said in the documentation.
            if (decision.GivesUpDoubt)
                return;
            if (decision.Step is MoveStep.Deliver)
            {
                Delivered.Add(copy.Lineage);
                node.Spool.Remove(id);
            }
            else if (decision.Step is MoveStep.Send && _nodes.Single(one => one.Name == decision.Target) is { IsUp: true } target && target != node)
            {
                _moving.Add(new(node, target, id, copy, doubt.Node is not null));
            }
        }

        /// <summary>One step of a transfer; between any two of them either side may die.</summary>
        private void Advance(Transfer transfer)
        {
            var (from, to, id, copy, wasInDoubt) = transfer.Parts;
            var generation = transfer.Generation;
            var senderLives = from.IsUp && from.Run == transfer.FromRun;
            var receiverLives = to.IsUp && to.Run == transfer.ToRun;
            switch (transfer.Step++)
            {
                case 0 when senderLives && from.Spool.ContainsKey(id):
                    var sending = from.Ledger.Sending(copy.Lineage, copy.Generation, id, to.Name, _now);
                    transfer.Generation = sending.Generation;
                    Note(from, sending);
                    if (!wasInDoubt)
                        from.Doubts[id] = (to.Name, _now);
                    return;
                case 1 when receiverLives:
                    ulong? here = to.Spool.Where(pair => pair.Value.Lineage == copy.Lineage).Select(pair => (ulong?)pair.Key).FirstOrDefault();
                    var arrival = to.Ledger.Arrive(copy.Lineage, generation, here, _now, out var changed);
                    if (changed is { } entry)
                        Note(to, entry);
                    (transfer.IsNew, transfer.Accepted, transfer.IsSure) = (arrival is Arrival.New, arrival is not Arrival.Busy, arrival is not Arrival.Busy);
                    Repeats += arrival is Arrival.Known ? 1 : 0;
                    if (transfer.IsNew && _random.Next(10) == 0)
                    {
                        to.Ledger.NotStored(copy.Lineage);  // its disk is full
                        (transfer.IsNew, transfer.Accepted) = (false, false);
                    }
                    return;
                case 2 when receiverLives:
                    if (transfer.IsNew)
                        to.Spool.Add(transfer.Stored = ++_lastId, new(copy.Lineage, generation, MoveRules.HopsOut(copy.Hops) + 1));
                    return;
                case 3 when receiverLives:
                    if (transfer.IsNew)
                        Note(to, to.Ledger.Stored(copy.Lineage, generation, transfer.Stored, _now));
                    return;
                case 4 when senderLives && receiverLives && _random.Next(8) > 0:
                    if (transfer.Accepted is true)
                    {
                        Note(from, from.Ledger.Sent(copy.Lineage, generation, id, to.Name, _now));
                        return;
                    }
                    if (MoveRules.RefusalEndsDoubt(transfer.IsSure, wasInDoubt, from.Doubts[id].Since, _now))
                    {
                        Note(from, from.Ledger.Refused(copy.Lineage, generation, id, _now));
                        from.Doubts.Remove(id);
                    }
                    break;
                case 5 when senderLives:
                    from.Spool.Remove(id);
                    from.Doubts.Remove(id);
                    break;
                case 1 or 2 or 3 when senderLives && !receiverLives:
                    return;  // until the sender notices
            }
            _moving.Remove(transfer);
        }

        private static void Note(Node node, LedgerEntry entry) => node.Noted.Add(entry);

        private void Crash(Node node)
        {
            if (!node.IsUp)
                return;
            Crashes++;
            node.IsUp = false;
            node.Run++;
            node.Doubts.Clear();
        }

        private static void Start(Node node)
        {
            if (node.IsUp)
                return;
            node.IsUp = true;
            node.Ledger = new();
            foreach (var entry in node.Noted)
                node.Ledger.Apply(entry);
            foreach (var (id, copy) in node.Spool.ToArray())
            {
                if (node.Ledger.HasLeft(copy.Lineage, copy.Generation, id))
                    node.Spool.Remove(id);
                else if (node.Ledger.Find(copy.Lineage) is { State: LedgerState.InDoubt } doubt)
                    node.Doubts[id] = (doubt.Node, doubt.AtMs);
                else if (copy.Generation > 0 && node.Ledger.Find(copy.Lineage) is not { State: LedgerState.Here })
                    node.Noted.Add(node.Ledger.Stored(copy.Lineage, copy.Generation, id, 0));
            }
        }
    }
}
