using System.Globalization;

namespace Veredus.Cluster;

/// <summary>One run of a process: start time and chance. A later start has a larger one; a process id alone repeats.</summary>
/// <remarks>Upper 44 bits: Unix milliseconds (until the year 2527); lower 20: random.</remarks>
public readonly record struct Incarnation(ulong Value) : IComparable<Incarnation>
{
    public static Incarnation New(TimeProvider time, Random random) =>
        new((ulong)time.GetUtcNow().ToUnixTimeMilliseconds() << 20 | (uint)random.Next(1 << 20));

    public int CompareTo(Incarnation other) => Value.CompareTo(other.Value);
    public static bool operator <(Incarnation left, Incarnation right) => left.Value < right.Value;
    public static bool operator >(Incarnation left, Incarnation right) => left.Value > right.Value;
    public static bool operator <=(Incarnation left, Incarnation right) => left.Value <= right.Value;
    public static bool operator >=(Incarnation left, Incarnation right) => left.Value >= right.Value;

    public override string ToString() => Value.ToString("x16", CultureInfo.InvariantCulture);

    public static bool TryParse(ReadOnlySpan<char> text, out Incarnation incarnation)
    {
        var ok = ulong.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value) && text.Length == 16;
        incarnation = new(ok ? value : 0);
        return ok;
    }
}
