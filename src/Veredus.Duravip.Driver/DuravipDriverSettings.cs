using Veredus.Cluster;
using Veredus.Network;

namespace Veredus.Duravip.Driver;

/// <summary>What the configuration in force says to the driver; replaced as a whole by a reload.</summary>
/// <param name="Vips">The local set.</param>
/// <param name="Options">The options.</param>
/// <param name="Guard">What the guard is told.</param>
public sealed record DuravipConfiguration(VipSet Vips, DuravipOptions Options, GuardSettings Guard)
{
    /// <summary>How long a duplicate-address probe waits for an answer. On one segment it comes within a millisecond or two.</summary>
    public TimeSpan ProbeWait { get; init; } = TimeSpan.FromMilliseconds(60);
}

/// <summary>What the driver stands on; fixed for its life.</summary>
public sealed record DuravipDriverSettings
{
    /// <summary>This node's name in the cluster.</summary>
    public required string NodeName { get; init; }

    /// <summary>In this node's introduction to the others.</summary>
    public required string Version { get; init; }

    /// <summary>Joins the group anew; called again after each loss or reset of the bus.</summary>
    public required Func<IGroupBus> OpenBus { get; init; }

    /// <summary>Starts a guard; called again when it has ended.</summary>
    public required Func<GuardSettings, CancellationToken, Task<IAddressGuard>> StartGuard { get; init; }

    /// <summary>What lives on the addresses.</summary>
    public required IVipServices Services { get; init; }

    /// <summary>Takes log lines; from any thread.</summary>
    public required Action<LogLevelHint, string> Log { get; init; }

    /// <summary>Hosts that the configuration names: more than half of them are a quorum. 1: a node without a bus.</summary>
    public int ExpectedHosts { get; init; } = 1;

    /// <summary>The host's links and addresses; <see langword="null"/>: nobody looks (tests).</summary>
    public HostNetwork? Network { get; init; }

    /// <summary>Keeps what happens; <see langword="null"/>: nobody does.</summary>
    public IDuravipObserver? Observer { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;
}
