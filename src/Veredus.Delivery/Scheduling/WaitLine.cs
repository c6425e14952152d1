namespace Veredus.Delivery;

/// <summary>Queues that wait for the same thing, first come first served. A queue stands in one line at most.</summary>
internal abstract class WaitLine : HeapItem
{
    private readonly Queue<DeliveryQueue> _line = [];

    /// <summary>Queues that really wait; those that left are still in the line until they come up.</summary>
    public int Waiting { get; private set; }

    public void Join(DeliveryQueue queue)
    {
        if (queue.Line == this)
            return;
        queue.Line?.Leave(queue);
        queue.Line = this;
        Waiting++;
        _line.Enqueue(queue);
    }

    public void Leave(DeliveryQueue queue)
    {
        if (queue.Line != this)
            return;
        queue.Line = null;
        Waiting--;
        if (_line.Count > 64 && _line.Count > 4 * Waiting)
            Compact();
    }

    public DeliveryQueue? Next()
    {
        while (_line.TryDequeue(out var queue))
        {
            if (queue.Line != this)
                continue;
            queue.Line = null;
            Waiting--;
            return queue;
        }
        return null;
    }

    private void Compact()
    {
        for (var i = _line.Count; i > 0; i--)
        {
            var queue = _line.Dequeue();
            if (queue.Line == this)
                _line.Enqueue(queue);
        }
    }
}

/// <summary>A number of connections shared by all whose options come from one scope.</summary>
internal sealed class SharedLimit(string scope) : WaitLine
{
    public string Scope { get; } = scope;

    /// <summary>Negative: no limit.</summary>
    public int Max { get; set; }

    public int Used { get; set; }

    public bool HasRoom => Max < 0 || Used < Max;
}

/// <summary>A rate shared by all whose options come from one scope: a token bucket that holds one window's worth.</summary>
internal sealed class SharedRate(string scope) : WaitLine
{
    /// <summary>When the bucket would be full again, scheduler milliseconds.</summary>
    private double _fullAt = double.MinValue;

    public string Scope { get; } = scope;

    public int Count { get; private set; } = 1;

    public int Seconds { get; private set; } = 1;

    private double Interval => Seconds * 1000.0 / Count;

    private double Window => Seconds * 1000.0;

    public void Change(int count, int seconds) => (Count, Seconds) = (Math.Max(1, count), Math.Max(1, seconds));

    /// <summary>Takes a token; <see langword="false"/>: none before <see cref="ReadyAt"/>.</summary>
    public bool TryTake(long now)
    {
        if (!IsReady(now))
            return false;
        _fullAt = Math.Max(_fullAt, now) + Interval;
        return true;
    }

    public bool IsReady(long now) => Math.Max(_fullAt, now) + Interval - now <= Window + 0.001;

    public long ReadyAt(long now) => IsReady(now) ? now : (long)Math.Ceiling(_fullAt + Interval - Window);
}
