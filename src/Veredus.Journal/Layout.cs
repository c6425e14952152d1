using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Veredus.Journal;

/// <summary>The names and fixed sizes of the format (jlog 2.6, little-endian).</summary>
internal static class Layout
{
    public const string Metastore = "metastore", PreCommit = "pre_commit", CheckpointPrefix = "cp.";
    public const uint DefaultUnitLimit = 4 << 20;
    public const int MaxSubscriberBytes = 126, MaxPathBytes = 4082;
    public const UnixFileMode DefaultFileMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;

    private static readonly SearchValues<char> _hexDigits = SearchValues.Create("0123456789abcdef");

    public static string SegmentPath(string directory, uint segment) => Path.Join(directory, segment.ToString("x8", CultureInfo.InvariantCulture));

    public static string IndexPath(string directory, uint segment) => SegmentPath(directory, segment) + ".idx";

    public static string CheckpointPath(string directory, string subscriber)
    {
        var name = Encoding.UTF8.GetBytes(subscriber);
        if (name.Length > MaxSubscriberBytes || name.AsSpan().Contains((byte)0))
            throw new JournalException(JournalError.Open, $"The subscriber name '{subscriber}' has {name.Length} bytes or holds NUL; at most {MaxSubscriberBytes} bytes other than NUL are possible.");
        return Path.Join(directory, CheckpointPrefix + Convert.ToHexStringLower(name));
    }

    /// <summary>The subscriber of a file name <c>cp.</c> + lower-case hex pairs; <see langword="null"/> for any other name.</summary>
    public static string? SubscriberOf(ReadOnlySpan<char> fileName)
    {
        if (!fileName.StartsWith(CheckpointPrefix, StringComparison.Ordinal))
            return null;
        var hex = fileName[CheckpointPrefix.Length..];
        return hex.Length % 2 != 0 || hex.ContainsAnyExcept(_hexDigits) ? null : Encoding.UTF8.GetString(Convert.FromHexString(hex));
    }

    /// <summary>Segment numbers in the directory, ascending. Only names as this format writes them: eight lower-case hex digits.</summary>
    public static List<uint> Segments(string directory)
    {
        var found = new List<uint>();
        foreach (var path in Directory.EnumerateFiles(directory))
        {
            var name = Path.GetFileName(path.AsSpan());
            if (name.Length == 8 && !name.ContainsAnyExcept(_hexDigits))
                found.Add(uint.Parse(name, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
        }
        found.Sort();
        return found;
    }
}

/// <summary>How the records of one log are laid out; fixed when the log is made (first field of every record).</summary>
internal readonly record struct RecordLayout(uint Magic)
{
    public const uint Plain = 0x663A7318, Lz4 = 0x15106A01, Null = 0x15106A00;

    public static bool IsKnown(uint magic) => magic is Plain or Lz4 or Null;

    public bool IsCompressed => Magic != Plain;

    /// <summary>Bytes before the stored bytes of a record: 16, or 20 when compressed.</summary>
    public int HeaderSize => IsCompressed ? 20 : 16;
}

/// <summary>Header of a record: 0 magic u32 · 4 seconds u32 · 8 microseconds u32 · 12 payload length u32 · 16 stored length u32 (compressed logs only).</summary>
internal readonly record struct RecordHeader(uint Magic, uint Seconds, uint Microseconds, uint PayloadLength, uint StoredLength)
{
    public static RecordHeader Read(ReadOnlySpan<byte> source, RecordLayout layout)
    {
        var length = BinaryPrimitives.ReadUInt32LittleEndian(source[12..]);
        return new(
            BinaryPrimitives.ReadUInt32LittleEndian(source),
            BinaryPrimitives.ReadUInt32LittleEndian(source[4..]),
            BinaryPrimitives.ReadUInt32LittleEndian(source[8..]),
            length,
            layout.IsCompressed ? BinaryPrimitives.ReadUInt32LittleEndian(source[16..]) : length);
    }

    public void Write(Span<byte> target, RecordLayout layout)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(target, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(target[4..], Seconds);
        BinaryPrimitives.WriteUInt32LittleEndian(target[8..], Microseconds);
        BinaryPrimitives.WriteUInt32LittleEndian(target[12..], PayloadLength);
        if (layout.IsCompressed)
            BinaryPrimitives.WriteUInt32LittleEndian(target[16..], StoredLength);
    }
}
