using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace Veredus.Network;

/// <summary>One netlink message: a view into the receive buffer.</summary>
internal readonly ref struct NetlinkMessage(ushort type, ushort flags, uint sequence, ReadOnlySpan<byte> body)
{
    public ushort Type { get; } = type;
    public ushort Flags { get; } = flags;
    public uint Sequence { get; } = sequence;
    public ReadOnlySpan<byte> Body { get; } = body;

    /// <summary>Takes one message off the front; <see langword="false"/> at the end and for torn bytes.</summary>
    public static bool TryRead(ref ReadOnlySpan<byte> source, out NetlinkMessage message)
    {
        message = default;
        if (source.Length < 16)
            return false;
        var length = BinaryPrimitives.ReadInt32LittleEndian(source);
        if (length < 16 || length > source.Length)
            return false;
        message = new(
            BinaryPrimitives.ReadUInt16LittleEndian(source[4..]), BinaryPrimitives.ReadUInt16LittleEndian(source[6..]),
            BinaryPrimitives.ReadUInt32LittleEndian(source[8..]), source[16..length]);
        source = source[Math.Min((length + 3) & ~3, source.Length)..];
        return true;
    }
}

/// <summary>Turns the kernel's messages into values. Total: short or foreign bytes give <see langword="null"/> or <see langword="false"/>.</summary>
internal static class NetlinkReader
{
    /// <summary>Takes one attribute off the front; <see langword="false"/> at the end and for torn bytes.</summary>
    public static bool TryReadAttribute(scoped ref ReadOnlySpan<byte> source, out ushort type, out ReadOnlySpan<byte> value)
    {
        type = 0;
        value = default;
        if (source.Length < 4)
            return false;
        var length = BinaryPrimitives.ReadUInt16LittleEndian(source);
        if (length < 4 || length > source.Length)
            return false;
        type = (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(source[2..]) & NetlinkConstants.AttributeTypeMask);
        value = source[4..length];
        source = source[Math.Min((length + 3) & ~3, source.Length)..];
        return true;
    }

    /// <summary>struct ifaddrmsg: family, prefix length, flags, scope, index.</summary>
    public static AddressInfo? ReadAddress(ReadOnlySpan<byte> body)
    {
        if (body.Length < 8 || body[0] is not (NetlinkConstants.Inet or NetlinkConstants.Inet6))
            return null;
        var (prefix, flags, link) = (body[1], (uint)body[2], BinaryPrimitives.ReadInt32LittleEndian(body[4..]));
        ReadOnlySpan<byte> address = default, local = default;
        uint? valid = null;
        byte tag = 0;
        for (var rest = body[8..]; TryReadAttribute(ref rest, out var type, out var value);)
        {
            switch (type)
            {
                case NetlinkConstants.IfaAddress: address = value; break;
                case NetlinkConstants.IfaLocal: local = value; break;
                case NetlinkConstants.IfaFlags when value.Length >= 4: flags = BinaryPrimitives.ReadUInt32LittleEndian(value); break;
                case NetlinkConstants.IfaProto when value.Length >= 1: tag = value[0]; break;
                case NetlinkConstants.IfaCacheInfo when value.Length >= 8:
                    var seconds = BinaryPrimitives.ReadUInt32LittleEndian(value[4..]);
                    valid = seconds == NetlinkConstants.Forever ? null : seconds;
                    break;
            }
        }
        // On a point-to-point link IFA_ADDRESS is the peer; the address of this host is then IFA_LOCAL.
        var own = local.IsEmpty ? address : local;
        return TryReadIp(own, out var ip)
            ? new(link, ip, prefix, valid, tag, (flags & NetlinkConstants.FlagNoPrefixRoute) != 0, (flags & NetlinkConstants.FlagTentative) != 0)
            : null;
    }

    /// <summary>struct ifinfomsg: family, pad, type, index, flags, change.</summary>
    public static LinkInfo? ReadLink(ReadOnlySpan<byte> body)
    {
        if (body.Length < 16)
            return null;
        var (index, flags) = (BinaryPrimitives.ReadInt32LittleEndian(body[4..]), BinaryPrimitives.ReadUInt32LittleEndian(body[8..]));
        var (name, mac, mtu) = ("", MacAddress.None, 0);
        for (var rest = body[16..]; TryReadAttribute(ref rest, out var type, out var value);)
        {
            switch (type)
            {
                case NetlinkConstants.IflaName: name = Encoding.UTF8.GetString(value.TrimEnd((byte)0)); break;
                case NetlinkConstants.IflaAddress: mac = MacAddress.FromBytes(value); break;
                case NetlinkConstants.IflaMtu when value.Length >= 4: mtu = BinaryPrimitives.ReadInt32LittleEndian(value); break;
            }
        }
        var up = (flags & NetlinkConstants.LinkUp) != 0;
        return new(index, name, up, up && (flags & NetlinkConstants.LinkLowerUp) != 0, (flags & NetlinkConstants.LinkLoopback) != 0, mac, mtu);
    }

    /// <summary>struct ndmsg: family, pads, index, state, flags, type. Only what is resolved.</summary>
    public static NeighbourInfo? ReadNeighbour(ReadOnlySpan<byte> body)
    {
        if (body.Length < 12 || body[0] is not (NetlinkConstants.Inet or NetlinkConstants.Inet6))
            return null;
        var (link, state) = (BinaryPrimitives.ReadInt32LittleEndian(body[4..]), BinaryPrimitives.ReadUInt16LittleEndian(body[8..]));
        ReadOnlySpan<byte> address = default, mac = default;
        for (var rest = body[12..]; TryReadAttribute(ref rest, out var type, out var value);)
        {
            if (type == NetlinkConstants.NdaDestination)
                address = value;
            else if (type == NetlinkConstants.NdaLinkAddress)
                mac = value;
        }
        return (state & NetlinkConstants.NeighbourResolved) != 0 && mac.Length == 6 && TryReadIp(address, out var ip)
            ? new(link, ip, MacAddress.FromBytes(mac))
            : null;
    }

    /// <summary>struct rtmsg (12 octets): the gateway of a default route and its interface.</summary>
    public static (int LinkIndex, IPAddress Gateway)? ReadDefaultGateway(ReadOnlySpan<byte> body)
    {
        if (body.Length < 12 || body[1] != 0 || body[0] is not (NetlinkConstants.Inet or NetlinkConstants.Inet6))
            return null;
        var link = 0;
        ReadOnlySpan<byte> gateway = default;
        for (var rest = body[12..]; TryReadAttribute(ref rest, out var type, out var value);)
        {
            if (type == NetlinkConstants.RtaGateway)
                gateway = value;
            else if (type == NetlinkConstants.RtaOif && value.Length >= 4)
                link = BinaryPrimitives.ReadInt32LittleEndian(value);
        }
        return link != 0 && TryReadIp(gateway, out var ip) ? (link, ip) : null;
    }

    /// <summary>struct nlmsgerr: errno (negative; 0 is success), then, with extended acks, the kernel's words.</summary>
    public static KernelAnswer ReadAnswer(in NetlinkMessage message)
    {
        if (message.Body.Length < 20)
            return new(5, "short answer from the kernel");
        var errno = -BinaryPrimitives.ReadInt32LittleEndian(message.Body);
        string? text = null;
        for (var rest = message.Body[20..]; errno != 0 && TryReadAttribute(ref rest, out var type, out var value);)
            if (type == NetlinkConstants.ErrorAttributeMessage)
                text = Encoding.UTF8.GetString(value.TrimEnd((byte)0));
        return new(errno, text);
    }

    private static bool TryReadIp(ReadOnlySpan<byte> value, out IPAddress address)
    {
        address = IPAddress.None;
        if (value.Length is not (4 or 16))
            return false;
        address = new IPAddress(value);
        return true;
    }
}
