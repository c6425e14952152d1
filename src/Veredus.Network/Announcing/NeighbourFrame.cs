using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Veredus.Network;

/// <summary>
/// Ethernet frames that ask for or announce an address: ARP (RFC 826, RFC 5227) for IPv4, neighbour discovery (RFC 4861, RFC 4862) for IPv6.
/// </summary>
internal static class NeighbourFrame
{
    /// <summary>Octets that the largest of them needs.</summary>
    public const int MaxSize = 86;

    public const ushort EtherTypeArp = 0x0806, EtherTypeIPv6 = 0x86DD;
    private const int EthernetHeader = 14, IPv6Header = 40;
    private const byte Icmp6 = 58, Solicitation = 135, Advertisement = 136;
    private const ushort ArpRequest = 1, ArpReply = 2;

    private static readonly byte[] s_allNodes = IPAddress.Parse("ff02::1").GetAddressBytes();

    public static ushort EtherTypeOf(IPAddress address) =>
        address.AddressFamily == AddressFamily.InterNetwork ? EtherTypeArp : EtherTypeIPv6;

    /// <summary>"Does anybody have it?", without claiming it: ARP probe (RFC 5227 §1.1) or the solicitation of RFC 4862 §5.4.2.</summary>
    public static int WriteProbe(Span<byte> frame, IPAddress address, MacAddress own)
    {
        Span<byte> target = stackalloc byte[16];
        address.TryWriteBytes(target, out var size);
        if (size == 4)
            return WriteArp(frame, ArpRequest, MacAddress.Broadcast, own, default, default, target[..4]);
        Span<byte> group = [0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, target[13], target[14], target[15]];
        return WriteNeighbourDiscovery(frame, Solicitation, flags: 0, MacAddress.ForIPv6Group(group), own, source: stackalloc byte[16], group, target, option: default);
    }

    /// <summary>"It is here", to everybody. IPv4 has two forms, and equipment exists that hears only one.</summary>
    /// <param name="replyForm">IPv4: as a reply; else as a request. IPv6 has one form.</param>
    public static int WriteAnnouncement(Span<byte> frame, IPAddress address, MacAddress own, bool replyForm)
    {
        Span<byte> target = stackalloc byte[16];
        address.TryWriteBytes(target, out var size);
        return size == 4
            ? WriteArp(frame, replyForm ? ArpReply : ArpRequest, MacAddress.Broadcast, own, target[..4], replyForm ? own : default, target[..4])
            : WriteNeighbourDiscovery(frame, Advertisement, flags: 0x20, MacAddress.ForIPv6Group(s_allNodes), own, target, s_allNodes, target, own);
    }

    /// <summary>"It is here", to one host.</summary>
    public static int WriteDirected(Span<byte> frame, IPAddress address, MacAddress own, IPAddress host, MacAddress hostMac)
    {
        Span<byte> target = stackalloc byte[16], to = stackalloc byte[16];
        address.TryWriteBytes(target, out var size);
        host.TryWriteBytes(to, out _);
        return size == 4
            ? WriteArp(frame, ArpReply, hostMac, own, target[..4], hostMac, to[..4])
            : WriteNeighbourDiscovery(frame, Advertisement, flags: 0x20, hostMac, own, target, to, target, own);
    }

    /// <summary>Reads which address a frame's sender has, or is about to take (a probe of its own).</summary>
    /// <returns><see langword="false"/> for anything else, short or foreign bytes.</returns>
    public static bool TryReadClaim(ReadOnlySpan<byte> frame, out IPAddress address, out MacAddress by)
    {
        (address, by) = (IPAddress.None, MacAddress.None);
        if (frame.Length < EthernetHeader)
            return false;
        var body = frame[EthernetHeader..];
        return BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) switch
        {
            EtherTypeArp => TryReadArp(body, ref address, ref by),
            EtherTypeIPv6 => TryReadDiscovery(frame, body, ref address, ref by),
            _ => false,
        };
    }

    private static bool TryReadArp(ReadOnlySpan<byte> arp, ref IPAddress address, ref MacAddress by)
    {
        // Ethernet (1), IPv4 (0x0800), 6 and 4 octets.
        if (arp.Length < 28 || BinaryPrimitives.ReadUInt64BigEndian(arp) >> 16 != 0x0001_0800_0604)
            return false;
        by = MacAddress.FromBytes(arp.Slice(8, 6));
        var sender = arp.Slice(14, 4);
        var isProbe = BinaryPrimitives.ReadUInt16BigEndian(arp[6..]) == ArpRequest && sender.IndexOfAnyExcept((byte)0) < 0;
        address = new IPAddress(isProbe ? arp.Slice(24, 4) : sender);
        return true;
    }

    private static bool TryReadDiscovery(ReadOnlySpan<byte> frame, ReadOnlySpan<byte> packet, ref IPAddress address, ref MacAddress by)
    {
        if (packet.Length < IPv6Header + 24 || packet[6] != Icmp6 || packet[7] != 255)
            return false;  // hop limit 255: it comes from this link (RFC 4861 §7.1)
        var message = packet[IPv6Header..];
        var isProbe = message[0] == Solicitation && packet.Slice(8, 16).IndexOfAnyExcept((byte)0) < 0;
        if (message[0] != Advertisement && !isProbe)
            return false;
        (address, by) = (new IPAddress(message.Slice(8, 16)), MacAddress.FromBytes(frame.Slice(6, 6)));
        return true;
    }

    private static int WriteArp(
        Span<byte> frame, ushort operation, MacAddress to, MacAddress own, ReadOnlySpan<byte> sender, MacAddress targetMac, ReadOnlySpan<byte> target)
    {
        WriteEthernet(frame, to, own, EtherTypeArp);
        var arp = frame.Slice(EthernetHeader, 28);
        BinaryPrimitives.WriteUInt64BigEndian(arp, 0x0001_0800_0604_0000UL | operation);
        own.WriteTo(arp[8..]);
        arp[14..18].Clear();
        sender.CopyTo(arp[14..]);
        targetMac.WriteTo(arp[18..]);
        target.CopyTo(arp[24..]);
        return EthernetHeader + 28;
    }

    private static int WriteNeighbourDiscovery(
        Span<byte> frame, byte type, byte flags, MacAddress to, MacAddress own,
        ReadOnlySpan<byte> source, ReadOnlySpan<byte> destination, ReadOnlySpan<byte> target, MacAddress option)
    {
        WriteEthernet(frame, to, own, EtherTypeIPv6);
        var length = 24 + (option == MacAddress.None ? 0 : 8);
        var packet = frame.Slice(EthernetHeader, IPv6Header + length);
        packet.Clear();
        packet[0] = 0x60;
        BinaryPrimitives.WriteUInt16BigEndian(packet[4..], (ushort)length);
        packet[6] = Icmp6;
        packet[7] = 255;
        source.CopyTo(packet[8..]);
        destination.CopyTo(packet[24..]);
        var message = packet[IPv6Header..];
        message[0] = type;
        message[4] = flags;
        target.CopyTo(message[8..]);
        if (length > 24)
        {
            message[24] = 2;  // target link-layer address
            message[25] = 1;  // in units of 8 octets
            option.WriteTo(message[26..]);
        }
        BinaryPrimitives.WriteUInt16BigEndian(message[2..], Checksum(packet.Slice(8, 32), message));
        return EthernetHeader + IPv6Header + length;
    }

    private static void WriteEthernet(Span<byte> frame, MacAddress to, MacAddress own, ushort etherType)
    {
        to.WriteTo(frame);
        own.WriteTo(frame[6..]);
        BinaryPrimitives.WriteUInt16BigEndian(frame[12..], etherType);
    }

    /// <summary>RFC 4443 §2.3: over both addresses, the length, the next header and the message.</summary>
    private static ushort Checksum(ReadOnlySpan<byte> addresses, ReadOnlySpan<byte> message)
    {
        var sum = (uint)message.Length + Icmp6;
        for (var i = 0; i < addresses.Length; i += 2)
            sum += BinaryPrimitives.ReadUInt16BigEndian(addresses[i..]);
        for (var i = 0; i < message.Length; i += 2)
            sum += BinaryPrimitives.ReadUInt16BigEndian(message[i..]);
        while (sum >> 16 != 0)
            sum = (sum & 0xFFFF) + (sum >> 16);
        return (ushort)~sum;
    }
}
