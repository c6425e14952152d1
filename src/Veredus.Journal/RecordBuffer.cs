using System.Buffers;

namespace Veredus.Journal;

/// <summary>Records that wait to be appended together: one lock and one write for all of them. Reuse it; not for several threads.</summary>
public sealed class RecordBuffer : IDisposable
{
    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(64 << 10);
    private int[] _ends = ArrayPool<int>.Shared.Rent(1024);
    private int _used;

    internal RecordBuffer(RecordLayout layout) => Layout = layout;

    public int Count { get; private set; }

    /// <summary>Octets that the records will take in the journal, headers included.</summary>
    public int Length => _used;

    internal RecordLayout Layout { get; }

    internal ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _used);

    /// <summary>Where each record ends in <see cref="Bytes"/>.</summary>
    internal ReadOnlySpan<int> Ends => _ends.AsSpan(0, Count);

    /// <param name="payload">At most <see cref="JournalWriter.MaxPayloadBytes"/>; may be empty.</param>
    /// <param name="unixMicroseconds">When it happened, microseconds since 1970 UTC. Kept for people; nothing is ordered by it.</param>
    /// <exception cref="ArgumentException">The payload is too long, or the buffer would pass 1 GiB.</exception>
    public void Add(ReadOnlySpan<byte> payload, long unixMicroseconds)
    {
        if (payload.Length > JournalWriter.MaxPayloadBytes)
            throw new ArgumentException($"A record of {payload.Length} octets is more than a journal takes ({JournalWriter.MaxPayloadBytes}).", nameof(payload));
        var stored = Layout.Magic == RecordLayout.Lz4 ? Lz4Block.LiteralsLength(payload.Length) : payload.Length;
        var size = Layout.HeaderSize + stored;
        if (_used > (1 << 30) - size)
            throw new ArgumentException("The buffer holds 1 GiB; append it first.", nameof(payload));
        Reserve(size);
        var target = _bytes.AsSpan(_used, size);
        new RecordHeader(Layout.Magic, (uint)(unixMicroseconds / 1_000_000), (uint)(unixMicroseconds % 1_000_000), (uint)payload.Length, (uint)stored).Write(target, Layout);
        if (Layout.Magic == RecordLayout.Lz4)
            Lz4Block.EncodeLiterals(payload, target[Layout.HeaderSize..]);
        else
            payload.CopyTo(target[Layout.HeaderSize..]);
        _used += size;
        _ends[Count++] = _used;
    }

    public void Clear() => (_used, Count) = (0, 0);

    /// <summary>Takes out what is in the journal already; what could not be appended stays.</summary>
    internal void RemoveFirst(int records)
    {
        if (records == 0)
            return;
        if (records == Count)
        {
            Clear();
            return;
        }
        var gone = _ends[records - 1];
        _bytes.AsSpan(gone, _used - gone).CopyTo(_bytes);
        for (var i = records; i < Count; i++)
            _ends[i - records] = _ends[i] - gone;
        (_used, Count) = (_used - gone, Count - records);
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_bytes);
        ArrayPool<int>.Shared.Return(_ends);
        (_bytes, _ends) = ([], []);
        Clear();
    }

    private void Reserve(int size)
    {
        if (_used + size > _bytes.Length)
            Grow(ref _bytes, _used, Math.Max(_used + size, _bytes.Length * 2));
        if (Count == _ends.Length)
            Grow(ref _ends, Count, Count * 2);
    }

    private static void Grow<T>(ref T[] array, int used, int size)
    {
        var larger = ArrayPool<T>.Shared.Rent(size);
        array.AsSpan(0, used).CopyTo(larger);
        if (array.Length > 0)
            ArrayPool<T>.Shared.Return(array);
        array = larger;
    }
}
