using System.Collections.Immutable;
using System.Globalization;
using System.Net;

namespace Veredus.Delivery.Dns;

/// <summary>Whom to ask, and how long to wait.</summary>
/// <param name="Servers">Recursive servers; empty: resolve from the root.</param>
/// <param name="Timeout">Per question, all tries together. Default 10 s.</param>
/// <param name="MaxOutstanding">Questions under way at once, 1–1000; more wait their turn. Default 256.</param>
/// <param name="TrustAnchorFile">DNSSEC root key (zone-file form); <see langword="null"/>: no validation here.</param>
public sealed record ResolverOptions(ImmutableArray<IPEndPoint> Servers, TimeSpan Timeout, int MaxOutstanding = 256, string? TrustAnchorFile = null)
{
    public static ResolverOptions Default { get; } = new([], TimeSpan.FromSeconds(10));
}

/// <summary>Reads <c>resolv.conf(5)</c>. Mail names are always complete, so search, domain, sortlist and ndots have no effect here.</summary>
public static class ResolvConf
{
    private const int MaxServers = 16;

    /// <summary>Reads the text of a resolver file.</summary>
    /// <remarks>
    /// <c>nameserver ADDRESS</c> also takes a port: <c>192.0.2.1:5353</c>, <c>[2001:db8::1]:5353</c>, <c>192.0.2.1@5353</c>.
    /// <c>options timeout:S attempts:N</c> (aliases <c>retrans</c>, <c>retry</c>) give S × N seconds per question, 1–120.
    /// </remarks>
    /// <param name="errors">One text per line that cannot be used, with its number.</param>
    public static ResolverOptions Parse(string text, out ImmutableArray<string> errors)
    {
        var servers = ImmutableArray.CreateBuilder<IPEndPoint>();
        var problems = ImmutableArray.CreateBuilder<string>();
        int timeout = 5, attempts = 2;
        var number = 0;
        foreach (var raw in text.Split('\n'))
        {
            number++;
            var line = raw.AsSpan();
            var comment = line.IndexOfAny('#', ';');
            var words = (comment >= 0 ? line[..comment] : line).ToString().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            switch (words)
            {
                case ["nameserver", var server, ..]:
                    if (!TryReadServer(server, out var endpoint))
                        problems.Add($"line {number}: '{server}' is not an IP address, with or without a port");
                    else if (servers.Count < MaxServers)
                        servers.Add(endpoint);
                    else
                        problems.Add($"line {number}: more than {MaxServers} name servers");
                    break;
                case ["options", .. var options]:
                    foreach (var option in options)
                        ReadOption(option, ref timeout, ref attempts);
                    break;
            }
        }
        errors = problems.ToImmutable();
        return ResolverOptions.Default with { Servers = servers.ToImmutable(), Timeout = TimeSpan.FromSeconds(Math.Clamp(timeout * attempts, 1, 120)) };
    }

    private static void ReadOption(string option, ref int timeout, ref int attempts)
    {
        var colon = option.IndexOfAny([':', '=']);
        if (colon < 0 || !int.TryParse(option.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var value))
            return;
        switch (option[..colon])
        {
            case "timeout" or "retrans":
                timeout = Math.Clamp(value, 1, 60);
                break;
            case "attempts" or "retry":
                attempts = Math.Clamp(value, 1, 10);
                break;
        }
    }

    private static bool TryReadServer(string text, out IPEndPoint endpoint)
    {
        var at = text.LastIndexOf('@');
        if (at > 0 && IPAddress.TryParse(text.AsSpan(0, at), out var address)
            && ushort.TryParse(text.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port > 0)
        {
            endpoint = new(address, port);
            return true;
        }
        var parsed = IPEndPoint.TryParse(text, out var result);
        endpoint = parsed ? new(result!.Address, result.Port == 0 ? 53 : result.Port) : new(IPAddress.None, 0);
        return parsed;
    }
}
