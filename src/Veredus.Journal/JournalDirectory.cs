using System.Globalization;
using Veredus.Journal.Native;

namespace Veredus.Journal;

/// <summary>A segment as a listing shows it.</summary>
/// <param name="IndexedRecords">Records in its index; -1 when there is no index or it is damaged.</param>
public readonly record struct SegmentInfo(uint Number, long Bytes, int PendingReaders, long IndexedRecords, bool Closed);

/// <summary>What a repair found, and, unless it was a dry run, mended.</summary>
/// <param name="Damage">Octets per segment that hold no trustworthy record; they were moved to a file beside the journal.</param>
/// <param name="Checkpoints">Subscribers whose checkpoint was damaged or outside of the data, with the new one.</param>
public sealed record RepairReport(
    bool MetastoreRewritten,
    IReadOnlyDictionary<uint, IReadOnlyList<DamagedRange>> Damage,
    IReadOnlyList<(string Subscriber, RecordId? Old, RecordId New)> Checkpoints)
{
    public bool IsClean => !MetastoreRewritten && Damage.Count == 0 && Checkpoints.Count == 0;
}

/// <summary>A journal as a whole: making it, its settings, subscribers, segments, clean-up and repair.</summary>
public static class JournalDirectory
{
    /// <summary>Makes a new, empty journal. Add its subscribers before the first record is written.</summary>
    /// <param name="unitLimit">Octets after which a segment is finished, 1 to 2^32-1.</param>
    /// <exception cref="JournalException">It exists (<see cref="JournalError.Exists"/>), or the path can't be made.</exception>
    public static void Create(string directory, uint unitLimit = Layout.DefaultUnitLimit, JournalSafety safety = JournalSafety.AlmostSafe)
    {
        ArgumentOutOfRangeException.ThrowIfZero(unitLimit);
        if (System.Text.Encoding.UTF8.GetByteCount(directory) > Layout.MaxPathBytes)
            throw new JournalException(JournalError.PathTooLong, $"The path of a journal has at most {Layout.MaxPathBytes} bytes.");
        if (Directory.Exists(directory) || File.Exists(directory))
            throw new JournalException(JournalError.Exists, $"'{directory}' exists already.");
        try
        {
            Directory.CreateDirectory(directory);
            File.SetUnixFileMode(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new JournalException(JournalError.MakeDirectory, $"Cannot make the directory '{directory}': {e.Message}", e);
        }
        Metastore.Create(directory, new(0, unitLimit, safety, RecordLayout.Plain), Layout.DefaultFileMode);
        JournalFile.SyncDirectory(directory);
    }

    public static JournalSettings Settings(string directory)
    {
        using var metastore = Metastore.Open(directory);
        return metastore.Settings;
    }

    /// <summary>Changes settings of a journal in use. Raise the unit limit only while no C writer runs: it could go on in a finished segment.</summary>
    public static void Change(string directory, uint? unitLimit = null, JournalSafety? safety = null)
    {
        using var metastore = Metastore.Open(directory);
        using var held = metastore.Lock();
        if (unitLimit is { } limit)
            metastore.UnitLimit = limit > 0 ? limit : throw new ArgumentOutOfRangeException(nameof(unitLimit), limit, "A segment holds at least one octet.");
        if (safety is { } level)
            metastore.Safety = level;
        metastore.Sync();
    }

    /// <summary>Octets that the write buffer of a C writer can hold; 0 for none.</summary>
    public static long PreCommitCapacity(string directory) => PreCommit.Capacity(directory);

    /// <summary>Octets of all files of the journal.</summary>
    public static long Size(string directory) => new DirectoryInfo(directory).EnumerateFiles().Sum(file => file.Length);

    public static IReadOnlyList<(string Subscriber, RecordId? Position)> Subscribers(string directory)
    {
        using var metastore = Metastore.Open(directory);
        return [.. Checkpoints.All(directory)];
    }

    /// <summary>Adds a subscriber at the first record that is still there, or behind the last.</summary>
    /// <returns>Its checkpoint.</returns>
    /// <exception cref="JournalException"><see cref="JournalError.SubscriberExists"/>.</exception>
    public static RecordId AddSubscriber(string directory, string subscriber, bool atEnd = false)
    {
        using var metastore = Metastore.Open(directory);
        var segments = Layout.Segments(directory);
        var begin = new RecordId(atEnd ? metastore.ActiveSegment : segments.Count > 0 ? segments[0] : 0, 0);
        using (var file = JournalFile.TryOpen(Layout.CheckpointPath(directory, subscriber), create: true, JournalError.Checkpoint, exclusive: true)
            ?? throw new JournalException(JournalError.SubscriberExists, $"'{directory}' has a subscriber '{subscriber}' already."))
        {
            using var held = file.Lock();
            Checkpoints.Write(file, begin);
            file.Sync();
        }
        JournalFile.SyncDirectory(directory);
        if (!atEnd)
            return begin;
        using var reader = JournalReader.Open(directory, subscriber);
        var last = reader.ReadInterval().Last;
        reader.Checkpoint(last);
        return last;
    }

    /// <summary>Removes a subscriber; segments that only it needed go with the next clean-up.</summary>
    /// <returns>Whether it was there.</returns>
    public static bool RemoveSubscriber(string directory, string subscriber)
    {
        using var metastore = Metastore.Open(directory);
        var path = Layout.CheckpointPath(directory, subscriber);
        if (!File.Exists(path))
            return false;
        File.Delete(path);
        return true;
    }

    /// <summary>Sets a subscriber's checkpoint, to any value; it is added if it does not exist.</summary>
    public static void SetCheckpoint(string directory, string subscriber, RecordId id)
    {
        using var metastore = Metastore.Open(directory);
        using var file = JournalFile.TryOpen(Layout.CheckpointPath(directory, subscriber), create: true, JournalError.Checkpoint)!;
        if (file.Length < Checkpoints.Size)
        {
            var segments = Layout.Segments(directory);
            using (file.Lock())
                Checkpoints.Write(file, new(segments.Count > 0 ? segments[0] : 0, 0));
        }
        Checkpoints.Set(file, id, directory, metastore.Safety);
    }

    /// <summary>Gives one subscriber the checkpoint of another.</summary>
    /// <exception cref="JournalException"><see cref="JournalError.InvalidSubscriber"/>: the other does not exist.</exception>
    public static RecordId CopySubscriber(string directory, string from, string to)
    {
        RecordId position;
        using (var reader = JournalReader.Open(directory, from))
            position = reader.Position;
        SetCheckpoint(directory, to, position);
        return position;
    }

    public static IReadOnlyList<SegmentInfo> Segments(string directory)
    {
        using var metastore = Metastore.Open(directory);
        var positions = Checkpoints.All(directory).ToList();
        var list = new List<SegmentInfo>();
        foreach (var number in Layout.Segments(directory))
        {
            var pending = positions.Count(entry => (entry.Position?.Segment ?? 0) <= number);
            var (records, closed) = Indexed(directory, number);
            list.Add(new(number, new FileInfo(Layout.SegmentPath(directory, number)) is { Exists: true } file ? file.Length : 0, pending, records, closed));
        }
        return list;
    }

    /// <summary>Removes segments that every subscriber has passed. Without subscribers nothing is removed, and never the active segment.</summary>
    /// <returns>How many were removed.</returns>
    public static int Clean(string directory)
    {
        using var metastore = Metastore.Open(directory);
        var needed = Checkpoints.LowestNeeded(directory);
        if (needed == ulong.MaxValue)
            return 0;
        var removed = 0;
        foreach (var segment in Layout.Segments(directory))
        {
            if (segment >= needed || segment >= metastore.ActiveSegment)
                break;
            Checkpoints.Delete(directory, segment);
            removed++;
        }
        return removed;
    }

    /// <summary>Makes room: removes the oldest finished segments, read or not, until the journal takes at most <paramref name="maxBytes"/>; never the active one.</summary>
    /// <returns>Subscribers that had not read all of them, with the octets that they will never get.</returns>
    public static IReadOnlyList<(string Subscriber, long LostBytes)> Trim(string directory, long maxBytes)
    {
        var excess = Size(directory) - maxBytes;
        if (excess <= 0)
            return [];
        using var metastore = Metastore.Open(directory);
        var before = JournalBacklog.Read(directory);
        uint? first = null;
        foreach (var segment in Layout.Segments(directory).TakeWhile(segment => excess > 0 && segment < metastore.ActiveSegment))
        {
            excess -= new FileInfo(Layout.SegmentPath(directory, segment)) is { Exists: true } data ? data.Length : 0;
            excess -= new FileInfo(Layout.IndexPath(directory, segment)) is { Exists: true } index ? index.Length : 0;
            first = segment + 1;
        }
        if (first is not { } kept)
            return [];
        foreach (var (subscriber, position) in Checkpoints.All(directory).ToList())
        {
            if (position?.Segment >= kept)
                continue;
            using var file = JournalFile.TryOpen(Layout.CheckpointPath(directory, subscriber), create: false, JournalError.Checkpoint);
            if (file is not null)
                Checkpoints.Set(file, new(kept, 0), directory, metastore.Safety);
        }
        foreach (var segment in Layout.Segments(directory).TakeWhile(segment => segment < kept))
            Checkpoints.Delete(directory, segment);
        var after = JournalBacklog.Read(directory).ToDictionary(entry => entry.Subscriber, entry => entry.Bytes);
        return [.. before.Select(entry => (entry.Subscriber, entry.Bytes - after.GetValueOrDefault(entry.Subscriber))).Where(entry => entry.Item2 > 0)];
    }

    /// <summary>Mends a journal that nobody has open: metastore, segments, checkpoints. Never deletes a segment unasked.</summary>
    /// <remarks>A checkpoint below the data becomes (lowest segment, 0), one above it the last record, a damaged one (lowest segment, 0). Octets cut out of segment N are kept in <c>DIRECTORY.damaged-N-OFFSET</c>.</remarks>
    public static RepairReport Repair(string directory, bool dryRun = false)
    {
        if (!Directory.Exists(directory))
            throw new JournalException(JournalError.Open, $"There is no journal '{directory}'.");
        var segments = Layout.Segments(directory);
        var (lowest, highest) = segments.Count > 0 ? (segments[0], segments[^1]) : (0u, 0u);
        var rewritten = Metastore.Repair(directory, highest, dryRun);
        if (rewritten && dryRun)
            return new(true, new Dictionary<uint, IReadOnlyList<DamagedRange>>(), []);
        using var metastore = Metastore.Open(directory);
        var damage = new Dictionary<uint, IReadOnlyList<DamagedRange>>();
        foreach (var segment in segments)
        {
            using var data = JournalFile.TryOpen(Layout.SegmentPath(directory, segment), create: false, JournalError.SegmentOpen);
            if (data is null)
                continue;
            if (!dryRun)
                File.Delete(Layout.IndexPath(directory, segment));  // a cache that may lie, and does once the records move; readers build it anew
            var found = RepairSegment(directory, segment, data, metastore.Layout, dryRun);
            if (found.Count > 0)
                damage[segment] = found;
        }
        return new(rewritten, damage, RepairCheckpoints(directory, metastore, lowest, highest, dryRun ? damage.Keys : [], dryRun));
    }

    /// <summary>Cuts what can't be trusted out of a segment, under its lock; what was cut is kept beside the journal first. The caller throws the index away.</summary>
    internal static List<DamagedRange> RepairSegment(string directory, uint number, JournalFile data, RecordLayout layout, bool dryRun)
    {
        using var held = data.Lock();
        List<DamagedRange> damage;
        using (var walk = new SegmentWalk(data, layout, data.Length))
            damage = SegmentRepair.FindDamage(walk, layout);
        if (dryRun || damage.Count == 0)
            return damage;
        var length = data.Length;
        foreach (var range in damage)
            Keep(directory, number, data, range);
        // A new file takes the place of the old one in one step: a repair that is killed has done all of it or nothing.
        var path = Path.Join(directory, string.Create(CultureInfo.InvariantCulture, $"repair.{number:x8}"));
        using (var mended = JournalFile.TryOpen(path, create: true, JournalError.SegmentWrite)!)
        {
            mended.Truncate(0);
            mended.TakeOwnerAndModeOf(data);
            var buffer = new byte[64 << 10];
            long from = 0, target = 0;
            foreach (var (start, end) in damage.Append(new(length, length)))
            {
                while (from < start)
                {
                    var count = data.Read(buffer.AsSpan(0, (int)Math.Min(buffer.Length, start - from)), from);
                    mended.Write(buffer.AsSpan(0, count), target);
                    (from, target) = (from + count, target + count);
                }
                from = end;
            }
            mended.Sync();
        }
        File.Move(path, data.Path, overwrite: true);
        JournalFile.SyncDirectory(directory);
        return damage;
    }

    private static void Keep(string directory, uint number, JournalFile data, DamagedRange range)
    {
        var path = string.Create(CultureInfo.InvariantCulture, $"{Path.TrimEndingDirectorySeparator(directory)}.damaged-{number:x8}-{range.Start}");
        using var kept = JournalFile.TryOpen(path, create: true, JournalError.SegmentWrite)!;
        kept.Truncate(0);
        var buffer = new byte[64 << 10];
        for (long at = 0; at < range.Length;)
        {
            var count = data.Read(buffer.AsSpan(0, (int)Math.Min(buffer.Length, range.Length - at)), range.Start + at);
            kept.Write(buffer.AsSpan(0, count), at);
            at += count;
        }
        kept.Sync();
    }

    private static List<(string Subscriber, RecordId? Old, RecordId New)> RepairCheckpoints(string directory, Metastore metastore, uint lowest, uint highest, IEnumerable<uint> damaged, bool dryRun)
    {
        var changed = new List<(string, RecordId?, RecordId)>();
        foreach (var (subscriber, position) in Checkpoints.All(directory).ToList())
        {
            var mended = position switch
            {
                null => new RecordId(lowest, 0),
                { } at when at.Segment < lowest => new RecordId(lowest, 0),
                { } at when damaged.Contains(at.Segment) => at,  // a dry run: where its records end is known after the repair
                { } at => Clamp(directory, metastore, at, highest),
            };
            if (mended == position)
                continue;
            changed.Add((subscriber, position, mended));
            if (dryRun)
                continue;
            using var file = JournalFile.TryOpen(Layout.CheckpointPath(directory, subscriber), create: true, JournalError.Checkpoint)!;
            using var held = file.Lock();
            file.Truncate(0);
            Checkpoints.Write(file, mended);
            file.Sync();
        }
        return changed;
    }

    private static RecordId Clamp(string directory, Metastore metastore, RecordId at, uint highest)
    {
        var segment = Math.Min(at.Segment, highest);
        using var open = SegmentIndex.TryOpen(directory, segment, metastore);
        if (open is null)
            return at.Segment > highest ? new(segment, 0) : at;
        var last = new RecordId(segment, SegmentIndex.Resync(open, metastore).LastMarker);
        return at > last ? last : at;
    }

    private static (long Records, bool Closed) Indexed(string directory, uint segment)
    {
        using var index = JournalFile.TryOpen(Layout.IndexPath(directory, segment), create: false, JournalError.IndexOpen);
        if (index is null || index.Length % 8 != 0)
            return (-1, false);
        var entries = index.Length / 8;
        if (entries < 2)
            return (entries, false);
        Span<byte> last = stackalloc byte[8];
        index.Read(last, index.Length - 8);
        var closed = !last.ContainsAnyExcept((byte)0);
        return (closed ? entries - 1 : entries, closed);
    }
}
