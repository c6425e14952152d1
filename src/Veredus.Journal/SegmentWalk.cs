using System.Buffers;
using Veredus.Journal.Native;

namespace Veredus.Journal;

/// <summary>Reads record headers of a segment through a window, so that neighbouring headers cost one read of the file together.</summary>
internal sealed class SegmentWalk(JournalFile file, RecordLayout layout, long length) : IDisposable
{
    private const int WindowBytes = 256 << 10;
    private readonly byte[] _window = ArrayPool<byte>.Shared.Rent(WindowBytes);
    private long _start;
    private int _count;

    public long Length => length;

    /// <summary>The header at <paramref name="position"/>; <see langword="false"/> when fewer bytes than a header are left.</summary>
    public bool TryRead(long position, out RecordHeader header)
    {
        header = default;
        if (position < 0 || position + layout.HeaderSize > length || !Fill(position, layout.HeaderSize))
            return false;
        header = RecordHeader.Read(_window.AsSpan((int)(position - _start)), layout);
        return true;
    }

    /// <summary>Whether a header with the log's magic stands there.</summary>
    public bool IsPlausible(long position, out RecordHeader header) => TryRead(position, out header) && header.Magic == layout.Magic;

    /// <summary>The position behind a record.</summary>
    public long End(long position, in RecordHeader header) => position + layout.HeaderSize + header.StoredLength;

    /// <summary>The first place at or behind <paramref name="position"/> where the log's magic stands and a whole header fits; -1 for none.</summary>
    public long FindMagic(long position)
    {
        Span<byte> magic = stackalloc byte[4];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(magic, layout.Magic);
        while (position + layout.HeaderSize <= length)
        {
            if (!Fill(position, layout.HeaderSize))
                return -1;
            var view = _window.AsSpan((int)(position - _start), _count - (int)(position - _start));
            var found = view.IndexOf(magic);
            if (found >= 0)
                return position + found + layout.HeaderSize <= length ? position + found : -1;
            position += view.Length - 3;
        }
        return -1;
    }

    public void Dispose() => ArrayPool<byte>.Shared.Return(_window);

    private bool Fill(long position, int need)
    {
        if (position >= _start && position + need <= _start + _count)
            return true;
        _start = position;
        _count = file.Read(_window.AsSpan(0, (int)Math.Min(WindowBytes, length - position)), position);
        return _count >= need;
    }
}
