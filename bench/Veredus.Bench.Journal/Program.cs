// Rates of the journal on this machine, with allocations:
//
//     dotnet run -c Release --project bench/Veredus.Bench.Journal [RECORDS] [DIRECTORY]
//
// 200-octet records, the default unit limit (4 MiB) and safety (almost safe: the last second or 1 MiB may wait for its sync).
// "single" appends one record a call; "buffered" 256 records at a time; "read" reads everything as a subscriber and acknowledges each
// interval, with a sync of the checkpoint. "raw locked" is what the machine takes for the least calls of a writer that locks for each
// record, as the C library does (lock, size, write, unlock); "raw write" for the write alone. Nothing syncs these two.
// On a machine that does other work, the figure per CPU second is the one to compare.
using System.Diagnostics;
using System.Globalization;
using Veredus.Bench.Journal;
using Veredus.Journal;

var records = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 1_000_000;
var directory = Path.Join(args.Length > 1 ? args[1] : "/var/tmp", $"journal-bench-{Environment.ProcessId}");
var payload = new byte[200];
new Random(1).NextBytes(payload);
try
{
    for (var round = 1; round <= 3; round++)
    {
        Console.WriteLine($"round {round}");
        MeasureRaw(directory + ".raw", records);
        JournalDirectory.Create(directory);
        JournalDirectory.AddSubscriber(directory, "bench");
        using (var writer = JournalWriter.Open(directory))
        {
            Measure("single", records, () =>
            {
                for (var n = 0; n < records; n++)
                    writer.Append(payload, 1_700_000_000_000_000 + n);
            });
            using var buffer = writer.CreateBuffer();
            Measure("buffered", records, () =>
            {
                for (var n = 0; n < records; n++)
                {
                    buffer.Add(payload, 1_700_000_000_000_000 + n);
                    if (buffer.Count == 256)
                        writer.Append(buffer);
                }
                writer.Append(buffer);
            });
        }
        using (var reader = JournalReader.Open(directory, "bench"))
        using (var batch = new RecordBatch())
        {
            long read = 0;
            Measure("read", 2 * records, () =>
            {
                while (reader.ReadInterval() is { Count: > 0 } interval)
                {
                    for (var next = interval.First; next <= interval.Last; read += batch.Count)
                        next = reader.Read(next, interval.Last.Marker - next.Marker + 1, batch);
                    reader.Checkpoint(interval.Last);
                }
            });
            if (read != 2L * records)
                throw new InvalidDataException($"{read} records read of {2L * records}");
        }
        Directory.Delete(directory, true);
    }
}
finally
{
    if (Directory.Exists(directory))
        Directory.Delete(directory, true);
}

static unsafe void MeasureRaw(string path, int count)
{
    var record = stackalloc byte[256];
    using (var file = new RawFile(path))
    {
        Measure("raw locked", count, () =>
        {
            for (var n = 0; n < count; n++)
                file.AppendLocked(record);
        });
        Measure("raw write", count, () =>
        {
            for (var n = 0; n < count; n++)
                file.Write(record);
        });
    }
    File.Delete(path);
}

static void Measure(string name, int count, Action work)
{
    var allocated = GC.GetAllocatedBytesForCurrentThread();
    var cpu = Environment.CpuUsage.TotalTime;
    var watch = Stopwatch.StartNew();
    work();
    var elapsed = watch.Elapsed;
    cpu = Environment.CpuUsage.TotalTime - cpu;
    Console.WriteLine($"  {name,-10} {count / elapsed.TotalSeconds,12:n0} records/s   {count / cpu.TotalSeconds,12:n0} per CPU second   {(GC.GetAllocatedBytesForCurrentThread() - allocated) / (double)count,6:f2} B/record allocated");
}
