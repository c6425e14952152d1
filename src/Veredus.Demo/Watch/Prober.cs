using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Veredus.Demo;

/// <summary>What the probe knows of one address.</summary>
/// <param name="Node">Who greeted last, e.g. <c>mta01</c>; empty: nobody at the last try.</param>
/// <param name="LongestGap">The longest time without an answer since the last <see cref="Prober.Mark"/>, one that still lasts included.</param>
internal sealed record ProbeState(IPAddress Address, string Node, TimeSpan LongestGap);

/// <summary>Connects to port 25 of every virtual address again and again, as a client would, and tells who greets.</summary>
internal sealed class Prober : IAsyncDisposable
{
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromMilliseconds(400), PatientLimit = TimeSpan.FromSeconds(3);

    /// <summary>Each n-th miss in a row, an address gets more time: a machine may be too busy for the usual limit.</summary>
    private const int Patience = 8;

    private readonly Lock _gate = new();
    private readonly Entry[] _entries;
    private readonly CancellationTokenSource _ending = new();
    private readonly Task[] _probing;
    private readonly TimeSpan _interval;
    private TaskCompletionSource _round = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _probes;
    private int _moves;

    private sealed class Entry(IPAddress address, long now)
    {
        public IPAddress Address { get; } = address;
        public long LastGood { get; set; } = now;
        public string Node { get; set; } = "";
        public string LastNode { get; set; } = "";
        public TimeSpan LongestGap { get; set; }
    }

    public Prober(IReadOnlyList<IPAddress> addresses, TimeSpan interval)
    {
        _interval = interval;
        var now = Stopwatch.GetTimestamp();
        _entries = [.. addresses.Select(address => new Entry(address, now))];
        _probing = [.. _entries.Select(ProbeAsync)];
    }

    /// <summary>Tries so far, over all addresses.</summary>
    public long Probes => Interlocked.Read(ref _probes);

    /// <summary>How often an address was found on another node than before.</summary>
    public int Moves => Volatile.Read(ref _moves);

    /// <summary>Raised when another node greets than before, or none any more (empty); on the probe's task.</summary>
    public event Action<IPAddress, string>? Changed;

    /// <summary>Gaps are counted anew from here.</summary>
    public void Mark()
    {
        lock (_gate)
        {
            foreach (var entry in _entries)
            {
                entry.LongestGap = default;
                if (entry.Node.Length > 0)
                    entry.LastGood = Stopwatch.GetTimestamp();
            }
        }
    }

    /// <summary>Gaps are counted anew from here, those that still last too.</summary>
    public void Forgive()
    {
        lock (_gate)
        {
            foreach (var entry in _entries)
                (entry.LongestGap, entry.LastGood) = (default, Stopwatch.GetTimestamp());
        }
    }

    public IReadOnlyList<ProbeState> States
    {
        get
        {
            lock (_gate)
                return [.. _entries.Select(entry => new ProbeState(entry.Address, entry.Node, entry.Node.Length > 0 ? entry.LongestGap : Longer(entry.LongestGap, Stopwatch.GetElapsedTime(entry.LastGood))))];
        }
    }

    public TimeSpan LongestGap => States.Max(state => state.LongestGap);

    /// <summary>Waits until every address has answered at its last try.</summary>
    public Task AllAnswerAsync(CancellationToken cancellationToken) => UntilAsync(states => states.All(state => state.Node.Length > 0), cancellationToken);

    /// <summary>Waits until the states are as wanted; looks after every answer and every miss.</summary>
    public async Task UntilAsync(Func<IReadOnlyList<ProbeState>, bool> wanted, CancellationToken cancellationToken)
    {
        while (true)
        {
            var next = Round;
            if (wanted(States))
                return;
            await next.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Waits until some address has been tried again.</summary>
    public Task NextRoundAsync(CancellationToken cancellationToken) => Round.WaitAsync(cancellationToken);

    private Task Round
    {
        get
        {
            lock (_gate)
                return _round.Task;
        }
    }

    private async Task ProbeAsync(Entry entry)
    {
        using var tick = new PeriodicTimer(_interval);
        var misses = 0;
        try
        {
            do
            {
                var begun = Stopwatch.GetTimestamp();
                var node = await GreetingAsync(entry.Address, misses % Patience == Patience - 1 ? PatientLimit : AnswerLimit, _ending.Token);
                misses = node.Length > 0 ? 0 : misses + 1;
                Note(entry, begun, node);
            }
            while (await tick.WaitForNextTickAsync(_ending.Token));
        }
        catch (OperationCanceledException)
        {
            // That is how it ends.
        }
    }

    private void Note(Entry entry, long begun, string node)
    {
        Interlocked.Increment(ref _probes);
        bool isNew;
        TaskCompletionSource round;
        lock (_gate)
        {
            isNew = entry.Node != node;
            entry.Node = node;
            if (node.Length > 0)
            {
                if (entry.LastNode.Length > 0 && entry.LastNode != node)
                    _moves++;
                entry.LastNode = node;
                // It worked from the begin of this try on.
                entry.LongestGap = Longer(entry.LongestGap, Stopwatch.GetElapsedTime(entry.LastGood, begun));
                entry.LastGood = begun;
            }
            (round, _round) = (_round, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        round.SetResult();
        if (isNew)
            Changed?.Invoke(entry.Address, node);
    }

    private static TimeSpan Longer(TimeSpan one, TimeSpan other) => one > other ? one : other;

    private static async Task<string> GreetingAsync(IPAddress address, TimeSpan answerLimit, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(answerLimit);
        // No TIME_WAIT: at this pace they would add up.
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { LingerState = new(true, 0) };
        var buffer = new byte[512];
        try
        {
            await socket.ConnectAsync(new IPEndPoint(address, 25), limit.Token);
            var count = await socket.ReceiveAsync(buffer, limit.Token);
            return Encoding.ASCII.GetString(buffer, 0, count).Split(' ', 3) is ["220", var name, ..] ? name.Split('.')[0] : "";
        }
        catch (SocketException)
        {
            return "";
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return "";
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await Task.WhenAll(_probing);
        _ending.Dispose();
    }
}
