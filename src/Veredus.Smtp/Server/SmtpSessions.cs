namespace Veredus.Smtp;

/// <summary>The inbound sessions of one process: counts and lists them, and closes them between transactions.</summary>
public sealed class SmtpSessions(DeadlineClock clock)
{
    private readonly Lock _gate = new();
    private readonly HashSet<SmtpServerSession> _sessions = [];
    private SmtpReply? _closing;

    public DeadlineClock Clock { get; } = clock;

    public int Count
    {
        get
        {
            lock (_gate)
                return _sessions.Count;
        }
    }

    /// <summary>The sessions of this moment. Their properties may be read from any thread; values may be a moment old.</summary>
    public SmtpServerSession[] Snapshot()
    {
        lock (_gate)
            return [.. _sessions];
    }

    /// <summary>
    /// Makes sessions answer <paramref name="reply"/> (a 421) and close at the next command boundary: at once when they
    /// wait for a command outside a transaction, else after the final reply of the transaction.
    /// </summary>
    /// <param name="which"><see langword="null"/>: all, and also those that start later (shutdown).</param>
    public void Close(SmtpReply reply, Predicate<SmtpServerSession>? which = null)
    {
        ArgumentNullException.ThrowIfNull(reply);
        SmtpServerSession[] sessions;
        lock (_gate)
        {
            if (which is null)
                _closing = reply;
            sessions = [.. _sessions];
        }
        foreach (var session in sessions)
            if (which is null || which(session))
                session.Close(reply);
    }

    internal void Add(SmtpServerSession session)
    {
        SmtpReply? closing;
        lock (_gate)
        {
            _sessions.Add(session);
            closing = _closing;
        }
        if (closing is not null)
            session.Close(closing);
        Clock.Watch(session);
    }

    internal void Remove(SmtpServerSession session)
    {
        Clock.Forget(session);
        lock (_gate)
            _sessions.Remove(session);
    }
}
