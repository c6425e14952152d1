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

    /// <summary>Size of a segment file, 64 KiB to 1 GiB. Default 32 MiB.</summary>
    public int SegmentBytes { get; init; } = 32 << 20;

    /// <summary>Longest time that removals and attempts stay unsynced. Default 500 ms.</summary>
    public TimeSpan FlushInterval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Removals that may be unsynced at once: the most that a power cut can deliver twice. Default 100.</summary>
    public int RemovalBacklog { get; init; } = 100;

    /// <summary>Free space below which mail is refused, as a share of the file system. Default 5 %.</summary>
    public double MinFreeShare { get; init; } = 0.05;

    /// <summary>A full segment is left alone for so long: most of its mail goes by itself. Default 10 s.</summary>
    public TimeSpan CompactAfter { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Octets a second that compaction may copy. Default 32 MiB.</summary>
    public int CompactionBytesPerSecond { get; init; } = 32 << 20;

    /// <summary>Told about damaged data set aside, once per place; for the paniclog. Called on a background thread.</summary>
    public Action<string>? Notice { get; init; }

    internal void Validate()
    {
        Check(SegmentBytes is >= 64 << 10 and <= 1 << 30, nameof(SegmentBytes), SegmentBytes, "64 KiB to 1 GiB");
        Check(LargeMessageThreshold is >= 4 << 10 and <= 8 << 20, nameof(LargeMessageThreshold), LargeMessageThreshold, "4 KiB to 8 MiB");
        Check(FlushInterval > TimeSpan.Zero && FlushInterval <= TimeSpan.FromSeconds(10), nameof(FlushInterval), FlushInterval, "above 0 and at most 10 s");
        Check(RemovalBacklog is >= 1 and <= 100_000, nameof(RemovalBacklog), RemovalBacklog, "1 to 100000");
        Check(MinFreeShare is >= 0 and < 1, nameof(MinFreeShare), MinFreeShare, "0 to below 1");
        Check(CompactionBytesPerSecond > 0, nameof(CompactionBytesPerSecond), CompactionBytesPerSecond, "above 0");
        Check(!NodeName.AsSpan().ContainsAny("\r\n \0") && NodeName.Length is > 0 and <= 255, nameof(NodeName), NodeName, "a host name");

        static void Check(bool holds, string name, object value, string allowed)
        {
            if (!holds)
                throw new ArgumentOutOfRangeException(name, value, $"{name} must be {allowed}.");
        }
    }
}
