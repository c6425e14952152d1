namespace Veredus.Spool;

/// <summary>How one spool is kept.</summary>
public sealed record SpoolOptions
{
    /// <summary>The spool's own directory (spoolbase); made if it does not exist.</summary>
    public required string Base { get; init; }

    /// <summary>Name of this node for the lock record.</summary>
    public required string NodeName { get; init; }

    /// <summary>Number of this instance on its machine, for the lock record.</summary>
    public int Instance { get; init; }

    /// <summary>Take a spool whose lock is free although its record names another node.</summary>
    public bool TakeOver { get; init; }

    /// <summary>Mode of the files (spool_mode). Default 0640.</summary>
    public UnixFileMode FileMode { get; init; } = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;

    /// <summary>Sync before a commit completes (force_fsync). Without it a power cut may lose accepted mail. Default on.</summary>
    public bool Sync { get; init; } = true;

    /// <summary>Bodies above this go to a file of their own while they are received, 4 KiB to 8 MiB. Default 128 KiB.</summary>
    public int LargeMessageThreshold { get; init; } = 128 << 10;

    /// <summary>Size of a segment file, 1 MiB to 1 GiB. Default 64 MiB.</summary>
    public int SegmentBytes { get; init; } = 64 << 20;

    /// <summary>Longest time that removals and attempts stay unsynced. Default 500 ms.</summary>
    public TimeSpan FlushInterval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Removals that may be unsynced at once: the most that a power cut can deliver twice. Default 100.</summary>
    public int RemovalBacklog { get; init; } = 100;

    /// <summary>Free space below which mail is refused, as a share of the file system. Default 5 %.</summary>
    public double MinFreeShare { get; init; } = 0.05;

    /// <summary>Told about damaged data set aside, once per place; for the paniclog. Called on a background thread.</summary>
    public Action<string>? Notice { get; init; }
}
