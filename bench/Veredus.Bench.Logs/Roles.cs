using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Text;
using Veredus.Cluster;
using Veredus.Journal;
using Veredus.LogShipping;

namespace Veredus.Bench.Logs;

/// <summary>The processes that are measured and killed. Each runs until it is killed, or its standard input ends.</summary>
internal static class Roles
{
    private const int LineBytes = 200;

    /// <summary>A node: offers its journal to the manager, and writes numbered lines if asked to.</summary>
    public static async Task NodeAsync(Stage stage, int linesPerSecond)
    {
        using var identity = stage.Identity("mta1");
        var service = new LogService(() => new(new Dictionary<string, string> { ["main"] = stage.Journal }, TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(5)), TimeProvider.System, Say);
        await using var listener = new ClusterListener(new(new(IPAddress.Loopback, 0), "mta1", Stage.NodeRun), identity, stage.Membership, [service], (_, why) => Say(why));
        stage.Publish(listener.Address.Port);
        using var ending = new CancellationTokenSource();
        var writing = linesPerSecond > 0 ? WriteAsync(stage.Journal, linesPerSecond, ending.Token) : Task.CompletedTask;
        await EndAsync();
        await ending.CancelAsync();
        await writing;
    }

    public static async Task ManagerAsync(Stage stage)
    {
        using var identity = stage.Identity("mgr1");
        LogPattern.TryParse(Path.Join(stage.Directory, "collected", "%{l}"), TimeZoneInfo.Utc, out var pattern, out _);
        var settings = new LogCollectorSettings { ManagerName = "mgr1", Logfile = pattern, RetryInterval = TimeSpan.FromMilliseconds(20), ListInterval = TimeSpan.FromMilliseconds(200) };
        await using var collector = LogCollector.Start(settings, stage.State, new ClusterLogSource(stage.Membership, identity, Stage.ManagerRun, TimeProvider.System), TimeProvider.System, Say);
        await EndAsync();
    }

    /// <summary>Reads the journal as "reader" and notes each interval in a file of its own before and after it acknowledges.</summary>
    public static async Task ReaderAsync(Stage stage)
    {
        using var reader = JournalReader.Open(stage.Journal, "reader");
        using var batch = new RecordBatch();
        using var notes = new FileStream(Path.Join(stage.Directory, "reader"), FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        var ended = EndAsync();
        while (!ended.IsCompleted)
        {
            var interval = reader.ReadInterval();
            if (interval.Count == 0)
            {
                await Task.Delay(2);
                continue;
            }
            long first = 0, last = 0;
            for (var next = interval.First; next <= interval.Last;)
            {
                next = reader.Read(next, interval.Last.Marker - next.Marker + 1, batch);
                for (var i = 0; i < batch.Count; i++)
                {
                    var number = NumberOf(batch[i]);
                    if (first == 0)
                        first = number;
                    else if (number != last + 1)
                        Note($"broken {last} {number}");
                    last = number;
                }
            }
            Note($"read {first} {last}");
            reader.Checkpoint(interval.Last);
            Note($"acknowledged {last}");
        }

        void Note(string text) => notes.Write(Encoding.ASCII.GetBytes($"{text}\n"));
    }

    /// <summary>A line: its number in 12 digits, then filling up to 200 octets with the line feed.</summary>
    public static void MakeLine(Span<byte> line, long number)
    {
        line.Fill((byte)'x');
        Utf8Formatter.TryFormat(number, line, out _, new('D', 12));
        line[12] = (byte)' ';
        line[^1] = (byte)'\n';
    }

    public static long NumberOf(ReadOnlySpan<byte> line) => Utf8Parser.TryParse(line[..12], out long number, out var used) && used == 12 ? number : -1;

    /// <summary>Appends a count of lines as fast as it goes, in groups.</summary>
    public static void Fill(Stage stage, int count)
    {
        using var writer = JournalWriter.Open(stage.Journal);
        using var buffer = writer.CreateBuffer();
        Span<byte> line = stackalloc byte[LineBytes];
        for (var n = 1; n <= count; n++)
        {
            MakeLine(line, n);
            buffer.Add(line, 1_700_000_000_000_000);
            if (buffer.Count == 256 || n == count)
                writer.Append(buffer);
        }
    }

    private static async Task WriteAsync(string journal, int linesPerSecond, CancellationToken cancellationToken)
    {
        var next = LastNumber(journal) + 1;
        using var writer = JournalWriter.Open(journal);
        using var buffer = writer.CreateBuffer();
        var line = new byte[LineBytes];
        var random = new Random();
        while (!cancellationToken.IsCancellationRequested)
        {
            for (var count = random.Next(1, Math.Max(2, linesPerSecond / 50)); count > 0; count--)
            {
                MakeLine(line, next++);
                buffer.Add(line, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() * 1000);
            }
            writer.Append(buffer);
            KeepTwoSegments(journal);
            await Task.Delay(10, CancellationToken.None);
        }
    }

    /// <summary>"keeper" keeps the last segments, so that a writer that starts again finds where it was.</summary>
    private static void KeepTwoSegments(string journal)
    {
        var active = JournalDirectory.Settings(journal).ActiveSegment;
        var kept = JournalDirectory.Subscribers(journal).First(entry => entry.Subscriber == "keeper").Position!.Value;
        if (active > kept.Segment + 3)
            JournalDirectory.SetCheckpoint(journal, "keeper", new(active - 2, 0));
    }

    private static long LastNumber(string journal)
    {
        using var reader = JournalReader.Open(journal, "keeper");
        using var batch = new RecordBatch();
        long last = 0;
        for (var at = reader.Position; reader.ReadAfter(at) is { Count: > 0 } interval; at = interval.Last)
        {
            reader.Read(interval.Last, 1, batch);
            last = NumberOf(batch[0]);
        }
        return last;
    }

    /// <summary>Completes when the one who started this process closes its standard input.</summary>
    private static Task EndAsync() => Task.Run(() =>
    {
        while (Console.In.Read() >= 0)
        {
        }
    });

    private static void Say(string text) => Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{DateTime.UtcNow:HH:mm:ss.fff} {text}"));
}
