using System.Net;

namespace Veredus.Network;

/// <summary>One network interface as the kernel describes it.</summary>
/// <param name="IsUp">Switched on by the administrator.</param>
/// <param name="HasCarrier">Up and with a live cable (or peer): frames can leave.</param>
public sealed record LinkInfo(int Index, string Name, bool IsUp, bool HasCarrier, bool IsLoopback, MacAddress Mac, int Mtu);

/// <summary>One address on one interface as the kernel describes it.</summary>
/// <param name="ValidLifetime">Seconds until the kernel removes it; <see langword="null"/> is forever.</param>
/// <param name="Tag">Who put it there (IFA_PROTO, Linux 5.18); 0 where nobody said or the kernel can't tell.</param>
/// <param name="NoPrefixRoute">It came without a route to its network.</param>
/// <param name="IsTentative">IPv6 duplicate-address detection has not finished: it can't be used yet.</param>
public sealed record AddressInfo(
    int LinkIndex, IPAddress Address, int PrefixLength, uint? ValidLifetime, byte Tag, bool NoPrefixRoute, bool IsTentative)
{
    /// <summary>Put there by Veredus, by the kernel's own record of it.</summary>
    public bool IsOurs => Tag == AddressTag.Veredus;
}

/// <summary>Values of the kernel's address-protocol tag.</summary>
public static class AddressTag
{
    /// <summary>What Veredus writes on the addresses it adds: 'V'. 0 to 3 are the kernel's; no registry exists for the rest.</summary>
    public const byte Veredus = 0x56;
}

/// <summary>A neighbour that the kernel has resolved.</summary>
public sealed record NeighbourInfo(int LinkIndex, IPAddress Address, MacAddress Mac);

/// <summary>Something changed on this host.</summary>
public abstract record NetworkChange
{
    private NetworkChange() { }

    public sealed record AddressAdded(AddressInfo Address) : NetworkChange;
    public sealed record AddressRemoved(AddressInfo Address) : NetworkChange;
    public sealed record LinkChanged(LinkInfo Link) : NetworkChange;
    public sealed record LinkRemoved(LinkInfo Link) : NetworkChange;
    /// <summary>The kernel dropped notices because nobody read them in time: what is known must be read anew.</summary>
    public sealed record Overrun : NetworkChange;
}
