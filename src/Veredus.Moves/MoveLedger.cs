namespace Veredus.Moves;

/// <summary>What a node answers to a message that another one hands over.</summary>
public enum Arrival
{
    /// <summary>Take it.</summary>
    New,

    /// <summary>It is here, has ended here, or this copy is older than one that went through: say yes and store nothing.</summary>
    Known,

    /// <summary>The same message is arriving on another connection: not now.</summary>
    Busy,
}

/// <summary>Where a message stands, as a node remembers.</summary>
public enum LedgerState
{
    /// <summary>It is here or ended here.</summary>
    Here,

    /// <summary>It is here, and perhaps another node has taken it as well: that node was given it and has not answered.</summary>
    InDoubt,

    /// <summary>It was handed over; <see cref="LedgerEntry.Generation"/> is that of the copy that went out.</summary>
    Gone,
}

/// <summary>One message that was moved.</summary>
/// <param name="LocalId">Its ID here.</param>
/// <param name="Node">For <see cref="LedgerState.InDoubt"/> and <see cref="LedgerState.Gone"/>: to whom.</param>
/// <param name="AtMs">Unix milliseconds of the last change.</param>
public readonly record struct LedgerEntry(Guid Lineage, LedgerState State, uint Generation, ulong LocalId, string Node, long AtMs);

/// <summary>
/// Remembers which moved messages are or were here, so that a message given twice is stored once (cluster.md 7.2). Not thread-safe; no clock and no disk: each
/// change gives the entry to be noted, and noted entries, applied in order, give the same ledger again.
/// </summary>
/// <remarks>
/// A message has one name for life, its lineage, and each move raises its generation. Whoever holds a message, or delivered it, needs no other copy of it: it
/// says that it knows it, and raises its own generation to that of the other copy. Whoever handed it over at generation g takes it back only with a later one.
/// So copies that arose because an answer was lost meet on their way to the same owner and one of them ends; and as a copy ends only where another one of at
/// least its generation is, two never end for each other's sake.
/// </remarks>
public sealed class MoveLedger
{
    /// <summary>Entries are kept for at least this time.</summary>
    public const long MinKeepMs = 3_600_000;

    /// <summary>And while there are no more than this many, for so long.</summary>
    public const long MaxKeepMs = 24 * 3_600_000;

    public const int KeepEntries = 250_000;

    private readonly Dictionary<Guid, LedgerEntry> _entries = [];
    private readonly HashSet<Guid> _arriving = [];
    private readonly Queue<(Guid Lineage, long AtMs)> _ages = new();

    public int Count => _entries.Count;

    /// <summary>Messages of which another node may have a copy.</summary>
    public int InDoubt { get; private set; }

    public LedgerEntry? Find(Guid lineage) => _entries.TryGetValue(lineage, out var entry) ? entry : null;

    public IEnumerable<LedgerEntry> Entries => _entries.Values;

    /// <summary>A message is offered. After <see cref="Arrival.New"/> comes <see cref="Stored"/> or <see cref="NotStored"/>.</summary>
    /// <param name="localId">Its ID in this spool, if it is there, whether or not it was ever moved.</param>
    /// <param name="changed">To be noted before the answer.</param>
    public Arrival Arrive(Guid lineage, uint generation, ulong? localId, long nowMs, out LedgerEntry? changed)
    {
        changed = null;
        if (_arriving.Contains(lineage))
            return Arrival.Busy;
        var isKnown = _entries.TryGetValue(lineage, out var entry);
        if (isKnown && entry.State is LedgerState.InDoubt)
            return generation < entry.Generation ? Arrival.Known : Arrival.Busy;  // what went out last must be answered first
        // What has gone may still stand in the spool for a moment: it does not count as here.
        if (isKnown ? entry.State is LedgerState.Gone && generation > entry.Generation : localId is null)
        {
            _arriving.Add(lineage);
            return Arrival.New;
        }
        if (!isKnown || (entry.State is LedgerState.Here && generation > entry.Generation))
            changed = Set(new(lineage, LedgerState.Here, generation, localId ?? entry.LocalId, "", nowMs));
        return Arrival.Known;
    }


    /// <summary>It is durable here.</summary>
    public LedgerEntry Stored(Guid lineage, uint generation, ulong localId, long nowMs)
    {
        _arriving.Remove(lineage);
        return Set(new(lineage, LedgerState.Here, generation, localId, "", nowMs));
    }

    /// <summary>It was not stored: it may come again.</summary>
    public void NotStored(Guid lineage) => _arriving.Remove(lineage);

    /// <summary>Before the first octet of it goes to <paramref name="node"/>: from now on nobody knows whether that node has it, until it answers.</summary>
    /// <param name="generation">Of the copy in the spool; 0: never moved.</param>
    /// <returns>To be noted; with the generation that the copy goes out with: that of an unanswered one again, else one more than any seen.</returns>
    public LedgerEntry Sending(Guid lineage, uint generation, ulong localId, string node, long nowMs)
    {
        var next = !_entries.TryGetValue(lineage, out var entry) ? generation + 1
            : entry.State is LedgerState.InDoubt ? entry.Generation : Math.Max(generation, entry.Generation) + 1;
        return Set(new(lineage, LedgerState.InDoubt, next, localId, node, nowMs));
    }

    /// <summary>The other node has it.</summary>
    public LedgerEntry Sent(Guid lineage, uint generation, ulong localId, string node, long nowMs) =>
        Set(new(lineage, LedgerState.Gone, generation, localId, node, nowMs));

    /// <summary>The other node said that it has not taken it.</summary>
    public LedgerEntry Refused(Guid lineage, uint generation, ulong localId, long nowMs) =>
        Set(new(lineage, LedgerState.Here, generation, localId, "", nowMs));

    /// <summary>Takes a noted entry back.</summary>
    public void Apply(LedgerEntry entry) => Set(entry);

    /// <summary>Whether a message found in the spool was handed over before the process ended: then it must only be removed.</summary>
    /// <param name="generation">Of the copy in the spool; 0: never moved.</param>
    /// <param name="localId">Its ID: a later copy that came back has another one.</param>
    public bool HasLeft(Guid lineage, uint generation, ulong localId) =>
        _entries.TryGetValue(lineage, out var entry) && entry.Generation > generation && (entry.State is LedgerState.Gone || entry.LocalId != localId);

    /// <summary>Forgets what is old enough.</summary>
    /// <param name="isHere">Whether the spool still has a message: then it stays known.</param>
    /// <param name="most">Entries looked at.</param>
    /// <returns>How many were forgotten.</returns>
    public int Expire(long nowMs, Func<ulong, bool> isHere, int most = 10_000)
    {
        var forgotten = 0;
        while (most-- > 0 && _ages.TryPeek(out var oldest) && nowMs - oldest.AtMs >= (_entries.Count > KeepEntries ? MinKeepMs : MaxKeepMs))
        {
            _ages.Dequeue();
            if (!_entries.TryGetValue(oldest.Lineage, out var entry) || entry.AtMs != oldest.AtMs)
                continue;  // changed since: a later age stands for it
            if (entry.State is not LedgerState.Gone && isHere(entry.LocalId))
            {
                Set(entry with { AtMs = nowMs });
                continue;
            }
            _entries.Remove(oldest.Lineage);
            InDoubt -= entry.State is LedgerState.InDoubt ? 1 : 0;
            forgotten++;
        }
        return forgotten;
    }

    private LedgerEntry Set(LedgerEntry entry)
    {
        if (_entries.TryGetValue(entry.Lineage, out var before) && before.State is LedgerState.InDoubt)
            InDoubt--;
        InDoubt += entry.State is LedgerState.InDoubt ? 1 : 0;
        _entries[entry.Lineage] = entry;
        _ages.Enqueue((entry.Lineage, entry.AtMs));
        return entry;
    }
}
