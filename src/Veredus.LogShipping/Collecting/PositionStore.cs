using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Veredus.Journal;

namespace Veredus.LogShipping;

/// <summary>Which journal of which node, read as whom.</summary>
public readonly record struct LogKey(string Node, string Log, string Subscriber)
{
    public override string ToString() => $"{Node} {Log} {Subscriber}";
}

/// <summary>How far a journal is in the files.</summary>
/// <param name="Identity">That of the journal: a new one in the same place has another.</param>
internal readonly record struct LogPosition(ulong Identity, RecordId Last);

/// <summary>How long a file is as far as positions account for it.</summary>
/// <param name="Inode">A file that somebody put in its place has another.</param>
internal readonly record struct FilePosition(ulong Inode, long Length);

/// <summary>
/// What a manager has durably: positions of journals and lengths of files, always changed together. What a file has beyond its length was written without its
/// position and goes when the file is opened again; so each record is in the files exactly once.
/// </summary>
/// <remarks>
/// File <c>positions</c>: 0 magic "VLP1"; then for each commit: 0 length u32 · 4 CRC-32C of the rest u32 · 8 entries. An entry: 0 kind u8; 1 journal: text node, text log,
/// text subscriber, identity u64, segment u32, marker u32; 2 file: text path, inode u64, length i64; 3 file that is closed: text path. A text has its length (u16) before it.
/// Little-endian. The last commit may be torn: it did not happen. One process at a time: the file is locked for life.
/// </remarks>
internal sealed class PositionStore : IDisposable
{
    private const uint Magic = 0x31504C56;
    private const long CompactAt = 4 << 20;

    private readonly string _path;
    private readonly FileStream _lock;
    private readonly Dictionary<LogKey, LogPosition> _journals = [];
    private readonly Dictionary<string, FilePosition> _files = new(StringComparer.Ordinal);
    private readonly ArrayWriter _pending = new();
    private SafeFileHandle _file = null!;
    private long _length;

    private PositionStore(string path, FileStream held) => (_path, _lock) = (path, held);

    /// <summary>Reads what is there, or starts anew, in a directory of the manager's own.</summary>
    /// <exception cref="IOException">Another process has it, or the file is not one of these.</exception>
    public static PositionStore Open(string directory)
    {
        Directory.CreateDirectory(directory);
        FileStream held;
        try
        {
            held = new(Path.Join(directory, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new IOException($"'{directory}' is in use by another manager process: {e.Message}", e);
        }
        var store = new PositionStore(Path.Join(directory, "positions"), held);
        try
        {
            store.Load();
            store.Compact();
            return store;
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    /// <summary>The files that had entries when the store was opened or last reverted, and since.</summary>
    public IReadOnlyDictionary<string, FilePosition> Files => _files;

    public LogPosition? Find(LogKey key) => _journals.TryGetValue(key, out var position) ? position : null;

    public FilePosition? Find(string path) => _files.TryGetValue(path, out var position) ? position : null;

    public void Set(LogKey key, LogPosition position)
    {
        _journals[key] = position;
        Write(_pending, key, position);
    }

    public void Set(string path, FilePosition position)
    {
        _files[path] = position;
        Write(_pending, path, position);
    }

    /// <summary>A file that is closed with nothing beyond its length needs no entry any more.</summary>
    public void Forget(string path)
    {
        if (!_files.Remove(path))
            return;
        _pending.Byte(3);
        _pending.Text(path);
    }

    /// <summary>Makes everything that was set durable, all of it or nothing.</summary>
    public void Commit()
    {
        if (_pending.Count == 0)
            return;
        var entries = _pending.Written;
        var frame = new byte[8 + entries.Length];
        BinaryPrimitives.WriteInt32LittleEndian(frame, entries.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(4), Crc(entries));
        entries.CopyTo(frame.AsSpan(8));
        RandomAccess.Write(_file, frame, _length);
        RandomAccess.FlushToDisk(_file);
        _length += frame.Length;
        _pending.Clear();
        if (_length > CompactAt)
            Compact();
    }

    /// <summary>Goes back to what is on disk, after something could not be written.</summary>
    public void Revert()
    {
        _pending.Clear();
        _journals.Clear();
        _files.Clear();
        Load();
        Compact();
    }

    public void Dispose()
    {
        _file?.Dispose();
        _lock.Dispose();
    }

    private void Load()
    {
        if (!File.Exists(_path))
            return;
        var bytes = File.ReadAllBytes(_path);
        if (bytes.Length < 4 || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != Magic)
            throw new IOException($"'{_path}' is not a file of positions. Move it away to start at the nodes' own checkpoints.");
        var rest = bytes.AsSpan(4);
        while (rest.Length >= 8)
        {
            var length = BinaryPrimitives.ReadUInt32LittleEndian(rest);
            if (length > rest.Length - 8 || Crc(rest.Slice(8, (int)length)) != BinaryPrimitives.ReadUInt32LittleEndian(rest[4..]))
                break;
            Apply(rest.Slice(8, (int)length));
            rest = rest[(8 + (int)length)..];
        }
    }

    private void Apply(ReadOnlySpan<byte> entries)
    {
        while (!entries.IsEmpty)
        {
            var kind = entries[0];
            entries = entries[1..];
            var first = Text(ref entries);
            switch (kind)
            {
                case 1:
                    var (log, subscriber) = (Text(ref entries), Text(ref entries));
                    _journals[new(first, log, subscriber)] = new(
                        BinaryPrimitives.ReadUInt64LittleEndian(entries),
                        new(BinaryPrimitives.ReadUInt32LittleEndian(entries[8..]), BinaryPrimitives.ReadUInt32LittleEndian(entries[12..])));
                    entries = entries[16..];
                    break;
                case 2:
                    _files[first] = new(BinaryPrimitives.ReadUInt64LittleEndian(entries), BinaryPrimitives.ReadInt64LittleEndian(entries[8..]));
                    entries = entries[16..];
                    break;
                case 3:
                    _files.Remove(first);
                    break;
                default:
                    throw new IOException($"'{_path}' was written by a newer version (entry {kind}).");
            }
        }
    }

    /// <summary>Writes what counts to a new file that takes the place of the old one.</summary>
    private void Compact()
    {
        var entries = new ArrayWriter();
        foreach (var (key, position) in _journals)
            Write(entries, key, position);
        foreach (var (path, position) in _files)
            Write(entries, path, position);
        var frame = new byte[4 + (entries.Count > 0 ? 8 + entries.Count : 0)];
        BinaryPrimitives.WriteUInt32LittleEndian(frame, Magic);
        if (entries.Count > 0)
        {
            BinaryPrimitives.WriteInt32LittleEndian(frame.AsSpan(4), entries.Count);
            BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(8), Crc(entries.Written));
            entries.Written.CopyTo(frame.AsSpan(12));
        }
        var fresh = $"{_path}.new";
        var file = File.OpenHandle(fresh, FileMode.Create, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        RandomAccess.Write(file, frame, 0);
        RandomAccess.FlushToDisk(file);
        File.Move(fresh, _path, overwrite: true);
        DirectorySync.Sync(Path.GetDirectoryName(_path)!);
        _file?.Dispose();
        (_file, _length) = (file, frame.Length);
    }

    private static void Write(ArrayWriter target, LogKey key, LogPosition position)
    {
        target.Byte(1);
        target.Text(key.Node);
        target.Text(key.Log);
        target.Text(key.Subscriber);
        target.Number(position.Identity);
        target.Number(position.Last.Segment | ((ulong)position.Last.Marker << 32));
    }

    private static void Write(ArrayWriter target, string path, FilePosition position)
    {
        target.Byte(2);
        target.Text(path);
        target.Number(position.Inode);
        target.Number((ulong)position.Length);
    }

    private static string Text(ref ReadOnlySpan<byte> rest)
    {
        var length = BinaryPrimitives.ReadUInt16LittleEndian(rest);
        var text = Encoding.UTF8.GetString(rest.Slice(2, length));
        rest = rest[(2 + length)..];
        return text;
    }

    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        var crc = ~0u;
        for (; bytes.Length >= 8; bytes = bytes[8..])
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (var b in bytes)
            crc = BitOperations.Crc32C(crc, b);
        return ~crc;
    }

    private sealed class ArrayWriter
    {
        private byte[] _bytes = new byte[256];

        public int Count { get; private set; }

        public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Count);

        public void Clear() => Count = 0;

        public void Byte(byte value) => Reserve(1)[0] = value;

        public void Number(ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Reserve(8), value);

        public void Text(string text)
        {
            var length = Encoding.UTF8.GetByteCount(text);
            BinaryPrimitives.WriteUInt16LittleEndian(Reserve(2), checked((ushort)length));
            Encoding.UTF8.GetBytes(text, Reserve(length));
        }

        private Span<byte> Reserve(int size)
        {
            if (Count + size > _bytes.Length)
                Array.Resize(ref _bytes, Math.Max(Count + size, _bytes.Length * 2));
            Count += size;
            return _bytes.AsSpan(Count - size, size);
        }
    }
}
