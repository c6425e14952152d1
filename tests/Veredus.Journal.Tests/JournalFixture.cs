namespace Veredus.Journal.Tests;

/// <summary>A journal in a directory of its own that goes with the test.</summary>
public abstract class JournalFixture : IDisposable
{
    /// <summary>In memory where there is such a place: these tests are about bytes, and a sync of a disk would be most of their time.</summary>
    private readonly string _base = Directory.Exists("/dev/shm") ? Directory.CreateDirectory($"/dev/shm/veredus-journal-{Guid.NewGuid():n}").FullName : Directory.CreateTempSubdirectory("veredus-journal-").FullName;

    protected JournalFixture() => Log = Path.Join(_base, "log");

    protected string Log { get; }

    protected string Segment(uint number) => Path.Join(Log, number.ToString("x8", System.Globalization.CultureInfo.InvariantCulture));

    protected string Index(uint number) => Segment(number) + ".idx";

    /// <summary>The bytes that were moved out of the way by repairs, files beside the journal.</summary>
    protected string[] KeptDamage => Directory.GetFiles(_base, "log.damaged-*");

    protected void Append(params string[] records)
    {
        using var writer = JournalWriter.Open(Log);
        foreach (var record in records)
            writer.Append(System.Text.Encoding.UTF8.GetBytes(record), 1_700_000_000_123_456);
    }

    /// <summary>Everything that waits for a subscriber, acknowledged interval by interval.</summary>
    protected List<string> Drain(string subscriber)
    {
        var all = new List<string>();
        using var reader = JournalReader.Open(Log, subscriber);
        using var batch = new RecordBatch();
        while (reader.ReadInterval() is { Count: > 0 } interval)
        {
            for (var next = interval.First; next <= interval.Last;)
            {
                next = reader.Read(next, interval.Last.Marker - next.Marker + 1, batch);
                for (var i = 0; i < batch.Count; i++)
                    all.Add(System.Text.Encoding.UTF8.GetString(batch[i]));
            }
            reader.Checkpoint(interval.Last);
        }
        return all;
    }

    public void Dispose()
    {
        Directory.Delete(_base, recursive: true);
        GC.SuppressFinalize(this);
    }
}
