namespace Veredus.Delivery;

/// <summary>Something with a time, in at most one heap.</summary>
internal abstract class HeapItem
{
    /// <summary>Scheduler milliseconds. Change it only through the heap while it is in one.</summary>
    public long Due { get; set; }

    /// <summary>Where it stands; −1: in no heap.</summary>
    public int HeapIndex { get; set; } = -1;
}

/// <summary>A binary heap, earliest first, from which any item can be removed: O(log n), 8 octets per item.</summary>
internal sealed class IndexedHeap<T> where T : HeapItem
{
    private T[] _items = [];

    public int Count { get; private set; }

    public T? First => Count > 0 ? _items[0] : null;

    public ReadOnlySpan<T> Items => _items.AsSpan(0, Count);

    public void Add(T item, long due)
    {
        if (Count == _items.Length)
            Array.Resize(ref _items, Math.Max(4, Count + Count / 2));
        item.Due = due;
        Place(item, Count++);
        Up(item.HeapIndex);
    }

    /// <summary>Adds, or moves to its new time.</summary>
    public void Set(T item, long due)
    {
        if (item.HeapIndex < 0)
        {
            Add(item, due);
            return;
        }
        var earlier = due < item.Due;
        item.Due = due;
        if (earlier)
            Up(item.HeapIndex);
        else
            Down(item.HeapIndex);
    }

    public void Remove(T item)
    {
        var at = item.HeapIndex;
        if (at < 0)
            return;
        item.HeapIndex = -1;
        var last = _items[--Count];
        _items[Count] = null!;
        if (at < Count)
        {
            Place(last, at);
            Up(at);
            Down(last.HeapIndex);
        }
        if (Count < _items.Length / 4 && _items.Length > 64)
            Array.Resize(ref _items, _items.Length / 2);
    }

    private void Up(int at)
    {
        var item = _items[at];
        while (at > 0)
        {
            var parent = (at - 1) / 2;
            if (_items[parent].Due <= item.Due)
                break;
            Place(_items[parent], at);
            at = parent;
        }
        Place(item, at);
    }

    private void Down(int at)
    {
        var item = _items[at];
        while (true)
        {
            var child = 2 * at + 1;
            if (child >= Count)
                break;
            if (child + 1 < Count && _items[child + 1].Due < _items[child].Due)
                child++;
            if (_items[child].Due >= item.Due)
                break;
            Place(_items[child], at);
            at = child;
        }
        Place(item, at);
    }

    private void Place(T item, int at)
    {
        _items[at] = item;
        item.HeapIndex = at;
    }
}
