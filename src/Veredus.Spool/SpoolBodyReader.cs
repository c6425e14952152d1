namespace Veredus.Spool;

/// <summary>Reads one body from its begin to its end. Not thread-safe; dispose it, or its place on the disk is never given free.</summary>
/// <remarks>The last octets are handed out only if the checksum of the whole is right, so what has been read to the end is what was accepted.</remarks>
public sealed class SpoolBodyReader : IDisposable
{
    private readonly BodyLocation _location;
    private readonly IDiskFile? _large;
    private readonly Action<SpoolBodyReader> _release;
    private readonly Action<string> _damaged;
    private long _position;
    private uint _crc;

    internal SpoolBodyReader(in BodyLocation location, IDiskFile? large, Action<SpoolBodyReader> release, Action<string> damaged) =>
        (_location, _large, _release, _damaged) = (location, large, release, damaged);

    /// <summary>Octets in all.</summary>
    public long Length => _location.InlineLength + _location.LargeLength;

    /// <summary>Octets read so far.</summary>
    public long Position => _position;

    internal Segment Segment => _location.Segment;

    internal bool IsReleased { get; private set; }

    /// <summary>Reads until <paramref name="destination"/> is full or the body ends; 0 only at the end. Usually from the page cache; blocks otherwise.</summary>
    /// <exception cref="SpoolCorruptException">The octets are not those that were written.</exception>
    /// <exception cref="DiskException">The disk cannot read.</exception>
    public int Read(Span<byte> destination)
    {
        ObjectDisposedException.ThrowIf(IsReleased, this);
        var total = 0;
        while (total < destination.Length && _position < Length)
        {
            var inline = _position < _location.InlineLength;
            var left = inline ? _location.InlineLength - _position : Length - _position;
            var part = destination.Slice(total, (int)Math.Min(destination.Length - total, left));
            var read = inline
                ? _location.Segment.File.Read(part, _location.InlineOffset + _position)
                : _large!.Read(part, _position - _location.InlineLength);
            if (read < part.Length)
                throw Corrupt("ends too early");
            _crc = Crc32C.Append(_crc, part);
            _position += read;
            total += read;
            if (_position == _location.InlineLength)
                CheckAndRestart(_location.InlineCrc);
            if (_position == Length && _location.LargeLength > 0)
                CheckAndRestart(_location.LargeCrc);
        }
        return total;
    }

    public void Dispose()
    {
        if (IsReleased)
            return;
        IsReleased = true;
        _large?.Dispose();
        _release(this);
    }

    private void CheckAndRestart(uint expected)
    {
        if (_crc != expected)
            throw Corrupt("has a wrong checksum");
        _crc = 0;
    }

    private SpoolCorruptException Corrupt(string how)
    {
        var reason = $"The body at {_location.InlineOffset} in '{_location.Segment.Path}'{(_location.LargePath is { } path ? $" and in '{path}'" : "")} {how}.";
        _damaged(reason);
        return new(reason);
    }
}

/// <summary>Where the octets of a body stand: first in the log, then, for a large body, in a file.</summary>
internal readonly record struct BodyLocation(
    Segment Segment, int InlineOffset, int InlineLength, uint InlineCrc, string? LargePath, long LargeLength, uint LargeCrc);
