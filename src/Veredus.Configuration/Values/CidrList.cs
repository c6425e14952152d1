using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Veredus.Configuration;

/// <summary>A set of networks. Looking up an address costs one hash per distinct prefix length, whatever the size.</summary>
public sealed class CidrList
{
    public static readonly CidrList Empty = new([]);
    private readonly (int Bits, HashSet<UInt128> Networks)[] _v4;
    private readonly (int Bits, HashSet<UInt128> Networks)[] _v6;

    public CidrList(IReadOnlyList<IPNetwork> networks)
    {
        Networks = networks;
        _v4 = Group(networks, AddressFamily.InterNetwork);
        _v6 = Group(networks, AddressFamily.InterNetworkV6);
    }

    /// <summary>The networks as written, host bits cleared.</summary>
    public IReadOnlyList<IPNetwork> Networks { get; }

    public bool IsEmpty => Networks.Count == 0;

    /// <summary>Whether <paramref name="address"/> is in one of the networks. An IPv4-mapped IPv6 address counts as IPv4.</summary>
    public bool Contains(IPAddress address)
    {
        var bits = AddressBits.Of(address, out var isV4);
        foreach (var (length, networks) in isV4 ? _v4 : _v6)
        {
            if (networks.Contains(AddressBits.Mask(bits, length, isV4)))
                return true;
        }
        return false;
    }

    /// <summary>Reads <c>address</c> or <c>address/bits</c>; brackets round IPv6 are taken off, host bits cleared.</summary>
    public static bool TryParseNetwork(string text, out IPNetwork network)
    {
        network = default;
        var slash = text.LastIndexOf('/');
        var address = slash < 0 ? text : text[..slash];
        if (address.StartsWith('[') && address.EndsWith(']'))
            address = address[1..^1];
        if (!AddressBits.TryParse(address, out var parsed))
            return false;
        var width = parsed.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
        var bits = width;
        if (slash >= 0 && (!int.TryParse(text.AsSpan(slash + 1), System.Globalization.NumberStyles.None, null, out bits) || bits > width))
            return false;
        network = new(AddressBits.ClearHostBits(parsed, bits), bits);
        return true;
    }

    private static (int, HashSet<UInt128>)[] Group(IEnumerable<IPNetwork> networks, AddressFamily family) =>
        [.. networks.Where(n => n.BaseAddress.AddressFamily == family).GroupBy(n => n.PrefixLength).OrderBy(g => g.Key)
            .Select(g => (g.Key, g.Select(n => AddressBits.Of(n.BaseAddress, out _)).ToHashSet()))];
}

/// <summary>Addresses as numbers: IPv4 in 32 bits, IPv6 in 128.</summary>
internal static class AddressBits
{
    public static UInt128 Of(IPAddress address, out bool isV4)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var length);
        isV4 = length == 4;
        if (isV4)
            return BinaryPrimitives.ReadUInt32BigEndian(bytes);
        isV4 = address.IsIPv4MappedToIPv6;
        return isV4 ? BinaryPrimitives.ReadUInt32BigEndian(bytes[12..]) : BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    public static UInt128 Mask(UInt128 bits, int length, bool isV4)
    {
        var host = (isV4 ? 32 : 128) - length;
        return host >= 128 ? 0 : bits >> host << host;
    }

    public static IPAddress ClearHostBits(IPAddress address, int length)
    {
        var masked = Mask(Of(address, out var isV4), length, isV4);
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, masked);
        return new(isV4 ? bytes[12..] : bytes);
    }

    /// <summary>Four decimal numbers or an IPv6 text; no shorthand such as <c>10.1</c>, no zone, no leading zeros; mapped IPv4 becomes IPv4.</summary>
    public static bool TryParse(string text, out IPAddress address)
    {
        address = IPAddress.None;
        if (text.Contains('%', StringComparison.Ordinal) || text.Contains('[', StringComparison.Ordinal) || !IPAddress.TryParse(text, out var parsed))
            return false;
        if (parsed.AddressFamily == AddressFamily.InterNetwork && parsed.ToString() != text)
            return false;
        address = parsed.IsIPv4MappedToIPv6 ? parsed.MapToIPv4() : parsed;
        return true;
    }
}
