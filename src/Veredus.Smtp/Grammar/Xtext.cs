using System.Text;

namespace Veredus.Smtp;

/// <summary>The xtext encoding of ENVID, ORCPT and AUTH= (RFC 3461 §4): "+" and two upper-case hex digits for what isn't plain.</summary>
public static class Xtext
{
    /// <summary>Is it well-formed? Printable ASCII except "+" and "=", or "+" with two upper-case hex digits.</summary>
    public static bool IsValid(ReadOnlySpan<byte> text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] is < (byte)'!' or > (byte)'~' or (byte)'=')
                return false;
            if (text[i] == '+' && (i + 2 >= text.Length || !IsHex(text[++i]) || !IsHex(text[++i])))
                return false;
        }
        return true;
    }

    /// <summary>Decodes to UTF-8 text.</summary>
    /// <returns><see langword="false"/> for ill-formed xtext or decoded octets that aren't UTF-8.</returns>
    public static bool TryDecode(string text, out string decoded)
    {
        ArgumentNullException.ThrowIfNull(text);
        decoded = "";
        var bytes = Encoding.UTF8.GetBytes(text);
        if (!IsValid(bytes))
            return false;
        var length = 0;
        for (var i = 0; i < bytes.Length; i++)
            bytes[length++] = bytes[i] == '+' ? (byte)(FromHex(bytes[++i]) << 4 | FromHex(bytes[++i])) : bytes[i];
        if (!System.Text.Unicode.Utf8.IsValid(bytes.AsSpan(0, length)))
            return false;
        decoded = Encoding.UTF8.GetString(bytes, 0, length);
        return true;
    }

    public static string Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var encoded = new StringBuilder(text.Length);
        foreach (var b in Encoding.UTF8.GetBytes(text))
        {
            if (b is >= (byte)'!' and <= (byte)'~' and not (byte)'+' and not (byte)'=')
                encoded.Append((char)b);
            else
                encoded.Append('+').Append(HexDigits[b >> 4]).Append(HexDigits[b & 15]);
        }
        return encoded.ToString();
    }

    private const string HexDigits = "0123456789ABCDEF";
    private static bool IsHex(byte b) => b is (>= (byte)'0' and <= (byte)'9') or (>= (byte)'A' and <= (byte)'F');
    private static int FromHex(byte b) => b <= '9' ? b - '0' : b - 'A' + 10;
}
