using Veredus.Cluster;
using Veredus.Duravip;
using Veredus.Duravip.Driver;

namespace Veredus.Node;

/// <summary>Makes events of what the driver reports.</summary>
internal sealed class ClusterObserver(EventLog log, TimeProvider time) : IDuravipObserver
{
    private readonly Lock _gate = new();
    /// <summary>The newest placement of each address: its serial, and its event.</summary>
    private readonly Dictionary<VipAddress, (long Serial, long Event)> _newest = [];
    private readonly Dictionary<string, (bool IsIn, DateTimeOffset Since, string Why)> _members = new(StringComparer.Ordinal);

    /// <summary>Since when a node has been in or out of this node's view; <see langword="null"/> for one that was never seen.</summary>
    public (bool IsIn, DateTimeOffset Since, string Why)? Member(string node)
    {
        lock (_gate)
            return _members.TryGetValue(node, out var known) ? known : null;
    }

    public void Placed(PlacementRecord record, Func<long, DateTimeOffset> clock)
    {
        lock (_gate)
        {
            EventStep[] steps = [.. record.Steps.Select(step => new EventStep(clock(step.AtMs), step.Text))];
            if (_newest.TryGetValue(record.Address, out var known) && known.Serial == record.Serial)
            {
                log.Update(known.Event, before => before with { Steps = Merge(before.Steps, steps) });
                return;
            }
            var (from, to) = (Word(record.Previous), Word(record.Winner));
            var by = record.By.Length > 0 ? $" by {record.By}" : "";
            var why = record.Why.Length > 0 ? $" ({record.Why})" : "";
            var added = log.Add(new()
            {
                At = clock(record.AtMs),
                Kind = ClusterEvent.Placement,
                Text = $"{record.Address}: {from} -> {to}, {ReasonText.Of(record.Trigger)}{by}{why}",
                Address = record.Address.ToString(),
                From = record.Previous,
                To = record.Winner,
                Rule = ReasonText.Of(record.Rule),
                Reason = ReasonText.Of(record.Trigger),
                By = record.By.Length > 0 ? record.By : null,
                Why = record.Why.Length > 0 ? record.Why : null,
                View = record.View.ToString(),
                Steps = steps,
            });
            _newest[record.Address] = (record.Serial, added.Id);
        }
    }

    /// <summary>What the agreed record says now, and what only this host saw, in the order of time.</summary>
    private static EventStep[] Merge(IReadOnlyList<EventStep>? before, EventStep[] agreed)
    {
        var known = before ?? [];
        // A step keeps the time that it was first seen with.
        return [.. known.Concat(agreed.Where(step => known.All(old => old.Text != step.Text))).OrderBy(step => step.At)];
    }

    public void Step(VipAddress address, string text, DateTimeOffset at)
    {
        var step = new EventStep(at, text);
        lock (_gate)
            if (_newest.TryGetValue(address, out var known))
                log.Update(known.Event, before => before with { Steps = Merge(before.Steps, [step]) });
    }

    public void Joined(Hello member)
    {
        Know(member.NodeName, isIn: true, "");
        log.Add(new() { At = time.GetUtcNow(), Kind = ClusterEvent.Membership, Node = member.NodeName, Text = $"{member.NodeName} is in ({member.Kind}, version {member.Version})" });
    }

    public void Left(string node, Cluster.Departure why)
    {
        var words = why switch
        {
            Cluster.Departure.Leave => "it left",
            Cluster.Departure.ProcessDown => "its process ended",
            _ => "its host cannot be reached",
        };
        Know(node, isIn: false, words);
        log.Add(new() { At = time.GetUtcNow(), Kind = ClusterEvent.Membership, Node = node, Text = $"{node} is out: {words}" });
    }

    public void BusLost(string reason)
    {
        lock (_gate)
            _members.Clear();
        log.Add(new() { At = time.GetUtcNow(), Kind = ClusterEvent.Membership, Text = $"this node has lost the bus: {reason}" });
    }

    public void Ordered(OperatorCommand command, bool ok, string answer) => log.Add(new()
    {
        At = time.GetUtcNow(),
        Kind = ClusterEvent.Operator,
        Text = ok ? answer : $"refused: {answer}",
        By = command.By.Length > 0 ? command.By : null,
        Why = command.Why.Length > 0 ? command.Why : null,
    });

    /// <summary>A warning or error of the cluster's parts.</summary>
    public void Warned(string text) => log.Add(new() { At = time.GetUtcNow(), Kind = ClusterEvent.Warning, Text = text });

    private void Know(string node, bool isIn, string why)
    {
        lock (_gate)
            _members[node] = (isIn, time.GetUtcNow(), why);
    }

    private static string Word(string node) => node.Length > 0 ? node : "nobody";
}
