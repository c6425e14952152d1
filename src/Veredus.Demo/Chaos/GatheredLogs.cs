using System.Text;
using Veredus.Journal;

namespace Veredus.Demo;

/// <summary>Reads what the nodes have written to their mainlog journals since their first start, and what a manager has gathered of it.</summary>
internal static class GatheredLogs
{
    /// <summary>Every record that the node's journal ever held. The node may write meanwhile.</summary>
    /// <exception cref="IOException">The journal can't be read.</exception>
    public static IReadOnlyList<string> WrittenBy(DemoHost host)
    {
        var records = new List<string>();
        using var reader = JournalReader.Open(host.MainlogJournal, NodeSettings.Keeper);
        using var batch = new RecordBatch();
        for (var at = reader.Position; reader.ReadAfter(at) is { Count: > 0 } interval; at = interval.Last)
        {
            for (var next = interval.First; next <= interval.Last;)
            {
                next = reader.Read(next, interval.Last.Marker - next.Marker + 1, batch);
                for (var i = 0; i < batch.Count; i++)
                    records.Add(Encoding.Latin1.GetString(batch[i]).TrimEnd('\n'));
            }
        }
        return records;
    }

    /// <summary>Leaves the beginning of a record at the end of the journal, as a write that a power cut has torn. The node must not run.</summary>
    /// <param name="octets">At most; never a whole record.</param>
    public static void Tear(DemoHost host, int octets)
    {
        var segments = JournalDirectory.Segments(host.MainlogJournal);
        if (segments.Count == 0 || JournalInspection.Walk(host.MainlogJournal, segments[^1].Number).FirstOrDefault() is not { Kind: InspectedKind.Record, HeaderBytes: > 0 } first)
            return;
        using var file = File.Open(Path.Combine(host.MainlogJournal, $"{segments[^1].Number:x8}"), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        var torn = new byte[Math.Min(octets, first.HeaderBytes + first.StoredBytes - 1)];
        file.ReadExactly(torn);
        file.Seek(0, SeekOrigin.End);
        file.Write(torn);
    }

    /// <summary>What <c>veredus journal repair</c> does. The node must not run.</summary>
    /// <returns>Octets cut out.</returns>
    public static long Repair(DemoHost host) => JournalDirectory.Repair(host.MainlogJournal).Damage.Values.SelectMany(ranges => ranges).Sum(range => range.Length);

    /// <summary>The lines that the manager has of the node's mainlog; a line that is not finished is one.</summary>
    public static IReadOnlyList<string> GatheredBy(DemoManager manager, DemoHost host) => manager.GatheredMainlog(host) is var path && File.Exists(path)
        ? File.ReadAllText(path, Encoding.Latin1) is var text && text.EndsWith('\n') ? text[..^1].Split('\n') : text.Length > 0 ? text.Split('\n') : []
        : [];
}
