using System.Net;
using Veredus.Moves;
using Veredus.Spool;

namespace Veredus.Delivery;

/// <summary>A message taken out of its queue to be handed to another node. Ends with one of <see cref="DeliveryEngine"/>'s methods that take it.</summary>
public sealed class MoveTicket
{
    internal MoveTicket(QueuedMessage message, Envelope envelope) => (Message, Envelope) = (message, envelope);

    internal QueuedMessage Message { get; }

    public Envelope Envelope { get; }

    public StoredMessage Stored => Message.Stored;

    /// <summary>Tries to deliver it so far.</summary>
    public int Attempts => Message.Failures;

    /// <summary>Reply code of the last one; 0: none.</summary>
    public int LastCode => Message.LastCode;

    /// <summary>When it would have been tried next; <see langword="null"/>: at once.</summary>
    public DateTimeOffset? NextTry { get; internal init; }

    /// <summary>It was given to the same node before, which has not answered.</summary>
    public bool IsInDoubt => Message.Move?.DoubtNode is not null;

    /// <summary>Since when, Unix milliseconds.</summary>
    public long DoubtSince => Message.Move?.DoubtSince ?? 0;
}

/// <summary>Messages that wait for another node.</summary>
/// <param name="Waiting">Ready to be handed over.</param>
/// <param name="Paused">Not before a time: the other node would not take them, or may have them already.</param>
public sealed record MoveQueueLine(string Node, int Waiting, int Paused);

/// <summary>What holds a message that has to do with other nodes.</summary>
/// <param name="Domain">Its own routing domain.</param>
/// <param name="Target">It stands in the queue of this node; <see langword="null"/>: in the queue of its binding.</param>
/// <param name="DoubtNode">Who may have it as well.</param>
/// <param name="NotBefore">It is not handed over before.</param>
/// <param name="NextTry">When it will be tried once it is there; <see langword="null"/>: at once.</param>
public sealed record MessageMove(string Domain, string? Target, string? DoubtNode, DateTimeOffset? NotBefore, DateTimeOffset? NextTry);

/// <summary>Handing messages to the nodes that own their bindings (<c>cluster.md</c> 7).</summary>
public sealed partial class DeliveryEngine
{
    /// <summary>The virtual binding of messages for other nodes; no binding can be configured with this name.</summary>
    public const string MoveBinding = "#mmove", MoveGroup = "default";

    private const int RelocationSlice = 100;

    /// <summary>Messages that another node may have, under the lock; some may have been answered for or be gone by now.</summary>
    private readonly HashSet<QueuedMessage> _inDoubt = [];

    private bool _placesChanged;

    /// <summary>Raised with the name of a node that a message waits for. Called under the lock: must be quick.</summary>
    public event Action<string>? MoveWaiting;

    /// <summary>Messages that went on although another node may have them: it did not come back in time. Each may be delivered twice.</summary>
    public long MovesInDoubt { get; private set; }

    public IReadOnlyList<MoveQueueLine> MoveQueues() => Locked(static (scheduler, _, _) =>
        scheduler.MoveQueues().Select(queue => new MoveQueueLine(queue.Domain.Name, queue.Active.Count, queue.Delayed.Count)).ToList(), 0);

    /// <returns><see langword="null"/>: no such message here, or no other node has to do with it.</returns>
    public MessageMove? Move(MessageId id) => Locked(static (scheduler, now, id) =>
    {
        if (scheduler.Find(id) is not { Move: { } move } message)
            return null;
        DateTimeOffset? At(long due) => due > now.Ms ? DateTimeOffset.FromUnixTimeMilliseconds(now.UnixMs + (due - now.Ms)) : null;
        var isMoving = message.Queue.Binding.IsMove;
        return new MessageMove(move.Home.Domain.Name, isMoving ? message.Queue.Domain.Name : null, move.DoubtNode,
            isMoving && message.Place is MessagePlace.Delayed ? At(message.Due) : move.HeldUntil > now.UnixMs ? DateTimeOffset.FromUnixTimeMilliseconds(move.HeldUntil) : null, At(move.NextTry));
    }, id);

    /// <summary>The next message for a node; <see langword="null"/>: none waits, or nothing is to be sent now.</summary>
    public async ValueTask<MoveTicket?> TakeMoveAsync(string node)
    {
        while (true)
        {
            var (message, nextTry) = Locked(static (scheduler, now, work) =>
            {
                var (node, isHeld) = work;
                var taken = scheduler.IsRunning && isHeld && scheduler.MoveQueues().FirstOrDefault(queue => queue.Domain.Name == node) is { } queue ? scheduler.TakeMove(queue) : null;
                return (taken, taken?.Move?.NextTry is { } due && due > now.Ms ? now.UnixMs + (due - now.Ms) : 0);
            }, (node, _parts.Spool.IsHeld));
            if (message is null)
                return null;
            if (_outcomes.TryRead(message, out var trouble) is { } envelope)
                return new(message, envelope) { NextTry = nextTry == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(nextTry) };
            if (trouble!.IsPermanent)
                await _outcomes.ForgetUnreadableAsync(message);
            else
                Return(message, Outcomes.TroubleDelayMs);
        }
    }

    /// <summary>The other node has it: it is noted and forgotten here.</summary>
    public async ValueTask MovedAsync(MoveTicket ticket, string node, IPAddress? remote, long bytesSent)
    {
        var message = ticket.Message;
        _parts.Observer.Moved(new(
            _parts.Time.GetUtcNow(), ticket.Envelope, message.Stored.Size, message.Move?.Home.Domain.Name ?? message.Queue.Domain.Name, bytesSent, message.Failures, remote, node));
        await _parts.Spool.RemoveAsync(message.Stored);
        Locked(static (scheduler, now, message) => { scheduler.Drop(message, now); return 0; }, message);
    }

    /// <summary>Nothing of it was sent: it is the next again.</summary>
    public void MoveNotSent(MoveTicket ticket) => Return(ticket.Message, 0);

    /// <summary>The other node would not take it: it pauses 1, 2, 4 … 60 s. Not an attempt to deliver.</summary>
    /// <param name="endsDoubt">It said so knowing that it does not have it.</param>
    /// <returns>How long it pauses.</returns>
    public TimeSpan MoveRefused(MoveTicket ticket, bool endsDoubt)
    {
        var state = ticket.Message.Move!;
        if (endsDoubt)
            state.DoubtNode = null;
        var pause = MoveRules.BackOffMs(++state.Refusals);
        Return(ticket.Message, pause);
        return TimeSpan.FromMilliseconds(pause);
    }

    /// <summary>It was sent and not answered: until it is, nobody knows who has it.</summary>
    public void MoveUnanswered(MoveTicket ticket, string node)
    {
        var state = ticket.Message.Move!;
        if (state.DoubtNode is null)
            (state.DoubtNode, state.DoubtSince) = (node, _parts.Time.GetUtcNow().ToUnixTimeMilliseconds());
        Return(ticket.Message, 0);
    }

    /// <summary>
    /// Looks at messages whose binding has come, gone or changed its owner, and puts each where it belongs: into the queue of its binding if that is here, or of the
    /// node that owns it. In slices; mail flows on.
    /// </summary>
    /// <param name="most">Most messages taken out of the queues of bindings that are elsewhere.</param>
    /// <param name="reassigns">Those are bound anew first (<c>unconditional_rebind</c>).</param>
    /// <returns>How many of those were looked at: as many as <paramref name="most"/> means that there are more.</returns>
    public async Task<int> RelocateAsync(int most, bool reassigns, CancellationToken cancellationToken)
    {
        await ReviewMovesAsync(cancellationToken);
        var queues = Locked(static (scheduler, _, presence) => scheduler.Groups.Values.SelectMany(group => group.Bindings.Values)
            .Where(binding => !binding.IsMove && binding.Active + binding.Delayed > 0 && !presence.IsHere(binding.Group.Name, binding.Name) && presence.Elsewhere(binding.Group.Name, binding.Name) is not null)
            .SelectMany(binding => binding.Queues.Values).Where(queue => queue.Active.Count + queue.Delayed.Count > 0).ToList(), _parts.Presence);
        var done = 0;
        foreach (var queue in queues)
        {
            while (done < most)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var slice = Locked(static (_, now, work) => Listed(work.queue).Where(message => !(message.Move?.HeldUntil > now.UnixMs)).Take(work.count).ToList(),
                    (queue, count: Math.Min(RelocationSlice, most - done)));
                if (slice.Count == 0)
                    break;
                if (reassigns)
                    await ReassignAsync(slice);
                Locked(static (scheduler, now, work) =>
                {
                    foreach (var message in work.slice)
                        work.engine.Relocate(message, now);
                    return 0;
                }, (engine: this, slice));
                done += slice.Count;
                await Task.Yield();
                if (Locked(static (_, _, work) => work.slice.TrueForAll(message => message.Queue == work.queue), (slice, queue)))
                    break;  // they stay: nobody has their binding any more
            }
        }
        return done;
    }

    void ISchedulerShell.MoveReady(DeliveryQueue queue) => MoveWaiting?.Invoke(queue.Domain.Name);

    /// <summary>Messages in the queues of other nodes, after somebody came, left, or took a binding over; and those in doubt, whose time may be over.</summary>
    private async Task ReviewMovesAsync(CancellationToken cancellationToken)
    {
        var waiting = Locked(static (scheduler, now, engine) =>
        {
            var all = engine._placesChanged;
            engine._placesChanged = false;
            engine._inDoubt.RemoveWhere(static message => message.Place is MessagePlace.Gone || message.Move?.DoubtNode is null);
            return all ? scheduler.MoveQueues().SelectMany(Listed).Union(engine._inDoubt).ToList() : [.. engine._inDoubt];
        }, this);
        for (var at = 0; at < waiting.Count; at += MessageSlice)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Locked(static (_, now, work) =>
            {
                for (var i = work.at; i < Math.Min(work.at + MessageSlice, work.waiting.Count); i++)
                    work.engine.Relocate(work.waiting[i], now);
                return 0;
            }, (engine: this, waiting, at));
            await Task.Yield();
        }
    }

    /// <summary>Under the lock: puts one waiting message where it belongs now.</summary>
    private void Relocate(QueuedMessage message, Moment now)
    {
        if (message.Place is not (MessagePlace.Active or MessagePlace.Delayed))
            return;
        var home = message.Move?.Home ?? message.Queue;
        var (group, binding) = (home.Binding.Group.Name, home.Binding.Name);
        var isHere = _parts.Presence.IsHere(group, binding);
        if (isHere && message.Move is null)
            return;
        var state = message.Move;
        var decision = MoveRules.Decide(new(0, state?.HeldUntil ?? 0, state?.DoubtNode, state?.DoubtSince ?? 0), isHere, _parts.Presence.Elsewhere(group, binding), _parts.Presence.IsMember, now.UnixMs);
        if (decision.GivesUpDoubt)
        {
            MovesInDoubt++;
            _parts.Observer.InDoubt(new(DateTimeOffset.FromUnixTimeMilliseconds(now.UnixMs), message.Stored.Id, _outcomes.TryRead(message, out _), DoubtCause.Moved, state!.DoubtNode!));
            _parts.Observer.Notice(DeliveryNotice.MoveInDoubt, $"message {message.Stored.Id} may be delivered twice: {state!.DoubtNode} was given it, has not answered and is gone");
            state.DoubtNode = null;
        }
        switch (decision.Step)
        {
            case MoveStep.Send when !message.Queue.Binding.IsMove || message.Queue.Domain.Name != decision.Target || state?.AwaitsDoubtNode is true:
                if (state is not null)
                    state.AwaitsDoubtNode = false;
                _scheduler.MoveOut(message, home, decision.Target, now.Ms, now);
                break;
            case MoveStep.Hold when state?.DoubtNode is { } doubt:
                if (!message.Queue.Binding.IsMove || message.Place is MessagePlace.Active)
                    _scheduler.MoveOut(message, home, doubt, now.MsOf(decision.UntilMs), now);
                state.AwaitsDoubtNode = true;
                break;
            case MoveStep.Deliver or MoveStep.Wait or MoveStep.Hold when message.Queue.Binding.IsMove:
                _scheduler.MoveHome(message, now);
                break;
        }
    }

    private void Return(QueuedMessage message, long delayMs) => Locked(static (scheduler, now, back) =>
    {
        if (back.message.Move?.DoubtNode is not null)
            back.engine._inDoubt.Add(back.message);
        scheduler.ReturnMove(back.message, back.delayMs == 0 ? 0 : now.Ms + back.delayMs, now);
        back.engine.Relocate(back.message, now);
        return 0;
    }, (engine: this, message, delayMs));

    private async Task ReassignAsync(List<QueuedMessage> messages)
    {
        if (_parts.Assigner is not { } assigner)
            return;
        foreach (var message in messages)
        {
            if (message.Move is not null || TryRead(message) is not { } envelope)
                continue;
            var (group, binding) = assigner.Reassign(envelope);
            if (group == envelope.BindingGroup && binding == envelope.Binding)
                continue;
            var next = envelope with { BindingGroup = group, Binding = binding };
            if (await _parts.Spool.UpdateAsync(message.Stored, next))
                Locked(static (scheduler, now, move) => move.engine.MoveTo(scheduler, now, move.message, move.next), (engine: this, message, next));
        }
    }
}
