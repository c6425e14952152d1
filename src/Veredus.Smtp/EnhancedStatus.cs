using System.Globalization;

namespace Veredus.Smtp;

/// <summary>An enhanced status code, e.g. 4.3.1 (RFC 3463 §2). <see langword="default"/> means "none".</summary>
/// <param name="Class">2, 4 or 5; 0 when there is no enhanced code.</param>
/// <param name="Subject">0–999.</param>
/// <param name="Detail">0–999.</param>
public readonly record struct EnhancedStatus(byte Class, ushort Subject, ushort Detail)
{
    public static readonly EnhancedStatus None;

    public bool IsNone => Class == 0;

    /// <summary>Reads a code at the start of a reply's text and moves <paramref name="text"/> behind it and its blank.</summary>
    /// <returns><see langword="false"/>, and nothing moved, when the text doesn't begin with class "." subject "." detail.</returns>
    public static bool TryTake(ref ReadOnlySpan<byte> text, out EnhancedStatus status)
    {
        status = default;
        if (text.Length < 5 || text[0] is not ((byte)'2' or (byte)'4' or (byte)'5') || text[1] != '.')
            return false;
        var rest = text[2..];
        if (!TryTakeNumber(ref rest, out var subject) || rest.IsEmpty || rest[0] != '.')
            return false;
        rest = rest[1..];
        if (!TryTakeNumber(ref rest, out var detail) || (!rest.IsEmpty && rest[0] != ' '))
            return false;
        status = new((byte)(text[0] - '0'), subject, detail);
        text = rest.IsEmpty ? rest : rest[1..];
        return true;
    }

    private static bool TryTakeNumber(ref ReadOnlySpan<byte> text, out ushort number)
    {
        var digits = 0;
        number = 0;
        while (digits < text.Length && digits < 3 && char.IsAsciiDigit((char)text[digits]))
            number = (ushort)(number * 10 + (text[digits++] - '0'));
        text = text[digits..];
        return digits > 0;
    }

    public override string ToString() => IsNone ? "" : string.Create(CultureInfo.InvariantCulture, $"{Class}.{Subject}.{Detail}");
}
