using Veredus.Spool;

namespace Veredus.Delivery;

internal enum MessagePlace : byte
{
    /// <summary>In no queue (any more).</summary>
    Gone,
    Active,
    Delayed,

    /// <summary>A connection is delivering it.</summary>
    InDelivery,

    /// <summary>Its outcome was decided here and is being logged and carried out.</summary>
    Settling,
}

/// <summary>What a queue holds of a message: small, because there may be millions. Guarded by the scheduler's lock.</summary>
internal sealed class QueuedMessage(StoredMessage stored, MessageId batch) : HeapItem
{
    public StoredMessage Stored { get; } = stored;

    public ulong Batch { get; } = batch.Value;

    public DeliveryQueue Queue { get; set; } = null!;

    /// <summary>The envelope of a message that has just come; read again from the spool where <see langword="null"/>.</summary>
    public Envelope? Resident { get; set; }

    public QueuedMessage? Next { get; set; }

    public QueuedMessage? Previous { get; set; }

    /// <summary>Tries that failed.</summary>
    public int Failures { get; set; }

    public MessagePlace Place { get; set; }

    /// <summary>Code of the last reply; 0: none yet.</summary>
    public ushort LastCode { get; set; }

    /// <summary>Set while it waits in the queue of another node, or is to be kept from it.</summary>
    public MoveState? Move { get; set; }

    public long ReceivedUnixMs => Stored.Received.ToUnixTimeMilliseconds();
}

/// <summary>What a message remembers while it stands in <c>#mmove</c>.</summary>
internal sealed class MoveState(DeliveryQueue home)
{
    /// <summary>The queue of its own binding and domain.</summary>
    public DeliveryQueue Home { get; set; } = home;

    /// <summary>When it would have been tried next, on the scheduler's clock; at or before now: at once.</summary>
    public long NextTry { get; set; }

    /// <summary>Times in a row that the other node would not take just this one.</summary>
    public int Refusals { get; set; }

    /// <summary>Came over too many nodes: not sent before, Unix milliseconds; 0: not held.</summary>
    public long HeldUntil { get; set; }

    /// <summary>Who was given it and has not answered; <see langword="null"/>: nobody.</summary>
    public string? DoubtNode { get; set; }

    /// <summary>Since when, Unix milliseconds.</summary>
    public long DoubtSince { get; set; }

    /// <summary>That node is out of the cluster: the message pauses until it is back, or until its time is over.</summary>
    public bool AwaitsDoubtNode { get; set; }
}

/// <summary>A FIFO whose links are in the messages: no memory of its own, removal anywhere in O(1).</summary>
internal sealed class MessageList
{
    public QueuedMessage? First { get; private set; }

    public QueuedMessage? Last { get; private set; }

    public int Count { get; private set; }

    public void Append(QueuedMessage message)
    {
        (message.Previous, message.Next) = (Last, null);
        if (Last is { } last)
            last.Next = message;
        else
            First = message;
        Last = message;
        Count++;
    }

    public void Prepend(QueuedMessage message)
    {
        (message.Previous, message.Next) = (null, First);
        if (First is { } first)
            first.Previous = message;
        else
            Last = message;
        First = message;
        Count++;
    }

    public void Remove(QueuedMessage message)
    {
        if (message.Previous is { } previous)
            previous.Next = message.Next;
        else
            First = message.Next;
        if (message.Next is { } next)
            next.Previous = message.Previous;
        else
            Last = message.Previous;
        (message.Previous, message.Next) = (null, null);
        Count--;
    }
}
