using Veredus.Duravip;

namespace Veredus.Simulation;

/// <summary>Sees every host at once and checks the invariants of the protocol after each step.</summary>
public sealed class Observer(World world)
{
    private sealed class ViewLog
    {
        /// <summary>Per ordered message: the digest of the table after it, and which message it was.</summary>
        public readonly Dictionary<ulong, ulong> Digests = [];
        public readonly Dictionary<VipAddress, int> Owners = [];
        /// <summary>Members that must say they do not have the address before another may plumb it.</summary>
        public readonly HashSet<(VipAddress Address, MemberId Member)> MustRelease = [];
    }

    private readonly Dictionary<ViewId, ViewLog> _views = [];
    private readonly HashSet<(int Host, VipAddress Address)> _foreign = [];
    /// <summary>Where the neighbours believe each address to be: at whoever told them last.</summary>
    private readonly Dictionary<VipAddress, SimulatedHost> _told = [];

    private InvariantException Broken(string invariant, string what) => new(invariant, world.Now, what);

    public void NoteForeign(SimulatedHost host, VipAddress address) => _foreign.Add((host.Number, address));

    public void NoteTold(SimulatedHost host, VipAddress address) => _told[address] = host;

    private bool Has(SimulatedHost host, VipAddress address) => host.HasAddress(address) && !_foreign.Contains((host.Number, address));

    /// <summary>I1, I3 (bookkeeping), I4, I5, I7: whenever somebody reaches a new point of a view's order.</summary>
    public void AfterDelivery(SimulatedHost host, DuravipMessage? message, bool counted)
    {
        var machine = host.Machine!;
        if (machine.Table is not { } table)
            return;
        if (!_views.TryGetValue(table.View, out var log))
            _views.Add(table.View, log = new());
        var number = machine.Ordered;
        if (log.Digests.TryGetValue(number, out var digest))
        {
            if (digest != table.Digest)
                throw Broken("I1 agreement", $"{host.Name} differs after message {number} of view {table.View}");
            return;
        }
        log.Digests.Add(number, table.Digest);
        if (!counted && log.Digests.Count > 1)
            throw Broken("I1 agreement", $"{host.Name}: the table changed without an ordered message");
        var opened = log.Digests.Count == 1;
        NoteReleases(log, table, message);
        foreach (var unit in table.Units)
        {
            CheckCoverage(table, unit);
            if (opened)
                CheckStay(table, unit);
            else
                CheckStickiness(log, table, unit, message);
        }
        log.Owners.Clear();
        foreach (var row in table.Rows)
            log.Owners[row.Address] = row.Owner;
    }

    private static void NoteReleases(ViewLog log, AgreedTable table, DuravipMessage? message)
    {
        foreach (var row in table.Rows)
        {
            if (log.Owners.TryGetValue(row.Address, out var before) && before >= 0 && before != row.Owner && table.Present.Contains(before))
                log.MustRelease.Add((row.Address, table.Ids[before]));
            if (row.Owner >= 0)
                log.MustRelease.Remove((row.Address, table.Ids[row.Owner]));
            // Who has said that it does not have it, or is out, is no holder any more.
            if (message is FailMessage or SuspectMessage)
                log.MustRelease.RemoveWhere(entry => entry.Address == row.Address && !row.Holders.Contains(table.IndexOf(entry.Member)));
        }
        if (message is ReleasedMessage released)
        {
            foreach (var address in released.Addresses)
                log.MustRelease.RemoveWhere(entry => entry.Address == address && table.Find(address)?.Holders.Contains(table.IndexOf(entry.Member)) != true);
        }
    }

    private void CheckCoverage(AgreedTable table, Unit unit)
    {
        if (!table.IsMature || unit.IsBroken)
            return;
        foreach (var row in unit.Rows)
        {
            if (unit.Healthy.IsEmpty ? row.Owner >= 0 : !unit.Healthy.Contains(row.Owner))
                throw Broken("I4 coverage", $"{row.Address} is owned by '{table.NameOf(row.Owner)}'");
        }
    }

    private void CheckStay(AgreedTable table, Unit unit)
    {
        var holders = unit.Root.Holders & unit.Healthy;
        if (table.IsMature && holders.Count == 1 && unit.Root.Owner != holders.First)
            throw Broken("I7 minimal movement", $"{unit.Address} was given to '{table.NameOf(unit.Root.Owner)}' though {table.NameOf(holders.First)} holds it");
    }

    private void CheckStickiness(ViewLog log, AgreedTable table, Unit unit, DuravipMessage? message)
    {
        if (!log.Owners.TryGetValue(unit.Address, out var before) || before < 0 || before == unit.Root.Owner)
            return;
        if (message is MoveMessage || message is AnnounceMessage or FailMessage or SuspectMessage && !unit.Healthy.Contains(before))
            return;
        throw Broken("I5 stickiness", $"{unit.Address} went from {table.NameOf(before)} to '{table.NameOf(unit.Root.Owner)}' by {message?.GetType().Name}");
    }

    /// <summary>I2, I3, I9: when a machine starts plumbing.</summary>
    internal void BeforePlumb(SimulatedHost host, DuravipMachine machine, VipAddress address)
    {
        var table = machine.Table ?? throw Broken("A1", $"{host.Name} plumbs {address} in {machine.Phase}");
        var row = table.Find(address)!;
        if (row.IsBroken)
            throw Broken("I9 no wrong source", $"{host.Name} plumbs {address}, which is BROKEN");
        for (var n = 0; n < table.Ids.Count; n++)
        {
            var other = world.Hosts[table.Ids[n].NodeId];
            if (other == host || other.Id != table.Ids[n] || other.Machine is not { } otherMachine)
                continue;
            // Who has opened another view since is not in this one any more, whatever this one still knows.
            var sameView = otherMachine.View == table.View && otherMachine.Phase == ProtocolPhase.Run;
            if (table.Present.Contains(n) && sameView && (Has(other, address) || other.IsPlumbing(address)))
                throw Broken("I2 at most one", $"{host.Name} plumbs {address} while {other.Name} has it");
            // Voted out, but still in the group: it must have lost its addresses by then.
            if (!table.Present.Contains(n) && world.Bus.RingOf(other.Number) == world.Bus.RingOf(host.Number) && Has(other, address))
                throw Broken("I2 at most one", $"{host.Name} plumbs {address} while {other.Name}, excluded, still has it");
        }
        foreach (var (what, member) in _views[table.View].MustRelease)
        {
            if (what == address && member != table.Ids[machine.Me] && _views[table.View].Digests.ContainsKey(machine.Ordered + 1) == false)
                throw Broken("I3 release before acquire", $"{host.Name} plumbs {address} before {member} released it");
        }
    }

    /// <summary>With claim guard and quorum: never on two hosts, whatever the network does.</summary>
    internal void AfterAdd(SimulatedHost host, VipAddress address)
    {
        _foreign.Remove((host.Number, address));
        if (!world.Setting.IsExclusive)
            return;
        foreach (var other in world.Hosts)
        {
            var justDied = other.DiedAt >= 0 && world.Now - other.DiedAt < 200;
            if (other != host && Has(other, address) && !justDied)
                throw Broken("exclusive", $"{address} is on {host.Name} and on {other.Name}");
        }
    }

    /// <summary>I8 for a process that ended.</summary>
    public void CheckClean(SimulatedHost host)
    {
        if (host.Machine is null && host.AddressesOnHost.FirstOrDefault(address => !_foreign.Contains((host.Number, address))) is var left && left != default)
            throw Broken("I8 clean host", $"{left} is on {host.Name} without a process");
    }

    /// <summary>I8 for a process that does not take part: without proof of life an address ends with its lease.</summary>
    public void CheckLease(SimulatedHost host, long aliveUntil)
    {
        var options = world.Setting.OptionsOf(host.Number);
        if (world.Now <= aliveUntil + options.EffectiveLeaseMs + 500 || host.Machine?.Phase == ProtocolPhase.Boot)
            return;
        foreach (var address in host.AddressesOnHost)
        {
            if (!_foreign.Contains((host.Number, address)))
                throw Broken("I8 clean host", $"{address} is still on {host.Name}, which has not proved itself alive since {aliveUntil - options.AliveWindowMs}");
        }
    }

    /// <summary>Whether everything is in order already.</summary>
    public bool IsQuiet()
    {
        try
        {
            CheckQuiet();
            return true;
        }
        catch (InvariantException)
        {
            return false;  // not yet
        }
    }

    /// <summary>I2, I4, I6 and the truth on the wire, at the end, when nothing has happened for long.</summary>
    public void CheckQuiet()
    {
        AgreedTable? reference = null;
        foreach (var host in world.Hosts)
        {
            if (host.Machine is not { } machine || machine.Table is not { } table)
                throw Broken("liveness", $"{host.Name} is in {host.Machine?.Phase.ToString() ?? "no process"} long after the last fault");
            reference ??= table;
            if (table.View != reference.View || table.Digest != reference.Digest)
                throw Broken("liveness", $"{host.Name} is in another view or has another table long after the last fault");
            if (!table.IsMature)
                throw Broken("liveness", $"{host.Name}: the component never matured");
        }
        foreach (var unit in reference!.Units)
        {
            foreach (var row in unit.Rows)
                CheckServed(reference, unit, row);
            if (unit.Root.Participants.Count > 0 && unit.Preferred >= 0 && unit.Root.Owner != unit.Preferred && !unit.IsBroken)
                throw Broken("preference return", $"{unit.Address} is on {reference.NameOf(unit.Root.Owner)}, not on {reference.NameOf(unit.Preferred)}");
        }
        CheckBalance(reference);
    }

    private void CheckServed(AgreedTable table, Unit unit, VipRow row)
    {
        var hosts = world.Hosts.Where(host => host.HasAddress(row.Address)).ToList();
        var expected = !unit.IsBroken && row.Owner >= 0 && row.Participants.Contains(row.Owner) ? 1 : 0;
        if (hosts.Count != expected || expected == 1 && hosts[0].Name != table.NameOf(row.Owner))
            throw Broken("I4 coverage", $"{row.Address}, owned by '{table.NameOf(row.Owner)}', is on [{string.Join(' ', hosts.Select(host => host.Name))}] long after the last fault");
        if (expected == 1 && _told[row.Address] != hosts[0])
            throw Broken("truth on the wire", $"{row.Address} is on {hosts[0].Name}, but the neighbours have last heard that it is on {_told[row.Address].Name}");
        // What the configurations say, independently of the table.
        var could = world.Hosts.Count(host => world.Setting.SetOf(host.Number, host.Variant).Find(unit.Address) is not null);
        if (could > 0 && !unit.IsBroken && row.Owner < 0)
            throw Broken("I4 coverage", $"{row.Address} has no owner though {could} hosts could have it");
        if (expected == 1 && !hosts[0].Machine!.Locals[row.Address].ServiceStarted)
            throw Broken("I4 coverage", $"{row.Address} is not served on {hosts[0].Name}");
    }

    /// <summary>I6, computed without the balancer: no chain of moves lowers a higher load by raising one that is two or more lower.</summary>
    private void CheckBalance(AgreedTable table)
    {
        var count = table.Ids.Count;
        var loads = new long[count];
        var edges = new bool[count, count];
        foreach (var unit in table.Units.Where(unit => unit.Root.Owner >= 0))
        {
            loads[unit.Root.Owner]++;
            if (unit.Pin is not null || unit.Preferred == unit.Root.Owner || unit.IsBroken)
                continue;
            foreach (var n in unit.Healthy)
                edges[unit.Root.Owner, n] = true;
        }
        for (var k = 0; k < count; k++)
        {
            for (var a = 0; a < count; a++)
            {
                for (var b = 0; b < count; b++)
                    edges[a, b] |= edges[a, k] && edges[k, b];
            }
        }
        for (var a = 0; a < count; a++)
        {
            for (var b = 0; b < count; b++)
            {
                var (weightA, weightB) = (table.Members[a]!.Weight, table.Members[b]!.Weight);
                if (a != b && edges[a, b] && loads[a] * weightB > (loads[b] + 1) * weightA)
                    throw Broken("I6 balance", $"{table.NameOf(a)} has {loads[a]} units and could pass on one to {table.NameOf(b)} with {loads[b]}");
            }
        }
    }
}
