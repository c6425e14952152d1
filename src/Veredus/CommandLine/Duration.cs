using System.Globalization;

namespace Veredus.CommandLine;

/// <summary>Lengths of time as they are typed: <c>90</c> (seconds), <c>90s</c>, <c>10m</c>, <c>2h</c>, <c>1d</c>.</summary>
internal static class Duration
{
    /// <exception cref="CliException">It is none.</exception>
    public static TimeSpan Parse(string text, string option)
    {
        var digits = text.TrimEnd('s', 'm', 'h', 'd');
        var unit = (text.Length - digits.Length) switch { 0 => 's', 1 => text[^1], _ => '?' };
        var seconds = unit switch { 's' => 1L, 'm' => 60, 'h' => 3600, 'd' => 86400, _ => 0 };
        return seconds > 0 && long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= 36_500L * 86400 / seconds
            ? TimeSpan.FromSeconds(number * seconds)
            : throw new CliException(ExitCodes.Usage, $"{option} {text} is no length of time.", "As in: 90s, 10m, 2h, 1d");
    }

    /// <summary>A length of time in which something can happen.</summary>
    /// <exception cref="CliException">It is none, or nothing.</exception>
    public static TimeSpan ParsePositive(string text, string option) => Parse(text, option) is { Ticks: > 0 } some ? some
        : throw new CliException(ExitCodes.Usage, $"{option} {text} leaves no time.", "As in: 90s, 10m, 2h, 1d");
}
