namespace Veredus.Spool;

/// <summary>A place in a segment that no record claims.</summary>
/// <param name="IsDamage">It was on the disk once; otherwise a torn write that nobody was promised.</param>
internal readonly record struct SegmentGap(int Offset, int Length, bool IsDamage);

/// <summary>What a segment holds, bodies left out: the octets of an index file after its header, i.e. the header and the meta of each record in turn.</summary>
internal sealed class SegmentContents(uint number, byte[] octets, int end, int syncedEnd)
{
    public uint Number => number;

    public byte[] Octets => octets;

    /// <summary>Where the last record ends.</summary>
    public int End => end;

    /// <summary>Up to where all is known to have been durable: what is damaged below it was promised to somebody.</summary>
    public int SyncedEnd => syncedEnd;

    public IReadOnlyList<SegmentGap> Gaps { get; init; } = [];

    public Enumerator GetEnumerator() => new(this);

    internal readonly ref struct Record(RecordHeader header, int offset, ReadOnlySpan<byte> meta)
    {
        public readonly RecordHeader Header = header;
        public readonly int Offset = offset;
        public readonly ReadOnlySpan<byte> Meta = meta;
    }

    internal struct Enumerator(SegmentContents contents)
    {
        private int _at, _metaAt;
        private RecordHeader _header;

        public readonly Record Current => new(_header, (int)_header.OffsetUnits * RecordHeader.Unit, contents.Octets.AsSpan(_metaAt, _header.MetaLength));

        public bool MoveNext()
        {
            var rest = contents.Octets.AsSpan(_at);
            if (rest.Length < RecordHeader.Size)
                return false;
            var offset = RecordHeader.OffsetOf(rest);
            if (!RecordHeader.TryRead(rest, contents.Number, offset, out _header) || rest.Length < RecordHeader.Size + _header.MetaLength)
                return false;
            _metaAt = _at + RecordHeader.Size;
            _at = _metaAt + _header.MetaLength;
            return true;
        }
    }
}

/// <summary>Reads the records of a segment file, whatever a crash or a bad disk made of it.</summary>
internal static class SegmentScan
{
    private const int Window = 1 << 20;

    /// <summary>Finds every whole record of segment <paramref name="number"/>.</summary>
    /// <param name="limit">Up to where records count: the file's size, or less if the next segment says so.</param>
    /// <param name="syncedEnd">Up to where all is known to have been durable; what records say is added.</param>
    public static SegmentContents Read(IDiskFile file, uint number, int limit, int syncedEnd)
    {
        var reader = new WindowReader(file, limit);
        var octets = new MemoryStream();
        var records = new List<(int Offset, int Length, int At, bool Whole)>();
        var gaps = new List<(int Offset, int Length)>();
        var end = SegmentHeader.FirstRecord;
        var offset = SegmentHeader.FirstRecord;
        while (offset + RecordHeader.Size <= limit)
        {
            if (!RecordHeader.TryRead(reader.Get(offset, RecordHeader.Size), number, offset, out var header) || offset + header.TotalLength > limit)
            {
                var next = FindNext(reader, number, offset + RecordHeader.Unit, limit);
                gaps.Add((offset, next - offset));
                offset = next;
                continue;
            }
            var meta = reader.Get(offset + RecordHeader.Size, header.MetaLength);
            var whole = meta.Length == header.MetaLength && Crc32C.Compute(meta) == header.MetaCrc;
            records.Add((offset, header.TotalLength, (int)octets.Length, whole));
            if (whole)
            {
                octets.Write(reader.Get(offset, RecordHeader.Size));
                octets.Write(reader.Get(offset + RecordHeader.Size, header.MetaLength));
            }
            else
            {
                gaps.Add((offset, header.TotalLength));
            }
            syncedEnd = Math.Max(syncedEnd, (int)header.SyncedUnits * RecordHeader.Unit);
            offset += header.TotalLength;
            end = offset;
        }
        var contents = DropTorn(reader, number, octets.ToArray(), records, ref gaps, syncedEnd);
        return new(number, contents, end, Math.Min(syncedEnd, end))
        {
            Gaps = [.. gaps.Where(gap => gap.Offset < Math.Max(end, syncedEnd)).Select(gap => new SegmentGap(gap.Offset, gap.Length, gap.Offset < syncedEnd))],
        };
    }

    // Beyond the synced end a record counts only if its payload is whole too: nobody has been promised it, and a body must not be half there.
    private static byte[] DropTorn(WindowReader reader, uint number, byte[] octets, List<(int Offset, int Length, int At, bool Whole)> records, ref List<(int Offset, int Length)> gaps, int syncedEnd)
    {
        var kept = new MemoryStream(octets.Length);
        foreach (var (offset, length, at, whole) in records)
        {
            if (!whole)
                continue;
            RecordHeader.TryRead(octets.AsSpan(at), number, offset, out var header);
            if (offset + length > syncedEnd && !PayloadIsWhole(reader, offset, header))
                gaps.Add((offset, length));
            else
                kept.Write(octets, at, RecordHeader.Size + header.MetaLength);
        }
        return kept.ToArray();
    }

    private static bool PayloadIsWhole(WindowReader reader, int offset, in RecordHeader header)
    {
        uint crc = 0;
        var at = offset + RecordHeader.Size + header.MetaLength;
        for (var left = header.PayloadLength; left > 0;)
        {
            var part = reader.Get(at, Math.Min(left, Window));
            if (part.IsEmpty)
                return false;
            crc = Crc32C.Append(crc, part);
            at += part.Length;
            left -= part.Length;
        }
        return crc == header.PayloadCrc;
    }

    private static int FindNext(WindowReader reader, uint number, int offset, int limit)
    {
        for (; offset + RecordHeader.Size <= limit; offset += RecordHeader.Unit)
        {
            if (RecordHeader.TryRead(reader.Get(offset, RecordHeader.Size), number, offset, out var header) && offset + header.TotalLength <= limit)
                return offset;
        }
        return limit;
    }

    /// <summary>Reads small pieces at rising offsets through a buffer; what cannot be read is zeros.</summary>
    private sealed class WindowReader(IDiskFile file, int limit)
    {
        private byte[] _buffer = new byte[16 << 10];
        private int _start, _length;

        public ReadOnlySpan<byte> Get(int offset, int count)
        {
            count = Math.Min(count, limit - offset);
            if (count <= 0)
                return default;
            if (offset < _start || offset + count > _start + _length)
                Fill(offset, count);
            return _buffer.AsSpan(offset - _start, count);
        }

        private void Fill(int offset, int count)
        {
            // Steps from record to record jump over bodies; a search goes on where the buffer ends and deserves a large one.
            var sequential = offset >= _start && offset <= _start + _length;
            var wanted = Math.Max(count, sequential ? Window : 4096);
            if (_buffer.Length < wanted)
                _buffer = new byte[wanted];
            _start = offset;
            _length = Math.Min(wanted, limit - offset);
            _buffer.AsSpan(0, _length).Clear();
            try
            {
                file.Read(_buffer.AsSpan(0, _length), offset);
            }
            catch (DiskException)
            {
                ReadPages(offset);
            }
        }

        private void ReadPages(int offset)
        {
            for (var at = 0; at < _length; at += 4096)
            {
                var page = _buffer.AsSpan(at, Math.Min(4096, _length - at));
                try
                {
                    file.Read(page, offset + at);
                }
                catch (DiskException)
                {
                    page.Clear();
                }
            }
        }
    }
}
