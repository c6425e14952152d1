using System.Buffers.Binary;
using System.Globalization;

namespace Veredus.Network;

/// <summary>A 48-bit Ethernet address, printed as <c>02:fc:00:00:00:01</c>.</summary>
public readonly record struct MacAddress
{
    public static readonly MacAddress None;
    public static readonly MacAddress Broadcast = new(0xFFFF_FFFF_FFFF);

    private readonly ulong _value;

    private MacAddress(ulong value) => _value = value;

    /// <summary>Reads the six octets of a link-layer address; other lengths (InfiniBand, tunnels) give <see cref="None"/>.</summary>
    public static MacAddress FromBytes(ReadOnlySpan<byte> bytes) => bytes.Length != 6
        ? None
        : new((ulong)BinaryPrimitives.ReadUInt16BigEndian(bytes) << 32 | BinaryPrimitives.ReadUInt32BigEndian(bytes[2..]));

    /// <summary>The multicast address that carries an IPv6 group (RFC 2464 §7): 33:33 and its last four octets.</summary>
    public static MacAddress ForIPv6Group(ReadOnlySpan<byte> group) => new(0x3333_0000_0000UL | BinaryPrimitives.ReadUInt32BigEndian(group[12..]));

    /// <summary>Writes six octets.</summary>
    public void WriteTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt16BigEndian(destination, (ushort)(_value >> 32));
        BinaryPrimitives.WriteUInt32BigEndian(destination[2..], (uint)_value);
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{(byte)(_value >> 40):x2}:{(byte)(_value >> 32):x2}:{(byte)(_value >> 24):x2}:{(byte)(_value >> 16):x2}:{(byte)(_value >> 8):x2}:{(byte)_value:x2}");
}
