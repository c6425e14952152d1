namespace Veredus.Duravip;

/// <summary>Where the machine of one address on this host stands.</summary>
public enum LocalPhase : byte
{
    /// <summary>Certainly not on this host.</summary>
    None,
    Plumbing,
    Plumbed,
    Unplumbing,
    /// <summary>Certainly not on this host, and not to be tried for now.</summary>
    Failed,
}

/// <summary>One address on this host, as far as this node has to do with it.</summary>
internal sealed class LocalAddress(VipAddress address)
{
    public VipAddress Address { get; } = address;
    public LocalPhase Phase { get; set; }
    /// <summary>The plumbing or removal that runs; answers to older ones mean nothing.</summary>
    public ulong Operation { get; set; }
    public Placement Placement { get; set; }
    public ChangeReason Reason { get; set; }
    public bool ServiceStarted { get; set; }
    /// <summary>The removal that runs ends in a FAIL with this text.</summary>
    public string? FailAfterRemoval { get; set; }
    public string LastError { get; set; } = "";
    /// <summary>The current back-off; doubles with each failure until a plumbing succeeds.</summary>
    public long BackoffMs { get; set; }
    public long RetryAtMs { get; set; }
    /// <summary>Since when the kernel has been without it though it should be there; -1 = it is there.</summary>
    public long MissingSinceMs { get; set; } = -1;
    /// <summary>The neighbours may have heard since that it is elsewhere.</summary>
    public bool MustTell { get; set; }
    /// <summary>A RELEASED was sent and not yet delivered.</summary>
    public bool ReleaseInFlight { get; set; }

    /// <summary>A FAIL was sent and not yet delivered: the others do not know yet, so it cannot be over either.</summary>
    public bool FailInFlight { get; set; }

    /// <summary>Not certainly off this host.</summary>
    public bool IsHeld => Phase is LocalPhase.Plumbing or LocalPhase.Plumbed or LocalPhase.Unplumbing;
}

/// <summary>Phases of the protocol.</summary>
public enum ProtocolPhase : byte
{
    /// <summary>No view has listed this instance yet.</summary>
    Boot,
    /// <summary>The membership changed; states are being collected.</summary>
    Gather,
    /// <summary>All states are known, and the table is agreed.</summary>
    Run,
}

/// <summary>Rules that can be left out, one at a time, to prove that the simulation notices. Production uses <see cref="None"/>.</summary>
[Flags]
internal enum Weaknesses : byte
{
    None = 0,
    NoReleaseBeforeAcquire = 1,
    OwnerIsNoHolder = 2,
    /// <summary>Acts between two events of its queue, and without proof that the bus hears it.</summary>
    ActBeforeDrained = 4,
    NoQuarantine = 8,
    ShortSuspicion = 16,
}
