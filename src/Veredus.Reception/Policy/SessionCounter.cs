using System.Collections.Concurrent;

namespace Veredus.Reception.Policy;

/// <summary>Counts open sessions, per listening socket and in all, for <c>listener_sessions</c> and <c>service_sessions</c>. Thread-safe.</summary>
public sealed class SessionCounter
{
    private readonly ConcurrentDictionary<string, Box> _listeners = new(StringComparer.Ordinal);
    private int _total;

    public int Total => Volatile.Read(ref _total);

    public int On(string endpoint) => _listeners.TryGetValue(endpoint, out var box) ? Volatile.Read(ref box.Count) : 0;

    /// <summary>Counts a session in if both limits allow it; 0 is no limit. Pair it with <see cref="Leave"/> only when it did.</summary>
    public bool TryEnter(string endpoint, int listenerLimit, int serviceLimit)
    {
        var box = _listeners.GetOrAdd(endpoint, static _ => new());
        var total = Interlocked.Increment(ref _total);
        var here = Interlocked.Increment(ref box.Count);
        if ((serviceLimit == 0 || total <= serviceLimit) && (listenerLimit == 0 || here <= listenerLimit))
            return true;
        Leave(endpoint);
        return false;
    }

    public void Leave(string endpoint)
    {
        Interlocked.Decrement(ref _total);
        Interlocked.Decrement(ref _listeners[endpoint].Count);
    }

    private sealed class Box
    {
        public int Count;
    }
}
