using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Unicode;

namespace Veredus.Smtp;

/// <summary>How to read addresses.</summary>
[Flags]
public enum AddressRules : byte
{
    None = 0,
    /// <summary>Admit local parts such as <c>a..b</c> and <c>a.</c>, and "_" in domains.</summary>
    Relaxed = 1,
    /// <summary>Admit an address without domain; <c>postmaster</c> needs no permission.</summary>
    Unqualified = 2,
    /// <summary>Admit <c>&lt;&gt;</c>.</summary>
    Null = 4,
}

/// <summary>
/// Addresses of the envelope (RFC 5321 §4.1.2). Octets above 127 are read as RFC 6531 §3.3 says; whether SMTPUTF8
/// allows them is for the caller to check. Longest address: 320 octets, longest domain: 255, longest label: 63.
/// </summary>
public static class AddressGrammar
{
    private const int MaxAddress = 320;
    private const int MaxDomain = 255;
    private const int MaxLabel = 63;
    private static readonly SearchValues<byte> Atext = SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~"u8);
    private static readonly SearchValues<byte> AtextAndDot = SearchValues.Create(
        ".ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~"u8);
    private static readonly SearchValues<byte> LabelOctets = SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"u8);
    private static readonly SearchValues<byte> LiteralOctets = SearchValues.Create("0123456789abcdefABCDEF:."u8);

    /// <summary>Takes a path, <c>&lt;…&gt;</c>, off the front of <paramref name="text"/>. A source route is dropped (RFC 5321 appendix C).</summary>
    /// <returns><see langword="false"/>, and nothing moved, when there is none.</returns>
    public static bool TryTakePath(ref ReadOnlySpan<byte> text, AddressRules rules, out EnvelopeAddress address)
    {
        address = EnvelopeAddress.Null;
        if (text.IsEmpty || text[0] != '<')
            return false;
        var rest = text[1..];
        if (!rest.IsEmpty && rest[0] == '>')
        {
            if ((rules & AddressRules.Null) == 0)
                return false;
            text = rest[1..];
            return true;
        }

        if (!rest.IsEmpty && rest[0] == '@' && !TryTakeRoute(ref rest))
            return false;
        var local = LocalLength(rest, rules);
        if (local <= 0)
            return false;
        var length = local;
        if (length < rest.Length && rest[length] == '@')
        {
            var domain = DomainLength(rest[(length + 1)..], rules);
            if (domain <= 0)
                return false;
            length += 1 + domain;
        }
        else if ((rules & AddressRules.Unqualified) == 0 && !Ascii.EqualsIgnoreCase(rest[..local], "postmaster"u8))
        {
            return false;
        }

        if (length > MaxAddress || length >= rest.Length || rest[length] != '>' || !Utf8.IsValid(rest[..length]))
            return false;
        address = new(Encoding.UTF8.GetString(rest[..length]));
        text = rest[(length + 1)..];
        return true;
    }

    /// <summary>Reads a whole text as an address, without angle brackets.</summary>
    public static bool TryParse(string text, AddressRules rules, out EnvelopeAddress address)
    {
        ArgumentNullException.ThrowIfNull(text);
        ReadOnlySpan<byte> path = Encoding.UTF8.GetBytes($"<{text}>");
        return TryTakePath(ref path, rules, out address) && path.IsEmpty && address.Value == text;
    }

    /// <summary>Is it a host name or an address literal, as EHLO wants (RFC 5321 §4.1.1.1)? "_" is admitted, since many clients have it.</summary>
    public static bool IsHelloName(ReadOnlySpan<byte> name) => DomainLength(name, AddressRules.Relaxed) == name.Length && !name.IsEmpty;

    /// <summary>Octets of the local part at the front; 0 or less when it is ill-formed.</summary>
    private static int LocalLength(ReadOnlySpan<byte> text, AddressRules rules)
    {
        if (!text.IsEmpty && text[0] == '"')
            return QuotedLength(text);
        var relaxed = (rules & AddressRules.Relaxed) != 0;
        var at = 0;
        while (at < text.Length && (text[at] >= 0x80 || Atext.Contains(text[at]) || text[at] == '.'))
        {
            var run = text[at..].IndexOfAnyExcept(AtextAndDot);
            var part = run < 0 ? text[at..] : text.Slice(at, Math.Max(run, 1));
            if (!relaxed && (part.IndexOf(".."u8) >= 0 || (part[0] == '.' && at > 0 && text[at - 1] == '.')))
                return -1;
            at += part.Length;
        }

        return !relaxed && at > 0 && (text[0] == '.' || text[at - 1] == '.') ? -1 : at;
    }

    private static int QuotedLength(ReadOnlySpan<byte> text)
    {
        for (var i = 1; i < text.Length; i++)
        {
            if (text[i] == '"')
                return i > 1 ? i + 1 : -1;
            if (text[i] == '\\' && ++i == text.Length)
                return -1;
            if (text[i] is < (byte)' ' or 0x7F)
                return -1;
        }

        return -1;
    }

    /// <summary>Octets of the domain or literal at the front; 0 or less when it is ill-formed.</summary>
    private static int DomainLength(ReadOnlySpan<byte> text, AddressRules rules)
    {
        if (!text.IsEmpty && text[0] == '[')
            return LiteralLength(text);
        var at = 0;
        while (true)
        {
            var label = LabelLength(text[at..], (rules & AddressRules.Relaxed) != 0);
            if (label <= 0)
                return -1;
            at += label;
            if (at == text.Length || text[at] != '.')
                return at <= MaxDomain ? at : -1;
            at++;
        }
    }

    private static int LabelLength(ReadOnlySpan<byte> text, bool relaxed)
    {
        var length = 0;
        while (length < text.Length && (LabelOctets.Contains(text[length]) || text[length] >= 0x80 || (relaxed && text[length] == '_')))
            length++;
        return length is 0 or > MaxLabel || text[0] == '-' || text[length - 1] == '-' ? -1 : length;
    }

    private static int LiteralLength(ReadOnlySpan<byte> text)
    {
        var end = text[..Math.Min(text.Length, 64)].IndexOf((byte)']');
        return end > 1 && TryParseLiteral(text[1..end], out _) ? end + 1 : -1;
    }

    /// <summary>Reads what stands between the brackets of an address literal: dotted IPv4, or <c>IPv6:</c> and an address.</summary>
    public static bool TryParseLiteral(ReadOnlySpan<byte> text, out IPAddress address)
    {
        address = IPAddress.None;
        var isV6 = text.Length > 5 && Ascii.EqualsIgnoreCase(text[..5], "IPv6:"u8);
        var literal = isV6 ? text[5..] : text;
        // IPAddress also takes scopes, brackets and short forms ("10.1"); a literal has none of them.
        if (literal.ContainsAnyExcept(LiteralOctets) || (!isV6 && literal.Count((byte)'.') != 3)
            || !IPAddress.TryParse(Encoding.ASCII.GetString(literal), out var parsed)
            || parsed.AddressFamily != (isV6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork))
        {
            return false;
        }

        address = parsed;
        return true;
    }

    /// <summary>Takes <c>@a,@b:</c> off the front.</summary>
    private static bool TryTakeRoute(ref ReadOnlySpan<byte> text)
    {
        while (!text.IsEmpty && text[0] == '@')
        {
            var domain = DomainLength(text[1..], AddressRules.Relaxed);
            if (domain <= 0 || 1 + domain >= text.Length)
                return false;
            var separator = text[1 + domain];
            text = text[(domain + 2)..];
            if (separator == ':')
                return true;
            if (separator != ',')
                return false;
        }

        return false;
    }
}
