using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using Veredus.Journal;

namespace Veredus.LogShipping;

/// <summary>
/// The words of the service <c>logs</c>. The manager asks, one request at a time may wait for its answer beside checkpoints:
/// <code>
/// LIST                       200 COUNT, then COUNT lines: LOG name bytes subscriber@position,waiting,oldest ...
/// OPEN log subscriber        250 identity checkpoint last
/// NEXT after maxbytes        DATA last count bytes more waiting, then the records; KEEP each 5 s until there are some
/// CHECKPOINT id              250 id
/// </code>
/// A record: 0 length u32 · 4 microseconds since 1970 i64 · 12 the line, its LF included; little-endian. Errors: <c>4yz</c> and <c>5yz</c> with a text.
/// </summary>
internal static class LogProtocol
{
    public const string ServiceName = "logs";
    public const int RecordHeader = 12, MaxLine = 64 << 10;

    /// <summary>Most octets of records that one answer has, but for a single record that is longer.</summary>
    public const int MaxAnswerBytes = 4 << 20;

    /// <summary>The longest answer that is taken: one record of the greatest length.</summary>
    public const int MaxDataBytes = JournalWriter.MaxPayloadBytes + (8 << 20);

    public static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(5);

    /// <summary>Silence after which the other end counts as gone.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>One line without its end; what follows stays in the pipe.</summary>
    /// <exception cref="IOException">The connection ended, or the line is too long.</exception>
    public static async ValueTask<string> ReadLineAsync(PipeReader input, CancellationToken cancellationToken) =>
        await TryReadLineAsync(input, cancellationToken) ?? throw new IOException("the connection ended");

    /// <summary><see langword="null"/> at the end of the connection.</summary>
    public static async ValueTask<string?> TryReadLineAsync(PipeReader input, CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await input.ReadAsync(cancellationToken);
            if (read.Buffer.PositionOf((byte)'\n') is { } end)
            {
                var line = Encoding.ASCII.GetString(read.Buffer.Slice(0, end)).TrimEnd('\r');
                input.AdvanceTo(read.Buffer.GetPosition(1, end));
                return line;
            }
            input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (read.Buffer.Length > MaxLine)
                throw new IOException($"a line of more than {MaxLine} octets");
            if (read.IsCompleted || read.IsCanceled)
                return null;
        }
    }

    public static async ValueTask WriteLineAsync(PipeWriter output, string line, CancellationToken cancellationToken)
    {
        Encoding.ASCII.GetBytes($"{line}\r\n", output);
        await output.FlushAsync(cancellationToken);
    }

    /// <summary>Puts a batch behind its line into the pipe.</summary>
    /// <param name="waiting">Octets behind the last record of the batch that wait in the journal.</param>
    public static void WriteData(PipeWriter output, RecordBatch batch, RecordId last, bool more, long waiting)
    {
        long bytes = 0;
        for (var i = 0; i < batch.Count; i++)
            bytes += RecordHeader + batch[i].Length;
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"DATA {last} {batch.Count} {bytes} {(more ? 1 : 0)} {waiting}\r\n"), output);
        for (var i = 0; i < batch.Count; i++)
        {
            var payload = batch[i];
            var target = output.GetSpan(RecordHeader + Math.Min(payload.Length, 64 << 10));
            BinaryPrimitives.WriteInt32LittleEndian(target, payload.Length);
            BinaryPrimitives.WriteInt64LittleEndian(target[4..], batch.UnixMicroseconds(i));
            if (payload.Length <= target.Length - RecordHeader)
            {
                payload.CopyTo(target[RecordHeader..]);
                output.Advance(RecordHeader + payload.Length);
                continue;
            }
            output.Advance(RecordHeader);
            output.Write(payload);
        }
    }

    /// <summary>Reads the line of an answer with records.</summary>
    public static bool TryParseData(string line, out RecordId last, out int count, out int bytes, out bool more, out long waiting)
    {
        (last, count, bytes, more, waiting) = (default, 0, 0, false, 0);
        var words = line.Split(' ');
        if (words is not ["DATA", var id, var number, var size, "0" or "1", var behind]
            || !RecordId.TryParse(id, out last)
            || !int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out count)
            || !int.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out bytes)
            || !long.TryParse(behind, NumberStyles.None, CultureInfo.InvariantCulture, out waiting)
            || count < 1 || bytes > MaxDataBytes || bytes < (long)count * RecordHeader)
            return false;
        more = words[4] == "1";
        return true;
    }
}
