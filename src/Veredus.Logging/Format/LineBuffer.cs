using System.Buffers.Text;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Unicode;

namespace Veredus.Logging;

/// <summary>A growing UTF-8 buffer in which one log line is put together. Reused, not thread-safe.</summary>
public sealed class LineBuffer
{
    private byte[] _bytes = new byte[1024];
    private int _length;

    /// <summary>What was written since <see cref="Clear"/>; a view that the next write may invalidate.</summary>
    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, _length);

    /// <summary>Empties the buffer; one that a single huge line has grown is given back.</summary>
    public void Clear()
    {
        _length = 0;
        if (_bytes.Length > 64 * 1024)
            _bytes = new byte[1024];
    }

    public void Append(byte value)
    {
        Reserve(1)[0] = value;
        _length++;
    }

    public void Append(ReadOnlySpan<byte> utf8)
    {
        utf8.CopyTo(Reserve(utf8.Length));
        _length += utf8.Length;
    }

    /// <summary>Appends text as UTF-8; half of a surrogate pair becomes U+FFFD.</summary>
    public void Append(ReadOnlySpan<char> text)
    {
        Utf8.FromUtf16(text, Reserve(Encoding.UTF8.GetMaxByteCount(text.Length)), out _, out var written);
        _length += written;
    }

    public void Append(long value)
    {
        Utf8Formatter.TryFormat(value, Reserve(20), out var written);
        _length += written;
    }

    public void Append<T>(T value, int maxBytes) where T : IUtf8SpanFormattable
    {
        if (!value.TryFormat(Reserve(maxBytes), out var written, default, null))
            throw new ArgumentException($"'{value}' needs more than {maxBytes} octets.", nameof(value));
        _length += written;
    }

    /// <summary>Appends an address without port; an IPv4-mapped IPv6 address as IPv4.</summary>
    public void Append(IPAddress address) => Append(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, maxBytes: 80);

    /// <summary>Appends <c>ip:port</c> or <c>[ip6]:port</c>.</summary>
    public void Append(IPEndPoint endPoint)
    {
        var bracketed = endPoint.Address is { AddressFamily: AddressFamily.InterNetworkV6, IsIPv4MappedToIPv6: false };
        if (bracketed)
            Append((byte)'[');
        Append(endPoint.Address);
        Append(bracketed ? "]:"u8 : ":"u8);
        Append(endPoint.Port);
    }

    /// <summary>Appends seconds with six significant digits and no trailing zeros (<c>0.393</c>, <c>172800</c>).</summary>
    public void AppendSeconds(TimeSpan duration)
    {
        var ticks = duration.Ticks;
        if (ticks < 0)
        {
            Append((byte)'-');
            ticks = ticks == long.MinValue ? long.MaxValue : -ticks;
        }
        // Ticks are seconds with seven decimals. Drop decimals (rounding) until six significant digits are left.
        var decimals = 7;
        for (var digits = Digits(ticks); digits > 6 && decimals > 0; digits = Digits(ticks))
            (ticks, decimals) = ((ticks / 10) + (ticks % 10 >= 5 ? 1 : 0), decimals - 1);
        for (; decimals > 0 && ticks % 10 == 0; decimals--)
            ticks /= 10;
        var unit = Pow10(decimals);
        Append(ticks / unit);
        if (decimals == 0)
            return;
        Append((byte)'.');
        Utf8Formatter.TryFormat(ticks % unit, Reserve(20), out var written, new('D', (byte)decimals));
        _length += written;

        static int Digits(long value)
        {
            var digits = 1;
            for (; value >= 10; value /= 10)
                digits++;
            return digits;
        }

        static long Pow10(int exponent)
        {
            var power = 1L;
            for (; exponent > 0; exponent--)
                power *= 10;
            return power;
        }
    }

    public override string ToString() => Encoding.UTF8.GetString(Written);

    private Span<byte> Reserve(int count)
    {
        if (_bytes.Length - _length < count)
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _length + count));
        return _bytes.AsSpan(_length);
    }
}
