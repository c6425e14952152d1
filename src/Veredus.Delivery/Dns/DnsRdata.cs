using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Text;

namespace Veredus.Delivery.Dns;

/// <summary>Reads uncompressed record data (RFC 1035 §3.3), as libunbound hands it out. Total: bad bytes give <see langword="false"/>.</summary>
internal static class DnsRdata
{
    /// <summary>Most octets of a name on the wire (RFC 1035 §2.3.4).</summary>
    private const int MaxNameOctets = 255;

    public static bool TryReadAddress(DnsType type, ReadOnlySpan<byte> data, [NotNullWhen(true)] out IPAddress? address)
    {
        var fits = type switch { DnsType.A => data.Length == 4, DnsType.Aaaa => data.Length == 16, _ => false };
        address = fits ? new IPAddress(data) : null;
        return fits;
    }

    public static bool TryReadMx(ReadOnlySpan<byte> data, out MxRecord record)
    {
        record = default;
        if (data.Length < 3 || !TryReadName(data[2..], out var host))
            return false;
        record = new(BinaryPrimitives.ReadUInt16BigEndian(data), host);
        return true;
    }

    /// <summary>Reads a name to text in lower case without the trailing dot; the root is <c>""</c>.</summary>
    /// <remarks>Only letters, digits, <c>-</c> and <c>_</c> are let through: a name ends up in logs, in SNI and in console output.</remarks>
    public static bool TryReadName(ReadOnlySpan<byte> data, [NotNullWhen(true)] out string? name)
    {
        name = null;
        if (data.Length > MaxNameOctets)
            return false;
        var text = new StringBuilder(data.Length);
        while (!data.IsEmpty)
        {
            int length = data[0];
            if (length == 0)
            {
                name = text.ToString();
                return data.Length == 1;
            }
            if (length > 63 || length >= data.Length)
                return false;
            if (text.Length > 0)
                text.Append('.');
            foreach (var octet in data.Slice(1, length))
            {
                if (!char.IsAsciiLetterOrDigit((char)octet) && octet is not ((byte)'-' or (byte)'_'))
                    return false;
                text.Append(char.ToLowerInvariant((char)octet));
            }
            data = data[(length + 1)..];
        }
        return false;
    }

    /// <summary>Joins the character strings of a TXT record; bytes outside printable ASCII become <c>?</c>.</summary>
    public static bool TryReadText(ReadOnlySpan<byte> data, [NotNullWhen(true)] out string? text)
    {
        text = null;
        var joined = new StringBuilder(data.Length);
        while (!data.IsEmpty)
        {
            int length = data[0];
            if (length >= data.Length)
                return false;
            foreach (var octet in data.Slice(1, length))
                joined.Append(octet is >= 0x20 and < 0x7f ? (char)octet : '?');
            data = data[(length + 1)..];
        }
        text = joined.ToString();
        return true;
    }
}
