using System.Buffers;
using System.Runtime.InteropServices;

namespace Veredus.Spool;

/// <summary>A message body while it is received: pooled memory up to the large-message threshold, beyond it a file. Not thread-safe.</summary>
/// <remarks>
/// Write through <see cref="IBufferWriter{T}"/> (spans from <see cref="GetSpan"/> are at least as long as asked for), call
/// <see cref="FlushAsync"/> after each piece from the network, add header lines that are known last with <see cref="Prepend"/>, then
/// commit. Disk errors while receiving don't throw: the data is dropped and the commit reports them.
/// </remarks>
public sealed class SpoolBody : IBufferWriter<byte>, IDisposable
{
    private const int FirstChunk = 16 << 10, LaterChunk = 64 << 10;

    private readonly List<Chunk> _chunks = [];
    private readonly Func<LargeBodyFile> _createFile;
    private readonly int _threshold;
    private List<byte[]>? _head;
    private int _inMemory;
    private bool _disposed;

    internal SpoolBody(int threshold, Func<LargeBodyFile> createFile) => (_threshold, _createFile) = (threshold, createFile);

    /// <summary>Octets so far, prepended ones included.</summary>
    public long Length { get; private set; }

    /// <summary>Set when the disk refused a large body; the commit will say the same.</summary>
    public DiskException? Error { get; private set; }

    internal LargeBodyFile? File { get; private set; }

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_chunks.Count == 0 || _chunks[^1].Free < Math.Max(sizeHint, 1))
        {
            if (_inMemory > _threshold)
                Spill();  // the caller did not flush: memory stays bounded all the same
            if (_chunks.Count == 0 || _chunks[^1].Free < Math.Max(sizeHint, 1))
                _chunks.Add(new(ArrayPool<byte>.Shared.Rent(Math.Max(sizeHint, _chunks.Count == 0 ? FirstChunk : LaterChunk))));
        }
        var chunk = _chunks[^1];
        return chunk.Array.AsMemory(chunk.Used);
    }

    public void Advance(int count)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ref var chunk = ref CollectionsMarshal.AsSpan(_chunks)[^1];
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)chunk.Free, nameof(count));
        chunk = chunk with { Used = chunk.Used + count };
        _inMemory += count;
        Length += count;
    }

    /// <summary>Moves what exceeds the threshold to the disk. Cheap when nothing does.</summary>
    public ValueTask FlushAsync()
    {
        if (_inMemory > _threshold || File is not null && _inMemory >= LaterChunk)
            Spill();
        return default;
    }

    /// <summary>Puts octets before everything that is there; they are copied. At most 1 MiB in all.</summary>
    public void Prepend(ReadOnlySpan<byte> header)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (header.IsEmpty)
            return;
        (_head ??= []).Insert(0, header.ToArray());
        Length += header.Length;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(HeadLength, 1 << 20, nameof(header));
    }

    /// <summary>Gives the memory back and deletes a file that no commit took over.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        ReleaseChunks();
        File?.Dispose();
    }

    internal int HeadLength => _head?.Sum(part => part.Length) ?? 0;

    /// <summary>Octets that go into the log: all, or for a large body the prepended ones.</summary>
    internal int InlineLength => HeadLength + (File is null ? _inMemory : 0);

    internal uint AppendInline(List<ReadOnlyMemory<byte>> target)
    {
        uint crc = 0;
        foreach (var part in _head ?? [])
        {
            target.Add(part);
            crc = Crc32C.Append(crc, part);
        }
        if (File is null)
        {
            foreach (var chunk in _chunks)
            {
                if (chunk.Used == 0)
                    continue;
                target.Add(chunk.Array.AsMemory(0, chunk.Used));
                crc = Crc32C.Append(crc, chunk.Array.AsSpan(0, chunk.Used));
            }
        }
        return crc;
    }

    /// <summary>Brings the rest of a large body to its file and syncs it; blocks.</summary>
    internal void FinishFile(bool sync)
    {
        Spill();
        if (Error is null)
            Try(() => File!.Finish(sync));
    }

    private void Spill()
    {
        if (Error is null)
        {
            Try(() =>
            {
                File ??= _createFile();
                foreach (var chunk in _chunks)
                    File.Append(chunk.Array.AsSpan(0, chunk.Used));
            });
        }
        ReleaseChunks();
    }

    private void Try(Action action)
    {
        try
        {
            action();
        }
        catch (DiskException e)
        {
            Error = e;
        }
    }

    private void ReleaseChunks()
    {
        foreach (var chunk in _chunks)
            ArrayPool<byte>.Shared.Return(chunk.Array);
        _chunks.Clear();
        _inMemory = 0;
    }

    private readonly record struct Chunk(byte[] Array)
    {
        public int Used { get; init; }

        public int Free => Array.Length - Used;
    }
}

/// <summary>The file of a large body. Deleted when disposed unless <see cref="Keep"/> was called.</summary>
internal sealed class LargeBodyFile(IDisk disk, string directory, ulong number) : IDisposable
{
    private readonly IDiskFile _file = disk.Create(PathOf(directory, number));
    private bool _kept;

    public ulong Number => number;

    public long Length { get; private set; }

    public uint Crc { get; private set; }

    public static string PathOf(string directory, ulong number) => Path.Combine(directory, $"{number:x16}.body");

    public void Append(ReadOnlySpan<byte> data)
    {
        _file.Write(data, Length);
        Crc = Crc32C.Append(Crc, data);
        Length += data.Length;
    }

    public void Finish(bool sync)
    {
        if (!sync)
            return;
        _file.Sync();
        disk.SyncDirectory(directory);
    }

    public void Keep() => _kept = true;

    public void Dispose()
    {
        _file.Dispose();
        if (!_kept)
        {
            try
            {
                disk.Delete(PathOf(directory, number));
            }
            catch (DiskException)
            {
                // An orphan: the next start deletes it.
            }
        }
    }
}
