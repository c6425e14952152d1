using Veredus.Network;

// One cluster at a time: each wants a machine of its own.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Veredus.Lab;

/// <summary>A test with real nodes, corosyncs and addresses in network namespaces. Skipped, with the reason, where that can't be.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class LabFactAttribute : FactAttribute
{
    /// <summary>Takes long or wants a machine that is not busy: runs only with <c>VEREDUS_LAB=1</c> in the environment.</summary>
    public bool OnlyWhenAsked
    {
        get => false;
        set => Skip ??= value && Environment.GetEnvironmentVariable("VEREDUS_LAB") != "1" ? "set VEREDUS_LAB=1 to run it" : null;
    }

    public LabFactAttribute() => Skip = NetworkNamespace.WhyNot() ?? (!File.Exists("/usr/sbin/corosync") ? "corosync is not installed"
        : !File.Exists("/usr/sbin/nft") ? "nft (Debian's nftables) is not installed" : null);
}
