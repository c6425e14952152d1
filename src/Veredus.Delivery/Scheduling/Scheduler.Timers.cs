namespace Veredus.Delivery;

/// <summary>What happens because time has passed.</summary>
internal sealed partial class Scheduler
{
    /// <summary>How long an empty queue is kept.</summary>
    public const long EmptyQueueMs = 600_000;

    /// <summary>Delayed messages that become active in one go.</summary>
    private const int DueSlice = 500;

    private const int SweepSlice = 1000;
    private const long HousekeepingMs = 600_000;
    private const int ManyHostLimits = 10_000;

    private readonly Housekeeping _housekeeping = new();

    /// <summary>When <see cref="RunDue"/> has something to do; <see cref="long.MaxValue"/>: when something happens.</summary>
    public long NextDue => Timers.First?.Due ?? long.MaxValue;

    /// <summary>Does what is due, at most <paramref name="budget"/> items.</summary>
    /// <returns><see langword="true"/>: more is due.</returns>
    public bool RunDue(Moment now, int budget)
    {
        if (_housekeeping.HeapIndex < 0)
            Timers.Set(_housekeeping, now.Ms + HousekeepingMs);
        while (Timers.First is { } item && item.Due <= now.Ms)
        {
            if (budget-- == 0)
                return true;
            Timers.Remove(item);
            switch (item)
            {
                case DeliveryQueue queue:
                    RunQueue(queue, now);
                    break;
                case OutboundConnection idle:
                    Wake(idle, work: false);
                    break;
                case SharedRate rate:
                    Serve(rate, now);
                    break;
                case Housekeeping:
                    Addresses.Purge(now.Ms);
                    ForgetHostLimits();
                    break;
            }
        }
        return false;
    }

    private void RunQueue(DeliveryQueue queue, Moment now)
    {
        for (var i = 0; i < DueSlice && queue.Delayed.First is { } message && message.Due <= now.Ms; i++)
        {
            Unlist(message);
            Activate(message);
        }
        if (now.Ms >= queue.SweepAt)
            SweepExpired(queue, now);
        if (queue.IsUnused && now.Ms - queue.EmptySince >= EmptyQueueMs)
            Remove(queue);
        else
            Advance(queue, now);
    }

    /// <summary>Expiry also holds for messages that can't be tried: suspended, binding elsewhere, no place.</summary>
    private void SweepExpired(DeliveryQueue queue, Moment now)
    {
        queue.SweepAt = long.MaxValue;
        var left = SweepSlice;
        for (var message = queue.Active.First; message is not null && left > 0;)
        {
            var next = message.Next;
            var policy = message.Move?.Home.Policy ?? queue.Policy;
            if (now.UnixMs >= RetrySchedule.Expiry(policy.Retry, message.ReceivedUnixMs) && message.Move?.DoubtNode is null)
            {
                Settle(message, DeliveryReplies.MaxTime);
                left--;
            }
            message = next;
        }
    }

    private void Remove(DeliveryQueue queue)
    {
        queue.Line?.Leave(queue);
        queue.Binding.Queues.Remove(queue.Domain);
        queue.Domain.Queues.Remove(queue);
        QueueCount--;
        if (queue.Domain is { Queues.Count: 0, IsResolving: false })
            _domains.Remove(queue.Domain.Name);
    }

    private void Rearm(DeliveryQueue queue)
    {
        var due = Math.Min(queue.LookAt, queue.SweepAt);
        if (queue.Delayed.First is { } first)
            due = Math.Min(due, first.Due);
        if (queue.IsUnused)
            due = Math.Min(due, queue.EmptySince + EmptyQueueMs);
        if (due == long.MaxValue)
            Timers.Remove(queue);
        else if (queue.HeapIndex < 0 || queue.Due != due)
            Timers.Set(queue, due);
    }

    private void ForgetHostLimits()
    {
        if (_limits.Count < ManyHostLimits)
            return;
        foreach (var group in _groups.Values)
            foreach (var binding in group.Bindings.Values)
                binding.HostLimits.Clear();
        foreach (var (scope, limit) in _limits)
            if (limit is { Used: 0, Waiting: 0 } && scope.StartsWith(HostScope, StringComparison.Ordinal))
                _limits.Remove(scope);
    }

    private sealed class Housekeeping : HeapItem;
}
