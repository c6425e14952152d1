using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Veredus.Configuration;

/// <summary>
/// A cache of at most about <paramref name="capacity"/> entries in two generations: when the younger is full it becomes the
/// older one, whose entries vanish unless they were used. Thread-safe; a hit allocates nothing.
/// </summary>
internal sealed class BoundedCache<TKey, TValue>(int capacity, IEqualityComparer<TKey> comparer)
    where TKey : notnull
    where TValue : class
{
    private readonly int _generation = Math.Max(1, capacity / 2);
    private readonly Lock _rotation = new();
    private ConcurrentDictionary<TKey, TValue> _young = new(comparer);
    private ConcurrentDictionary<TKey, TValue> _old = new(comparer);
    private int _added;

    public bool TryGet(TKey key, [NotNullWhen(true)] out TValue? value)
    {
        if (_young.TryGetValue(key, out value))
            return true;
        if (!_old.TryGetValue(key, out value))
            return false;
        Add(key, value);
        return true;
    }

    /// <summary>Keeps the value; the one that is there already wins.</summary>
    public TValue Add(TKey key, TValue value)
    {
        if (Interlocked.Increment(ref _added) > _generation)
        {
            lock (_rotation)
            {
                if (_added > _generation)
                {
                    _old = _young;
                    _young = new(comparer);
                    _added = 1;
                }
            }
        }
        return _young.GetOrAdd(key, value);
    }
}
