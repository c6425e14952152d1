using Microsoft.Win32.SafeHandles;

namespace Veredus.Logging;

/// <summary>What main logs say of one message.</summary>
/// <param name="Records">Receptions, deliveries, hand-overs and failures, in the order of the files.</param>
/// <param name="BeginsAt">Unix seconds: what is older was not looked at, because the files begin there or are too long; <see langword="null"/>: there is no such file.</param>
public sealed record MessageTrail(IReadOnlyList<ILogRecord> Records, long? BeginsAt)
{
    /// <summary>Most octets that are read of all files together, the newest.</summary>
    public const long MostOctets = 1L << 30;

    private const int Chunk = 1 << 20;

    /// <summary>Reads plain main logs in their classic form.</summary>
    /// <param name="files">The newest first; those that do not exist are passed over.</param>
    /// <param name="since">Unix seconds; files that begin before it are the last that are read.</param>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static MessageTrail Read(IEnumerable<string> files, LogId id, long since, long mostOctets = MostOctets)
    {
        var (records, beginsAt) = (new List<ILogRecord>(), (long?)null);
        foreach (var path in files.Where(File.Exists))
        {
            if (beginsAt <= since || mostOctets <= 0)
                break;
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var (length, found) = (RandomAccess.GetLength(file), new List<ILogRecord>());
            var begins = Read(file, Math.Max(0, length - mostOctets), length, id, found);
            mostOctets -= length;
            records.InsertRange(0, found);
            beginsAt = begins ?? beginsAt;
        }
        return new(records, beginsAt);
    }

    /// <returns>Time of the first whole line; <see langword="null"/>: there is none.</returns>
    private static long? Read(SafeFileHandle file, long from, long length, LogId id, List<ILogRecord> found)
    {
        var (buffer, kept, first) = (new byte[Chunk], 0, (long?)null);
        // The line that the first octet is in the middle of is not whole.
        var isTorn = from > 0;
        while (from < length)
        {
            var read = RandomAccess.Read(file, buffer.AsSpan(kept, (int)Math.Min(buffer.Length - kept, length - from)), from);
            if (read == 0)
                break;
            from += read;
            var filled = buffer.AsSpan(0, kept + read);
            var end = filled.LastIndexOf((byte)'\n') + 1;
            var lines = filled[..end];
            if (isTorn && end > 0)
            {
                lines = lines[(lines.IndexOf((byte)'\n') + 1)..];
                isTorn = false;
            }
            first ??= TimeOf(lines);
            Find(lines, id, found);
            filled[end..].CopyTo(buffer);
            kept = filled.Length - end;
            if (kept == buffer.Length)
                Array.Resize(ref buffer, buffer.Length * 2);
        }
        return first;
    }

    private static void Find(ReadOnlySpan<byte> lines, LogId id, List<ILogRecord> found)
    {
        for (int at; (at = lines.IndexOf(id.Utf8)) >= 0;)
        {
            var start = lines[..at].LastIndexOf((byte)'\n') + 1;
            var length = lines[at..].IndexOf((byte)'\n');
            var line = length < 0 ? lines[start..] : lines[start..(at + length)];
            lines = length < 0 ? default : lines[(at + length + 1)..];
            if (LogLine.TryParse(LogKind.Main, line, out var record) && MessageOf(record) == id)
                found.Add(record);
        }
    }

    private static LogId MessageOf(ILogRecord record) => record switch
    {
        ReceptionRecord reception => reception.MessageId,
        DeliveryRecord delivery => delivery.MessageId,
        FailureRecord failure => failure.MessageId,
        _ => default,
    };

    private static long? TimeOf(ReadOnlySpan<byte> line) =>
        System.Buffers.Text.Utf8Parser.TryParse(line, out long time, out _) ? time : null;
}
