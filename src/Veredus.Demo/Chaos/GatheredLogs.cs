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

    /// <summary>The lines that the manager has of the node's mainlog; a line that is not finished is one.</summary>
    public static IReadOnlyList<string> GatheredBy(DemoManager manager, DemoHost host) => manager.GatheredMainlog(host) is var path && File.Exists(path)
        ? File.ReadAllText(path, Encoding.Latin1) is var text && text.EndsWith('\n') ? text[..^1].Split('\n') : text.Length > 0 ? text.Split('\n') : []
        : [];
}
