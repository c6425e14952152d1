using System.Collections.Concurrent;

namespace Veredus.Demo;

/// <summary>Where the demo's mail stands.</summary>
/// <param name="Accepted">Answered with 250: these may not be lost.</param>
/// <param name="Delivered">Of those, the ones that arrived.</param>
/// <param name="InDoubt">Handed over whole, but the answer never came; they may arrive or not.</param>
/// <param name="Twice">Messages that arrived more than once.</param>
/// <param name="Cut">Transactions that ended between MAIL and their final reply, by a reset, an end of the connection, or 421.</param>
internal sealed record MailCount(int Accepted, int Delivered, int InDoubt, int Twice, int Cut)
{
    public int Waiting => Accepted - Delivered;
}

/// <summary>Accounts for every message: each has a number, the sender says what became of it, the receivers say what came.</summary>
internal sealed class MailLedger
{
    private readonly ConcurrentDictionary<int, bool> _accepted = new(), _inDoubt = new();
    private readonly ConcurrentDictionary<int, int> _arrived = new();
    private int _last = -1;
    private int _cut;

    /// <summary>Raised after each arrival, on the receiver's task.</summary>
    public event Action? Arrived;

    /// <summary>Raised after each message that was accepted, on the sender's task.</summary>
    public event Action? Accepted;

    public int NextNumber() => Interlocked.Increment(ref _last);

    public void Sent(int number, SendOutcome outcome)
    {
        if (outcome == SendOutcome.Accepted)
        {
            _accepted[number] = true;
            Accepted?.Invoke();
        }
        if (outcome == SendOutcome.InDoubt)
            _inDoubt[number] = true;
        if (outcome is SendOutcome.InDoubt or SendOutcome.Cut)
            Interlocked.Increment(ref _cut);
    }

    /// <summary>A receiver has taken the message.</summary>
    public void Take(int number)
    {
        _arrived.AddOrUpdate(number, 1, (_, times) => times + 1);
        Arrived?.Invoke();
    }

    public bool HasArrived(int number) => _arrived.ContainsKey(number);

    /// <summary>Different messages that arrived.</summary>
    public int Different => _arrived.Count;

    public MailCount Count() => new(_accepted.Count, _accepted.Keys.Count(_arrived.ContainsKey), _inDoubt.Count, Twice().Count, Volatile.Read(ref _cut));

    /// <summary>Accepted messages that have not arrived, lowest first.</summary>
    public IReadOnlyList<int> Missing() => [.. _accepted.Keys.Where(number => !_arrived.ContainsKey(number)).Order()];

    /// <summary>Messages that arrived more than once, lowest first.</summary>
    public IReadOnlyList<int> Twice() => [.. _arrived.Where(entry => entry.Value > 1).Select(entry => entry.Key).Order()];

    /// <summary>Waits until all that was accepted has arrived.</summary>
    public async Task AllArrivedAsync(CancellationToken cancellationToken)
    {
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void Look()
        {
            if (_arrived.Count >= _accepted.Count && _accepted.Keys.All(_arrived.ContainsKey))
                all.TrySetResult();
        }
        Arrived += Look;
        try
        {
            Look();
            await all.Task.WaitAsync(cancellationToken);
        }
        finally
        {
            Arrived -= Look;
        }
    }

    /// <summary>Waits until so many have been accepted since the begin.</summary>
    public async Task AcceptedAsync(int count, CancellationToken cancellationToken)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void Look()
        {
            if (_accepted.Count >= count)
                reached.TrySetResult();
        }
        Accepted += Look;
        try
        {
            Look();
            await reached.Task.WaitAsync(cancellationToken);
        }
        finally
        {
            Accepted -= Look;
        }
    }
}
