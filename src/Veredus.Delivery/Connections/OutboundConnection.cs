using System.Net.Sockets;
using System.Threading.Tasks.Sources;
using Veredus.Smtp;

namespace Veredus.Delivery;

internal enum ConnectionState : byte
{
    Opening,
    Busy,
    Idle,
    Closing,
}

/// <summary>Where a connection goes.</summary>
internal sealed record Target(RouteHost Host, AddressRecord Address);

/// <summary>One outbound connection, from the decision to open it to its end. Guarded by the scheduler's lock unless a member says otherwise.</summary>
internal sealed class OutboundConnection(long number, DeliveryQueue queue) : HeapItem, IValueTaskSource<bool>
{
    private ManualResetValueTaskSourceCore<bool> _signal = new() { RunContinuationsAsynchronously = true };

    public long Number { get; } = number;
    public DeliveryQueue Queue { get; } = queue;
    public ConnectionState State { get; set; }

    public Target? Target { get; set; }
    public List<AddressRecord> Tried { get; } = [];
    public SharedLimit[] Held { get; set; } = [];
    public SharedLimit[] HostHeld { get; set; } = [];

    /// <summary>Messages taken and not yet finished.</summary>
    public List<QueuedMessage> Batch { get; } = [];
    /// <summary>File descriptor, for the console; −1: none yet.</summary>
    public int Descriptor { get; set; } = -1;
    /// <summary>Connected, or not there yet; the session's own.</summary>
    public Socket? Socket { get; set; }

    public long OpenedAt { get; set; }
    public long StateSince { get; set; }
    public int Deliveries { get; set; }
    public int Recipients { get; set; }

    /// <summary>Quit before the next message: the binding left, an operator said so, others wait for the place.</summary>
    public bool MustQuit { get; set; }

    /// <summary>Woken, and has not asked for a message since.</summary>
    public bool IsWoken { get; set; }

    /// <summary>Its place in the list of idle connections.</summary>
    public LinkedListNode<OutboundConnection>? IdleNode { get; set; }

    /// <summary>Domain that EHLO named, when it follows the sender; the worker's own.</summary>
    public string? SenderDomain { get; set; }

    /// <summary>Set by the worker; read for the stage by anybody.</summary>
    public SmtpClientSession? Session { get; set; }

    /// <summary>Ends what is under way: the peer sees a reset, the worker the end of its stream.</summary>
    public void Abort()
    {
        try
        {
            if (Socket is not { } socket)
                return;
            socket.LingerState = new(true, 0);
            socket.Shutdown(SocketShutdown.Both);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It has ended by itself.
        }
    }

    /// <summary>Ends when <see cref="Wake"/> is called. One waiter, once per park.</summary>
    /// <returns><see langword="true"/>: there may be work; <see langword="false"/>: quit.</returns>
    public ValueTask<bool> ParkedAsync() => new(this, _signal.Version);

    public void Wake(bool work) => _signal.SetResult(work);

    bool IValueTaskSource<bool>.GetResult(short token)
    {
        var result = _signal.GetResult(token);
        _signal.Reset();
        return result;
    }

    ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => _signal.GetStatus(token);

    void IValueTaskSource<bool>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _signal.OnCompleted(continuation, state, token, flags);
}
