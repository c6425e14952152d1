using System.Collections.Immutable;
using Veredus.Duravip;

namespace Veredus.Simulation;

/// <summary>
/// The group communication bus as corosync's CPG gives it, and no better: one order per ring, uneven delivery, no stability
/// (what one member delivers, members of another component may never see), messages delivered in a later view than they were
/// sent in, no transitional view, leave and join as separate callbacks, departures noticed only after token and consensus.
/// </summary>
public sealed class SimulatedBus(World world, int hosts)
{
    private sealed record Item(int Sender, MemberId Member, byte[]? Payload, DuravipMessage? Message, DepartureReason? Gone)
    {
        public bool IsJoin => Payload is null && Gone is null;
    }

    private sealed class Ring(int number, ImmutableArray<int> daemons)
    {
        public int Number { get; } = number;
        public ImmutableArray<int> Daemons { get; } = daemons;
        public List<Item> Log { get; } = [];
        public bool Halted { get; set; }
        public long HaltedAt { get; set; }
    }

    private sealed class Daemon
    {
        public bool Up;
        public bool Frozen;
        public Ring? Ring;
        public int Delivered;
        public int Segment;
        public long LastOrderAt;
        public long LastDeliveryAt;
        public List<MemberId> Group = [];
        public MemberId? Process;
        public readonly Queue<Item> Unsent = new();
        public readonly List<Item> Sending = [];
    }

    private readonly Daemon[] _daemons = [.. Enumerable.Range(0, hosts).Select(_ => new Daemon())];
    private int _rings;
    private Random Random => world.Random;

    public bool IsUp(int host) => _daemons[host].Up;
    public bool AreConnected(int a, int b) => Reaches(_daemons[a], _daemons[b]);
    public bool IsQuorate(int host) => (_daemons[host].Ring?.Daemons.Length ?? 0) * 2 > _daemons.Length;
    public int RingOf(int host) => _daemons[host].Ring?.Number ?? -1;

    private static bool Reaches(Daemon a, Daemon b) => a.Up && b.Up && !a.Frozen && !b.Frozen && a.Segment == b.Segment;

    public void StartDaemon(int host)
    {
        var daemon = _daemons[host];
        if (daemon.Up)
            return;
        (daemon.Up, daemon.Frozen) = (true, false);
        Install([host]);
        Connectivity(gained: true);
    }

    public void StopDaemon(int host)
    {
        var daemon = _daemons[host];
        (daemon.Up, daemon.Process) = (false, null);
        daemon.Unsent.Clear();
        daemon.Sending.Clear();
        daemon.Group.Clear();
        Connectivity(gained: false);
        daemon.Ring = null;
    }

    /// <summary>Daemon, process and guard stand still. When it goes on, it finds itself alone first.</summary>
    public void Freeze(int host, bool frozen)
    {
        var daemon = _daemons[host];
        if (!daemon.Up || daemon.Frozen == frozen)
            return;
        daemon.Frozen = frozen;
        // A short pause is only a pause; after a long one the others have gone on without it.
        if (!frozen && daemon.Ring!.Daemons.Any(other => _daemons[other].Ring != daemon.Ring))
            Install([host]);
        Connectivity(gained: !frozen);
    }

    /// <summary>Splits the network: hosts with the same segment number reach one another.</summary>
    public void Split(Func<int, int> segment)
    {
        for (var host = 0; host < _daemons.Length; host++)
            _daemons[host].Segment = segment(host);
        Connectivity(gained: true);
    }

    /// <summary>False while an instance with the same id is still in the group: the join answers "try again".</summary>
    public bool CanJoin(int host, MemberId member) => _daemons[host].Up && !_daemons[host].Group.Contains(member);

    public void Join(int host, MemberId member)
    {
        var daemon = _daemons[host];
        daemon.Process = member;
        Enqueue(host, new(host, member, null, null, null));
    }

    public void Leave(int host, DepartureReason reason)
    {
        var daemon = _daemons[host];
        if (!daemon.Up || daemon.Process is not { } member)
            return;
        daemon.Process = null;
        if (reason == DepartureReason.Leave)
            Enqueue(host, new(host, member, null, null, reason));
        else
            world.After(Random.Next(5, 150), () => { if (daemon.Up) Enqueue(host, new(host, member, null, null, reason)); });
    }

    public void Send(int host, MemberId member, byte[] payload, DuravipMessage? message)
    {
        if (_daemons[host].Up && _daemons[host].Process == member)
            Enqueue(host, new(host, member, payload, message, null));
    }

    private void Enqueue(int host, Item item)
    {
        var daemon = _daemons[host];
        if (daemon.Ring is not { Halted: false } ring || daemon.Frozen || daemon.Unsent.Count > 0)
        {
            daemon.Unsent.Enqueue(item);
            return;
        }
        Transmit(host, ring, item);
    }

    private void Transmit(int host, Ring ring, Item item)
    {
        var daemon = _daemons[host];
        daemon.Sending.Add(item);
        var delay = Random.Next(40) == 0 ? Random.Next(1, 120) : Random.Next(1, 5);
        daemon.LastOrderAt = Math.Max(daemon.LastOrderAt, world.Now + delay);
        world.At(daemon.LastOrderAt, () =>
        {
            if (daemon.Ring != ring || ring.Halted || daemon.Frozen || !daemon.Sending.Remove(item))
                return;
            ring.Log.Add(item);
            foreach (var receiver in ring.Daemons)
                ScheduleDelivery(receiver, ring, ring.Log.Count);
        });
    }

    private void ScheduleDelivery(int host, Ring ring, int upTo)
    {
        var daemon = _daemons[host];
        var delay = Random.Next(30) == 0 ? Random.Next(1, 250) : Random.Next(0, 4);
        daemon.LastDeliveryAt = Math.Max(daemon.LastDeliveryAt, world.Now + delay);
        world.At(daemon.LastDeliveryAt, () =>
        {
            if (daemon.Ring == ring && daemon.Up && !daemon.Frozen)
                DeliverUpTo(host, ring, upTo);
        });
    }

    private void DeliverUpTo(int host, Ring ring, int upTo)
    {
        var daemon = _daemons[host];
        while (daemon.Delivered < upTo)
            Deliver(host, daemon, ring.Log[daemon.Delivered++]);
        world.Wake(host);
    }

    private void Deliver(int host, Daemon daemon, Item item)
    {
        if (item.Payload is not null)
        {
            if (daemon.Process is { } process && daemon.Group.Contains(process))
                world.Enqueue(host, new DeliveredEvent(item.Member, item.Payload), item.Message);
            return;
        }
        if (item.IsJoin == daemon.Group.Contains(item.Member))
            return;
        if (item.IsJoin)
            daemon.Group.Add(item.Member);
        else
            daemon.Group.Remove(item.Member);
        Callback(host, daemon, item.IsJoin ? [] : [new(item.Member, item.Gone!.Value)], item.IsJoin ? [item.Member] : []);
    }

    private void Callback(int host, Daemon daemon, ImmutableArray<Departure> left, ImmutableArray<MemberId> joined)
    {
        if (daemon.Process is { } process && daemon.Group.Contains(process))
            world.Enqueue(host, new ViewChangedEvent([.. daemon.Group], left, joined), null);
    }

    /// <summary>Who reaches whom changed: rings that lost somebody stand still at once, and new rings form in time.</summary>
    private void Connectivity(bool gained)
    {
        foreach (var ring in _daemons.Where(daemon => daemon.Ring is { Halted: false }).Select(daemon => daemon.Ring!).Distinct().ToList())
        {
            var first = _daemons[ring.Daemons.FirstOrDefault(host => _daemons[host].Ring == ring && _daemons[host].Up && !_daemons[host].Frozen, ring.Daemons[0])];
            if (ring.Daemons.All(host => _daemons[host].Ring == ring && Reaches(first, _daemons[host])))
                continue;
            (ring.Halted, ring.HaltedAt) = (true, world.Now);
        }
        world.After(World.DetectMs + Random.Next(0, 200), Form);
        if (gained)
            world.After(Random.Next(4) == 0 ? 1 : Random.Next(800, 4_000), Form);
    }

    /// <summary>Installs a ring for every set of daemons that reach one another and do not form one yet.</summary>
    private void Form()
    {
        var placed = new HashSet<int>();
        for (var host = 0; host < _daemons.Length; host++)
        {
            var daemon = _daemons[host];
            if (!daemon.Up || daemon.Frozen || !placed.Add(host))
                continue;
            var members = Enumerable.Range(0, _daemons.Length).Where(other => Reaches(daemon, _daemons[other])).ToImmutableArray();
            placed.UnionWith(members);
            if (daemon.Ring is { Halted: false } ring && ring.Daemons.SequenceEqual(members) && members.All(other => _daemons[other].Ring == ring))
                continue;
            var halted = members.Where(other => _daemons[other].Ring is { Halted: true }).Select(other => _daemons[other].Ring!.HaltedAt).DefaultIfEmpty(-1).Max();
            if (halted >= 0 && world.Now < halted + World.DetectMs)
            {
                world.At(halted + World.DetectMs + 1, Form);
                continue;
            }
            Install(members);
        }
    }

    private void Install(ImmutableArray<int> hosts)
    {
        var ring = new Ring(++_rings, hosts);
        // Those who come from one ring together deliver the same rest of it, whatever that is.
        foreach (var group in hosts.Where(host => _daemons[host].Ring is not null).GroupBy(host => _daemons[host].Ring!).ToList())
        {
            var old = group.Key;
            if (!old.Halted)
                (old.Halted, old.HaltedAt) = (true, world.Now);
            var cut = Random.Next(group.Max(host => _daemons[host].Delivered), old.Log.Count + 1);
            foreach (var host in group)
            {
                DeliverUpTo(host, old, cut);
                Requeue(host, old, cut);
            }
        }
        var cameFrom = hosts.ToDictionary(host => host, host => _daemons[host].Ring);
        foreach (var host in hosts)
        {
            var daemon = _daemons[host];
            (daemon.Ring, daemon.Delivered, daemon.LastDeliveryAt) = (ring, 0, world.Now);
        }
        var present = hosts.Where(host => _daemons[host].Process is not null && IsKnown(host)).Select(host => _daemons[host].Process!.Value).ToList();
        foreach (var host in hosts)
        {
            world.Enqueue(host, new QuorumChangedEvent(IsQuorate(host)), null);
            ChangeGroup(host, present, hosts, [.. hosts.Where(other => cameFrom[other] == cameFrom[host] && (other == host || cameFrom[host] is not null))]);
        }
        foreach (var host in hosts)
        {
            var daemon = _daemons[host];
            while (daemon.Unsent.TryDequeue(out var item))
                Transmit(host, ring, item);
            world.Wake(host);
        }
        // Older rings that lost daemons to this one stand still until they form anew.
        Connectivity(gained: false);
    }

    /// <summary>The process on this host has joined as far as its daemon knows.</summary>
    private bool IsKnown(int host) => _daemons[host].Group.Contains(_daemons[host].Process!.Value);

    /// <summary>Messages of this host that the component does not have in order yet go out in the new ring, in their old order.</summary>
    private void Requeue(int host, Ring old, int cut)
    {
        var daemon = _daemons[host];
        var pending = old.Log.Skip(cut).Where(item => item.Sender == host).Concat(daemon.Sending).Concat(daemon.Unsent).ToList();
        daemon.Sending.Clear();
        daemon.Unsent.Clear();
        foreach (var item in pending)
            daemon.Unsent.Enqueue(item);
    }

    /// <param name="together">Those who come from the same ring; whoever does not has left, even if it is back already.</param>
    private void ChangeGroup(int host, List<MemberId> present, ImmutableArray<int> hosts, ImmutableArray<int> together)
    {
        var daemon = _daemons[host];
        var left = daemon.Group.Where(member => !present.Contains(member) || !together.Contains((int)member.NodeId))
            .Select(member => new Departure(member, together.Contains((int)member.NodeId) ? DepartureReason.ProcessDeath : DepartureReason.NodeDown)).ToImmutableArray();
        var joined = present.Where(member => !daemon.Group.Contains(member) || left.Any(departure => departure.Member == member)).ToImmutableArray();
        // Leave and join are separate callbacks.
        if (!left.IsEmpty)
        {
            daemon.Group.RemoveAll(member => left.Any(departure => departure.Member == member));
            Callback(host, daemon, left, []);
        }
        if (!joined.IsEmpty)
        {
            daemon.Group.AddRange(joined);
            Callback(host, daemon, [], joined);
        }
    }
}
