namespace Veredus.Node;

/// <summary>Counters of the whole node since its start; for the console and for metrics. Safe from any thread.</summary>
public sealed class NodeStatistics
{
    private long _received;
    private long _receivedBytes;
    private long _rejected;
    private long _delivered;
    private long _transient;
    private long _permanent;

    /// <summary>Messages accepted, own ones included.</summary>
    public long ReceivedMessages => Volatile.Read(ref _received);

    /// <summary>Octets of their bodies.</summary>
    public long ReceivedBytes => Volatile.Read(ref _receivedBytes);

    /// <summary>Replies with 4yz or 5yz to clients, other than to mistakes in the protocol.</summary>
    public long RejectedMessages => Volatile.Read(ref _rejected);

    public long DeliveredMessages => Volatile.Read(ref _delivered);

    /// <summary>Attempts that will be repeated.</summary>
    public long TransientFailures => Volatile.Read(ref _transient);

    /// <summary>Messages given up.</summary>
    public long PermanentFailures => Volatile.Read(ref _permanent);

    internal void Received(long bytes)
    {
        Interlocked.Increment(ref _received);
        Interlocked.Add(ref _receivedBytes, bytes);
    }

    internal void Rejected() => Interlocked.Increment(ref _rejected);

    internal void Delivered() => Interlocked.Increment(ref _delivered);

    internal void Failed(bool isPermanent) => Interlocked.Increment(ref isPermanent ? ref _permanent : ref _transient);
}
