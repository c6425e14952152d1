using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;

namespace Veredus.Duravip;

/// <summary>One IP address in canonical form: four or sixteen bytes, no scope; an IPv4-mapped IPv6 address is its IPv4 address.</summary>
/// <remarks>Ordered as the election wants it: IPv4 before IPv6, then by bytes.</remarks>
public readonly struct VipAddress : IEquatable<VipAddress>, IComparable<VipAddress>
{
    private readonly UInt128 _bits;
    private readonly bool _isV6;

    private VipAddress(UInt128 bits, bool isV6) => (_bits, _isV6) = (bits, isV6);

    public bool IsV6 => _isV6;

    /// <summary>4 or 16.</summary>
    public int Length => _isV6 ? 16 : 4;

    /// <summary>32 or 128: the prefix length of a single host.</summary>
    public int HostPrefix => _isV6 ? 128 : 32;

    public static VipAddress From(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        Span<byte> bytes = stackalloc byte[16];
        if (!address.TryWriteBytes(bytes, out var length))
            throw new ArgumentException($"'{address}' is not an IP address.", nameof(address));
        return FromBytes(bytes[..length]);
    }

    /// <summary>Takes 4 or 16 bytes in network order.</summary>
    /// <exception cref="ArgumentException">Any other length.</exception>
    public static VipAddress FromBytes(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length == 4)
            return new(BinaryPrimitives.ReadUInt32BigEndian(bytes), isV6: false);
        if (bytes.Length != 16)
            throw new ArgumentException("An address has 4 or 16 bytes.", nameof(bytes));
        var bits = BinaryPrimitives.ReadUInt128BigEndian(bytes);
        return bits >> 32 == 0xFFFF ? new((uint)bits, isV6: false) : new(bits, isV6: true);
    }

    public static bool TryParse([NotNullWhen(true)] string? text, out VipAddress address)
    {
        address = default;
        if (text is null || text.Contains('%') || !IPAddress.TryParse(text, out var parsed))
            return false;
        // "10.1" is an address for the C library and a typing error for an operator.
        if (parsed.AddressFamily == AddressFamily.InterNetwork && text.AsSpan().Count('.') != 3)
            return false;
        address = From(parsed);
        return true;
    }

    public static VipAddress Parse(string text) =>
        TryParse(text, out var address) ? address : throw new FormatException($"'{text}' is not an IP address.");

    /// <summary>Writes the <see cref="Length"/> canonical bytes and returns their number.</summary>
    public int WriteTo(Span<byte> destination)
    {
        if (_isV6)
            BinaryPrimitives.WriteUInt128BigEndian(destination, _bits);
        else
            BinaryPrimitives.WriteUInt32BigEndian(destination, (uint)_bits);
        return Length;
    }

    public IPAddress ToIPAddress()
    {
        Span<byte> bytes = stackalloc byte[16];
        return new(bytes[..WriteTo(bytes)]);
    }

    /// <summary>True if this address lies in <paramref name="network"/>/<paramref name="prefix"/>.</summary>
    public bool IsIn(VipAddress network, int prefix)
    {
        if (network._isV6 != _isV6)
            return false;
        var shift = HostPrefix - prefix;
        return prefix == 0 || _bits >> shift == network._bits >> shift;
    }

    /// <summary>64 well-mixed bits of this address; the same on every node.</summary>
    internal ulong Hash64 => Mixing.Combine(Mixing.Combine(_isV6 ? 6UL : 4UL, (ulong)(_bits >> 64)), (ulong)_bits);

    public bool Equals(VipAddress other) => _bits == other._bits && _isV6 == other._isV6;
    public override bool Equals(object? obj) => obj is VipAddress other && Equals(other);
    public override int GetHashCode() => HashCode.Combine((ulong)_bits, (ulong)(_bits >> 64), _isV6);
    public int CompareTo(VipAddress other) => _isV6 == other._isV6 ? _bits.CompareTo(other._bits) : _isV6.CompareTo(other._isV6);
    public override string ToString() => ToIPAddress().ToString();

    public static bool operator ==(VipAddress left, VipAddress right) => left.Equals(right);
    public static bool operator !=(VipAddress left, VipAddress right) => !left.Equals(right);
    public static bool operator <(VipAddress left, VipAddress right) => left.CompareTo(right) < 0;
    public static bool operator >(VipAddress left, VipAddress right) => left.CompareTo(right) > 0;
    public static bool operator <=(VipAddress left, VipAddress right) => left.CompareTo(right) <= 0;
    public static bool operator >=(VipAddress left, VipAddress right) => left.CompareTo(right) >= 0;
}
