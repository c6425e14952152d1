namespace Veredus.Duravip;

/// <summary>What one member has announced. Its digest tells two members whether they know the same.</summary>
internal sealed class MemberConfiguration
{
    private readonly Dictionary<VipAddress, VipEntry> _entries = [];

    public MemberConfiguration(IEnumerable<VipEntry> entries)
    {
        foreach (var entry in entries)
            Set(entry);
    }

    public ulong Digest { get; private set; }
    public Dictionary<VipAddress, VipEntry> Entries => _entries;

    public void Apply(AnnounceMessage announce)
    {
        if (announce.Complete)
        {
            _entries.Clear();
            Digest = 0;
        }
        foreach (var address in announce.Removed)
        {
            if (_entries.Remove(address, out var removed))
                Digest ^= removed.Hash64;
        }
        foreach (var entry in announce.Changed)
        {
            if (_entries.Count < VipSet.MaxVips || _entries.ContainsKey(entry.Address))
                Set(entry);
        }
    }

    private void Set(VipEntry entry)
    {
        if (_entries.TryGetValue(entry.Address, out var before))
            Digest ^= before.Hash64;
        _entries[entry.Address] = entry;
        Digest ^= entry.Hash64;
    }
}

/// <summary>One member of an opened view.</summary>
internal sealed class ViewMember(MemberId id, ulong incarnation, StateMessage state, MemberConfiguration configuration)
{
    public MemberId Id { get; } = id;
    public ulong Incarnation { get; } = incarnation;
    public string Name { get; } = state.Node;
    public MemberRole Role { get; } = state.Role;
    public int BalanceSetSize { get; } = state.BalanceSetSize;
    public MemberConfiguration Configuration { get; } = configuration;
    public int Weight { get; set; } = state.Weight;
    public bool IsDraining { get; set; } = state.Draining;
}
