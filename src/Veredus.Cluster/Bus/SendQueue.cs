namespace Veredus.Cluster;

/// <summary>
/// What waits to be sent, in order. A message of several parts holds the next ones back until it has been delivered here: only then is it
/// certain that it need not start over.
/// </summary>
internal sealed class SendQueue(int maxMessages)
{
    private readonly Lock _lock = new();
    private readonly Queue<byte[]> _waiting = new();
    private long _bytes;
    private uint _sequence;
    private byte[]? _current;
    private int _part;
    private bool _open;

    /// <summary>Accepts from now on; sequence numbers continue.</summary>
    public void Open()
    {
        lock (_lock)
            _open = true;
    }

    /// <summary>Drops what waits and accepts nothing.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _open = false;
            _waiting.Clear();
            (_bytes, _current, _part) = (0, null, 0);
        }
    }

    public SendOutcome Enqueue(ReadOnlySpan<byte> message)
    {
        lock (_lock)
        {
            if (!_open)
                return SendOutcome.NotJoined;
            if (_waiting.Count >= maxMessages || _bytes + message.Length > BusLimits.MaxBacklogBytes)
                return SendOutcome.Backlog;
            _waiting.Enqueue(message.ToArray());
            _bytes += message.Length;
            return SendOutcome.Accepted;
        }
    }

    /// <summary>The part to send now; <see langword="false"/> when nothing waits or the current message must be delivered first.</summary>
    public bool TryPeek(out byte[] message, out uint sequence, out int index)
    {
        lock (_lock)
        {
            if (_current is null && _waiting.TryDequeue(out _current))
            {
                _bytes -= _current.Length;
                (_part, _sequence) = (0, _sequence + 1);
            }
            (message, sequence, index) = (_current ?? [], _sequence, _part);
            return _current is not null && _part < MessageParts.Count(_current.Length);
        }
    }

    /// <summary>The part that was peeked is on its way.</summary>
    public void Sent()
    {
        lock (_lock)
            if (_current is not null && ++_part == 1 && MessageParts.Count(_current.Length) == 1)
                _current = null;
    }

    /// <summary>An own message came back whole: the next may go.</summary>
    public void Delivered()
    {
        lock (_lock)
            if (_current is not null && _part == MessageParts.Count(_current.Length))
                _current = null;
    }

    /// <summary>Everybody dropped what had arrived of the current message: send it again from its first part.</summary>
    public void StartOver()
    {
        lock (_lock)
            (_part, _sequence) = (0, _sequence + 1);
    }
}
