namespace Veredus.Network;

/// <summary>Message types, flags and attributes of rtnetlink(7) that are used here.</summary>
internal static class NetlinkConstants
{
    public const ushort Error = 2, Done = 3;
    public const ushort NewLink = 16, DelLink = 17, GetLink = 18;
    public const ushort NewAddress = 20, DelAddress = 21, GetAddress = 22;
    public const ushort NewRoute = 24, GetRoute = 26;
    public const ushort NewNeighbour = 28, GetNeighbour = 30;

    public const ushort Request = 0x1, Ack = 0x4, DumpInterrupted = 0x10, Replace = 0x100, Exclusive = 0x200, Create = 0x400, Dump = 0x300;

    public const ushort IfaAddress = 1, IfaLocal = 2, IfaCacheInfo = 6, IfaFlags = 8, IfaProto = 11;
    public const uint FlagNoDad = 0x02, FlagTentative = 0x40, FlagNoPrefixRoute = 0x200;

    public const ushort IflaAddress = 1, IflaName = 3, IflaMtu = 4;
    public const uint LinkUp = 0x1, LinkLoopback = 0x8, LinkLowerUp = 0x10000;

    public const ushort NdaDestination = 1, NdaLinkAddress = 2;
    /// <summary>REACHABLE, STALE, DELAY, PROBE: states in which the link-layer address is known by exchange.</summary>
    public const ushort NeighbourResolved = 0x02 | 0x04 | 0x08 | 0x10;

    public const ushort RtaGateway = 5, RtaOif = 4;

    public const ushort ErrorAttributeMessage = 1;
    public const ushort AttributeTypeMask = 0x3fff;

    public const uint GroupLink = 1, GroupIPv4Address = 5, GroupIPv6Address = 9;
    public const byte Inet = 2, Inet6 = 10;
    public const uint Forever = 0xFFFF_FFFF;
}
