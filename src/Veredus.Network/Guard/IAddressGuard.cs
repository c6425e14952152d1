using System.Net;
using System.Threading.Channels;

namespace Veredus.Network;

/// <summary>What the guard allows and how long it lets an address live without a sign of life.</summary>
/// <param name="Topology">Addresses outside are refused.</param>
/// <param name="Reserved">Never touched even inside the Topology: <c>nodeaddr</c> and the like.</param>
/// <param name="Lease">Kernel lifetime of each address, renewed every quarter of it; whole seconds are rounded up for the kernel; zero: permanent.</param>
/// <param name="Hold">How long one <see cref="IAddressGuard.Beat()"/> keeps renewal going: H of the specification, two heartbeats.</param>
public sealed record GuardSettings(Topology Topology, IReadOnlyList<IPAddress> Reserved, TimeSpan Lease, TimeSpan Hold);

/// <summary>What became of one address of a request.</summary>
public enum GuardOutcome : byte
{
    Done,
    /// <summary>Removal: it was not here. Nothing was done, and it is certainly not on this host.</summary>
    Absent,
    /// <summary>No Topology block contains it, or it is reserved.</summary>
    NotAllowed,
    /// <summary>Its interface does not exist.</summary>
    NoInterface,
    /// <summary>The host has it as a main address; it is never added, changed or removed.</summary>
    MainAddress,
    /// <summary>No <see cref="IAddressGuard.Beat()"/> within the hold time: whoever asks may have slept and must drain its queue first.</summary>
    Stale,
    /// <summary>The kernel said no; see the errno.</summary>
    Failed,
}

/// <summary>The answer for one address.</summary>
/// <param name="Errno">With <see cref="GuardOutcome.Failed"/>: the kernel's error number, else 0.</param>
/// <param name="Detail">For the log: interface, or the kernel's own words.</param>
public sealed record GuardResult(IPAddress Address, GuardOutcome Outcome, int Errno, string Detail)
{
    /// <summary>Asked to add: it is here. Asked to remove: it is gone.</summary>
    public bool Ok => Outcome is GuardOutcome.Done or GuardOutcome.Absent;
}

/// <summary>Who answered for an address before we took it.</summary>
public sealed record ProbeAnswer(IPAddress Address, MacAddress By);

/// <summary>What the guard reports by itself.</summary>
public abstract record GuardNotice
{
    private GuardNotice() { }

    /// <summary>No beat came in time; the addresses were removed.</summary>
    public sealed record LeaseExpired(IReadOnlyList<IPAddress> Addresses) : GuardNotice;
    /// <summary>An address that it held was taken off by somebody else, or ran out while the guard itself was stopped.</summary>
    public sealed record Vanished(IReadOnlyList<IPAddress> Addresses) : GuardNotice;
    /// <summary>The guard ended. Its addresses run out by their kernel lifetime unless a new guard takes them over.</summary>
    public sealed record Ended(string Reason) : GuardNotice;
}

/// <summary>To whom a taken address is announced (option <c>arp_all_hosts</c>).</summary>
public enum AnnounceScope : byte
{
    /// <summary>Broadcast gratuitous ARP or unsolicited NA, and directed to each known neighbour as well.</summary>
    AllHosts,
    /// <summary>Only directed: the interface's gateways and the known neighbours.</summary>
    KnownHosts,
}

/// <summary>
/// Holds the virtual addresses of this host. Everything that needs <c>CAP_NET_ADMIN</c> or <c>CAP_NET_RAW</c> is behind it.
/// Requests are carried out in the order in which they were made; results come in the order of the addresses asked for.
/// </summary>
/// <remarks>Whatever happens to the caller, the addresses go: at once when it ends, within hold + lease when it hangs,
/// and by the kernel's own clock when the guard ends too.</remarks>
public interface IAddressGuard : IAsyncDisposable
{
    /// <summary>Replaces the settings (reload). Addresses held outside the new Topology are removed.</summary>
    Task ConfigureAsync(GuardSettings settings, CancellationToken cancellationToken);

    /// <summary>Before joining: removes those of <paramref name="configured"/> that are on this host and all leftovers of an
    /// earlier run. Returns what was there.</summary>
    Task<IReadOnlyList<GuardResult>> CleanAsync(IReadOnlyList<IPAddress> configured, CancellationToken cancellationToken);

    /// <summary>Puts addresses on their interfaces, with the lease; one that is there already and ours is taken over.</summary>
    Task<IReadOnlyList<GuardResult>> AddAsync(IReadOnlyList<IPAddress> addresses, CancellationToken cancellationToken);

    /// <summary>Takes addresses off. <see cref="GuardResult.Ok"/> means: certainly not on this host.</summary>
    Task<IReadOnlyList<GuardResult>> RemoveAsync(IReadOnlyList<IPAddress> addresses, CancellationToken cancellationToken);

    /// <summary>Asks the segment whether anybody has these addresses (RFC 5227 probes, RFC 4862 solicitations), for
    /// <paramref name="wait"/>. Returns those answered; none is the good answer.</summary>
    Task<IReadOnlyList<ProbeAnswer>> ProbeAsync(IReadOnlyList<IPAddress> addresses, TimeSpan wait, CancellationToken cancellationToken);

    /// <summary>Tells neighbours where the addresses are now. Returns when the first round is on the wire; repeats follow, paced.</summary>
    Task AnnounceAsync(IReadOnlyList<IPAddress> addresses, AnnounceScope scope, IReadOnlyList<NeighbourInfo> known, CancellationToken cancellationToken);

    /// <summary>A sign of life: the caller has just drained its queue and delivered its own heartbeat. Keeps the leases going.</summary>
    void Beat();

    /// <summary>A sign of life as of <paramref name="evidence"/> (<see cref="System.Diagnostics.Stopwatch.GetTimestamp"/>): when the heartbeat that came back was sent.</summary>
    void Beat(long evidence);

    /// <summary>What the guard reports by itself; completes after <see cref="GuardNotice.Ended"/>.</summary>
    ChannelReader<GuardNotice> Notices { get; }
}
