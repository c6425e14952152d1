namespace Veredus.Node.Tests;

public sealed class EventLogTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-events-").FullName;
    private readonly List<string> _reports = [];

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private string File => Path.Combine(_directory, "events.jsonl");

    private static ClusterEvent Event(string kind, string text) => new() { At = DateTimeOffset.UnixEpoch, Kind = kind, Text = text };

    private static IReadOnlyList<ClusterEvent> All(EventLog log) => log.Find(_ => true, int.MaxValue);

    [Fact]
    public async Task Events_survive_a_restart_with_what_was_learned_later_and_numbers_go_on()
    {
        await using (var log = new EventLog(File, _reports.Add))
        {
            var first = log.Add(Event(ClusterEvent.Placement, "one"));
            log.Add(Event(ClusterEvent.Membership, "two"));
            log.Update(first.Id, before => before with { Steps = [new(DateTimeOffset.UnixEpoch, "released"), new(DateTimeOffset.UnixEpoch.AddSeconds(2), "answers")] });
        }
        await using var again = new EventLog(File, _reports.Add);
        Assert.Equal(["one", "two"], All(again).Select(one => one.Text));
        Assert.Equal(TimeSpan.FromSeconds(2), All(again)[0].Took);
        Assert.Equal(3, again.Add(Event(ClusterEvent.Warning, "three")).Id);
        Assert.Empty(_reports);
    }

    [Fact]
    public async Task A_line_that_a_crash_cut_short_costs_only_itself()
    {
        await using (var log = new EventLog(File, _reports.Add))
            log.Add(Event(ClusterEvent.Placement, "one"));
        await System.IO.File.AppendAllTextAsync(File, "{\"id\":2,\"at\":\"20");
        await using (var log = new EventLog(File, _reports.Add))
            log.Add(Event(ClusterEvent.Placement, "three"));
        await using var again = new EventLog(File, _reports.Add);
        Assert.Equal(["one", "three"], All(again).Select(one => one.Text));
    }

    [Fact]
    public async Task The_last_thousand_placements_are_kept_whatever_else_happens_and_the_file_stays_small()
    {
        await using (var log = new EventLog(File, _reports.Add))
        {
            log.Add(Event(ClusterEvent.Membership, "mta1 is in"));
            for (var i = 0; i < 12 * EventLog.Kept; i++)
                log.Add(Event(ClusterEvent.Placement, $"{i}"));
            Assert.Equal(EventLog.Kept + 1, All(log).Count);
        }
        Assert.True(System.IO.File.ReadLines(File).Count() <= 10 * EventLog.Kept);
        await using var again = new EventLog(File, _reports.Add);
        Assert.Equal("mta1 is in", All(again)[0].Text);
        Assert.Equal($"{(12 * EventLog.Kept) - 1}", All(again)[^1].Text);
        Assert.Equal(EventLog.Kept + 1, All(again).Count);
    }

    [Fact]
    public async Task Who_waits_is_told_of_the_next_event_and_of_one_that_grows()
    {
        await using var log = new EventLog(null, _reports.Add);
        var first = log.Add(Event(ClusterEvent.Placement, "one"));
        await log.WaitAsync(0, CancellationToken.None).WaitAsync(TimeSpan.FromMinutes(1));
        var waiting = log.WaitAsync(first.Id, CancellationToken.None);
        Assert.False(waiting.IsCompleted);
        log.Update(first.Id, before => before with { Why = "because" });
        await waiting.WaitAsync(TimeSpan.FromMinutes(1));
        waiting = log.WaitAsync(first.Id, CancellationToken.None);
        log.Add(Event(ClusterEvent.Placement, "two"));
        await waiting.WaitAsync(TimeSpan.FromMinutes(1));
        using var stop = new CancellationTokenSource();
        waiting = log.WaitAsync(2, stop.Token);
        await stop.CancelAsync();
        await waiting.WaitAsync(TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task A_disk_that_refuses_costs_the_file_and_not_the_events()
    {
        await using (var log = new EventLog(Path.Combine(_directory, "missing", "events.jsonl"), _reports.Add))
        {
            log.Add(Event(ClusterEvent.Placement, "one"));
            Assert.Equal(["one"], All(log).Select(one => one.Text));
        }
        Assert.Contains("in memory only", Assert.Single(_reports));
    }
}
