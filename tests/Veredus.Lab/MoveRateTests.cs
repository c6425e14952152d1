using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Xunit.Abstractions;

namespace Veredus.Lab;

/// <summary>How fast mail moves, and what other mail feels of it: three nodes on this machine, Postfix's smtp-source and smtp-sink at the ends, ratios of one run.</summary>
public sealed partial class MoveRateTests(ITestOutputHelper output)
{
    private static readonly int s_messages = Number("VEREDUS_MESSAGES", 10_000), s_backlog = Number("VEREDUS_BACKLOG", 100_000), s_seconds = Number("VEREDUS_SECONDS", 20);

    [LabFact(OnlyWhenAsked = true)]
    public async Task Mail_is_handed_over_at_half_the_rate_or_more_at_which_one_node_relays_it()
    {
        await using var lab = await StartAsync();
        using var sink = await StartSinkAsync(lab);
        var node = await lab.OwnerAsync(1);
        // The node relays; the others do nothing. First for nothing: the code is slow until it is compiled.
        await SendAsync(lab, MoveLab.Vips[0], "d1.test", s_messages / 4, 10_240);
        await sink.UntilAsync(s_messages / 4);
        var start = Stopwatch.GetTimestamp();
        await SendAsync(lab, MoveLab.Vips[0], "d1.test", s_messages, 10_240);
        await sink.UntilAsync(s_messages / 4 + s_messages);
        var relay = s_messages / Stopwatch.GetElapsedTime(start).TotalSeconds;

        // As many wait in a queue that is suspended, and are given away; here too a quarter first.
        await GiveAwayAsync(lab, node, s_messages / 4);
        await lab.ToolAsync(node, "console", "cluster", "duravip", "undrain");
        await lab.SettledAsync();
        var moved = s_messages / await GiveAwayAsync(lab, node, s_messages);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{s_messages} messages of 10 KB: relayed {relay:F0}/s, handed over {moved:F0}/s, ratio {moved / relay:F2}"));
        MoveLab.Progress(string.Create(CultureInfo.InvariantCulture, $"relay {relay:F0}/s, moves {moved:F0}/s, ratio {moved / relay:F2}"));
        Assert.True(moved >= relay / 2, $"handed over {moved:F0}/s, relayed {relay:F0}/s");
    }

    [LabFact(OnlyWhenAsked = true)]
    public async Task A_binding_that_moves_with_its_backlog_disturbs_the_mail_of_other_bindings_little()
    {
        await using var lab = await StartAsync();
        using var sink = await StartSinkAsync(lab);
        var (from, other) = (await lab.OwnerAsync(1), await lab.OwnerAsync(2));
        if (from == other)
        {
            // The other binding's mail shall suffer where it can: on a node that takes part.
            await lab.ToolAsync(from, "vip", "move", MoveLab.Vips[1].ToString(), "--to", $"mta{from}", "--yes");
        }
        var to = from % MoveLab.Size + 1;
        await SendAsync(lab, MoveLab.Vips[0], "kept1.test", s_backlog, 1024);
        await lab.WatchAsync(from, "json mailq -b b1", said => Queued(said) >= s_backlog);
        MoveLab.Progress($"{s_backlog} wait on mta{from}");
        using var load = Source(lab, MoveLab.Vips[1], "d2.test", 100_000_000, 1024, sessions: 10);
        await RateAsync(sink, s_seconds);  // warm
        var before = await RateAsync(sink, s_seconds);
        await lab.ToolAsync(from, "vip", "move", MoveLab.Vips[0].ToString(), "--to", $"mta{to}", "--yes");
        var atBegin = Queued(await lab.WatchAsync(to, "json mailq -b b1", said => Queued(said) > 0));
        var (begun, rates) = (Stopwatch.GetTimestamp(), new List<double>());
        while (rates.Count < 3 && Queued(await lab.WatchAsync(to, "json mailq -b b1", _ => true)) < s_backlog * 9 / 10)
            rates.Add(await RateAsync(sink, s_seconds));
        var during = rates.Order().ElementAt(rates.Count / 2);
        var moved = (Queued(await lab.WatchAsync(to, "json mailq -b b1", _ => true)) - atBegin) / Stopwatch.GetElapsedTime(begun).TotalSeconds;
        await lab.WatchAsync(to, "json mailq -b b1", said => Queued(said) >= s_backlog);
        var after = await RateAsync(sink, s_seconds);
        load.Kill();
        await load.WaitForExitAsync();
        var alone = (before + after) / 2;
        var said = string.Create(CultureInfo.InvariantCulture,
            $"{s_backlog} messages moved, {moved:F0}/s; other mail {before:F0}/s before, {during:F0}/s meanwhile ({string.Join(' ', rates.Select(rate => rate.ToString("F0", CultureInfo.InvariantCulture)))}), {after:F0}/s after: {100 * (1 - during / alone):F0} % less");
        output.WriteLine(said);
        MoveLab.Progress(said);
        Assert.True(during > 0.8 * alone, said);
    }

    /// <returns>Seconds from the order until nothing is left.</returns>
    private static async Task<double> GiveAwayAsync(MoveLab lab, int node, int count)
    {
        await SendAsync(lab, MoveLab.Host(node), "kept.test", count, 10_240);
        await lab.WatchAsync(node, "cluster duravip drain", said => said.StartsWith("+OK", StringComparison.Ordinal));
        await lab.WatchAsync(node, "cluster queues status", said => said.Contains(" 0 addresses", StringComparison.Ordinal));
        var start = Stopwatch.GetTimestamp();
        await lab.WatchAsync(node, "cluster queues drain", said => said.Contains("handed over", StringComparison.Ordinal));
        await lab.WatchAsync(node, "cluster queues status", said => said.Contains(": drained; 0 addresses", StringComparison.Ordinal));
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static int Number(string name, int otherwise) => int.TryParse(Environment.GetEnvironmentVariable(name), out var number) ? number : otherwise;

    /// <summary>kept.test waits on every node in a suspended binding of its own; kept1.test in b1, which is suspended for it alone.</summary>
    private static Task<MoveLab> StartAsync() => MoveLab.StartAsync(lab =>
    {
        lab.HasSink = false;
        lab.Further = i => $$"""
            binding "kept" { bind_address = "198.18.9.{{i}}" suspend_delivery = true }
            binding_rule "kept" { order = 10 recipient_domain = ( "kept.test" ) binding = "kept" }
            binding_rule "kept1" { order = 11 recipient_domain = ( "kept1.test" ) binding = "b1" }
            domain "kept1.test" { gateway = "kept1.test" suspend_delivery = true }
            """;
    });

    private static async Task SendAsync(MoveLab lab, System.Net.IPAddress server, string domain, int count, int bytes)
    {
        using var source = Source(lab, server, domain, count, bytes, sessions: 50);
        await source.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(10));
        Assert.True(source.ExitCode == 0, $"smtp-source ended with {source.ExitCode}\n{lab.Story()}");
    }

    private static Process Source(MoveLab lab, System.Net.IPAddress server, string domain, int count, int bytes, int sessions) => Start(lab, "smtp-source", "-d", "-s", $"{sessions}", "-l", $"{bytes}", "-m", $"{count}",
        "-f", "from@client.lab", "-t", $"someone@{domain}", $"{server}:25");

    private static Process Start(MoveLab lab, params string[] command)
    {
        string[] all = [.. lab.Client.ExecPrefix, .. command];
        return Process.Start(new ProcessStartInfo(all[0], all[1..]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
    }

    private static async Task<CountingSink> StartSinkAsync(MoveLab lab)
    {
        var sink = new CountingSink(Start(lab, "smtp-sink", "-c", "-u", "nobody", $"{MoveLab.ClientAddress}:25", "1000"));
        await Task.Yield();
        return sink;
    }

    private static async Task<double> RateAsync(CountingSink sink, int seconds)
    {
        var (start, count) = (Stopwatch.GetTimestamp(), sink.Count);
        await Task.Delay(TimeSpan.FromSeconds(seconds));  // the length of the measurement
        return (sink.Count - count) / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static long Queued(string mailq) => Regex.Matches(mailq, "\"binding\":\"b1\"[^}]*?\"active\":(\\d+),\"delayed\":(\\d+)").Sum(match =>
        long.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) + long.Parse(match.Groups[2].ValueSpan, CultureInfo.InvariantCulture));

    /// <summary>smtp-sink, which prints what it has counted.</summary>
    private sealed partial class CountingSink : IDisposable
    {
        private readonly Process _process;
        private readonly Task _reading;
        private long _count;
        private TaskCompletionSource _news = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public CountingSink(Process process)
        {
            _process = process;
            _reading = Task.Run(ReadAsync);
        }

        public long Count => Interlocked.Read(ref _count);

        public async Task UntilAsync(long count)
        {
            using var hang = new CancellationTokenSource(TimeSpan.FromMinutes(10));
            while (true)
            {
                var news = Volatile.Read(ref _news).Task;
                if (Count >= count)
                    return;
                await news.WaitAsync(hang.Token);
            }
        }

        public void Dispose()
        {
            _process.Kill(entireProcessTree: true);
            _reading.Wait();
            _process.Dispose();
        }

        private async Task ReadAsync()
        {
            var (buffer, rest) = (new char[4096], "");
            while (await _process.StandardOutput.ReadAsync(buffer) is > 0 and var read)
            {
                rest += new string(buffer, 0, read);
                if (Counts().Matches(rest) is [.., var last])
                    Interlocked.Exchange(ref _count, long.Parse(last.Groups[1].ValueSpan, CultureInfo.InvariantCulture));
                rest = rest[Math.Max(0, rest.LastIndexOf('\r'))..];
                Interlocked.Exchange(ref _news, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
            }
        }

        [GeneratedRegex(@"mesg=(\d+)\s*\r")]
        private static partial Regex Counts();
    }
}
