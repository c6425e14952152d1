using System.Threading.Channels;

namespace Veredus.Cluster;

/// <summary>Settings of one connection to corosync.</summary>
/// <param name="Group">The group's name, 1 to 127 octets.</param>
/// <param name="MaxBacklog">Messages that may wait to be sent; more means that the bus is stuck and is reset (<c>max_backlog</c>).</param>
/// <param name="ReconnectInterval">Pause before the next try when corosync is gone (<c>reconnect_interval</c>).</param>
public sealed record CorosyncBusSettings(string Group, int MaxBacklog, TimeSpan ReconnectInterval)
{
    public CorosyncBusSettings(string group) : this(group, 5000, TimeSpan.FromSeconds(5)) { }

    public string Group { get; } = System.Text.Encoding.UTF8.GetByteCount(Group) is > 0 and < Cpg.MaxName
        ? Group : throw new ArgumentException($"A group's name has 1 to {Cpg.MaxName - 1} octets; '{Group}' does not.", nameof(Group));

    /// <summary>Says of a message of another member that this one has no use for it: then its reader is not woken for it. Asked on the bus' thread.</summary>
    public MessagePredicate? IsUseless { get; init; }
}

/// <summary>Decides by a message alone: no state, no wait.</summary>
public delegate bool MessagePredicate(ReadOnlySpan<byte> message);

/// <summary>
/// A group of corosync's closed process groups. One thread of its own talks to the daemon: it delivers, sends, backs off while the daemon says
/// "try again", and connects again when the daemon has gone. The node beside it needs a running corosync in its own network namespace.
/// </summary>
public sealed partial class CorosyncBus : IGroupBus
{
    /// <summary>Events, and octets in them, that wait for the reader before the daemon has to keep what follows.</summary>
    private const int MaxUnread = 8192, MaxUnreadBytes = 64 * 1024 * 1024;
    private static readonly TimeSpan s_joinRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_stopTimeout = TimeSpan.FromSeconds(5);

    private readonly CorosyncBusSettings _settings;
    private readonly Channel<GroupEvent> _events = Channel.CreateUnbounded<GroupEvent>(new() { SingleWriter = true });
    private readonly BoundedReader _reader;
    private readonly SendQueue _outgoing;
    private readonly LibC.WakeUp _wake = new();
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _fdLock = new();
    private volatile string? _resetReason;
    private volatile bool _stopping, _dispatching;
    private bool _wasLost;
    private int _fd = -1;
    private ulong _self;

    /// <summary>Starts connecting; the first <see cref="GroupEvent.View"/> says that it worked, <see cref="GroupEvent.Lost"/> why it doesn't.</summary>
    public CorosyncBus(CorosyncBusSettings settings) : this(settings, null) { }

    /// <param name="onThread">Run first on the bus' own thread: tests move it into a network namespace.</param>
    internal CorosyncBus(CorosyncBusSettings settings, Action? onThread)
    {
        (_settings, _outgoing) = (settings, new(settings.MaxBacklog));
        _reader = new(_events.Reader);
        new Thread(() => Run(onThread)) { IsBackground = true, Name = $"bus {settings.Group}" }.Start();
    }

    public string Group => _settings.Group;

    internal bool IsUseless(ReadOnlySpan<byte> message) => _settings.IsUseless?.Invoke(message) == true;

    public MemberId Self => new((uint)(Volatile.Read(ref _self) >> 32), (uint)Volatile.Read(ref _self));

    public ChannelReader<GroupEvent> Events => _reader;

    public bool IsDrained
    {
        get
        {
            // In this order: what has left the daemon's queue shows as being dispatched or as unread.
            lock (_fdLock)
                if (_fd >= 0 && IsReadable(_fd))
                    return false;
            return !_dispatching && _reader.Count == 0;
        }
    }

    public SendOutcome Send(ReadOnlySpan<byte> message)
    {
        BusLimits.Check(message.Length);
        var outcome = _outgoing.Enqueue(message);
        if (outcome == SendOutcome.Backlog)
            Reset($"bus stuck: {_settings.MaxBacklog} messages or {BusLimits.MaxBacklogBytes} octets wait to be sent");
        else if (outcome == SendOutcome.Accepted)
            _wake.Raise();
        return outcome;
    }

    public void Reset(string reason)
    {
        _resetReason = reason;
        _wake.Raise();
    }

    /// <summary>Leaves the group and ends. A daemon that doesn't answer is not waited for longer than five seconds.</summary>
    public async ValueTask DisposeAsync()
    {
        _stopping = true;
        _reader.Release();
        _wake.Raise();
        try
        {
            await _stopped.Task.WaitAsync(s_stopTimeout);
            _wake.Dispose();
        }
        catch (TimeoutException)
        {
            // The daemon hangs inside a call of libcpg. The thread ends with the process, and the daemon then sees it leave.
        }
    }

    private void Run(Action? onThread)
    {
        try
        {
            onThread?.Invoke();
            while (!_stopping)
            {
                var reason = RunConnection();
                _outgoing.Close();
                if (!_stopping && !_wasLost)
                    Publish(new GroupEvent.Lost(reason));
                _wasLost = true;
                if (!_stopping && _resetReason is null)
                    Wait(-1, (int)_settings.ReconnectInterval.TotalMilliseconds);
                _resetReason = null;
            }
            _events.Writer.TryComplete();
        }
        catch (Exception failure)
        {
            _events.Writer.TryComplete(failure);  // a bug: the reader ends with it
        }
        _stopped.SetResult();
    }

    /// <summary>Joins, serves until something ends it, leaves. Returns why.</summary>
    private string RunConnection()
    {
        using var connection = CpgConnection.TryOpen(this, out var failure);
        if (connection is null)
            return failure;
        while (!_stopping && _resetReason is null && connection.TryJoin(Group, out failure) is false)
        {
            if (failure.Length > 0)
                return failure;
            Wait(-1, (int)s_joinRetry.TotalMilliseconds);  // the daemon still parts with our previous self
        }
        Volatile.Write(ref _self, (ulong)connection.NodeId << 32 | (uint)Environment.ProcessId);
        _outgoing.Open();
        lock (_fdLock)
            _fd = connection.Fd;
        try
        {
            return Serve(connection);
        }
        finally
        {
            lock (_fdLock)
                _fd = -1;
        }
    }

    private string Serve(CpgConnection connection)
    {
        var retryMs = 0;
        while (true)
        {
            if (_stopping || _resetReason is not null)
            {
                connection.Leave(Group);
                return _resetReason ?? "stopped";
            }
            Wait(connection.Fd, retryMs > 0 ? retryMs : -1);
            if (!Deliver(connection, out var failure) || !connection.TrySend(_outgoing, out var sent, out failure))
                return failure;
            retryMs = sent == SendTurn.TryAgain ? Math.Clamp(retryMs * 2, 1, 50) : 0;
            if (sent == SendTurn.More)
                _wake.Raise();
        }
    }

    private bool Deliver(CpgConnection connection, out string failure)
    {
        _dispatching = true;
        try
        {
            if (connection.DispatchAll(out var delivered, out failure) && delivered)
                Publish(GroupEvent.Drained.Instance);
        }
        finally
        {
            _dispatching = false;
        }
        return failure.Length == 0;
    }

    /// <summary>Hands an event to the reader; waits while the reader has too much unread.</summary>
    internal void Publish(GroupEvent happened)
    {
        _wasLost &= happened is not GroupEvent.View;
        if (!_stopping)
            _reader.WaitForRoom();
        _reader.Counted(happened);
        _events.Writer.TryWrite(happened);
    }

    private unsafe void Wait(int fd, int milliseconds)
    {
        var fds = stackalloc LibC.PollFd[] { new() { Fd = _wake.Fd, Events = LibC.PollIn }, new() { Fd = fd, Events = LibC.PollIn } };
        _ = LibC.Poll(fds, 2, milliseconds);  // interrupted is as good as woken
        if (fds[0].Revents != 0)
            _wake.Clear();
    }

    private static unsafe bool IsReadable(int fd)
    {
        var one = new LibC.PollFd { Fd = fd, Events = LibC.PollIn };
        return LibC.Poll(&one, 1, 0) != 0;
    }

    /// <summary>The reader's end: lets the bus' thread go on when there is room again.</summary>
    private sealed class BoundedReader(ChannelReader<GroupEvent> inner) : ChannelReader<GroupEvent>
    {
        private readonly object _room = new();
        private long _bytes;
        private volatile bool _someoneWaits;
        private bool _released;

        public override int Count => inner.Count;
        public override bool CanCount => true;
        public override Task Completion => inner.Completion;

        private bool IsFull => inner.Count >= MaxUnread || Interlocked.Read(ref _bytes) >= MaxUnreadBytes;

        private bool HasRoom => inner.Count <= MaxUnread / 2 && Interlocked.Read(ref _bytes) <= MaxUnreadBytes / 2;

        public override bool TryRead(out GroupEvent item)
        {
            if (!inner.TryRead(out item!))
                return false;
            if (item is GroupEvent.Message message)
                Interlocked.Add(ref _bytes, -message.Payload.Length);
            if (_someoneWaits && HasRoom)
                lock (_room)
                    Monitor.PulseAll(_room);
            return true;
        }

        public override ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default) => inner.WaitToReadAsync(cancellationToken);

        /// <summary>Counts an event that is about to be written.</summary>
        public void Counted(GroupEvent happened) =>
            Interlocked.Add(ref _bytes, happened is GroupEvent.Message message ? message.Payload.Length : 0);

        /// <summary>Blocks the bus' own thread, and with it only this group, until half of what waits has been read.</summary>
        public void WaitForRoom()
        {
            if (!IsFull)
                return;
            lock (_room)
            {
                _someoneWaits = true;
                while (!_released && !HasRoom)
                    Monitor.Wait(_room);
                _someoneWaits = false;
            }
        }

        public void Release()
        {
            lock (_room)
            {
                _released = true;
                Monitor.PulseAll(_room);
            }
        }
    }
}
