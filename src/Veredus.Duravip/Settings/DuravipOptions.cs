namespace Veredus.Duravip;

/// <summary>Which component of a partition serves.</summary>
public enum PartitionPolicy : byte
{
    /// <summary>Every component covers all addresses it has a participant for.</summary>
    Component,
    /// <summary>Only the component with a votequorum majority does; others release everything.</summary>
    Quorum,
}

/// <summary>The options of the <c>cluster</c> scope that govern DuraVIP. Times are milliseconds.</summary>
public sealed record DuravipOptions
{
    /// <summary><c>duravip_balance_set_size</c>, 1–10240: how many moves one balancing round may contain.</summary>
    public int BalanceSetSize { get; init; } = 1;
    /// <summary><c>if_check_interval</c>: period of the interface maintenance cycle.</summary>
    public long IfCheckIntervalMs { get; init; } = 30_000;
    /// <summary><c>if_down_limit</c>: how long an address or a carrier must be missing before something is done.</summary>
    public long IfDownLimitMs { get; init; } = 4_000;
    /// <summary><c>view_mature_time</c>: how long a view must be unchanged before it counts as mature.</summary>
    public long ViewMatureMs { get; init; } = 5_000;
    /// <summary><c>view_balance_interval</c>: period of balancing rounds.</summary>
    public long ViewBalanceIntervalMs { get; init; } = 10_000;
    /// <summary><c>view_broadcast_interval</c>: period of re-announcing the own view; 0 = never.</summary>
    public long ViewBroadcastIntervalMs { get; init; }
    /// <summary><c>arp_all_hosts</c>: announce a new address to the whole segment.</summary>
    public bool ArpAllHosts { get; init; } = true;
    /// <summary><c>heartbeat_start_delay</c>: after start-up or first sight, nobody is suspected and no digest compared for this long.</summary>
    public long HeartbeatStartDelayMs { get; init; } = 15_000;
    /// <summary>1000 / <c>heartbeats_per_sec</c>; at least 50.</summary>
    public long HeartbeatPeriodMs { get; init; } = 1_000;
    /// <summary><c>duravip_drain_time</c>: how long running sessions may finish when an address moves.</summary>
    public long DrainMs { get; init; } = 2_000;
    /// <summary><c>duravip_lease</c>: kernel lifetime of a plumbed address; 0 = permanent. See <see cref="EffectiveLeaseMs"/>.</summary>
    public long LeaseMs { get; init; } = 5_000;
    /// <summary><c>duravip_claim_guard</c>: after an unclean departure wait until its leases must have ended.</summary>
    public bool ClaimGuard { get; init; }
    /// <summary><c>duravip_partition_policy</c>.</summary>
    public PartitionPolicy PartitionPolicy { get; init; }
    /// <summary><c>duravip_probe</c>: duplicate-address probe before plumbing.</summary>
    public bool Probe { get; init; } = true;
    /// <summary><c>duravip_gather_timeout</c>: wait for a member's STATE. See <see cref="EffectiveGatherTimeoutMs"/>.</summary>
    public long GatherTimeoutMs { get; init; } = 10_000;
    /// <summary><c>duravip_suspect_time</c>: missing heartbeats before a member is suspected. See <see cref="EffectiveSuspectMs"/>.</summary>
    public long SuspectMs { get; init; } = 10_000;
    /// <summary><c>duravip_broken_grace</c>: how long an owned address tolerates a name mismatch.</summary>
    public long BrokenGraceMs { get; init; } = 60_000;
    /// <summary><c>duravip_weight</c>, 1–1000: share of units this node should carry.</summary>
    public int Weight { get; init; } = 1;
    /// <summary>T: the time the bus needs to notice a lost host (totem token + consensus).</summary>
    public long BusDetectMs { get; init; } = 2_200;

    /// <summary>How many addresses a node lets go at once, at least; a sixteenth of all if that is more. Not an option of the configuration.</summary>
    internal int SmallestWave { get; init; } = 64;

    /// <summary>First back-off after a FAIL; it doubles up to 20 times this. Not an option of the configuration.</summary>
    internal long FailBackoffMs { get; init; } = 30_000;

    /// <summary>H: for how long the guard keeps renewing after the heartbeat that proved the node alive was sent.</summary>
    public long AliveWindowMs => 2 * HeartbeatPeriodMs;

    /// <summary>
    /// The lease in force. While a neighbour's failure is being detected nobody delivers anything, so a lease shorter than
    /// that would cost the survivors their addresses: H + lease ≥ T + 1 s (continuity rule), and because the guard renews
    /// every lease/4 and evidence may be one heartbeat old, also H + ¾ lease ≥ T + heartbeat period + 250 ms.
    /// </summary>
    public long EffectiveLeaseMs => LeaseMs == 0 ? 0 : Math.Max(LeaseMs, Math.Max(
        BusDetectMs + 1_000 - AliveWindowMs,
        ((BusDetectMs + HeartbeatPeriodMs + 250 - AliveWindowMs) * 4 + 2) / 3));

    /// <summary>After this long without evidence no address of a node can be left on its host: H + lease + 0.5 s (kernel expiry is that late).</summary>
    public long AddressesGoneAfterMs => LeaseMs == 0 ? 0 : AliveWindowMs + EffectiveLeaseMs + 500;

    /// <summary>Suspicion waits at least until the silent member's addresses are gone.</summary>
    public long EffectiveSuspectMs => Math.Max(SuspectMs, AddressesGoneAfterMs);

    /// <summary>Exclusion waits at least until the silent member's addresses are gone.</summary>
    public long EffectiveGatherTimeoutMs => Math.Max(GatherTimeoutMs, AddressesGoneAfterMs);

    /// <summary>What a claim guard waits for after the bus reported a lost host.</summary>
    public long ClaimGuardMs => ClaimGuard ? Math.Max(0, AddressesGoneAfterMs - BusDetectMs) : 0;
}
