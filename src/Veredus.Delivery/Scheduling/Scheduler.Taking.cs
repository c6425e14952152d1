namespace Veredus.Delivery;

internal enum Taken
{
    /// <summary><see cref="OutboundConnection.Batch"/> holds what to deliver.</summary>
    Messages,

    /// <summary>Nothing now: wait for <see cref="OutboundConnection.ParkedAsync"/>.</summary>
    Park,

    /// <summary>Say QUIT and close.</summary>
    Quit,
}

/// <summary>Handing messages to connections.</summary>
internal sealed partial class Scheduler
{
    /// <summary>When others wait for a place, a connection gives its up after this many deliveries or this time.</summary>
    private const int FairDeliveries = 20;

    private const long FairMs = 2000;

    private (DeliveryQueue? Queue, WaitLine? Line) _admitted;

    /// <summary>The next messages for a connection that has finished the last ones.</summary>
    /// <param name="mayPark"><see langword="false"/>: instead of <see cref="Taken.Park"/> comes <see cref="Taken.Quit"/>.</param>
    public Taken Take(OutboundConnection connection, Moment now, bool mayPark = true)
    {
        var queue = connection.Queue;
        if (connection.IsWoken)
        {
            connection.IsWoken = false;
            queue.Woken--;
        }
        connection.State = ConnectionState.Busy;
        connection.StateSince = now.Ms;
        Refresh(queue);
        if (MustQuit(connection, now))
            return Taken.Quit;
        while (queue.Active.First is { } first)
        {
            if (queue.Policy.Retry.NeverAttemptExpired && now.UnixMs >= RetrySchedule.Expiry(queue.Policy.Retry, first.ReceivedUnixMs))
            {
                Settle(first, DeliveryReplies.ExpiredNotAttempted);
                continue;
            }
            if (!TakeToken(queue, now))
                return Park(connection, mayPark, now);
            Hand(connection, first);
            AddMates(connection, first.Batch, now);
            return Taken.Messages;
        }
        return Park(connection, mayPark, now);
    }

    /// <summary>Accounts for one transaction that ended with at least one success.</summary>
    public static void TransactionSucceeded(OutboundConnection connection, double milliseconds, Moment now)
    {
        connection.Deliveries++;
        connection.Target?.Address.Delivered(milliseconds, now.Ms);
    }

    private void Hand(OutboundConnection connection, QueuedMessage message)
    {
        Unlist(message);
        message.Place = MessagePlace.InDelivery;
        message.Queue.Unsettled++;
        connection.Batch.Add(message);
    }

    /// <summary>Messages of the same batch stand next to each other; they go in one transaction.</summary>
    private void AddMates(OutboundConnection connection, ulong batch, Moment now)
    {
        var queue = connection.Queue;
        var policy = queue.Policy;
        var most = Math.Max(1, policy.MaxRecipientsPerBatch);
        if (policy.MaxRecipientsPerConnection > 0)
            most = Math.Min(most, policy.MaxRecipientsPerConnection - connection.Recipients);
        while (connection.Batch.Count < most && queue.Active.First is { } next && next.Batch == batch && next.Stored.Size == connection.Batch[0].Stored.Size)
        {
            if (queue.MessageRate is { } rate && (rate.Waiting > 0 || !rate.TryTake(now.Ms)))
                return;
            Hand(connection, next);
        }
    }

    private bool TakeToken(DeliveryQueue queue, Moment now)
    {
        if (queue.MessageRate is not { } rate)
            return true;
        if (queue.Grants > 0)
        {
            queue.Grants--;
            return true;
        }
        if (rate.Waiting == 0 && rate.TryTake(now.Ms))
            return true;
        Await(rate, queue, now);
        return false;
    }

    private bool MustQuit(OutboundConnection connection, Moment now)
    {
        var policy = connection.Queue.Policy;
        if (connection.MustQuit || !IsRunning || policy.Blackhole || !MayDeliver(connection.Queue))
            return true;
        if (policy.MaxDeliveriesPerConnection > 0 && connection.Deliveries >= policy.MaxDeliveriesPerConnection)
            return true;
        if (policy.MaxRecipientsPerConnection > 0 && connection.Recipients >= policy.MaxRecipientsPerConnection)
            return true;
        return OthersWait(connection) && (connection.Deliveries >= FairDeliveries || now.Ms - connection.OpenedAt >= FairMs);
    }

    private static bool OthersWait(OutboundConnection connection)
    {
        foreach (var limit in connection.Held)
            if (limit.Waiting > 0)
                return true;
        foreach (var limit in connection.HostHeld)
            if (limit.Waiting > 0)
                return true;
        return false;
    }

    private Taken Park(OutboundConnection connection, bool mayPark, Moment now)
    {
        var queue = connection.Queue;
        if (!mayPark || queue.Policy.IdleSeconds <= 0 || OthersWait(connection))
            return Taken.Quit;
        connection.State = ConnectionState.Idle;
        queue.Idle.Add(connection);
        _idle.AddLast(connection.IdleNode ??= new(connection));
        Timers.Set(connection, now.Ms + queue.Policy.IdleSeconds * 1000L);
        return Taken.Park;
    }

    private void WakeIdle(DeliveryQueue queue, Moment now)
    {
        while (queue.Idle.Count > 0 && queue.Active.Count > queue.Woken)
        {
            if (queue.MessageRate is { } rate && queue.Grants <= queue.Woken && (rate.Waiting > 0 || !rate.IsReady(now.Ms)))
            {
                Await(rate, queue, now);
                return;
            }
            Wake(queue.Idle[^1], work: true);
        }
    }

    private void Wake(OutboundConnection connection, bool work)
    {
        var queue = connection.Queue;
        queue.Idle.Remove(connection);
        _idle.Remove(connection.IdleNode!);
        Timers.Remove(connection);
        connection.State = work ? ConnectionState.Busy : ConnectionState.Closing;
        if (work)
        {
            connection.IsWoken = true;
            queue.Woken++;
        }
        connection.Wake(work);
    }

    /// <summary>Ends an idle connection that holds a place of <paramref name="limit"/>, the longest idle first.</summary>
    private void MakeRoom(SharedLimit limit)
    {
        var node = _idle.First;
        for (var i = 0; i < IdleSearch && node is not null; i++, node = node.Next)
        {
            if (!node.Value.Held.Contains(limit) && !node.Value.HostHeld.Contains(limit))
                continue;
            Wake(node.Value, work: false);
            return;
        }
    }

    private void Await(SharedRate rate, DeliveryQueue queue, Moment now)
    {
        rate.Join(queue);
        if (rate.HeapIndex < 0)
            Timers.Set(rate, rate.ReadyAt(now.Ms));
    }

    /// <summary>A place has come free: the first in line has its turn.</summary>
    private void Serve(SharedLimit limit, Moment now)
    {
        while (limit.HasRoom && limit.Next() is { } queue)
            Admit(queue, limit, now);
    }

    private void Serve(SharedRate rate, Moment now)
    {
        while (rate.IsReady(now.Ms) && rate.Next() is { } queue)
        {
            if (rate == queue.MessageRate && queue.Active.Count > queue.Grants)
            {
                rate.TryTake(now.Ms);
                queue.Grants++;
            }
            Admit(queue, rate, now);
        }
        if (rate.Waiting > 0)
            Timers.Set(rate, Math.Max(now.Ms + 1, rate.ReadyAt(now.Ms)));
    }

    private void Admit(DeliveryQueue queue, WaitLine line, Moment now)
    {
        _admitted = (queue, line);
        Advance(queue, now);
        _admitted = default;
    }

    private bool IsAdmitted(DeliveryQueue queue, WaitLine line) => _admitted.Queue == queue && _admitted.Line == line;
}
