using Veredus.Spool;

namespace Veredus.Delivery;

/// <summary>What operators do (<c>mta.md</c> 9.4). Long work goes in slices, so that mail flows on.</summary>
public sealed partial class DeliveryEngine
{
    /// <summary>Messages handled in one hold of the lock.</summary>
    private const int MessageSlice = 1000;

    /// <summary>Makes delayed messages due now. <see langword="null"/> means all.</summary>
    /// <returns>How many.</returns>
    public Task<int> FlushAsync(string? domain, string? binding, CancellationToken cancellationToken = default) =>
        ForQueuesAsync(domain, binding, static (scheduler, queue, now, _) => scheduler.Flush(queue, MessageSlice, now), 0, cancellationToken);

    /// <summary>Gives waiting messages up. <see langword="null"/> means all.</summary>
    /// <param name="reply">Text or whole 5xx reply for logs and DSN; empty: manually purged.</param>
    /// <param name="quiet">No DSN.</param>
    /// <returns>How many.</returns>
    public Task<int> FailAsync(string? domain, string? binding, string reply = "", bool quiet = false, CancellationToken cancellationToken = default) =>
        ForQueuesAsync(domain, binding, static (scheduler, queue, now, ending) => scheduler.Fail(queue, ending, MessageSlice), new Ending(DeliveryReplies.Parse(reply, DeliveryReplies.ManuallyPurged), Quiet: quiet), cancellationToken);

    /// <summary>Makes one message due now. <see langword="false"/>: it is not waiting here.</summary>
    public bool Retry(MessageId id) => Locked(static (scheduler, now, id) => scheduler.Find(id) is { } message && scheduler.Retry(message, now), id);

    /// <summary>Gives one waiting message up. <see langword="false"/>: it is not waiting here; perhaps it is being delivered.</summary>
    public bool Fail(MessageId id, bool quiet = false) => Locked(static (scheduler, _, wanted) =>
    {
        if (scheduler.Find(wanted.id) is not { Place: MessagePlace.Active or MessagePlace.Delayed } message)
            return false;
        scheduler.Settle(message, new Ending(DeliveryReplies.ManuallyFailed, Quiet: wanted.quiet));
        return true;
    }, (id, quiet));

    /// <summary>Asks the binding rules again for waiting messages, and moves those with another answer.</summary>
    /// <returns>How many have moved.</returns>
    public Task<int> RebindAsync(string? binding, string? domain, CancellationToken cancellationToken = default)
    {
        if (_parts.Assigner is not { } assigner)
            return Task.FromResult(0);
        return MoveAsync(domain, binding, envelope =>
        {
            var (group, name) = assigner.Assign(envelope);
            return group == envelope.BindingGroup && name == envelope.Binding ? null : envelope with { BindingGroup = group, Binding = name };
        }, cancellationToken);
    }

    /// <summary>Queues everything that waits for one domain under another; recipients stay as they are.</summary>
    /// <returns>How many have moved.</returns>
    public Task<int> RerouteAsync(string from, string to, CancellationToken cancellationToken = default)
    {
        var target = to.ToLowerInvariant();
        return MoveAsync(from, null, envelope => envelope.RoutingOverride == target ? null : envelope with { RoutingOverride = target }, cancellationToken);
    }

    /// <summary>Looks routes up again at once. <see langword="null"/> means all known domains.</summary>
    /// <returns><see langword="false"/>: that domain is not known.</returns>
    public bool RefreshDomain(string? domain)
    {
        if (domain is not null)
            (_parts.Dns as Dns.CachingResolver)?.Forget(domain);
        return Locked(static (scheduler, _, name) =>
        {
            if (name is null)
            {
                foreach (var each in scheduler.Domains.Values)
                    scheduler.Refresh(each);
                return true;
            }
            if (!scheduler.Domains.TryGetValue(name, out var domain))
                return false;
            scheduler.Refresh(domain);
            return true;
        }, domain);
    }

    /// <summary>Looks the route of any domain up, as delivery would (<c>dig</c>).</summary>
    public Task<Route> LookUpRouteAsync(string domain, CancellationToken cancellationToken) => _routes.LookUpAsync(domain.ToLowerInvariant(), port: 25, mxFailureMeansNone: false, cancellationToken);

    /// <summary>Begins a trace of outbound dialogues. <see langword="null"/>: <paramref name="problem"/> says why not.</summary>
    /// <param name="binding">Or <c>*</c>.</param>
    /// <param name="domain">Or <c>*</c>.</param>
    /// <param name="file">Under the log directory.</param>
    public SmtpTrace? AddTrace(string binding, string domain, string file, out string problem) => Traces.Add(binding, domain, file, out problem);

    public IReadOnlyList<SmtpTrace> ListTraces() => Traces.List();

    /// <summary><see langword="false"/>: there is no such trace.</summary>
    public bool RemoveTrace(int number) => Traces.Remove(number);

    /// <summary>Reads certificates and trust stores again at their next use (<c>tls flush cache</c>).</summary>
    public void FlushTls() => _runner.Tls.Flush();

    private async Task<int> ForQueuesAsync<TState>(
        string? domain, string? binding, Func<Scheduler, DeliveryQueue, Moment, TState, int> step, TState state, CancellationToken cancellationToken)
    {
        var total = 0;
        foreach (var queue in Select(domain, binding))
        {
            // What is added meanwhile does not count: a queue is left after as many messages as it had.
            for (var left = queue.Active.Count + queue.Delayed.Count; left > 0;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var done = Locked(static (scheduler, now, work) => work.step(scheduler, work.queue, now, work.state), (step, queue, state));
                total += done;
                left -= done;
                if (done == 0)
                    break;
                await Task.Yield();
            }
        }
        return total;
    }

    /// <summary>Rewrites envelopes of waiting messages and moves the messages to the queue that the new envelope names.</summary>
    private async Task<int> MoveAsync(string? domain, string? binding, Func<Envelope, Envelope?> change, CancellationToken cancellationToken)
    {
        var moved = 0;
        foreach (var queue in Select(domain, binding))
        {
            var messages = Locked(static (_, _, queue) => Listed(queue).ToList(), queue);
            foreach (var message in messages)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (TryRead(message) is not { } envelope || change(envelope) is not { } next || !await _parts.Spool.UpdateAsync(message.Stored, next))
                    continue;
                moved += Locked(static (scheduler, now, move) => move.engine.MoveTo(scheduler, now, move.message, move.next), (engine: this, message, next)) ? 1 : 0;
            }
        }
        return moved;
    }

    private bool MoveTo(Scheduler scheduler, Moment now, QueuedMessage message, Envelope envelope)
    {
        if (message.Place is not (MessagePlace.Active or MessagePlace.Delayed))
            return false;
        scheduler.Move(message, scheduler.Queue(scheduler.Binding(envelope.BindingGroup, envelope.Binding), scheduler.Domain(RoutingDomain(envelope)), now), now);
        return true;
    }
}
