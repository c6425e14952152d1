using System.Globalization;
using System.Text;

namespace Veredus.Logging;

/// <summary>The letters of strftime(3) that time stamps of logs use, in the C locale and UTC.</summary>
internal static class Strftime
{
    /// <summary>Formats; letters that are not known stay as they are.</summary>
    public static string Format(string format, DateTimeOffset time)
    {
        var text = new StringBuilder();
        for (var at = 0; at < format.Length; at++)
        {
            if (format[at] != '%' || at + 1 == format.Length)
            {
                text.Append(format[at]);
                continue;
            }
            at++;
            var letter = format[at] switch
            {
                'a' => "ddd",
                'A' => "dddd",
                'b' or 'h' => "MMM",
                'B' => "MMMM",
                'd' => "dd",
                'F' => "yyyy-MM-dd",
                'H' => "HH",
                'I' => "hh",
                'm' => "MM",
                'M' => "mm",
                'p' => "tt",
                'S' => "ss",
                'T' => "HH:mm:ss",
                'y' => "yy",
                'Y' => "yyyy",
                _ => null,
            };
            text.Append(letter is not null ? time.ToString(letter, CultureInfo.InvariantCulture) : format[at] switch
            {
                'e' => time.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
                'j' => time.DayOfYear.ToString("D3", CultureInfo.InvariantCulture),
                's' => time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
                'z' => "+0000",
                'Z' => "UTC",
                'n' => "\n",
                't' => "\t",
                '%' => "%",
                var other => $"%{other}",
            });
        }
        return text.ToString();
    }
}
