using Veredus.Delivery.Dns;

namespace Veredus.Delivery;

/// <summary>Asks the DNS what <see cref="RoutePlanner"/> wants to know until it has a route.</summary>
internal sealed class RouteLookupRunner(DeliveryParts parts)
{
    /// <summary>Rounds of questions: MX, then addresses. More would be a planner that never ends.</summary>
    private const int MaxRounds = 4;

    /// <exception cref="OperationCanceledException">Asked to stop.</exception>
    public async Task<Route> LookUpAsync(string domain, int port, bool mxFailureMeansNone, CancellationToken cancellationToken)
    {
        var request = new RouteRequest(domain, parts.Policies.Routes(domain), parts.Policies.Node, port, mxFailureMeansNone);
        var known = new Dictionary<DnsQuestion, DnsAnswer>();
        for (var round = 0; round < MaxRounds; round++)
        {
            var plan = RoutePlanner.Plan(request, known);
            if (plan.Route is { } route)
                return route;
            var answers = await Task.WhenAll(plan.Missing.Select(question => parts.Dns.ResolveAsync(question, cancellationToken).AsTask()));
            for (var i = 0; i < answers.Length; i++)
                known[plan.Missing[i]] = answers[i];
        }
        throw new InvalidOperationException($"The route of '{domain}' needs more than {MaxRounds} rounds of questions.");
    }
}
