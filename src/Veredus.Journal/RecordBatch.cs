using System.Buffers;

namespace Veredus.Journal;

/// <summary>Records as they were read, in one buffer that is used again for the next read. The views end there; not for several threads.</summary>
public sealed class RecordBatch : IDisposable
{
    private readonly List<(int Offset, int Length, long UnixMicroseconds)> _records = [];
    private byte[] _bytes = [];

    public int Count => _records.Count;

    /// <summary>A payload: a view that ends with the next read.</summary>
    public ReadOnlySpan<byte> this[int index] => _bytes.AsSpan(_records[index].Offset, _records[index].Length);

    /// <summary>When the writer says it happened, microseconds since 1970 UTC.</summary>
    public long UnixMicroseconds(int index) => _records[index].UnixMicroseconds;

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = [];
        _records.Clear();
    }

    internal void Clear() => _records.Clear();

    /// <summary>At least <paramref name="size"/> octets; what was read before is kept up to <paramref name="keep"/>.</summary>
    internal byte[] Reserve(int size, int keep = 0)
    {
        if (_bytes.Length >= size)
            return _bytes;
        var larger = ArrayPool<byte>.Shared.Rent(size);
        _bytes.AsSpan(0, keep).CopyTo(larger);
        if (_bytes.Length > 0)
            ArrayPool<byte>.Shared.Return(_bytes);
        return _bytes = larger;
    }

    internal void Add(int offset, int length, in RecordHeader header) =>
        _records.Add((offset, length, (header.Seconds * 1_000_000L) + header.Microseconds));
}
