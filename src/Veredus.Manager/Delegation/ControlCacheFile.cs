using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using System.Threading.Channels;
using Veredus.Cluster;

namespace Veredus.Manager;

/// <summary>
/// The control cache on disk (<c>Control_Cache</c>): each answer is appended as it comes, so that a killed manager has it when it starts again. It is a cache: nothing
/// is synced, and a torn end is cut off.
/// </summary>
/// <remarks>Octets: magic "VCC1"; then records: length u32 of what follows the CRC · CRC-32C u32 · time i64 Unix ms · incarnation u64 · number u32 · state u8 ·
/// code i32 · command, subcluster, node, text, body, each with a length u32; little-endian, UTF-8.</remarks>
public sealed class ControlCacheFile : IAsyncDisposable
{
    private const int HeaderBytes = 4, RecordHeaderBytes = 8, MaxRecordBytes = DelegationLimits.MaxOutputBytes + 1024 * 1024;
    /// <summary>A file with so much more in it than the cache is written anew.</summary>
    private const long SlackBytes = 64 * 1024 * 1024;
    private static readonly byte[] s_magic = "VCC1"u8.ToArray();

    private readonly ControlCache _cache;
    private readonly string _path;
    private readonly Action<string> _log;
    private readonly Channel<CachedAnswer?> _changes = Channel.CreateBounded<CachedAnswer?>(new BoundedChannelOptions(10_000) { FullMode = BoundedChannelFullMode.DropOldest });
    private readonly Task _writing;
    private FileStream? _file;

    private ControlCacheFile(ControlCache cache, string path, Action<string> log)
    {
        (_cache, _path, _log) = (cache, path, log);
        Load();
        cache.Changed = change => _changes.Writer.TryWrite(change);
        _writing = Task.Run(WriteAsync);
    }

    /// <summary>Reads what an earlier process left, and writes from now on.</summary>
    /// <param name="log">Told when the file can't be used; the cache then lives in memory only.</param>
    public static ControlCacheFile Open(ControlCache cache, string path, Action<string> log) => new(cache, path, log);

    public async ValueTask DisposeAsync()
    {
        _cache.Changed = null;
        _changes.Writer.TryComplete();
        await _writing;
        _file?.Dispose();
    }

    private void Load()
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(_path))!);
            _file = new(_path, new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
            var magic = new byte[HeaderBytes];
            if (_file.ReadAtLeast(magic, HeaderBytes, throwOnEndOfStream: false) == HeaderBytes && magic.AsSpan().SequenceEqual(s_magic))
            {
                while (ReadRecord(_file) is { } entry)
                    _cache.Restore(entry);
            }
            else if (_file.Length > 0)
            {
                _log($"control cache: {_path} is not a control cache and stays as it is; answers are kept in memory only");
                Close();
                return;
            }
            Rewrite();  // without what is too old, and without a torn end
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _log($"control cache: {_path} can't be used: {e.Message}; answers are kept in memory only");
            Close();
        }
    }

    private async Task WriteAsync()
    {
        await foreach (var change in _changes.Reader.ReadAllAsync())
        {
            if (_file is not { } file)
                continue;
            try
            {
                if (change is null)
                    Rewrite();
                else if (file.Length > _cache.Bytes + SlackBytes)
                    Rewrite();
                else
                    await file.WriteAsync(Encode(change));
                await file.FlushAsync();
            }
            catch (IOException e)
            {
                _log($"control cache: {_path} can't be written: {e.Message}; answers are kept in memory only from now on");
                Close();
            }
        }
    }

    private void Rewrite()
    {
        _file!.SetLength(0);
        _file.Write(s_magic);
        foreach (var entry in _cache.All())
            _file.Write(Encode(entry));
        _file.Flush();
    }

    private void Close()
    {
        _file?.Dispose();
        _file = null;
    }

    private static byte[] Encode(CachedAnswer entry)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write(0L);
        writer.Write(entry.Time.ToUnixTimeMilliseconds());
        writer.Write(entry.Id.Origin.Value);
        writer.Write(entry.Id.Number);
        writer.Write((byte)entry.Answer.State);
        writer.Write(entry.Answer.Code);
        foreach (var text in (string[])[entry.Command, entry.Subcluster, entry.Answer.Node, entry.Answer.Text])
            Write(Encoding.UTF8.GetBytes(text));
        Write(entry.Answer.Body.Span);
        var record = stream.ToArray();
        BinaryPrimitives.WriteInt32LittleEndian(record, record.Length - RecordHeaderBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(4), Crc(record.AsSpan(RecordHeaderBytes)));
        return record;

        void Write(ReadOnlySpan<byte> bytes)
        {
            writer.Write(bytes.Length);
            writer.Write(bytes);
        }
    }

    /// <summary>The next record; <see langword="null"/> at the end, or where the file is torn or damaged.</summary>
    private static CachedAnswer? ReadRecord(Stream file)
    {
        Span<byte> header = stackalloc byte[RecordHeaderBytes];
        if (file.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) < header.Length)
            return null;
        var length = BinaryPrimitives.ReadInt32LittleEndian(header);
        if (length is <= 0 or > MaxRecordBytes || length > file.Length - file.Position)
            return null;
        var bytes = new byte[length];
        file.ReadExactly(bytes);
        return Crc(bytes) == BinaryPrimitives.ReadUInt32LittleEndian(header[4..]) ? Decode(bytes) : null;
    }

    private static CachedAnswer? Decode(byte[] bytes)
    {
        const int texts = 4, fixedBytes = 25;
        if (bytes.Length < fixedBytes)
            return null;
        var time = BinaryPrimitives.ReadInt64LittleEndian(bytes);
        var id = new CommandId(new(BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(8))), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(16)));
        var (state, code) = ((AnswerState)bytes[20], BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(21)));
        var parts = new ReadOnlyMemory<byte>[texts + 1];
        var rest = bytes.AsMemory(fixedBytes);
        for (var i = 0; i < parts.Length; i++)
        {
            if (rest.Length < 4 || BinaryPrimitives.ReadUInt32LittleEndian(rest.Span) is var length && length > rest.Length - 4)
                return null;
            parts[i] = rest.Slice(4, (int)length);
            rest = rest[(4 + (int)length)..];
        }
        return time is < 0 or > 253402300799999 || !Enum.IsDefined(state) ? null
            : new(Text(0), id, Text(1), DateTimeOffset.FromUnixTimeMilliseconds(time), new(Text(2), state, code, Text(3), parts[texts]));

        string Text(int i) => Encoding.UTF8.GetString(parts[i].Span);
    }

    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        for (; bytes.Length >= 8; bytes = bytes[8..])
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (var one in bytes)
            crc = BitOperations.Crc32C(crc, one);
        return ~crc;
    }
}
