using System.Buffers.Binary;
using Veredus.Journal.Native;

namespace Veredus.Journal;

/// <summary>How careful the library is. <see cref="Safe"/> syncs an append before it is reported as done.</summary>
public enum JournalSafety
{
    Unsafe = 0,
    AlmostSafe = 1,
    Safe = 2,
}

/// <summary>The settings of a journal as they stand in its metastore.</summary>
/// <param name="ActiveSegment">Number of the segment that writers append to.</param>
/// <param name="UnitLimit">Octets after which a segment is finished; 1 to 2^32-1.</param>
/// <param name="Magic">First field of every record; tells the record layout.</param>
public readonly record struct JournalSettings(uint ActiveSegment, uint UnitLimit, JournalSafety Safety, uint Magic)
{
    public bool IsCompressed => new RecordLayout(Magic).IsCompressed;

    internal RecordLayout Layout => new(Magic);
}

/// <summary>What an append depends on, as it stood when the lock of the segment was taken.</summary>
internal readonly record struct MetastoreState(uint ActiveSegment, uint UnitLimit, JournalSafety Safety);

/// <summary>The file <c>metastore</c>: 0 active segment u32 · 4 unit limit u32 · 8 safety u32 · 12 record magic u32. Fields are read anew at each use, because other processes change them.</summary>
internal sealed class Metastore : IDisposable
{
    public const int Size = 16;
    private readonly JournalFile _file;

    private Metastore(JournalFile file, RecordLayout layout)
    {
        _file = file;
        Layout = layout;
    }

    /// <summary>Fixed for the life of a log.</summary>
    public RecordLayout Layout { get; }

    /// <summary>Made of the file's inode and, where the file system knows it, the time of its making; it is written in place as long as the journal lives.</summary>
    public ulong Identity => _file.Identity;

    public uint ActiveSegment
    {
        get => ReadField(0);
        set => WriteField(0, value);
    }

    public uint UnitLimit
    {
        get => ReadField(4);
        set => WriteField(4, value);
    }

    public JournalSafety Safety
    {
        get => (JournalSafety)ReadField(8);
        set => WriteField(8, (uint)value);
    }

    /// <summary>What an append has to know, in one read.</summary>
    public MetastoreState ReadState()
    {
        Span<byte> bytes = stackalloc byte[12];
        return _file.Read(bytes, 0) == 12 ? new(Field(bytes, 0), Field(bytes, 4), (JournalSafety)Field(bytes, 8)) : throw Cut();
    }

    public JournalSettings Settings => new(ActiveSegment, UnitLimit, Safety, Layout.Magic);

    /// <summary>Opens and checks. Nothing on disk is changed by a metastore that is wrong: that is for an explicit repair.</summary>
    /// <exception cref="JournalException">Not a journal, damaged, of an old version, or of an unknown compression.</exception>
    public static Metastore Open(string directory)
    {
        if (File.Exists(directory))
            throw new JournalException(JournalError.NotADirectory, $"'{directory}' is a file; a journal is a directory.");
        if (!Directory.Exists(directory))
            throw new JournalException(JournalError.Open, $"There is no journal '{directory}'. Create it first.");
        var path = Path.Join(directory, Journal.Layout.Metastore);
        var file = JournalFile.TryOpen(path, create: false, JournalError.MetastoreOpen)
            ?? throw new JournalException(JournalError.MetastoreOpen, $"'{directory}' has no metastore, so it is not a journal; if it was one, repair it.");
        try
        {
            using (file.Lock())
            {
                var (settings, problem) = Check(file);
                return settings is { } good
                    ? new(file, good.Layout)
                    : throw new JournalException(JournalError.MetastoreOpen, $"'{path}' {problem}. Nothing was changed.");
            }
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Writes a new metastore. The directory is new, so nobody else has it.</summary>
    public static void Create(string directory, JournalSettings settings, UnixFileMode mode)
    {
        using var file = JournalFile.TryOpen(Path.Join(directory, Journal.Layout.Metastore), create: true, JournalError.CreateMetastore, mode)!;
        using var held = file.Lock();
        Store(file, settings);
        if (settings.Safety == JournalSafety.Safe)
            file.Sync();
    }

    /// <summary>Brings a damaged metastore in order (section 18): each valid field stays, the others get defaults.</summary>
    /// <returns>Whether anything was wrong.</returns>
    public static bool Repair(string directory, uint highestSegment, bool dryRun)
    {
        using var file = JournalFile.TryOpen(Path.Join(directory, Journal.Layout.Metastore), create: !dryRun, JournalError.CreateMetastore);
        if (file is null)
            return true;
        using var held = file.Lock();
        var (settings, _) = Check(file);
        if (settings is { } good && good.ActiveSegment == highestSegment)
            return false;
        if (!dryRun)
        {
            var whole = file.Length == Size;
            Span<byte> old = stackalloc byte[Size];
            old.Clear();
            if (whole)
                file.Read(old, 0);
            var (limit, safety, magic) = (Field(old, 4), Field(old, 8), Field(old, 12));
            file.Truncate(Size);
            Store(file, new(
                highestSegment,
                whole && limit > 0 ? limit : Journal.Layout.DefaultUnitLimit,
                whole && safety <= 2 ? (JournalSafety)safety : JournalSafety.AlmostSafe,
                whole && RecordLayout.IsKnown(magic) ? magic : RecordLayout.Plain));
            file.Sync();
        }
        return true;
    }

    /// <summary>Holds the lock that serialises roll-over and changes of settings.</summary>
    public JournalFile.Held Lock() => _file.Lock();

    public void Sync() => _file.Sync();

    public void Dispose() => _file.Dispose();

    private static (JournalSettings? Settings, string Problem) Check(JournalFile file)
    {
        Span<byte> bytes = stackalloc byte[Size];
        var length = file.Length;
        if (length == 12)
            return (null, "is of a 1.x journal (12 bytes), which newer libraries would destroy; convert it with the tools of its own version");
        if (length != Size || file.Read(bytes, 0) != Size)
            return (null, $"has {length} bytes instead of {Size}; repair the journal");
        var settings = new JournalSettings(Field(bytes, 0), Field(bytes, 4), (JournalSafety)Field(bytes, 8), Field(bytes, 12));
        if (settings.Magic == 0)
            return (null, "has record magic 0: a journal of version 1.x or 2.0 to 2.5.2 that began as one; convert it with the tools of its own version");
        if (BinaryPrimitives.ReverseEndianness(settings.Magic) is var swapped && RecordLayout.IsKnown(swapped))
            return (null, "was written on a machine of the other byte order; convert it first");
        if (!RecordLayout.IsKnown(settings.Magic))
            return (null, $"has the unknown record magic {settings.Magic:x8}; repair the journal, or use a library that knows this compression");
        if (settings.UnitLimit == 0 || !Enum.IsDefined(settings.Safety))
            return (null, $"has a bad field (unit limit {settings.UnitLimit}, safety {(uint)settings.Safety}); repair the journal");
        return (settings, "");
    }

    private static void Store(JournalFile file, JournalSettings settings)
    {
        Span<byte> bytes = stackalloc byte[Size];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, settings.ActiveSegment);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], settings.UnitLimit);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[8..], (uint)settings.Safety);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[12..], settings.Magic);
        file.Write(bytes, 0);
    }

    private static uint Field(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[offset..]);

    private uint ReadField(long offset)
    {
        Span<byte> bytes = stackalloc byte[4];
        return _file.Read(bytes, offset) == 4
            ? BinaryPrimitives.ReadUInt32LittleEndian(bytes)
            : throw Cut();
    }

    private JournalException Cut() => new(JournalError.MetastoreOpen, $"'{_file.Path}' was cut while in use; repair the journal.");

    private void WriteField(long offset, uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        _file.Write(bytes, offset);
    }
}
