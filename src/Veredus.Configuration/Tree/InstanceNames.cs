using System.Globalization;
using System.Net;

namespace Veredus.Configuration;

/// <summary>How the instance text of a scope is checked and made canonical (configuration.md section 1, "Instance names").</summary>
internal enum InstanceKind
{
    None,
    Binding,
    BindingGroup,
    /// <summary>A domain, an address, <c>[IPv6:…]</c> or <c>/regex/</c>.</summary>
    Domain,
    /// <summary>A host name or <c>/regex/</c>.</summary>
    Host,
    Endpoint,
    Network,
    /// <summary>Any name without control characters.</summary>
    Free,
}

internal static class InstanceNames
{
    private static readonly IdnMapping Idn = new() { AllowUnassigned = true };

    /// <summary>Canonical form, or null with what would be accepted.</summary>
    public static string? Canonical(InstanceKind kind, string text, out string expected)
    {
        expected = "";
        switch (kind)
        {
            case InstanceKind.Binding or InstanceKind.BindingGroup:
                expected = kind == InstanceKind.Binding
                    ? "a binding name without blanks, ':', '@', quotes, and not starting with '#'"
                    : "a group name without blanks, '@', quotes, and not starting with '#'";
                return IsLogSafe(text) && !text.StartsWith('#') && !(kind == InstanceKind.Binding && text.Contains(':', StringComparison.Ordinal)) ? text : null;
            case InstanceKind.Domain:
                expected = "a domain name, an IPv4 address, '[IPv6:address]' or '/regular expression/'";
                return IsRegex(text) ? text : CanonicalDomain(text);
            case InstanceKind.Host:
                expected = "a host name as in DNS, or '/regular expression/'";
                return IsRegex(text) ? text : TryHostOrAddress(text, out var host) ? host : null;
            case InstanceKind.Endpoint:
                expected = "'ip:port', '[ipv6]:port', ':port', '*:port', '[*]:port' or an absolute path";
                return ListenEndpoint.TryParse(text, out var endpoint) ? endpoint.ToString() : null;
            case InstanceKind.Network:
                expected = "an address or a network such as 192.0.2.0/24";
                return CidrList.TryParseNetwork(text, out var network) ? Show(network) : null;
            default:
                expected = "a name of 1 to 255 characters without control characters";
                return text.Length is > 0 and <= 255 && !text.Any(char.IsControl) ? text : null;
        }
    }

    public static bool IsRegex(string text) => text.Length > 2 && text[0] == '/' && text[^1] == '/';

    public static string Show(IPNetwork network) =>
        network.PrefixLength == (network.BaseAddress.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? 32 : 128)
            ? network.BaseAddress.ToString() : network.ToString();

    /// <summary>A name that may become a log field.</summary>
    public static bool IsLogSafe(string text) =>
        text.Length is > 0 and <= 255 && !text.Any(c => char.IsControl(c) || char.IsWhiteSpace(c) || c is '@' or '"');

    private static string? CanonicalDomain(string text)
    {
        if (text.StartsWith("[IPv6:", StringComparison.OrdinalIgnoreCase) && text.EndsWith(']'))
            return AddressBits.TryParse(text[6..^1], out var v6) && v6.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? $"[IPv6:{v6}]" : null;
        if (text.StartsWith('[') && text.EndsWith(']'))
            text = text[1..^1];
        if (AddressBits.TryParse(text, out var v4) && v4.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork)
            return v4.ToString();
        return TryHost(text, out var host) ? host : null;
    }

    /// <summary>A DNS name in canonical form: lower case, A-labels, no trailing dot. Underscores are allowed, as in DNS.</summary>
    public static bool TryHost(string text, out string host)
    {
        host = text.EndsWith('.') ? text[..^1] : text;
        if (host.Length is 0 or > 253)
            return false;
        try
        {
            host = (Ascii(host) ? host : Idn.GetAscii(host.ToLowerInvariant())).ToLowerInvariant();
        }
        catch (ArgumentException)
        {
            return false;
        }
        foreach (var range in host.AsSpan().Split('.'))
        {
            var label = host.AsSpan(range);
            if (label.Length is 0 or > 63 || label[0] == '-' || label[^1] == '-')
                return false;
            foreach (var c in label)
            {
                if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_'))
                    return false;
            }
        }
        return host.Length <= 253 && !LooksLikeAddress(host);
    }

    /// <summary>A host name, an IPv4 address, or an IPv6 address in brackets; given back without brackets.</summary>
    public static bool TryHostOrAddress(string text, out string host)
    {
        host = text;
        if (text.StartsWith('[') && text.EndsWith(']'))
        {
            var inner = text.StartsWith("[IPv6:", StringComparison.OrdinalIgnoreCase) ? text[6..^1] : text[1..^1];
            if (!AddressBits.TryParse(inner, out var literal))
                return false;
            host = literal.ToString();
            return true;
        }
        if (!text.Contains(':', StringComparison.Ordinal) && AddressBits.TryParse(text, out var address))
        {
            host = address.ToString();
            return true;
        }
        return TryHost(text, out host);
    }

    private static bool Ascii(string text) => text.All(char.IsAscii);

    /// <summary>A last label of digits alone is no domain name (RFC 3696 section 2): a mistyped address.</summary>
    private static bool LooksLikeAddress(string host) => host.AsSpan(host.LastIndexOf('.') + 1).IndexOfAnyExceptInRange('0', '9') < 0 && host.Contains('.', StringComparison.Ordinal);
}
