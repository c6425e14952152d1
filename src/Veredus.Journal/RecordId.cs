using System.Globalization;

namespace Veredus.Journal;

/// <summary>Names one record: the segment it is in and its 1-based place there. Marker 0 means "before the first record of this segment" and appears in checkpoints only.</summary>
/// <remarks>Printed as <c>0000000a:0000002a</c>, lower-case hex.</remarks>
public readonly record struct RecordId(uint Segment, uint Marker) : IComparable<RecordId>
{
    public int CompareTo(RecordId other) => Segment != other.Segment ? Segment.CompareTo(other.Segment) : Marker.CompareTo(other.Marker);

    public static bool operator <(RecordId left, RecordId right) => left.CompareTo(right) < 0;

    public static bool operator >(RecordId left, RecordId right) => left.CompareTo(right) > 0;

    public static bool operator <=(RecordId left, RecordId right) => left.CompareTo(right) <= 0;

    public static bool operator >=(RecordId left, RecordId right) => left.CompareTo(right) >= 0;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Segment:x8}:{Marker:x8}");

    /// <summary>Reads exactly 17 characters, eight hex digits, a colon, eight hex digits; <see langword="false"/> for anything else.</summary>
    public static bool TryParse(string? text, out RecordId id)
    {
        id = default;
        if (text is not { Length: 17 } || text[8] != ':'
            || !uint.TryParse(text.AsSpan(0, 8), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var segment)
            || !uint.TryParse(text.AsSpan(9), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var marker))
            return false;
        id = new(segment, marker);
        return true;
    }
}
