using System.Globalization;
using System.Net;

namespace Veredus.Configuration;

/// <summary>
/// Where a listener listens: an address with a port, or a Unix socket. <c>:25</c> and <c>*:25</c> are any IPv4 address,
/// <c>[*]:25</c> and <c>[::]:25</c> any IPv6 address (IPv6 only).
/// </summary>
/// <param name="Address">Null for a Unix socket.</param>
/// <param name="Port">1–65535, 0 for a port that the system chooses (tests) and for a Unix socket.</param>
/// <param name="UnixPath">Absolute path, or null.</param>
public sealed record ListenEndpoint(IPAddress? Address, int Port, string? UnixPath)
{
    public bool IsWildcard => Address is not null && (Address.Equals(IPAddress.Any) || Address.Equals(IPAddress.IPv6Any));

    /// <summary>Canonical text: the same socket always has the same text.</summary>
    public override string ToString() => UnixPath ?? (Address!.Equals(IPAddress.Any) ? $"*:{Port}" : Address.Equals(IPAddress.IPv6Any) ? $"[*]:{Port}" : new IPEndPoint(Address, Port).ToString());

    public static bool TryParse(string text, out ListenEndpoint endpoint)
    {
        endpoint = new(IPAddress.Any, 0, null);
        if (text.StartsWith('/'))
        {
            endpoint = new(null, 0, text);
            return System.Text.Encoding.UTF8.GetByteCount(text) <= 107;
        }
        var colon = text.LastIndexOf(':');
        if (colon < 0 || !ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port))
            return false;
        var host = text[..colon];
        IPAddress address;
        if (host is "" or "*")
            address = IPAddress.Any;
        else if (host is "[*]")
            address = IPAddress.IPv6Any;
        else if (host.StartsWith('[') && host.EndsWith(']') && AddressBits.TryParse(host[1..^1], out var v6) && host.Contains(':', StringComparison.Ordinal))
            address = v6;
        else if (!host.Contains(':', StringComparison.Ordinal) && AddressBits.TryParse(host, out var v4))
            address = v4;
        else
            return false;
        endpoint = new(address, port, null);
        return true;
    }
}

/// <summary>An address, a host name, or any address (<c>*</c>).</summary>
public readonly record struct HostAddress(IPAddress? Address, string? Host)
{
    public static readonly HostAddress Any;

    public bool IsAny => Address is null && Host is null;

    public override string ToString() => Address?.ToString() ?? Host ?? "*";

    public static bool TryParse(string text, out HostAddress value)
    {
        value = Any;
        if (text == "*")
            return true;
        var bare = text.StartsWith('[') && text.EndsWith(']') ? text[1..^1] : text;
        if (AddressBits.TryParse(bare, out var address))
        {
            value = address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any) ? Any : new(address, null);
            return true;
        }
        if (!InstanceNames.TryHost(text, out var host))
            return false;
        value = new(null, host);
        return true;
    }
}

/// <summary>How a <see cref="Route"/> finds addresses.</summary>
public enum RouteLookup
{
    /// <summary>MX, then A/AAAA.</summary>
    Default,
    Mx,
    Address,
}

/// <summary>One entry of <c>routes</c>.</summary>
/// <param name="Host">Host name or address (IPv6 without brackets); null stands for <c>__mx__</c>, the domain's own MX records.</param>
/// <param name="Preference">As of an MX record; null = place in the list.</param>
/// <param name="Ttl">How long the route may be cached; null = as DNS says.</param>
/// <param name="Port">Null = <c>remote_smtp_port</c>.</param>
public sealed record Route(string? Host, int? Preference, TimeSpan? Ttl, int? Port, RouteLookup Lookup)
{
    /// <summary>Reads <c>__mx__</c>, a host, an address (IPv6 in brackets) or <c>smtp://host?pref=P&amp;ttl=T&amp;port=O&amp;type=mx|a</c>.</summary>
    public static bool TryParse(string text, out Route route)
    {
        route = new(null, null, null, null, RouteLookup.Default);
        if (text.Equals("__mx__", StringComparison.OrdinalIgnoreCase))
            return true;
        var query = "";
        if (text.StartsWith("smtp://", StringComparison.OrdinalIgnoreCase))
        {
            text = text[7..].TrimEnd('/');
            var mark = text.IndexOf('?', StringComparison.Ordinal);
            if (mark >= 0)
                (text, query) = (text[..mark].TrimEnd('/'), text[(mark + 1)..]);
        }
        if (!InstanceNames.TryHostOrAddress(text, out var host))
            return false;
        route = route with { Host = host };
        foreach (var part in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals < 0)
                return false;
            var (key, value) = (part[..equals].ToLowerInvariant(), part[(equals + 1)..]);
            var isNumber = int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number);
            switch (key)
            {
                case "pref" when isNumber && number <= ushort.MaxValue:
                    route = route with { Preference = number };
                    break;
                case "ttl" when isNumber:
                    route = route with { Ttl = TimeSpan.FromSeconds(number) };
                    break;
                case "port" when isNumber && number is > 0 and <= ushort.MaxValue:
                    route = route with { Port = number };
                    break;
                case "type" when value.Equals("mx", StringComparison.OrdinalIgnoreCase):
                    route = route with { Lookup = RouteLookup.Mx };
                    break;
                case "type" when value.Equals("a", StringComparison.OrdinalIgnoreCase):
                    route = route with { Lookup = RouteLookup.Address };
                    break;
                default:
                    return false;
            }
        }
        return true;
    }
}
