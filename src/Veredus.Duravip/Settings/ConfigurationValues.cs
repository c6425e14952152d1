namespace Veredus.Duravip;

/// <summary>One <c>Listen</c> with a concrete or wildcard address, as the configuration says it.</summary>
/// <param name="Address">The host part; <see langword="null"/> for a wildcard.</param>
/// <param name="Port">1–65535.</param>
/// <param name="Kind">The listener's kind as <c>show</c> prints it, e.g. <c>esmtp</c>.</param>
/// <param name="EnableDuravip"><c>Enable_Duravip</c>.</param>
/// <param name="Preference"><c>Duravip_Preference</c>, a node name.</param>
/// <param name="Follow"><c>Duravip_Follow</c>: the name of a binding, or an address.</param>
public sealed record ListenValue(
    VipAddress? Address, int Port, string Kind, bool EnableDuravip = false, string? Preference = null, string? Follow = null);

/// <summary>One <c>Binding</c> with an address of its own.</summary>
/// <param name="Name">The binding's name.</param>
/// <param name="Address"><c>Bind_Address</c>; <see langword="null"/> if it has none.</param>
/// <param name="EnableDuravip"><c>Enable_Duravip</c>.</param>
/// <param name="Preference"><c>Duravip_Preference</c>, a node name.</param>
/// <param name="Follow">Anything but <see langword="null"/> is an error: a binding cannot follow.</param>
public sealed record BindingValue(
    string Name, VipAddress? Address, bool EnableDuravip = false, string? Preference = null, string? Follow = null);

/// <summary>One <c>Topology</c> stanza.</summary>
/// <param name="Network">Any address of the block.</param>
/// <param name="PrefixLength">Length of the block's prefix.</param>
/// <param name="Interface">The Linux interface the block's addresses go on.</param>
/// <param name="AliasPrefix"><c>cidrmask</c>: prefix length of the added address; <see langword="null"/> = a host mask.</param>
public sealed record TopologyValue(VipAddress Network, int PrefixLength, string Interface, int? AliasPrefix = null);

/// <summary>What the host has, as far as building the set of addresses needs it.</summary>
/// <param name="Interfaces">Names of the interfaces that exist.</param>
/// <param name="MainAddresses">The node's <c>nodeaddr</c> and the primary addresses of the host: never a VIP.</param>
public sealed record HostValues(IReadOnlySet<string> Interfaces, IReadOnlySet<VipAddress> MainAddresses);
