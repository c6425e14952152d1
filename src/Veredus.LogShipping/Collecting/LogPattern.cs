using System.Globalization;
using System.Text;

namespace Veredus.LogShipping;

/// <summary>The option <c>logfile</c>: a path with strftime(3)'s letters and <c>%{n}</c> node, <c>%{l}</c> log, <c>%{s}</c> subcluster.</summary>
/// <remarks>What comes out always lies below the directory that stands before the first letter: names are checked, and a pattern has no <c>..</c>.</remarks>
public sealed class LogPattern
{
    private const string Letters = "aAbBcCdDeFgGhHIjklmMpPrRsSTuUVwWxXyYzZ%";
    private readonly string _pattern;
    private readonly TimeZoneInfo _zone;

    private LogPattern(string pattern, TimeZoneInfo zone) => (_pattern, _zone) = (pattern, zone);

    /// <summary>The directory that all files of the pattern are in, or below.</summary>
    public string BaseDirectory
    {
        get
        {
            var letter = _pattern.IndexOf('%', StringComparison.Ordinal);
            return Path.GetDirectoryName(letter < 0 ? _pattern : _pattern[..letter])!;
        }
    }

    /// <summary>The pattern as it was written.</summary>
    public override string ToString() => _pattern;

    /// <param name="zone">The time zone of the letters; record times are in UTC.</param>
    /// <param name="error">What is wrong, and what would be accepted.</param>
    public static bool TryParse(string text, TimeZoneInfo zone, out LogPattern pattern, out string error)
    {
        pattern = null!;
        error = !text.StartsWith('/') ? $"'{text}' is not an absolute path"
            : text.EndsWith('/') ? $"'{text}' names a directory, not a file"
            : text.Contains('\0', StringComparison.Ordinal) || text.Contains('\n', StringComparison.Ordinal) ? "the path has a control character"
            : text.Split('/').Any(part => part is ".." or ".") ? $"'{text}' leaves its directory with '..' or '.'"
            : "";
        for (var at = 0; error.Length == 0 && at < text.Length; at++)
        {
            if (text[at] != '%')
                continue;
            var rest = text.AsSpan(at + 1);
            if (rest.StartsWith("{n}", StringComparison.Ordinal) || rest.StartsWith("{l}", StringComparison.Ordinal) || rest.StartsWith("{s}", StringComparison.Ordinal))
                at += 3;
            else if (rest.Length > 0 && Letters.Contains(rest[0], StringComparison.Ordinal))
                at++;
            else
                error = $"'%{(rest.IsEmpty ? "" : rest[0])}' is not known; %{{n}} node, %{{l}} log, %{{s}} subcluster and strftime's letters are";
        }
        if (error.Length > 0)
            return false;
        pattern = new(text, zone);
        return true;
    }

    /// <summary>The file for a record.</summary>
    /// <param name="unixSeconds">The record's own time.</param>
    /// <exception cref="ArgumentException">A name that no directory may have.</exception>
    public string Expand(LogNode node, string log, long unixSeconds)
    {
        foreach (var name in (string[])[node.Name, node.Subcluster, log])
        {
            if (!LogNames.IsSafe(name))
                throw new ArgumentException($"'{name}' can't be part of a path: 1 to 64 letters, digits, '_', '.' and '-' can.");
        }
        var time = TimeZoneInfo.ConvertTime(DateTimeOffset.FromUnixTimeSeconds(unixSeconds), _zone);
        var path = new StringBuilder();
        for (var at = 0; at < _pattern.Length; at++)
        {
            if (_pattern[at] != '%')
            {
                path.Append(_pattern[at]);
            }
            else if (_pattern[at + 1] == '{')
            {
                path.Append(_pattern[at + 2] switch { 'n' => node.Name, 'l' => log, _ => node.Subcluster });
                at += 3;
            }
            else
            {
                path.Append(Letter(_pattern[++at], time));
            }
        }
        return path.ToString();
    }

    /// <summary>strftime(3) in the C locale; blanks and slashes of whole dates become part of the path as they stand.</summary>
    private static string Letter(char letter, DateTimeOffset time) => letter switch
    {
        'a' => F(time, "ddd"),
        'A' => F(time, "dddd"),
        'b' or 'h' => F(time, "MMM"),
        'B' => F(time, "MMMM"),
        'c' => $"{F(time, "ddd MMM")} {time.Day,2} {F(time, "HH:mm:ss yyyy")}",
        'C' => F(time, "yyyy")[..2],
        'd' => F(time, "dd"),
        'D' or 'x' => F(time, "MM/dd/yy"),
        'e' => $"{time.Day,2}",
        'F' => F(time, "yyyy-MM-dd"),
        'g' => (ISOWeek.GetYear(time.DateTime) % 100).ToString("D2", CultureInfo.InvariantCulture),
        'G' => ISOWeek.GetYear(time.DateTime).ToString("D4", CultureInfo.InvariantCulture),
        'H' => F(time, "HH"),
        'I' => F(time, "hh"),
        'j' => time.DayOfYear.ToString("D3", CultureInfo.InvariantCulture),
        'k' => $"{time.Hour,2}",
        'l' => $"{(time.Hour + 11) % 12 + 1,2}",
        'm' => F(time, "MM"),
        'M' => F(time, "mm"),
        'p' => F(time, "tt"),
        'P' => F(time, "tt").ToLowerInvariant(),
        'r' => F(time, "hh:mm:ss tt"),
        'R' => F(time, "HH:mm"),
        's' => time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
        'S' => F(time, "ss"),
        'T' or 'X' => F(time, "HH:mm:ss"),
        'u' => (((int)time.DayOfWeek + 6) % 7 + 1).ToString(CultureInfo.InvariantCulture),
        'U' => ((time.DayOfYear + 6 - (int)time.DayOfWeek) / 7).ToString("D2", CultureInfo.InvariantCulture),
        'V' => ISOWeek.GetWeekOfYear(time.DateTime).ToString("D2", CultureInfo.InvariantCulture),
        'w' => ((int)time.DayOfWeek).ToString(CultureInfo.InvariantCulture),
        'W' => ((time.DayOfYear + 6 - ((int)time.DayOfWeek + 6) % 7) / 7).ToString("D2", CultureInfo.InvariantCulture),
        'y' => F(time, "yy"),
        'Y' => F(time, "yyyy"),
        'z' => F(time, "zzz").Replace(":", "", StringComparison.Ordinal),
        'Z' => time.Offset == TimeSpan.Zero ? "UTC" : F(time, "zzz").Replace(":", "", StringComparison.Ordinal),
        _ => "%",
    };

    private static string F(DateTimeOffset time, string format) => time.ToString(format, CultureInfo.InvariantCulture);
}
