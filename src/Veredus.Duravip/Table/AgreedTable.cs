using System.Runtime.InteropServices;

namespace Veredus.Duravip;

/// <summary>An owner that changed.</summary>
internal readonly record struct OwnerChange(VipRow Row, int From, int To, ChangeReason Reason);

/// <summary>
/// What all members of a view agree on after the same ordered message: per address the participants, the owner and the
/// possible holders. Changed only by delivered messages, in their order.
/// </summary>
internal sealed partial class AgreedTable
{
    private readonly Dictionary<VipAddress, VipRow> _index = [];
    private readonly Dictionary<VipAddress, Pin> _pins = [];
    private readonly ScoreCache _scores;
    private ulong _pinSequence;
    private readonly bool _ownerStaysHolder;

    /// <param name="view">The view.</param>
    /// <param name="ids">Its members, sorted.</param>
    /// <param name="members">One per id; <see langword="null"/> for an excluded one.</param>
    /// <param name="scores">Shared by all tables of a machine.</param>
    /// <param name="ownerStaysHolder">False only to prove that the simulation notices.</param>
    public AgreedTable(ViewId view, IReadOnlyList<MemberId> ids, ViewMember?[] members, ScoreCache scores, bool ownerStaysHolder = true)
    {
        (View, Ids, Members, _scores, _ownerStaysHolder) = (view, ids, members, scores, ownerStaysHolder);
        for (var n = 0; n < members.Length; n++)
        {
            if (members[n] is not null)
                Present = Present.With(n);
        }
        Electorate = NewElectorate();
    }

    public ViewId View { get; }
    public IReadOnlyList<MemberId> Ids { get; }
    public ViewMember?[] Members { get; }
    /// <summary>Members that are not excluded.</summary>
    public MemberSet Present { get; private set; }
    public int Leader => Present.First;
    public bool IsMature { get; set; }
    /// <summary>Sorted by address.</summary>
    public List<VipRow> Rows { get; } = [];
    /// <summary>Sorted by address.</summary>
    public List<Unit> Units { get; } = [];
    public Electorate Electorate { get; private set; }
    /// <summary>Ordered messages applied since the view was opened.</summary>
    public ulong Number { get; set; }
    /// <summary>The same at all members after the same message.</summary>
    public ulong Digest { get; private set; }
    public IReadOnlyCollection<Pin> Pins => _pins.Values;
    /// <summary>Participant sets differ between units.</summary>
    public bool IsParticipationUniform { get; private set; } = true;
    /// <summary>Owners changed by the message being applied; the machine takes them out.</summary>
    public List<OwnerChange> Changes { get; } = [];

    public VipRow? Find(VipAddress address) => _index.GetValueOrDefault(address);
    public string NameOf(int member) => member < 0 ? "" : Members[member]?.Name ?? "";
    public static VipEntry? EntryOf(VipRow row, int member) => row.Entries[member];

    public int IndexOf(MemberId id)
    {
        for (var n = 0; n < Ids.Count; n++)
        {
            if (Ids[n] == id)
                return n;
        }
        return -1;
    }

    /// <summary>The first present member of that name, or -1.</summary>
    public int IndexOfName(string name)
    {
        foreach (var n in Present)
        {
            if (Members[n]!.Name == name)
                return n;
        }
        return -1;
    }

    public VipRow Add(VipAddress address, Func<VipAddress, RowMemory> memory)
    {
        ref var row = ref CollectionsMarshal.GetValueRefOrAddDefault(_index, address, out var known);
        if (!known)
        {
            row = new(address, memory(address), Members.Length);
            Rows.Add(row);
        }
        return row!;
    }

    /// <summary>Sets a row's owner as rule R6 does: the owner before stays a possible holder until it says that it is not.</summary>
    public void Assign(VipRow row, int owner, ChangeReason reason)
    {
        if (row.Owner == owner)
            return;
        if (row.Owner >= 0 && _ownerStaysHolder)
            row.Holders = row.Holders.With(row.Owner);
        Changes.Add(new(row, row.Owner, owner, reason));
        row.Owner = owner;
        row.OwnerSince = Number;
        Touch(row);
    }

    /// <summary>Takes the owner away without keeping it as a holder: it is known not to have the address.</summary>
    private void Clear(VipRow row, ChangeReason reason)
    {
        if (row.Owner < 0)
            return;
        Changes.Add(new(row, row.Owner, -1, reason));
        row.Owner = -1;
        row.OwnerSince = Number;
        Touch(row);
    }

    public void SetHolders(VipRow row, MemberSet holders)
    {
        if (row.Holders == holders)
            return;
        row.Holders = holders;
        row.WasHeldInView |= !holders.IsEmpty;
        Touch(row);
    }

    private void Touch(VipRow row)
    {
        Digest ^= row.Hash;
        row.Hash = row.ComputeHash();
        Digest ^= row.Hash;
    }

    /// <summary>A message of one member said that it does not have the address any more.</summary>
    /// <returns>False if the owner changed after it said so; then it means nothing.</returns>
    public bool Released(VipRow row, int member, ulong asOf)
    {
        if (row.OwnerSince > asOf)
            return false;
        LetGo(row, member);
        return true;
    }

    public void Acquired(VipRow row, int member)
    {
        if (row.Owner != member)
            return;
        row.IsServed = true;
        SetHolders(row, MemberSet.Of(member));
    }

    /// <summary>The member itself says that it does not have the address.</summary>
    private void LetGo(VipRow row, int member)
    {
        SetHolders(row, row.Holders.Without(member));
        row.IsHandedOver = row.IsServed && row.Holders.IsEmpty;
    }

    public void Failed(VipRow row, int member, ChangeReason reason, long nowMs)
    {
        row.Failed = row.Failed.With(member);
        LetGo(row, member);
        Touch(row);
        if (row.Owner == member)
            Clear(row, reason);
        Settle(row.Unit);
        Remember(row.Unit.Root, nowMs);
        ElectWhereNeeded(reason);
    }

    /// <summary>The member is voted out: its holdings are considered gone.</summary>
    public void Exclude(int member, ChangeReason reason)
    {
        Present = Present.Without(member);
        foreach (var row in Rows)
        {
            if (row.Holders.Contains(member) || row.Owner == member)
                row.IsServed = row.IsHandedOver = false;  // nobody said that it is gone
            SetHolders(row, row.Holders.Without(member));
            if (row.Owner == member)
                Clear(row, reason);
        }
    }

    private Electorate NewElectorate() => new(
        [.. Members.Select(member => member?.Name ?? "")], [.. Members.Select(member => member?.Weight ?? 1)], _scores);

    public void CountLoads()
    {
        Electorate = NewElectorate();
        foreach (var unit in Units)
        {
            if (unit.Root.Owner >= 0)
                Electorate.Loads[unit.Root.Owner]++;
        }
    }
}
