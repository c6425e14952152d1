using System.Globalization;

namespace Veredus.Logging;

/// <summary>
/// A journal as a log's destination: <c>jlog:///path</c>, <c>jlog:///path=&gt;subscriber</c>, <c>jlog:///path?subscribers=a,b</c>; <c>cluster://</c> means the same.
/// <c>max_bytes=10G</c> behind <c>?</c> or <c>&amp;</c> limits it: the oldest segments go, read or not.
/// </summary>
/// <param name="Directory">Absolute path of the journal, made on demand.</param>
/// <param name="Subscribers">Added where they are missing, at least one: without a subscriber nobody would keep the data.</param>
/// <param name="MaxBytes">Octets that the journal may take on disk, at least <see cref="LeastMaxBytes"/>; 0: no limit.</param>
public sealed record JournalDestination(string Directory, IReadOnlyList<string> Subscribers, long MaxBytes = 0)
{
    /// <summary>Some segments must fit: 16 MiB.</summary>
    public const long LeastMaxBytes = 16 << 20;

    /// <summary>The subscriber of a destination that names none.</summary>
    public const string DefaultSubscriber = "master";

    /// <summary>True for <c>jlog://</c> and <c>cluster://</c>, right or wrong.</summary>
    public static bool IsOne(string text) =>
        text.StartsWith("jlog://", StringComparison.OrdinalIgnoreCase) || text.StartsWith("cluster://", StringComparison.OrdinalIgnoreCase);

    /// <param name="error">What is wrong and what would be accepted.</param>
    public static bool TryParse(string text, out JournalDestination destination, out string error)
    {
        destination = null!;
        var rest = text[(text.IndexOf("://", StringComparison.Ordinal) + 3)..];
        var question = rest.IndexOf('?', StringComparison.Ordinal);
        var (query, path) = question < 0 ? ("", rest) : (rest[(question + 1)..], rest[..question]);
        string[] subscribers = [DefaultSubscriber];
        long maxBytes = 0;
        var arrow = path.IndexOf("=>", StringComparison.Ordinal);
        if (arrow >= 0)
            (subscribers, path) = ([path[(arrow + 2)..]], path[..arrow]);
        foreach (var pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var (key, value) = pair.Split('=', 2) is [var k, var v] ? (k, v) : (pair, "");
            switch (key)
            {
                case "subscribers" when arrow >= 0 || value.StartsWith('>'):
                    return Refuse("'=>' and '?subscribers=' can't be combined; list all subscribers behind '?subscribers='.", out error);
                case "subscribers":
                    subscribers = value.Split(',');
                    break;
                case "max_bytes" when TryParseBytes(value, out maxBytes) && maxBytes is 0 or >= LeastMaxBytes:
                    break;
                case "max_bytes":
                    return Refuse($"max_bytes={value} is no limit; write octets, or 500M, 10G, at least 16M (0 = no limit).", out error);
                default:
                    return Refuse($"'{key}' is not known; '?subscribers=a,b' and '?max_bytes=10G' are.", out error);
            }
        }
        rest = path;
        if (!rest.StartsWith('/') || rest.Length < 2)
            return Refuse($"the path '{rest}' is not absolute; write three slashes, as in jlog:///var/log/veredus/mainlog.cluster.", out error);
        if (Array.Find(subscribers, name => !IsName(name)) is { } bad)
            return Refuse($"'{bad}' is no subscriber's name; a name has 1 to 64 letters, digits, '_', '.' and '-'.", out error);
        destination = new(rest, [.. subscribers.Distinct(StringComparer.Ordinal)], maxBytes);
        error = "";
        return true;
    }

    private static bool Refuse(string why, out string error)
    {
        error = why;
        return false;
    }

    private static bool TryParseBytes(string text, out long bytes)
    {
        var shift = text.Length == 0 ? 0 : char.ToUpperInvariant(text[^1]) switch { 'K' => 10, 'M' => 20, 'G' => 30, 'T' => 40, _ => 0 };
        var valid = long.TryParse(shift > 0 ? text[..^1] : text, NumberStyles.None, CultureInfo.InvariantCulture, out bytes) && bytes <= long.MaxValue >> shift;
        bytes <<= shift;
        return valid;
    }

    private static bool IsName(string name) =>
        name.Length is >= 1 and <= 64 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-');
}
