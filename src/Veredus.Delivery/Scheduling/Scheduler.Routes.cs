namespace Veredus.Delivery;

/// <summary>Routes of the domains, and what their failures mean for messages (<c>mta.md</c> 6.1).</summary>
internal sealed partial class Scheduler
{
    /// <summary>Shortest life of a route, whatever its TTL.</summary>
    private const long MinRouteMs = 5000;

    /// <summary>Least time between two rounds of lookups that fail (<c>mta.md</c> 6.1, 5).</summary>
    private const long DnsRoundMs = 60_000;

    /// <summary>Messages settled in one go.</summary>
    private const int PurgeSlice = 1000;

    /// <summary>A lookup has ended.</summary>
    public void RouteReady(DomainState domain, Route route, Moment now)
    {
        domain.IsResolving = false;
        if (route.Failure is { IsDns: true })
        {
            domain.DnsFailures++;
            domain.RouteExpires = now.Ms + DnsRoundMs;
            // What was known goes on being used while the DNS is dead.
            if (domain.Route is not { Failure: null } || domain.DnsFailures >= DnsFailuresToPurge(domain))
                domain.Route = route;
        }
        else
        {
            domain.DnsFailures = 0;
            domain.Route = route;
            domain.RouteExpires = now.Ms + Math.Max(route.TtlSeconds * 1000L, MinRouteMs);
        }
        foreach (var queue in domain.Queues)
            Advance(queue, now);
        if (domain.Queues.Count == 0)
            _domains.Remove(domain.Name);
    }

    /// <summary>A new lookup at once (<c>refresh domain</c>, <c>dig</c>).</summary>
    public void Refresh(DomainState domain)
    {
        if (domain.IsResolving || domain.Queues.Count == 0)
            return;
        domain.IsResolving = true;
        shell.Resolve(domain, domain.Queues[0]);
    }

    private bool HasRoute(DeliveryQueue queue, Moment now)
    {
        var domain = queue.Domain;
        var stale = now.Ms >= domain.RouteExpires;
        if (domain.Route is null || stale)
            Refresh(domain);
        if (domain.Route is not { } route)
            return false;
        if (route.Failure is not { } failure)
            return true;
        if (stale)
            return false;
        if (failure.IsDns && domain.DnsFailures >= queue.Policy.DnsFailuresToPurge && queue.Policy.DnsFailuresToPurge > 0)
            SettleActive(queue, DeliveryReplies.DomainLookupFailed, now);
        else
            SettleActive(queue, new(failure.Reply, DsnStatus: failure.DsnStatus), now);
        return false;
    }

    private static int DnsFailuresToPurge(DomainState domain)
    {
        var limit = domain.Queues.Count > 0 ? domain.Queues[0].Policy.DnsFailuresToPurge : 0;
        return limit > 0 ? limit : int.MaxValue;
    }

    /// <summary>Everything that waits in the queue now ends with this reply: 4xx back to delayed, 5xx given up. In slices.</summary>
    public void SettleActive(DeliveryQueue queue, Ending ending, Moment now)
    {
        (queue.Purge, queue.PurgeLeft) = (ending, queue.Active.Count);
        PurgeStep(queue, now);
    }

    private void PurgeStep(DeliveryQueue queue, Moment now)
    {
        for (var i = 0; i < PurgeSlice && queue.PurgeLeft > 0; i++)
        {
            if (queue.Active.First is not { } message)
            {
                queue.PurgeLeft = 0;
                break;
            }
            queue.PurgeLeft--;
            Settle(message, queue.Purge);
        }
        if (queue.PurgeLeft > 0)
            queue.LookAt = now.Ms;
    }
}
