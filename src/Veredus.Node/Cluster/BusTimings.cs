using Veredus.Cluster;
using Veredus.Configuration;

namespace Veredus.Node;

/// <summary>The times that go with <c>msgc_server { timing }</c>: those of the bus, and those of DuraVIP as long as the configuration does not say others.</summary>
/// <param name="Bus">For corosync.conf.</param>
/// <param name="HeartbeatsPerSecond">Where <c>heartbeats_per_sec</c> is unset.</param>
/// <param name="Lease">Where <c>duravip_lease</c> is unset.</param>
/// <param name="Suspect">Where <c>duravip_suspect_time</c> is unset.</param>
/// <param name="Gather">Where <c>duravip_gather_timeout</c> is unset.</param>
/// <param name="ProbeWait">How long a duplicate-address probe waits for an answer.</param>
public sealed record BusTimings(BusTiming Bus, double HeartbeatsPerSecond, TimeSpan Lease, TimeSpan Suspect, TimeSpan Gather, TimeSpan ProbeWait)
{
    private static readonly BusTimings Default = new(BusTiming.Default,
        Options.HeartbeatsPerSec.Default, Options.DuravipLease.Default, Options.DuravipSuspectTime.Default, Options.DuravipGatherTimeout.Default, TimeSpan.FromMilliseconds(60));

    private static readonly BusTimings Fast = new(BusTiming.Fast, 5, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(2), TimeSpan.FromMilliseconds(20));

    public static BusTimings Of(ConfigurationSnapshot configuration) =>
        configuration.Get(ScopeKinds.MsgcServer, Options.BusTiming) == BusProfile.Fast ? Fast : Default;
}
