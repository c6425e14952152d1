using System.Threading.Channels;

namespace Veredus.Cluster;

/// <summary>A group of one, for a node without a cluster: what it sends it delivers, in order.</summary>
public sealed class InProcessBus : IGroupBus
{
    private readonly Channel<GroupEvent> _events = Channel.CreateUnbounded<GroupEvent>();
    private readonly Lock _order = new();
    private readonly int _maxBacklog;

    /// <param name="maxBacklog">Events that may wait for the reader before sends are refused (<c>max_backlog</c>).</param>
    public InProcessBus(string group, int maxBacklog = 5000)
    {
        (Group, _maxBacklog) = (group, maxBacklog);
        PublishJoin();
    }

    public string Group { get; }

    public MemberId Self { get; } = new(0, (uint)Environment.ProcessId);

    public ChannelReader<GroupEvent> Events => _events.Reader;

    public bool IsDrained => _events.Reader.Count == 0;

    public SendOutcome Send(ReadOnlySpan<byte> message)
    {
        BusLimits.Check(message.Length);
        if (_events.Reader.Count > 2 * _maxBacklog)
            return SendOutcome.Backlog;
        var copy = message.ToArray();
        lock (_order)
            return _events.Writer.TryWrite(new GroupEvent.Message(Self, copy)) && _events.Writer.TryWrite(GroupEvent.Drained.Instance)
                ? SendOutcome.Accepted : SendOutcome.NotJoined;
    }

    public void Reset(string reason)
    {
        lock (_order)
            if (_events.Writer.TryWrite(new GroupEvent.Lost(reason)))
                PublishJoin();
    }

    public ValueTask DisposeAsync()
    {
        _events.Writer.TryComplete();
        return ValueTask.CompletedTask;
    }

    private void PublishJoin()
    {
        _events.Writer.TryWrite(new GroupEvent.View(new([Self], [Self], [Self], [])));
        _events.Writer.TryWrite(GroupEvent.Drained.Instance);
    }
}
