using System.Buffers.Binary;
using Veredus.Journal.Native;

namespace Veredus.Journal;

/// <summary>Records that wait for a subscriber; they never span two segments.</summary>
/// <param name="Count">0: nothing new; <see cref="First"/> and <see cref="Last"/> are then the place of the checkpoint.</param>
public readonly record struct JournalInterval(RecordId First, RecordId Last, uint Count);

/// <summary>Reads a journal as one subscriber: take the interval, read it, process it, acknowledge its last record, take the next. What is not acknowledged comes again.</summary>
/// <remarks>One process may read as a subscriber at a time, with one thread. Reading needs write permission: readers build the index and remove segments that nobody needs.</remarks>
public sealed class JournalReader : IDisposable
{
    private readonly string _directory;
    private readonly Metastore _metastore;
    private readonly JournalFile _checkpoint;
    private OpenSegment? _segment;

    private JournalReader(string directory, Metastore metastore, JournalFile checkpoint, string subscriber)
    {
        _directory = directory;
        _metastore = metastore;
        _checkpoint = checkpoint;
        Subscriber = subscriber;
        Identity = metastore.Identity;
    }

    public string Subscriber { get; }

    /// <summary>The active segment holds damage behind the records that can be read. They are read; what is behind comes when the segment is finished and repaired.</summary>
    public bool ActiveSegmentDamaged { get; private set; }

    /// <summary>Damage that reading has cut out of finished segments, octets. What was cut stands beside the journal, see <see cref="JournalDirectory.Repair"/>.</summary>
    public long RemovedBytes { get; private set; }

    /// <exception cref="JournalException">No journal, damaged, or no such subscriber (<see cref="JournalError.InvalidSubscriber"/>).</exception>
    public static JournalReader Open(string directory, string subscriber)
    {
        var metastore = Metastore.Open(directory);
        JournalFile? checkpoint = null;
        try
        {
            checkpoint = JournalFile.TryOpen(Layout.CheckpointPath(directory, subscriber), create: false, JournalError.InvalidSubscriber)
                ?? throw new JournalException(JournalError.InvalidSubscriber, $"'{directory}' has no subscriber '{subscriber}'. Add it first.");
            if (Checkpoints.Read(checkpoint) is null)
                throw new JournalException(JournalError.InvalidSubscriber, $"The checkpoint of subscriber '{subscriber}' in '{directory}' is damaged ({checkpoint.Length} octets instead of 8). Repair the journal, or remove the subscriber and add it again.");
            return new(directory, metastore, checkpoint, subscriber);
        }
        catch
        {
            checkpoint?.Dispose();
            metastore.Dispose();
            throw;
        }
    }

    /// <summary>The last record that was acknowledged.</summary>
    public RecordId Position => Checkpoints.Read(_checkpoint) ?? default;

    /// <summary>The last record that is there; marker 0 when the active segment has none.</summary>
    public RecordId Last => Find(new(_metastore.ActiveSegment, 0)).Finish;

    /// <summary>Tells this journal from another one that was made in its place later, whose records count from the start again.</summary>
    public ulong Identity { get; }

    /// <summary>Puts the segment of the last interval on disk: what was read from it survives a power cut.</summary>
    public void Sync() => _segment?.Data.Sync();

    /// <summary>What is ready to be read after the checkpoint, within one segment. Steps over segments that are read or gone, and removes those that nobody needs.</summary>
    public JournalInterval ReadInterval()
    {
        var position = Position;
        var (start, finish) = Find(position);
        if (start.Segment == position.Segment)
        {
            start = position;
        }
        else
        {
            start = new(start.Segment, 0);
            Set(start);
        }
        if (finish.Marker < start.Marker)
        {
            Set(finish);  // the checkpoint was past the end of the data
            return new(finish, finish, 0);
        }
        var count = finish.Marker - start.Marker;
        return new(count > 0 ? start with { Marker = start.Marker + 1 } : start, finish, count);
    }

    /// <summary>Walks on without acknowledging: what comes after <paramref name="current"/>, across segments.</summary>
    /// <returns>Count 0: nothing more for now.</returns>
    public JournalInterval ReadAfter(RecordId current)
    {
        var (start, finish) = Find(current);
        var first = start.Segment == current.Segment ? current.Marker : 0;
        var count = finish.Segment == start.Segment && finish.Marker > first ? finish.Marker - first : 0;
        return new(new(start.Segment, count > 0 ? first + 1 : first), finish, count);
    }

    /// <summary>Reads records of an interval from <paramref name="first"/> on, as many as fit into about <paramref name="maxBytes"/> and at least one.</summary>
    /// <returns>The record after the last one read.</returns>
    /// <exception cref="JournalException">No such record, or the data does not hold what the index says.</exception>
    public RecordId Read(RecordId first, uint count, RecordBatch batch, int maxBytes = 1 << 20)
    {
        ArgumentNullException.ThrowIfNull(batch);
        batch.Clear();
        if (first.Marker == 0)
            throw new JournalException(JournalError.IllegalRecordId, $"{first} names no record; markers count from 1.");
        var segment = Open(first.Segment)
            ?? throw new JournalException(JournalError.SegmentOpen, $"Segment {first.Segment:x8} of '{_directory}' does not exist.");
        var from = Offset(segment, first);
        var indexed = segment.Index.Length / 8;
        var behind = first.Marker - 1L + count;
        var until = behind < indexed ? ReadEntry(segment, behind) : 0;
        var end = until > from ? until : segment.Data.Length;  // 0: the closed marker, or the end of the index
        var layout = _metastore.Layout;
        var wanted = (int)Math.Min(end - from, Math.Max(maxBytes, layout.HeaderSize));
        var bytes = batch.Reserve(wanted);
        var got = segment.Data.Read(bytes.AsSpan(0, wanted), from);
        var position = 0;
        var decoded = wanted;
        for (; count > 0; count--)
        {
            if (got - position < layout.HeaderSize)
            {
                if (batch.Count > 0)
                    break;
                throw Damaged(segment, first);
            }
            var header = RecordHeader.Read(bytes.AsSpan(position), layout);
            var size = layout.HeaderSize + (long)header.StoredLength;
            if (header.Magic != layout.Magic || from + position + size > segment.Data.Length || size > int.MaxValue / 2)
                throw Damaged(segment, first);
            if (position + size > got)
            {
                if (batch.Count > 0)
                    break;
                bytes = batch.Reserve((int)size, got);
                got += segment.Data.Read(bytes.AsSpan(got, (int)size - got), from + got);
                if (got < size)
                    throw Damaged(segment, first);
                decoded = got;
            }
            if (!Add(batch, ref bytes, position + layout.HeaderSize, header, layout, ref decoded))
            {
                if (batch.Count > 0)
                    break;
                throw Damaged(segment, first);
            }
            position += (int)size;
            first = first with { Marker = first.Marker + 1 };
        }
        return first;
    }

    /// <summary>Acknowledges everything up to and including a record. On disk when this returns, unless the journal's safety is unsafe.</summary>
    public void Checkpoint(RecordId id) => Set(id);

    public void Dispose()
    {
        _segment?.Dispose();
        _checkpoint.Dispose();
        _metastore.Dispose();
    }

    private void Set(RecordId id) => Checkpoints.Set(_checkpoint, id, _directory, _metastore.Safety);

    /// <summary>Takes a record into the batch; a compressed one is decoded behind what was read.</summary>
    private static bool Add(RecordBatch batch, ref byte[] bytes, int offset, in RecordHeader header, RecordLayout layout, ref int decoded)
    {
        if (layout.Magic != RecordLayout.Lz4)
        {
            if (header.PayloadLength > header.StoredLength)
                return false;
            batch.Add(offset, (int)header.PayloadLength, header);
            return true;
        }
        if (header.PayloadLength > JournalWriter.MaxPayloadBytes)
            return false;
        var length = (int)header.PayloadLength;
        bytes = batch.Reserve(decoded + length, decoded);
        if (!Lz4Block.TryDecode(bytes.AsSpan(offset, (int)header.StoredLength), bytes.AsSpan(decoded, length)))
            return false;
        batch.Add(decoded, length, header);
        decoded += length;
        return true;
    }

    /// <summary>Where a record begins. An index that lies is thrown away and built anew, once.</summary>
    private long Offset(OpenSegment segment, RecordId id)
    {
        for (var attempt = 0; attempt < 2; attempt++)
        {
            var length = segment.Index.Length;
            var entries = length / 8;
            if (length % 8 == 0 && id.Marker <= entries)
            {
                var offset = ReadEntry(segment, id.Marker - 1L);
                if (offset == 0 && id.Marker != 1 && id.Marker == entries)
                    throw new JournalException(JournalError.ClosedMarker, $"{id} is behind the last record of its segment.");
                if ((offset > 0 || id.Marker == 1) && IsRecord(segment, offset))
                    return offset;
                using var held = segment.Index.Lock();
                SegmentIndex.Rebuild(segment, _metastore);
            }
            else
            {
                SegmentIndex.Resync(segment, _metastore);
            }
        }
        throw new JournalException(JournalError.IllegalRecordId, $"There is no record {id} in '{_directory}'.");
    }

    private bool IsRecord(OpenSegment segment, long offset)
    {
        Span<byte> magic = stackalloc byte[4];
        return offset >= 0 && segment.Data.Read(magic, offset) == 4 && BinaryPrimitives.ReadUInt32LittleEndian(magic) == _metastore.Layout.Magic;
    }

    private static long ReadEntry(OpenSegment segment, long entry)
    {
        Span<byte> bytes = stackalloc byte[8];
        return segment.Index.Read(bytes, entry * 8) == 8 ? BinaryPrimitives.ReadInt64LittleEndian(bytes) : -1;
    }

    private (RecordId Start, RecordId Finish) Find(RecordId position)
    {
        var start = position;
        while (true)
        {
            if (Open(start.Segment) is not { } segment)
            {
                var active = _metastore.ActiveSegment;
                if (start.Segment >= active)
                    return (start, start);
                start = new(NextSegment(start.Segment, active), 0);
                continue;
            }
            var state = ResyncRepairing(segment);
            if (state is not { } known)
                continue;  // repaired to nothing: open says so
            ActiveSegmentDamaged = known.Damaged;
            var last = new RecordId(start.Segment, known.LastMarker);
            if (last < start)
                start = last;
            if (start == last && known.Closed)
            {
                if (start.Segment >= _metastore.ActiveSegment)
                    return (start, start);
                start = new(start.Segment + 1, 0);
                continue;
            }
            return (start, last);
        }
    }

    /// <summary>Segments may be missing, any number of them: the next one there is, or the active one.</summary>
    private uint NextSegment(uint segment, uint active)
    {
        foreach (var number in Layout.Segments(_directory))
        {
            if (number > segment)
                return Math.Min(number, active);
        }
        return active;
    }

    /// <summary>Brings the index up to date; damage in a finished segment is repaired on the way (section 13).</summary>
    private IndexState? ResyncRepairing(OpenSegment segment)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return SegmentIndex.Resync(segment, _metastore);
            }
            catch (JournalException e) when (e.Error == JournalError.SegmentCorrupt && attempt < 3 && segment.Number < _metastore.ActiveSegment)
            {
                using (segment.Index.Lock())
                {
                    segment.Index.Truncate(0);
                    RemovedBytes += JournalDirectory.RepairSegment(_directory, segment.Number, segment.Data, _metastore.Layout, dryRun: false).Sum(range => range.Length);
                }
                // The mended segment is another file.
                var number = segment.Number;
                Close();
                if (Open(number) is not { } mended)
                    return null;
                segment = mended;
            }
        }
    }

    private OpenSegment? Open(uint number)
    {
        if (_segment is { } current)
        {
            if (current.Number == number && current.IsCurrent)
                return current;
            Close();
        }
        return _segment = SegmentIndex.TryOpen(_directory, number, _metastore);
    }

    private void Close()
    {
        _segment?.Dispose();
        _segment = null;
    }

    private static JournalException Damaged(OpenSegment segment, RecordId id) =>
        new(JournalError.SegmentCorrupt, $"Record {id} in '{segment.Data.Path}' is not what the index of the segment says. Repair the journal.");
}
