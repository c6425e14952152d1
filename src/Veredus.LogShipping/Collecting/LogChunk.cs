using System.Buffers;
using System.Buffers.Binary;

namespace Veredus.LogShipping;

/// <summary>Records of one journal on their way to files: whole lines in a pooled buffer, and which stretch goes where.</summary>
internal sealed class LogChunk : IDisposable
{
    private readonly byte[] _bytes;

    public LogChunk(int bytes) => _bytes = ArrayPool<byte>.Shared.Rent(Math.Max(1, bytes));

    public LogKey Key { get; private set; }

    public LogPosition Position { get; private set; }

    public int Records { get; private set; }

    /// <summary>Octets of lines.</summary>
    public int Length { get; private set; }

    /// <summary>When the last record was written on its node.</summary>
    public long LastUnixMicroseconds { get; private set; }

    public List<(string Path, int Start, int End)> Runs { get; } = [];

    /// <summary>The chunk of the same journal that must be stored first; <see langword="null"/> once that is decided.</summary>
    public LogChunk? Follows { get; set; }

    /// <summary>Completes when the lines and their position are on disk.</summary>
    public TaskCompletionSource Stored { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>What came over the network is written here first; <see cref="TryParse"/> then makes lines of it, in place.</summary>
    public Memory<byte> Received(int bytes) => _bytes.AsMemory(0, bytes);

    public ReadOnlySpan<byte> Lines(int start, int end) => _bytes.AsSpan(start, end - start);

    /// <summary>Takes the headers out from between the lines.</summary>
    /// <param name="path">The file for a record of that second.</param>
    /// <returns><see langword="false"/>: the octets are not that many whole records.</returns>
    public bool TryParse(int bytes, int count, LogKey key, LogPosition position, Func<long, string> path)
    {
        (Key, Position, Records) = (key, position, count);
        var (from, to, second) = (0, 0, long.MinValue);
        var current = "";
        for (; count > 0; count--)
        {
            if (bytes - from < LogProtocol.RecordHeader)
                return false;
            var length = BinaryPrimitives.ReadInt32LittleEndian(_bytes.AsSpan(from));
            LastUnixMicroseconds = BinaryPrimitives.ReadInt64LittleEndian(_bytes.AsSpan(from + 4));
            from += LogProtocol.RecordHeader;
            if (length < 0 || length > bytes - from)
                return false;
            if (LastUnixMicroseconds / 1_000_000 is var now && now != second)
            {
                second = now;
                Turn(path(now), to, ref current);
            }
            _bytes.AsSpan(from, length).CopyTo(_bytes.AsSpan(to));
            (from, to) = (from + length, to + length);
            if (length == 0 || _bytes[to - 1] != '\n')
                _bytes[to++] = (byte)'\n';  // there is room: a header went
            Runs[^1] = (current, Runs[^1].Start, to);
        }
        Length = to;
        return from == bytes;
    }

    public void Dispose() => ArrayPool<byte>.Shared.Return(_bytes);

    private void Turn(string path, int at, ref string current)
    {
        if (path == current)
            return;
        current = path;
        Runs.Add((path, at, at));
    }
}
