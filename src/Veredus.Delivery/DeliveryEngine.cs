using Veredus.Spool;

namespace Veredus.Delivery;

/// <summary>What the engine works with. The engine owns none of it.</summary>
public sealed record DeliveryParts(ISpool Spool, IPolicySource Policies, Dns.IDnsResolver Dns, IDeliveryObserver Observer, IMessageInjector Injector, TimeProvider Time)
{
    public IBindingPresence Presence { get; init; } = AlwaysHere.Instance;

    /// <summary><see langword="null"/>: <c>rebind</c> changes nothing.</summary>
    public IBindingAssigner? Assigner { get; init; }

    /// <summary>For jitter and for the choice among equal hosts.</summary>
    public Random Random { get; init; } = new();
}

/// <summary>Queues and delivers. Members are safe for use from any thread.</summary>
public sealed class DeliveryEngine(DeliveryParts parts) : IAsyncDisposable
{
    /// <summary>Takes a message that has just become durable. Quick; never waits.</summary>
    public void Enqueue(StoredMessage message, Envelope envelope) => throw new NotSupportedException(parts.ToString());

    /// <summary>Takes a message that an earlier process left; its next attempt follows from its attempts so far (<c>mta.md</c> 4).</summary>
    public void Recover(StoredMessage message, Envelope envelope) => throw new NotSupportedException(parts.ToString());

    /// <summary>Begins to deliver what is queued.</summary>
    public void Start() => throw new NotSupportedException(parts.ToString());

    /// <summary>Opens no more connections, lets messages under way finish for at most <paramref name="grace"/>, and says QUIT.</summary>
    public Task StopAsync(TimeSpan grace) => throw new NotSupportedException(grace.ToString());

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
