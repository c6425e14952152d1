using System.Collections.Concurrent;
using System.Net;
using Veredus.Delivery;
using Veredus.Logging;
using Veredus.Moves;
using Veredus.Smtp;

namespace Veredus.Node.Moves;

/// <summary>Hands messages over: for each node that some wait for, a few connections to its ECCluster listener.</summary>
internal sealed class MoveSender : IAsyncDisposable
{
    private static readonly TimeSpan s_opening = TimeSpan.FromSeconds(30), s_idle = TimeSpan.FromSeconds(5);

    private readonly MailMoves _moves;
    private readonly PeerChannel _channel;
    private readonly ConcurrentDictionary<string, Target> _targets = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _work = new(0);
    private readonly CancellationTokenSource _stopping = new();
    /// <summary>So many failures in a row, which takes 7 s, are no accident.</summary>
    private const int LastingFailures = 4;

    private readonly Task _running;
    private int _isAwake;

    public MoveSender(MailMoves moves, PeerChannel channel)
    {
        (_moves, _channel) = (moves, channel);
        moves.Node.Delivery.MoveWaiting += OnWaiting;
        _running = Task.Run(RunAsync);
    }

    public IReadOnlyList<MoveTargetLine> Report()
    {
        var queues = _moves.Node.Delivery.MoveQueues().ToDictionary(queue => queue.Node, StringComparer.Ordinal);
        return [.. queues.Keys.Union(_targets.Keys).Order(StringComparer.Ordinal).Select(node =>
        {
            var (queue, target) = (queues.GetValueOrDefault(node), _targets.GetValueOrDefault(node));
            var pause = target is null ? TimeSpan.Zero : target.PauseLeft(_moves.Node.Time);
            return new MoveTargetLine(node, queue?.Waiting ?? 0, queue?.Paused ?? 0, target?.Connections ?? 0, target?.Sent ?? 0, target?.Failures ?? 0,
                pause > TimeSpan.Zero ? _moves.Node.Time.GetUtcNow() + pause : null, target?.LastError ?? "");
        })];
    }

    /// <summary>Looks what has to be done; cheap.</summary>
    public void Wake()
    {
        if (Interlocked.Exchange(ref _isAwake, 1) == 0)
            _work.Release();
    }

    /// <summary>Who came back is tried at once.</summary>
    public void MembersChanged()
    {
        foreach (var target in _targets.Values)
            target.Forgive();
        Wake();
    }

    public async ValueTask DisposeAsync()
    {
        _moves.Node.Delivery.MoveWaiting -= OnWaiting;
        await _stopping.CancelAsync();
        await _running;
        await Task.WhenAll(_targets.Values.SelectMany(target => target.Running.Keys));
        foreach (var target in _targets.Values)
            target.Dispose();
        _work.Dispose();
        _stopping.Dispose();
    }

    private void OnWaiting(string node)
    {
        if (_targets.TryGetValue(node, out var target) && target.WakeIdle())
            return;
        Wake();
    }

    private async Task RunAsync()
    {
        try
        {
            while (true)
            {
                await _work.WaitAsync(_stopping.Token);
                Interlocked.Exchange(ref _isAwake, 0);
                foreach (var queue in _moves.Node.Delivery.MoveQueues().Where(queue => queue.Waiting > 0 && _channel.Membership.Find(queue.Node)?.Hello is not null))
                {
                    var target = _targets.GetOrAdd(queue.Node, static name => new(name));
                    if (target.PauseLeft(_moves.Node.Time) > TimeSpan.Zero)
                        continue;
                    // Not sure that the node answers: one connection shows it.
                    var wanted = target.Failures > 0 ? 1 : MoveRules.WantedConnections(queue.Waiting);
                    while (target.Connections < wanted)
                        Begin(target);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The node stops.
        }
    }

    private void Begin(Target target)
    {
        Interlocked.Increment(ref target.Connections);
        var serving = Task.Run(() => ConnectAsync(target));
        target.Running[serving] = true;
        _ = serving.ContinueWith(done => target.Running.TryRemove(done, out _), TaskScheduler.Default);
    }

    private async Task ConnectAsync(Target target)
    {
        try
        {
            using var opening = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            opening.CancelAfter(s_opening);
            await using var connection = await _channel.OpenAsync(target.Node, MoveReceiver.ServiceName, opening.Token);
            await using var session = new SmtpClientSession(connection.Transport, Options(), _moves.Clock);
            var hello = await session.OpenAsync(_channel.NodeName, opening.Token);
            if (!hello.IsSuccess)
                Fail(target, hello.Reply.ToString());
            else if ((session.Capabilities & SmtpCapabilities.Xecmmove) == 0)
                Fail(target, $"speaks another version of {MoveReceiver.ServiceName}: it offers no XECMMOVE");  // sent without it, mail would be anybody's
            else
                await ServeAsync(target, session, (connection.Peer.RemoteAddress as IPEndPoint)?.Address);
        }
        catch (OperationCanceledException)
        {
            if (!_stopping.IsCancellationRequested)
                Fail(target, "no answer in time");
        }
        catch (IOException e)
        {
            Fail(target, e.Message);
        }
        catch (Exception fault)  // fenced off: one connection
        {
            Fail(target, fault.ToString());
        }
        finally
        {
            Interlocked.Decrement(ref target.Connections);
            Wake();
        }
    }

    private async Task ServeAsync(Target target, SmtpClientSession session, IPAddress? remote)
    {
        var delivery = _moves.Node.Delivery;
        for (var count = 0; count < MoveRules.MaxMessagesPerConnection && session.IsUsable && !_stopping.IsCancellationRequested;)
        {
            if (await delivery.TakeMoveAsync(target.Node) is { } ticket)
            {
                count++;
                if (!await SendAsync(target, session, remote, ticket))
                    break;
            }
            else if (!await target.IdleAsync(s_idle, _stopping.Token))
            {
                break;
            }
        }
        await session.QuitAsync(_stopping.Token);
    }

    /// <returns><see langword="false"/>: the target pauses.</returns>
    private async ValueTask<bool> SendAsync(Target target, SmtpClientSession session, IPAddress? remote, MoveTicket ticket)
    {
        var (delivery, envelope, stored, sending) = (_moves.Node.Delivery, ticket.Envelope, ticket.Stored, default(LedgerEntry));
        SmtpTransactionResult result;
        try
        {
            using var content = new SpoolContent(_moves.Node.Spool, stored, envelope.Flags, null);
            var (wasInDoubt, doubtSince) = (ticket.IsInDoubt, ticket.DoubtSince);
            sending = _moves.Sending(envelope, target.Node);
            var last = stored.LastAttempt ?? (ticket.Attempts == 0 ? null : envelope.Transfer?.LastAttempt);
            var text = MoveText.Write(envelope, stored.Size, sending.Lineage, sending.Generation, MoveRules.HopsOut(envelope.Transfer?.Hops ?? 0),
                envelope.Transfer?.Origin ?? _channel.NodeName, last, ticket.NextTry);
            result = await session.SendAsync(new(new(""), [new(new("postmaster"))], content) { Move = text }, _stopping.Token);
            var outcome = result.Recipients[0];
            if (outcome.IsSuccess)
            {
                _moves.Sent(sending);
                target.Succeeded();
                await delivery.MovedAsync(ticket, target.Node, remote, result.BytesSent);
                return true;
            }
            if (outcome.Reply.IsInternal())
            {
                delivery.MoveUnanswered(ticket, target.Node);
                Fail(target, outcome.Reply.ToString());
                return false;
            }
            var endsDoubt = MoveRules.RefusalEndsDoubt(!MoveReplies.IsUnsure(outcome.Reply), wasInDoubt, doubtSince, _moves.Node.Time.GetUtcNow().ToUnixTimeMilliseconds());
            if (endsDoubt)
                _moves.Refused(sending);
            return Refused(target, ticket, outcome.Reply, endsDoubt);
        }
        catch (OperationCanceledException)
        {
            delivery.MoveUnanswered(ticket, target.Node);
            throw;
        }
        catch (IOException e) when (sending.Lineage == default)
        {
            // Its content can't be read: the spool has said so, and looks again later.
            delivery.MoveRefused(ticket, endsDoubt: false);
            _moves.TellOnce(target.Node, "content", PanicLevel.Error, $"mmove: message {envelope.Id} cannot be read: {e.Message}");
            return true;
        }
    }

    private bool Refused(Target target, MoveTicket ticket, SmtpReply reply, bool endsDoubt)
    {
        var delivery = _moves.Node.Delivery;
        if (MoveReplies.IsForAll(reply))
        {
            delivery.MoveRefused(ticket, endsDoubt);
            Fail(target, reply.ToString());
            return false;
        }
        delivery.MoveRefused(ticket, endsDoubt);
        if (reply.Status != MoveReplies.Busy.Status)
            _moves.TellOnce(target.Node, reply.Text, PanicLevel.Error, $"mmove: {target.Node} does not take message {ticket.Envelope.Id} of binding {ticket.Envelope.Binding}: {reply}; it stays here and is offered again");
        return true;
    }

    private void Fail(Target target, string why)
    {
        target.Failed(_moves.Node.Time, why);
        // What lasts is an error, and so in 'status'; that a node has just gone is none.
        var (about, level) = target.Failures < LastingFailures ? ("connection", PanicLevel.Warning) : ("connection, lasting", PanicLevel.Error);
        _moves.TellOnce(target.Node, $"{about}: {why}", level, $"mmove: {target.Node}: {why}; tried again in {MoveRules.BackOffMs(target.Failures) / 1000} s, the mail waits here");
    }

    private static SmtpClientOptions Options() => new()
    {
        BannerTimeout = TimeSpan.FromSeconds(30),
        EhloTimeout = TimeSpan.FromSeconds(30),
        MailTimeout = TimeSpan.FromSeconds(60),
        RcptTimeout = TimeSpan.FromSeconds(60),
        BodyTimeout = TimeSpan.FromSeconds(60),
        WriteTimeout = TimeSpan.FromSeconds(60),
    };

    /// <summary>What is known of one node that mail goes to.</summary>
    private sealed class Target(string node) : IDisposable
    {
        private readonly SemaphoreSlim _idle = new(0);
        private readonly Lock _gate = new();
        private int _waiting;
        private long _pausedAt, _pauseMs;

        public string Node => node;
        public int Connections;
        public int Failures { get; private set; }
        public long Sent { get; private set; }
        public string LastError { get; private set; } = "";
        public ConcurrentDictionary<Task, bool> Running { get; } = new();

        public void Dispose() => _idle.Dispose();

        public TimeSpan PauseLeft(TimeProvider time)
        {
            lock (_gate)
                return _pauseMs == 0 ? TimeSpan.Zero : TimeSpan.FromMilliseconds(_pauseMs) - time.GetElapsedTime(_pausedAt);
        }

        public void Succeeded()
        {
            lock (_gate)
                (Failures, _pauseMs, Sent, LastError) = (0, 0, Sent + 1, "");
        }

        public void Failed(TimeProvider time, string why)
        {
            lock (_gate)
            {
                // Connections that break together are one failure.
                if (_pauseMs == 0 || TimeSpan.FromMilliseconds(_pauseMs) <= time.GetElapsedTime(_pausedAt))
                    (Failures, _pausedAt, _pauseMs) = (Failures + 1, time.GetTimestamp(), MoveRules.BackOffMs(Failures + 1));
                LastError = why;
            }
        }

        public void Forgive()
        {
            lock (_gate)
                (Failures, _pauseMs) = (0, 0);
        }

        /// <summary>Lets an idle connection go on; <see langword="false"/>: there is none.</summary>
        public bool WakeIdle()
        {
            lock (_gate)
            {
                if (_waiting == 0)
                    return false;
                _waiting--;
            }
            _idle.Release();
            return true;
        }

        /// <returns><see langword="false"/>: nothing came.</returns>
        public async ValueTask<bool> IdleAsync(TimeSpan limit, CancellationToken cancellationToken)
        {
            lock (_gate)
                _waiting++;
            var woken = false;
            try
            {
                woken = await _idle.WaitAsync(limit, cancellationToken);
                return woken;
            }
            finally
            {
                if (!woken)
                {
                    lock (_gate)
                    {
                        if (_waiting > 0)
                            _waiting--;
                    }
                }
            }
        }
    }
}
