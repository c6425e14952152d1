using System.Globalization;

namespace Veredus.Configuration;

/// <summary>At most <see cref="Events"/> in any <see cref="Seconds"/> seconds. <c>default</c> is unlimited.</summary>
/// <param name="Events">1 and more; 0 = unlimited.</param>
/// <param name="Seconds">Length of the window; "60/3" is a window of 3 s, not 20 per second.</param>
public readonly record struct Rate(int Events, int Seconds)
{
    public bool IsUnlimited => Events == 0;

    /// <summary>Reads <c>N</c> or <c>N/S</c>; both positive, <c>0</c> alone means unlimited.</summary>
    public static bool TryParse(string text, out Rate rate)
    {
        rate = default;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var seconds = 1;
        if (slash >= 0 && (!TryParsePart(text.AsSpan(slash + 1), out seconds) || seconds == 0))
            return false;
        if (!TryParsePart(slash < 0 ? text : text.AsSpan(0, slash), out var events) || (events == 0 && slash >= 0))
            return false;
        rate = events == 0 ? default : new(events, seconds);
        return true;
    }

    private static bool TryParsePart(ReadOnlySpan<char> text, out int number) =>
        int.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out number);

    public override string ToString() => IsUnlimited ? "0" : Seconds == 1 ? $"{Events}" : $"{Events}/{Seconds}";
}
