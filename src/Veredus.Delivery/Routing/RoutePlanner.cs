using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Veredus.Delivery.Dns;

namespace Veredus.Delivery;

/// <summary>Finds the hosts for a routing domain (<c>mta.md</c> 6.1, RFC 5321 §5.1). A function of the request and of what the DNS has said so far.</summary>
public static class RoutePlanner
{
    /// <summary>MX hosts looked at per domain, best preference first; a zone may hold thousands.</summary>
    public const int MaxHosts = 32;

    /// <summary>How long a failed route stands before the DNS is asked again, seconds.</summary>
    public const uint FailureTtlSeconds = 60;

    private const long RankStep = 1L << 20;

    public static RoutePlan Plan(RouteRequest request, IReadOnlyDictionary<DnsQuestion, DnsAnswer> known)
    {
        var walk = new Walk(request, known);
        if (request.Entries.Length > 0)
            walk.AddEntries();
        else
            walk.AddTarget(request.Domain, rank: 0, port: null, ttl: null, RouteLookup.Mx, preference: 0);
        if (walk.Missing.Count > 0)
            return new(null, [.. walk.Missing]);
        return new(walk.Finish(), []);
    }

    /// <summary>Reads <c>192.0.2.1</c>, <c>[192.0.2.1]</c>, <c>[IPv6:2001:db8::1]</c> or <c>[2001:db8::1]</c>, all also with <c>:port</c>, and <c>name:port</c>.</summary>
    /// <returns><see langword="true"/> when it is an address; else <paramref name="name"/> is the name to look up.</returns>
    public static bool TryReadLiteral(string target, out IPAddress? address, out string name, out int? port)
    {
        (address, name, port) = (null, target, null);
        if (target.StartsWith('['))
        {
            var end = target.IndexOf(']', StringComparison.Ordinal);
            if (end < 0)
                return false;
            var inner = target.AsSpan(1, end - 1);
            if (inner.StartsWith("IPv6:", StringComparison.OrdinalIgnoreCase))
                inner = inner[5..];
            if (end + 1 < target.Length && target[end + 1] == ':' && TryReadPort(target.AsSpan(end + 2), out var literalPort))
                port = literalPort;
            return IPAddress.TryParse(inner, out address);
        }
        if (IPAddress.TryParse(target, out address) && (address.AddressFamily is AddressFamily.InterNetworkV6 || target.Count(c => c == '.') == 3))
            return true;
        address = null;
        var colon = target.LastIndexOf(':');
        if (colon <= 0 || !TryReadPort(target.AsSpan(colon + 1), out var namedPort))
            return false;
        (name, port) = (target[..colon], namedPort);
        return IPAddress.TryParse(name, out address) && address.AddressFamily is AddressFamily.InterNetwork;
    }

    private static bool TryReadPort(ReadOnlySpan<char> text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is > 0 and < 65536;

    /// <summary>One pass over the request: collects hosts, and the questions that stand in the way.</summary>
    private sealed class Walk(RouteRequest request, IReadOnlyDictionary<DnsQuestion, DnsAnswer> known)
    {
        private readonly List<RouteHost> _hosts = [];
        private readonly HashSet<string> _exempt = [];
        private RouteFailure? _failure;
        private bool _temporary;
        private uint _ttl = uint.MaxValue;

        public HashSet<DnsQuestion> Missing { get; } = [];

        public void AddEntries()
        {
            for (var i = 0; i < request.Entries.Length; i++)
            {
                var entry = request.Entries[i];
                var preference = entry.Preference ?? (i + 1) * 10;
                if (entry.Host == RouteEntry.MxPlaceholder)
                    AddTarget(request.Domain, preference * RankStep, entry.Port, entry.TtlSeconds, RouteLookup.Mx, preference);
                else
                    AddTarget(entry.Host.ToLowerInvariant(), preference * RankStep, entry.Port, entry.TtlSeconds, entry.Lookup, preference);
            }
        }

        public void AddTarget(string target, long rank, int? port, uint? ttl, RouteLookup lookup, int preference)
        {
            if (TryReadLiteral(target, out var address, out var name, out var targetPort))
            {
                // Written by the operator or by the sender: not subject to the loop guard.
                _exempt.Add(name);
                _hosts.Add(new(rank, preference, address!.ToString(), port ?? targetPort, ttl ?? 3600, [address]));
                return;
            }
            port ??= targetPort;
            if (lookup is RouteLookup.Address)
            {
                _exempt.Add(name);
                AddHost(name, rank, preference, port, ttl);
                return;
            }
            if (!Known(new(name, DnsType.Mx), out var answer))
                return;
            switch (answer.Status)
            {
                case DnsStatus.Ok:
                    AddMxHosts(answer, rank, port, ttl);
                    return;
                case DnsStatus.NoData:
                case DnsStatus.ServFail or DnsStatus.Timeout or DnsStatus.Bogus when request.MxFailureMeansNone:
                    AddHost(name, rank, preference, port, ttl);
                    return;
                case DnsStatus.NxDomain:
                    _failure ??= new(DeliveryReplies.DomainLookupFailed);
                    return;
                default:
                    _temporary = true;
                    return;
            }
        }

        public Route Finish()
        {
            var usable = DropOwn(_hosts);
            if (_hosts.Count > 0 && usable.Count == 0)
                return Fail(new(DeliveryReplies.RoutingLoop));
            var allowed = usable.ConvertAll(host => host with { Addresses = [.. host.Addresses.Where(a => !Contains(request.Node.SkipHosts, a) && !Contains(request.Node.ProhibitedHosts, a))] });
            allowed.RemoveAll(host => host.Addresses.IsEmpty);
            if (allowed.Count > 0)
                return new(request.Domain, [.. allowed.OrderBy(host => host.Rank)], _ttl);
            if (usable.Any(host => host.Addresses.Any(address => Contains(request.Node.ProhibitedHosts, address))))
                return Fail(new(DeliveryReplies.ProhibitedAddress));
            if (usable.Any(host => !host.Addresses.IsEmpty))
                return Fail(new(DeliveryReplies.NoValidHosts(request.Domain, "every address is in skip_hosts")));
            if (_temporary)
                return Fail(new(DeliveryReplies.DnsUnavailable, IsDns: true));
            return Fail(_failure ?? new(DeliveryReplies.NoAddress));
        }

        private Route Fail(RouteFailure failure) => Route.Failed(request.Domain, failure, FailureTtlSeconds);

        private void AddMxHosts(DnsAnswer answer, long rank, int? port, uint? ttl)
        {
            if (answer.Mx is [{ Host: "", Preference: 0 }])
            {
                _failure ??= new(DeliveryReplies.NullMx, DsnStatus: new(5, 1, 10));
                return;
            }
            _ttl = Math.Min(_ttl, answer.TtlSeconds);
            foreach (var record in answer.Mx.Where(mx => mx.Host.Length > 0).OrderBy(mx => mx.Preference).ThenBy(mx => mx.Host, StringComparer.Ordinal).Take(MaxHosts))
                AddHost(record.Host, rank + record.Preference, record.Preference, port, ttl);
        }

        private void AddHost(string name, long rank, int preference, int? port, uint? ttl)
        {
            var addresses = ImmutableArray.CreateBuilder<IPAddress>();
            var life = uint.MaxValue;
            Collect(new(name, DnsType.A));
            if (request.Node.UseIpv6)
                Collect(new(name, DnsType.Aaaa));
            _ttl = Math.Min(_ttl, ttl ?? life);
            _hosts.Add(new(rank, preference, name, port, ttl ?? (life == uint.MaxValue ? 0 : life), addresses.ToImmutable()));

            void Collect(DnsQuestion question)
            {
                if (!Known(question, out var answer))
                    return;
                _temporary |= answer.IsTemporary;
                if (answer.Status is not DnsStatus.Ok)
                    return;
                addresses.AddRange(answer.Addresses);
                life = Math.Min(life, answer.TtlSeconds);
            }
        }

        private bool Known(DnsQuestion question, out DnsAnswer answer)
        {
            if (known.TryGetValue(question, out answer!))
                return true;
            Missing.Add(question);
            return false;
        }

        /// <summary>RFC 5321 §5.1: this host and everything not better than it is left out, or mail would circle.</summary>
        private List<RouteHost> DropOwn(List<RouteHost> hosts)
        {
            var own = hosts.Where(IsOwn).Select(host => (long?)host.Rank).Min();
            return own is null ? hosts : hosts.FindAll(host => host.Rank < own);
        }

        private bool IsOwn(RouteHost host)
        {
            if (_exempt.Contains(host.Name) || request.Node.OwnEndpoints.Length == 0)
                return false;
            var port = host.Port ?? request.Port;
            var endpoints = request.Node.OwnEndpoints;
            foreach (var endpoint in endpoints.Span)
                if (endpoint.Port == port && (host.Addresses.Contains(endpoint.Address) || string.Equals(host.Name, request.Node.Hostname, StringComparison.OrdinalIgnoreCase)))
                    return true;
            return false;
        }

        private static bool Contains(EquatableArray<IPNetwork> networks, IPAddress address)
        {
            foreach (var network in networks.Span)
                if (network.Contains(address))
                    return true;
            return false;
        }
    }
}
