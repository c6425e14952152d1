using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Veredus.Spool;

/// <summary>Names a message, a batch or a connection: <c>XX/YY-PPPPP-SSSSSSSS</c>.</summary>
/// <remarks>
/// SSSSSSSS is the time slot (Unix seconds, 32 bits) in upper-case hex written backwards digit by digit, PPPPP the node
/// number in decimal, XXYY a 16-bit counter in hex, backwards. Counter 1 reads <c>10/00</c>, slot 1790000000 reads
/// <c>08B31BA6</c>. <see cref="Value"/> grows with time, so IDs of one node sort in the order of their making.
/// </remarks>
public readonly record struct MessageId : IComparable<MessageId>, ISpanFormattable, IUtf8SpanFormattable, IUtf8SpanParsable<MessageId>, ISpanParsable<MessageId>
{
    /// <summary>Length of the text form, in characters and in octets.</summary>
    public const int TextLength = 20;

    public MessageId(uint slot, ushort node, ushort counter) => Value = (ulong)slot << 32 | (ulong)node << 16 | counter;

    /// <summary>Takes back what <see cref="Value"/> gave.</summary>
    public MessageId(ulong value) => Value = value;

    /// <summary>Slot, node and counter in one number, most significant first; 0 is no message.</summary>
    public ulong Value { get; }

    /// <summary>Unix seconds; may run ahead of the clock when a node draws more than 65,535 IDs in a second.</summary>
    public uint Slot => (uint)(Value >> 32);

    public ushort Node => (ushort)(Value >> 16);

    public ushort Counter => (ushort)Value;

    public int CompareTo(MessageId other) => Value.CompareTo(other.Value);

    public static bool operator <(MessageId left, MessageId right) => left.Value < right.Value;

    public static bool operator >(MessageId left, MessageId right) => left.Value > right.Value;

    public static bool operator <=(MessageId left, MessageId right) => left.Value <= right.Value;

    public static bool operator >=(MessageId left, MessageId right) => left.Value >= right.Value;

    public override string ToString() => string.Create(TextLength, this, static (text, id) => id.TryFormat(text, out _));

    /// <summary>Writes the 20 characters; <see langword="false"/> when they do not fit.</summary>
    public bool TryFormat(Span<char> destination, out int charsWritten)
    {
        charsWritten = 0;
        Span<byte> text = stackalloc byte[TextLength];
        if (destination.Length < TextLength)
            return false;
        TryFormat(text, out _);
        charsWritten = Encoding.ASCII.GetChars(text, destination);
        return true;
    }

    /// <summary>Writes the 20 octets; <see langword="false"/> when they do not fit.</summary>
    public bool TryFormat(Span<byte> utf8Destination, out int bytesWritten)
    {
        bytesWritten = 0;
        if (utf8Destination.Length < TextLength)
            return false;
        PutReversedHex(utf8Destination, Counter, 2);
        utf8Destination[2] = (byte)'/';
        PutReversedHex(utf8Destination[3..], (uint)Counter >> 8, 2);
        utf8Destination[5] = (byte)'-';
        var node = (uint)Node;
        for (var digit = 10; digit > 5; digit--, node /= 10)
            utf8Destination[digit] = (byte)('0' + node % 10);
        utf8Destination[11] = (byte)'-';
        PutReversedHex(utf8Destination[12..], Slot, 8);
        bytesWritten = TextLength;
        return true;
    }

    /// <summary>Reads exactly the text form; lower-case hex is not accepted, so one message has one spelling.</summary>
    public static bool TryParse(ReadOnlySpan<byte> utf8Text, out MessageId id)
    {
        id = default;
        if (utf8Text.Length != TextLength || utf8Text[2] != '/' || utf8Text[5] != '-' || utf8Text[11] != '-')
            return false;
        uint node = 0;
        foreach (var digit in utf8Text[6..11])
        {
            if (digit is < (byte)'0' or > (byte)'9')
                return false;
            node = node * 10 + (uint)(digit - '0');
        }
        if (node > ushort.MaxValue || !TryGetReversedHex(utf8Text[..2], out var low) || !TryGetReversedHex(utf8Text[3..5], out var high) || !TryGetReversedHex(utf8Text[12..], out var slot))
            return false;
        id = new(slot, (ushort)node, (ushort)(high << 8 | low));
        return true;
    }

    /// <inheritdoc cref="TryParse(ReadOnlySpan{byte}, out MessageId)"/>
    public static bool TryParse(ReadOnlySpan<char> text, out MessageId id)
    {
        id = default;
        Span<byte> octets = stackalloc byte[TextLength];
        return text.Length == TextLength && Ascii.FromUtf16(text, octets, out _) == System.Buffers.OperationStatus.Done && TryParse(octets, out id);
    }

    /// <exception cref="FormatException">Not a message ID.</exception>
    public static MessageId Parse(ReadOnlySpan<char> text) =>
        TryParse(text, out var id) ? id : throw new FormatException($"'{text}' is not a message ID; one looks like '10/00-00007-08B31BA6'.");

    private static void PutReversedHex(Span<byte> target, uint value, int digits)
    {
        for (var i = 0; i < digits; i++, value >>= 4)
            target[i] = "0123456789ABCDEF"u8[(int)(value & 15)];
    }

    private static bool TryGetReversedHex(ReadOnlySpan<byte> source, out uint value)
    {
        value = 0;
        for (var i = source.Length - 1; i >= 0; i--)
        {
            uint digit;
            if (source[i] is >= (byte)'0' and <= (byte)'9')
                digit = (uint)(source[i] - '0');
            else if (source[i] is >= (byte)'A' and <= (byte)'F')
                digit = (uint)(source[i] - 'A' + 10);
            else
                return false;
            value = value << 4 | digit;
        }
        return true;
    }

    string IFormattable.ToString(string? format, IFormatProvider? formatProvider) => ToString();

    bool ISpanFormattable.TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider) => TryFormat(destination, out charsWritten);

    bool IUtf8SpanFormattable.TryFormat(Span<byte> utf8Destination, out int bytesWritten, ReadOnlySpan<char> format, IFormatProvider? provider) => TryFormat(utf8Destination, out bytesWritten);

    static MessageId IUtf8SpanParsable<MessageId>.Parse(ReadOnlySpan<byte> utf8Text, IFormatProvider? provider) => TryParse(utf8Text, out var id) ? id : Parse(Encoding.UTF8.GetString(utf8Text));

    static bool IUtf8SpanParsable<MessageId>.TryParse(ReadOnlySpan<byte> utf8Text, IFormatProvider? provider, out MessageId result) => TryParse(utf8Text, out result);

    static MessageId ISpanParsable<MessageId>.Parse(ReadOnlySpan<char> s, IFormatProvider? provider) => Parse(s);

    static bool ISpanParsable<MessageId>.TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out MessageId result) => TryParse(s, out result);

    static MessageId IParsable<MessageId>.Parse(string s, IFormatProvider? provider) => Parse(s);

    static bool IParsable<MessageId>.TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out MessageId result) => TryParse(s, out result);
}
