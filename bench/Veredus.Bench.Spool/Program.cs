// Measures the spool on the file system of a directory:
//   dotnet run -c Release --project bench/Veredus.Bench.Spool -- [DIRECTORY] [SECONDS per case] [MESSAGES to recover]
// Default: a new directory under /var/tmp, 1 s, 100000. Each case runs the segment store and a file per message one after the other
// in the same minute; look at the ratio.
using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using Veredus.Bench.Spool;
using Veredus.Spool;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var directory = args.Length > 0 ? args[0] : Path.Combine("/var/tmp", $"veredus-bench-spool-{Environment.ProcessId}");
var duration = TimeSpan.FromSeconds(args.Length > 1 ? double.Parse(args[1], CultureInfo.InvariantCulture) : 1);
var toRecover = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 100_000;
var ids = new MessageIdGenerator(1, TimeProvider.System, 0);
try
{
    Console.WriteLine($"{Environment.ProcessorCount} processors, {directory}, {duration.TotalSeconds:0.#} s per case");
    Console.WriteLine("  KB  callers   segments/s  per sync   p50 ms   p99 ms  B alloc    files/s   p50 ms   ratio");
    foreach (var size in (int[])[1 << 10, 10 << 10, 100 << 10])
    {
        foreach (var callers in (int[])[1, 50, 200])
            await CompareAsync(size, callers);
    }
    if (toRecover > 0)
        await RecoverAsync(toRecover);
}
finally
{
    if (Directory.Exists(directory))
        Directory.Delete(directory, recursive: true);
}

Envelope NewEnvelope() => new()
{
    Id = ids.Next(),
    BatchId = new(1),
    ConnectionId = new(2),
    Received = DateTimeOffset.UtcNow,
    ReceivedFrom = new(System.Net.IPAddress.Loopback, 40000),
    ReceivedVia = new(System.Net.IPAddress.Loopback, 25),
    Protocol = "ESMTP",
    Sender = "newsletter-bounces@lists.example.com",
    Recipient = "somebody.with.a.name@mail.example.org",
    BindingGroup = "bulk",
    Binding = "bulk-1",
    ConnectionContext = new Dictionary<string, string> { ["ehlo_string"] = "app.example.com", ["can_relay"] = "true" },
};

SpoolOptions Options(string name) => new() { Base = Path.Combine(directory, name), NodeName = "bench" };

async Task CompareAsync(int size, int callers)
{
    var content = new byte[size];
    Random.Shared.NextBytes(content);
    Result segments;
    double perSync;
    await using (var spool = await SpoolStore.OpenAsync(Options("segments"), TimeProvider.System))
    {
        await foreach (var _ in spool.RecoverAsync())
        {
        }
        await MeasureAsync(callers, TimeSpan.FromSeconds(0.2), CommitAsync);
        var before = spool.Statistics;
        segments = await MeasureAsync(callers, duration, CommitAsync);
        var after = spool.Statistics;
        perSync = (double)(after.Commits - before.Commits) / Math.Max(1, after.Syncs - before.Syncs);

        async Task CommitAsync()
        {
            using var body = spool.CreateBody();
            body.Write(content);
            var result = await spool.CommitAsync(body, [NewEnvelope()]);
            await spool.RemoveAsync(result.Messages[0]);
        }
    }
    Directory.Delete(Path.Combine(directory, "segments"), recursive: true);

    var files = new FilePerMessage(Path.Combine(directory, "files"));
    files.Prepare();
    var metadata = new byte[400];
    // Threads, as syncs block; a caller each.
    var other = await MeasureAsync(callers, duration, () => Task.Factory.StartNew(() => files.Commit(ids.Next(), content, metadata), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default));
    Directory.Delete(Path.Combine(directory, "files"), recursive: true);
    Console.WriteLine($"{size >> 10,4} {callers,8} {segments.Rate,12:0} {perSync,9:0.0} {segments.Median,8:0.00} {segments.P99,8:0.00} {segments.Allocated,8:0} {other.Rate,10:0} {other.Median,8:0.00} {segments.Rate / other.Rate,7:0.0}");
}

async Task RecoverAsync(int messages)
{
    var content = new byte[10 << 10];
    Random.Shared.NextBytes(content);
    await using (var spool = await SpoolStore.OpenAsync(Options("recovery"), TimeProvider.System))
    {
        await Parallel.ForAsync(0, messages, new ParallelOptions { MaxDegreeOfParallelism = 200 }, async (_, _) =>
        {
            using var body = spool.CreateBody();
            body.Write(content);
            await spool.CommitAsync(body, [NewEnvelope()]);
        });
    }
    foreach (var how in (string[])["with indexes", "without indexes"])
    {
        if (how == "without indexes")
        {
            foreach (var index in Directory.EnumerateFiles(Path.Combine(directory, "recovery", "segments"), "*.idx"))
                File.Delete(index);
        }
        GC.Collect();
        var before = GC.GetTotalMemory(true);
        var start = Stopwatch.GetTimestamp();
        var found = new List<StoredMessage>(messages);
        await using var spool = await SpoolStore.OpenAsync(Options("recovery"), TimeProvider.System);
        var opened = Stopwatch.GetElapsedTime(start);
        await foreach (var message in spool.RecoverAsync())
            found.Add(message.Message);
        var recovered = Stopwatch.GetElapsedTime(start);
        var held = (GC.GetTotalMemory(true) - before) / (double)Math.Max(1, found.Count);
        Console.WriteLine($"recovery {how}: {found.Count} messages of 10 KB in {recovered.TotalSeconds:0.00} s (open {opened.TotalSeconds:0.00} s), {held:0} B of heap per message held");
        GC.KeepAlive(found);
        found.Clear();
    }
}

static async Task<Result> MeasureAsync(int callers, TimeSpan duration, Func<Task> commit)
{
    var latencies = new List<double>[callers];
    var allocated = GC.GetTotalAllocatedBytes();
    var start = Stopwatch.GetTimestamp();
    await Task.WhenAll(Enumerable.Range(0, callers).Select(caller => Task.Run(async () =>
    {
        var mine = latencies[caller] = new(1 << 14);
        while (Stopwatch.GetElapsedTime(start) < duration)
        {
            var begin = Stopwatch.GetTimestamp();
            await commit();
            mine.Add(Stopwatch.GetElapsedTime(begin).TotalMilliseconds);
        }
    })));
    var elapsed = Stopwatch.GetElapsedTime(start);
    allocated = GC.GetTotalAllocatedBytes() - allocated - callers * (8L << 14);
    var all = latencies.SelectMany(mine => mine).Order().ToArray();
    return new(all.Length / elapsed.TotalSeconds, all[all.Length / 2], all[(int)(all.Length * 0.99)], (double)allocated / all.Length);
}

internal readonly record struct Result(double Rate, double Median, double P99, double Allocated);
