namespace Veredus.Delivery;

/// <summary>Messages whose binding is on another node stand in the queue of that node until they are handed over (<c>cluster.md</c> 7).</summary>
internal sealed partial class Scheduler
{
    /// <summary>The queue of messages for another node.</summary>
    public DeliveryQueue MoveQueue(string node, Moment now) => Queue(Binding(DeliveryEngine.MoveGroup, DeliveryEngine.MoveBinding), Domain(node), now);

    /// <summary>Queues that wait for other nodes.</summary>
    public IEnumerable<DeliveryQueue> MoveQueues() =>
        _groups.GetValueOrDefault(DeliveryEngine.MoveGroup)?.Bindings.GetValueOrDefault(DeliveryEngine.MoveBinding)?.Queues.Values ?? Enumerable.Empty<DeliveryQueue>();

    /// <summary>Puts a waiting message into the queue of another node; not due before <paramref name="notBefore"/>.</summary>
    /// <param name="home">The queue of its binding and domain, as of now.</param>
    public void MoveOut(QueuedMessage message, DeliveryQueue home, string node, long notBefore, Moment now)
    {
        var (source, target) = (message.Queue, MoveQueue(node, now));
        var state = message.Move ?? new(home);
        state.Home = home;
        if (!source.Binding.IsMove)
            state.NextTry = message.Place is MessagePlace.Delayed ? message.Due : 0;
        Unlist(message);
        Release(message);
        message.Queue = target;
        message.Move = state;
        if (notBefore > now.Ms)
            Delay(message, notBefore);
        else
            Activate(message);
        Advance(target, now);
        Left(source, now);
    }

    /// <summary>Puts a message back into the queue of its binding and domain, as if it had never left it.</summary>
    public void MoveHome(QueuedMessage message, Moment now)
    {
        var source = message.Queue;
        var due = message.Move!.NextTry;
        Unlist(message);
        GoHome(message);
        if (due > now.Ms)
            Delay(message, due);
        else
            Activate(message);
        Advance(message.Queue, now);
        Left(source, now);
    }

    /// <summary>Takes the next message of a node's queue; it is nowhere until it comes back or is dropped.</summary>
    public QueuedMessage? TakeMove(DeliveryQueue queue)
    {
        if (queue.Policy.Suspended || queue.Active.First is not { } message)
            return null;
        Unlist(message);
        message.Place = MessagePlace.InDelivery;
        queue.Unsettled++;
        return message;
    }

    /// <summary>A message just taken was not handed over: it waits in its queue again.</summary>
    /// <param name="due">On the scheduler's clock; at or before now: at the head of the queue.</param>
    public void ReturnMove(QueuedMessage message, long due, Moment now)
    {
        var queue = message.Queue;
        queue.Unsettled--;
        if (due > now.Ms)
            Delay(message, due);
        else
            Activate(message, first: true);
        Advance(queue, now);
    }

    /// <summary>The message is in no list: from now on it belongs to its own queue again.</summary>
    private void GoHome(QueuedMessage message)
    {
        if (message.Move is not { } state)
            return;
        message.Move = null;
        // The queue may have been given up while nothing stood in it: its successor has the same names.
        message.Queue = Queue(state.Home.Binding, Domain(state.Home.Domain.Name), default);
    }

    private void Left(DeliveryQueue source, Moment now)
    {
        if (source.IsUnused)
            Vacate(source, now);
        Rearm(source);
    }
}
