namespace Veredus.Spool;

/// <summary>One file of the log. Fields are guarded by the spool's lock, except that only the writer moves <see cref="End"/>.</summary>
internal sealed class Segment(uint number, IDiskFile file, string path, int size)
{
    /// <summary>Grows with every use of a file; 0 is no segment.</summary>
    public uint Number { get; } = number;

    public IDiskFile File { get; } = file;

    public string Path { get; } = path;

    /// <summary>Length of the file.</summary>
    public int Size { get; } = size;

    public int Room => Size - End;

    /// <summary>Where the next record begins.</summary>
    public int End { get; set; }

    /// <summary>Up to where the file is known to be on the disk.</summary>
    public int SyncedEnd { get; set; }

    /// <summary>No more records come; it may be compacted.</summary>
    public bool Sealed { get; set; }

    /// <summary>Octets of bodies and envelopes that some message still needs.</summary>
    public long LiveBytes { get; set; }

    /// <summary>Readers that stand in it: it is not reused before they have left.</summary>
    public int Pins { get; set; }

    /// <summary>Segments in which messages stand that removals here concern: the removals count as long as those exist.</summary>
    public HashSet<uint> RemovalTargets { get; } = [];

    /// <summary>Attempt records here, needed or not.</summary>
    public int AttemptRecords { get; set; }

    /// <summary>Has an index file of its own.</summary>
    public bool Indexed { get; set; }

    /// <summary>Something in it cannot be read: it is never compacted, only given back when nothing in it counts.</summary>
    public bool Damaged { get; set; }

    /// <summary>All that counted stands elsewhere, durably: given back when the last reader leaves.</summary>
    public bool Evacuated { get; set; }

    /// <summary>Timestamp of sealing, for compaction to leave fresh mail time to go by itself.</summary>
    public long SealedAt { get; set; }
}
