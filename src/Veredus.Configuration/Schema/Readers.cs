using System.Globalization;
using System.Net;
using System.Security.Authentication;

namespace Veredus.Configuration;

/// <summary>Readers of the value types of configuration.md section 4.</summary>
internal static class Readers
{
    public delegate bool TextReader<T>(string text, out T value);

    /// <summary>A reader for one word or text; lists and dictionaries are refused.</summary>
    public static ValueReader<T> Scalar<T>(string expected, TextReader<T> parse) => (RawValue raw, out T value, out ValueError error) =>
    {
        value = default!;
        error = new(raw.Kind == RawKind.Scalar ? "CFG-0301" : "CFG-0303", expected);
        return raw.Kind == RawKind.Scalar && parse(raw.Text, out value);
    };

    /// <summary>A reader for a list; a single text counts as a list of one.</summary>
    public static ValueReader<T> List<T, TItem>(string expected, TextReader<TItem> parse, Func<IReadOnlyList<TItem>, T> make) => (RawValue raw, out T value, out ValueError error) =>
    {
        value = default!;
        error = new("CFG-0303", expected);
        if (raw.Kind == RawKind.Dictionary)
            return false;
        var texts = raw.Kind == RawKind.List ? raw.Items : [raw.Text];
        var items = new TItem[texts.Count];
        for (var i = 0; i < items.Length; i++)
        {
            if (!parse(texts[i], out items[i]))
            {
                error = new("CFG-0301", $"{expected}; '{texts[i]}' is none");
                return false;
            }
        }
        value = make(items);
        return true;
    };

    public static bool Dictionary(RawValue raw, out ValueDictionary value, out ValueError error)
    {
        var empty = raw.Kind == RawKind.List && raw.Items.Count == 0;
        value = raw.Kind == RawKind.Dictionary ? new(raw.Pairs) : ValueDictionary.Empty;
        error = new("CFG-0303", "a dictionary '[ key = value ... ]'");
        return raw.Kind == RawKind.Dictionary || empty;
    }

    public static bool Bool(string text, out bool value)
    {
        var word = text.ToLowerInvariant();
        value = word is "true" or "on" or "enabled" or "1" or "yes";
        return value || word is "false" or "off" or "disabled" or "0" or "no";
    }

    public static ValueReader<T> Bounded<T>(TextReader<T> parse, T min, T max, string unit) where T : IComparable<T> => (RawValue raw, out T value, out ValueError error) =>
    {
        value = default!;
        error = new("CFG-0303", unit);
        if (raw.Kind != RawKind.Scalar)
            return false;
        error = new("CFG-0301", unit);
        if (!parse(raw.Text, out value))
            return false;
        error = new("CFG-0302", $"{unit} from {Show(min)} to {Show(max)}");
        return value.CompareTo(min) >= 0 && value.CompareTo(max) <= 0;
    };

    private static string Show<T>(T value) => value is TimeSpan span
        ? ((long)span.TotalSeconds).ToString(CultureInfo.InvariantCulture)
        : string.Create(CultureInfo.InvariantCulture, $"{value}");

    public static bool Int(string text, out int value) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value) && !text.StartsWith('+');

    public static bool Number(string text, out double value) =>
        double.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out value);

    public static bool Bytes(string text, out long value)
    {
        var shift = text.Length == 0 ? 0 : char.ToUpperInvariant(text[^1]) switch { 'K' => 10, 'M' => 20, 'G' => 30, _ => 0 };
        var number = shift == 0 ? text : text[..^1];
        if (!long.TryParse(number, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value) || Math.Abs(value) > long.MaxValue >> shift)
            return false;
        value <<= shift;
        return true;
    }

    public static bool Seconds(string text, out TimeSpan value)
    {
        value = default;
        var digits = 0;
        while (digits < text.Length && (char.IsAsciiDigit(text[digits]) || text[digits] is '.' or '-'))
            digits++;
        var unit = text[digits..].Trim().ToLowerInvariant() switch
        {
            "" or "s" or "sec" or "second" or "seconds" => 1,
            "m" or "min" or "minute" or "minutes" => 60,
            "h" or "hour" or "hours" => 3600,
            "d" or "day" or "days" => 86400,
            "w" or "week" or "weeks" => 604800,
            _ => 0,
        };
        if (unit == 0 || !decimal.TryParse(text.AsSpan(0, digits), NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
            || Math.Abs(number) > 10_000_000_000m)
            return false;
        value = TimeSpan.FromTicks((long)(number * unit * TimeSpan.TicksPerSecond));
        return true;
    }

    public static bool Octal(string text, out UnixFileMode mode)
    {
        mode = default;
        if (text.Length is 0 or > 5 || text.AsSpan().IndexOfAnyExceptInRange('0', '7') >= 0)
            return false;
        var bits = Convert.ToInt32(text, 8);
        mode = (UnixFileMode)bits;
        return bits <= 0xFFF;
    }

    public static bool Text(string text, out string? value)
    {
        value = text;
        return !text.Contains('\r', StringComparison.Ordinal) && !text.Contains('\n', StringComparison.Ordinal);
    }

    public static bool HostName(string text, out string? value)
    {
        var good = InstanceNames.TryHostOrAddress(text, out var host);
        value = host;
        return good;
    }

    public static bool LogSafeName(string text, out string? value)
    {
        value = text;
        return InstanceNames.IsLogSafe(text);
    }

    public static bool Cidr(string text, out IPNetwork value) => CidrList.TryParseNetwork(text, out value);

    public static bool DomainGlob(string text, out string value)
    {
        value = text.ToLowerInvariant();
        if (!text.StartsWith('*'))
            return InstanceNames.Canonical(InstanceKind.Domain, text, out _) is { } domain && (value = domain) is not null && !InstanceNames.IsRegex(text);
        var rest = text[1..].TrimStart('.');
        if (rest.Length == 0)
            return text is "*";
        if (!InstanceNames.TryHost(rest, out var host) || text[1..].StartsWith("..", StringComparison.Ordinal))
            return false;
        value = (text[1] == '.' ? "*." : "*") + host;
        return true;
    }

    public static bool Regex(string text, out Pattern value) => Pattern.TryParse(text, ignoreCase: false, out value, out _);

    /// <summary><c>+ALL:-TLSv1.2</c>: from nothing, left to right. ALL is TLS 1.2 and 1.3; SSL can't be switched on.</summary>
    public static bool TlsProtocols(string text, out SslProtocols value)
    {
        value = SslProtocols.None;
        foreach (var part in text.Split([':', ' ', ','], StringSplitOptions.RemoveEmptyEntries))
        {
            var remove = part[0] == '-';
            var name = part.TrimStart('+', '-').ToUpperInvariant();
#pragma warning disable CA5397, CA5398, SYSLIB0039 // old versions only when an operator names them
            var bits = name switch
            {
                "ALL" or "VERS-TLS-ALL" => SslProtocols.Tls12 | SslProtocols.Tls13,
                "TLSV1" or "TLSV1.0" => SslProtocols.Tls,
                "TLSV1.1" => SslProtocols.Tls11,
                "TLSV1.2" => SslProtocols.Tls12,
                "TLSV1.3" => SslProtocols.Tls13,
                _ => SslProtocols.None,
            };
#pragma warning restore CA5397, CA5398, SYSLIB0039
            if (bits == SslProtocols.None && !(remove && name is "SSLV2" or "SSLV3"))
                return false;
            value = remove ? value & ~bits : value | bits;
        }
        return value != SslProtocols.None;
    }
}
