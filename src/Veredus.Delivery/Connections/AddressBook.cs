using System.Net;

namespace Veredus.Delivery;

/// <summary>What is known of one remote endpoint. Guarded by the scheduler's lock.</summary>
internal sealed class AddressRecord(IPEndPoint endpoint)
{
    /// <summary>Weight of a new value in the averages.</summary>
    private const double Weight = 0.2;

    public IPEndPoint Endpoint { get; } = endpoint;

    public int Open { get; set; }

    /// <summary>Decayed averages; 0: no value yet.</summary>
    public double ConnectMs { get; private set; }

    public double DeliveryMs { get; private set; }

    /// <summary>Scheduler milliseconds; <see cref="long.MinValue"/>: never.</summary>
    public long LastFailure { get; private set; } = long.MinValue;

    public long RestsUntil { get; private set; } = long.MinValue;

    public int FailuresInARow { get; private set; }

    public long LastUsed { get; set; }

    public void Connected(double milliseconds, long now)
    {
        ConnectMs = Average(ConnectMs, milliseconds);
        (LastUsed, RestsUntil) = (now, long.MinValue);
    }

    public void Delivered(double milliseconds, long now)
    {
        DeliveryMs = Average(DeliveryMs, milliseconds);
        (LastUsed, FailuresInARow, RestsUntil) = (now, 0, long.MinValue);
    }

    /// <summary>An operator wants it tried now.</summary>
    public void Unrest() => RestsUntil = long.MinValue;

    /// <summary>Clear text is used until then, because TLS failed here; scheduler milliseconds.</summary>
    public long ClearTextUntil { get; set; } = long.MinValue;

    /// <summary>The host spoke to us, whatever it said.</summary>
    public void Answered() => FailuresInARow = 0;

    public void Failed(long now, int restSeconds)
    {
        FailuresInARow++;
        (LastFailure, LastUsed, RestsUntil) = (now, now, now + restSeconds * 1000L);
    }

    private static double Average(double old, double value) => old == 0 ? value : old + Weight * (value - old);
}

/// <summary>All remote endpoints of late.</summary>
internal sealed class AddressBook
{
    /// <summary>How long an unused endpoint is remembered (<c>address_metrics_lifetime</c>).</summary>
    public const long LifetimeMs = 1800_000;

    private readonly Dictionary<IPEndPoint, AddressRecord> _records = [];

    public int Count => _records.Count;

    public AddressRecord Get(IPEndPoint endpoint, long now)
    {
        if (!_records.TryGetValue(endpoint, out var record))
            _records.Add(endpoint, record = new(endpoint) { LastUsed = now });
        return record;
    }

    public void Purge(long now)
    {
        foreach (var (endpoint, record) in _records)
            if (record.Open == 0 && now - record.LastUsed > LifetimeMs && record.RestsUntil <= now)
                _records.Remove(endpoint);
    }
}
