namespace Veredus.Duravip;

/// <summary>Who owns which address, as all members agree.</summary>
/// <param name="Owner">Addresses without an owner are not in it.</param>
/// <param name="Draining">Members that give everything away.</param>
/// <param name="Present">All members that take part; one that was excluded because it is silent is not among them.</param>
public sealed record VipOwners(IReadOnlyDictionary<VipAddress, string> Owner, IReadOnlyList<string> Draining, IReadOnlyList<string> Present);

public sealed partial class DuravipMachine
{
    /// <summary>Differs when <see cref="Owners"/> does; 0: nobody is known.</summary>
    public ulong OwnersStamp
    {
        get
        {
            if (Table is not { } table)
                return 0;
            var stamp = Mixing.Combine(table.Digest, (ulong)_view.GetHashCode()) | 1;
            foreach (var n in table.Present)
                stamp = Mixing.Combine(stamp, (ulong)n << 1 | (table.Members[n]!.IsDraining ? 1UL : 0)) | 1;
            return stamp;
        }
    }

    /// <summary>Who owns which address; <see langword="null"/>: this node is in no settled view.</summary>
    public VipOwners? Owners()
    {
        if (Table is not { } table)
            return null;
        var owners = new Dictionary<VipAddress, string>();
        foreach (var row in table.Rows)
        {
            if (row.Owner >= 0 && !row.IsBroken)
                owners[row.Address] = table.NameOf(row.Owner);
        }
        var (draining, present) = (new List<string>(), new List<string>());
        foreach (var n in table.Present)
        {
            present.Add(table.NameOf(n));
            if (table.Members[n]!.IsDraining)
                draining.Add(table.NameOf(n));
        }
        return new(owners, draining, present);
    }
}
