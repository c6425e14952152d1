namespace Veredus.Duravip;

/// <summary>The conflict marks of an address; several may apply.</summary>
[Flags]
public enum VipMarks : byte
{
    None = 0,
    /// <summary>Participants name different preferred nodes; the preference is ignored.</summary>
    Conflict = 1,
    /// <summary>Participants announce different services; for the administrator only.</summary>
    Unsafe = 2,
    /// <summary>Name and address do not match across participants; not managed.</summary>
    Broken = 4,
}

/// <summary>What this node remembers of an address from view to view, on its own clock. Not agreed.</summary>
internal sealed class RowMemory(long nowMs)
{
    public ulong ParticipantKey;
    public ulong ConfigurationKey;
    public long ViewStableSince = nowMs;
    public long ConfigurationStableSince = nowMs;
    public long BrokenSince = -1;
    public VipMarks Marks;
    public string MarkReason = "";
    /// <summary>The last owner that was decided; empty if none.</summary>
    public string Owner = "";
    public PlacementRecord? Placement;
    /// <summary>That members place it in different networks has been said.</summary>
    public bool NetworksReported;
}

/// <summary>One address of the agreed table.</summary>
internal sealed class VipRow(VipAddress address, RowMemory memory, int members)
{
    public VipAddress Address { get; } = address;
    public RowMemory Memory { get; } = memory;
    public Unit Unit { get; set; } = null!;
    /// <summary>What each member announced of it, by index.</summary>
    public VipEntry?[] Entries { get; } = new VipEntry?[members];
    /// <summary>Members with an entry that could place it; excluded ones are not among them.</summary>
    public MemberSet Participants { get; set; }
    public MemberSet Failed { get; set; }
    public MemberSet Holders { get; set; }
    public int Owner { get; set; } = -1;
    /// <summary>Number of the ordered message that last changed the owner.</summary>
    public ulong OwnerSince { get; set; }
    /// <summary>Somebody in this view had or has it: whoever left before the view cannot.</summary>
    public bool WasHeldInView { get; set; }
    /// <summary>A member of this view said that it has it.</summary>
    public bool IsServed { get; set; }
    /// <summary>A member of this view had it, and whoever had it has said that it let go: nobody needs to be asked before it is added.</summary>
    public bool IsHandedOver { get; set; }
    public VipMarks Marks { get; set; }
    public string MarkReason { get; set; } = "";
    /// <summary>The preference that participants agree on; empty if none, or if they do not.</summary>
    public string Preference { get; set; } = "";
    public bool IsBroken => (Marks & VipMarks.Broken) != 0;
    public bool IsRoot => Unit.Address == Address;
    public ulong Hash { get; set; }

    public ulong ComputeHash()
    {
        var hash = Mixing.Combine(Address.Hash64, (ulong)(Owner + 1));
        hash = Mixing.Combine(hash, (ulong)Holders.Bits ^ (ulong)(Holders.Bits >> 64) << 1);
        hash = Mixing.Combine(hash, (ulong)Participants.Bits ^ (ulong)(Participants.Bits >> 64) << 1);
        return Mixing.Combine(hash, (ulong)Failed.Bits ^ (ulong)Marks << 56);
    }
}

/// <summary>An elected address with the rows that go where it goes (itself first).</summary>
internal sealed class Unit(VipRow root) : ElectionUnit(root.Address)
{
    public VipRow Root { get; } = root;
    public List<VipRow> Rows { get; } = [root];
    /// <summary>The pin in force; <see cref="ElectionUnit.Preferred"/> is its node then.</summary>
    public Pin? Pin { get; set; }
    public bool IsBroken => Root.IsBroken;
}
