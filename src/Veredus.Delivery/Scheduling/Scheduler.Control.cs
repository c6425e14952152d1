namespace Veredus.Delivery;

/// <summary>What operators and the cluster ask for.</summary>
internal sealed partial class Scheduler
{
    /// <summary>A copy of the list of queues, to be worked through in slices.</summary>
    public List<DeliveryQueue> AllQueues()
    {
        var queues = new List<DeliveryQueue>(QueueCount);
        foreach (var domain in _domains.Values)
            queues.AddRange(domain.Queues);
        return queues;
    }

    /// <summary>Every queue looks at what it may do as soon as timers run.</summary>
    public void LookAtAll(Moment now)
    {
        foreach (var domain in _domains.Values)
            foreach (var queue in domain.Queues)
            {
                queue.LookAt = now.Ms;
                Rearm(queue);
            }
    }

    /// <summary>Limits may have grown: whoever waits has his turn.</summary>
    public void ServeAll(Moment now)
    {
        foreach (var limit in _limits.Values.ToArray())
            Serve(limit, now);
        foreach (var rate in _rates.Values.ToArray())
            Serve(rate, now);
    }

    public void QuitIdle()
    {
        while (_idle.First is { } node)
            Wake(node.Value, work: false);
    }

    public void PresenceChanged(BindingState binding, Moment now)
    {
        var isHere = presence.IsHere(binding.Group.Name, binding.Name);
        foreach (var queue in binding.Queues.Values)
        {
            if (!isHere)
                Quit(queue);
            Advance(queue, now);
        }
    }

    /// <summary>The queue's connections end: idle ones now, others after their message.</summary>
    private void Quit(DeliveryQueue queue)
    {
        while (queue.Idle.Count > 0)
            Wake(queue.Idle[^1], work: false);
        foreach (var connection in queue.Connections)
            connection.MustQuit = true;
    }

    /// <summary>Makes up to <paramref name="most"/> delayed messages due now; returns how many.</summary>
    public int Flush(DeliveryQueue queue, int most, Moment now)
    {
        var count = 0;
        for (; count < most && queue.Delayed.First is { } message; count++)
        {
            Unlist(message);
            Activate(message);
        }
        foreach (var target in queue.Connections.Count == 0 && queue.Domain.Route is { Failure: null } ? Targets(queue) : [])
            Addresses.Get(target.Endpoint, now.Ms).Unrest();
        Advance(queue, now);
        return count;
    }

    /// <summary>Gives up to <paramref name="most"/> waiting messages up; returns how many.</summary>
    public int Fail(DeliveryQueue queue, Ending ending, int most)
    {
        var count = 0;
        for (; count < most && (queue.Active.First ?? queue.Delayed.First) is { } message; count++)
            Settle(message, ending);
        Rearm(queue);
        return count;
    }

    /// <summary>Makes one delayed message due now. <see langword="false"/>: it does not wait (any more).</summary>
    public bool Retry(QueuedMessage message, Moment now)
    {
        if (message.Place is MessagePlace.Active)
            return true;
        if (message.Place is not MessagePlace.Delayed)
            return false;
        Unlist(message);
        Activate(message, first: true);
        Advance(message.Queue, now);
        return true;
    }

    /// <summary>Where a new connection of the queue would go now.</summary>
    public AddressRecord? NextAddress(DeliveryQueue queue, Moment now)
    {
        if (queue.Domain.Route is not { Failure: null })
            return null;
        _ = Choose(queue, null, now, out var target);
        queue.Domain.Turn--;
        return target?.Address;
    }

    /// <summary>Forgets the counts, not the queues.</summary>
    public void ClearTallies()
    {
        Tally.Clear();
        foreach (var domain in _domains.Values)
            domain.Tally.Clear();
        foreach (var group in _groups.Values)
        {
            group.Tally.Clear();
            foreach (var binding in group.Bindings.Values)
                binding.Tally.Clear();
        }
    }
}
