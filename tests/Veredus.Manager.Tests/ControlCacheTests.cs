using Veredus.Cluster;

namespace Veredus.Manager.Tests;

/// <summary>What a manager remembers of answers, and for how long.</summary>
public sealed class ControlCacheTests : IDisposable
{
    private readonly SteppedTime _time = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-cache-").FullName;

    [Fact]
    public void The_latest_answer_of_each_node_to_each_command_is_kept()
    {
        var cache = new ControlCache(_time);
        Learn(cache, 1, "version", "mta1", AnswerState.Pending);
        Learn(cache, 1, "version", "mta1", AnswerState.Answered, "1.0");
        Learn(cache, 2, "version", "mta1", AnswerState.Pending);
        Learn(cache, 1, "version", "mta1", AnswerState.Answered, "late, of the earlier giving");

        Assert.Equal(AnswerState.Pending, cache.Find("version").Single().Answer.State);
        Learn(cache, 2, "version", "mta1", AnswerState.Answered, "2.0");
        Assert.Equal("2.0", cache.Find("version").Single().Answer.Text);
        Assert.Empty(cache.Find("mailq"));
    }

    [Fact]
    public void An_hour_later_it_is_forgotten()
    {
        var cache = new ControlCache(_time);
        Learn(cache, 1, "version", "mta1", AnswerState.Answered);
        _time.Now += ControlCache.MaxAge;
        Assert.Single(cache.Find("version"));
        _time.Now += TimeSpan.FromSeconds(1);

        Assert.Empty(cache.Find("version"));
        Assert.Equal(0, cache.Bytes);
    }

    [Fact]
    public void When_it_is_full_the_oldest_go_and_what_can_never_fit_is_not_kept()
    {
        var cache = new ControlCache(_time, maxBytes: 10_000);
        for (uint i = 0; i < 100; i++)
            Learn(cache, i, $"command {i}", "mta1", AnswerState.Answered, body: 1000);
        Learn(cache, 200, "huge", "mta1", AnswerState.Answered, body: 20_000);

        Assert.InRange(cache.Bytes, 5_000, 10_000);
        Assert.Empty(cache.Find("command 0"));
        Assert.Single(cache.Find("command 99"));
        Assert.Empty(cache.Find("huge"));
    }

    [Fact]
    public async Task A_cache_file_cut_off_anywhere_gives_back_the_whole_records_before_the_cut()
    {
        var path = Path.Combine(_directory, "cache");
        var cache = new ControlCache(_time);
        await using (ControlCacheFile.Open(cache, path, Assert.Fail))
            for (uint i = 0; i < 5; i++)
                Learn(cache, i, $"command {i}", "mta1", AnswerState.Answered, "text", body: 10 + (int)i);
        var whole = await File.ReadAllBytesAsync(path);
        var before = 0;
        for (var length = 4; length <= whole.Length; length++)
        {
            await File.WriteAllBytesAsync(path, whole[..length]);
            var restored = new ControlCache(_time);
            await using (ControlCacheFile.Open(restored, path, Assert.Fail))
                Assert.InRange(restored.All().Count, before, before + 1);
            before = restored.All().Count;
        }
        Assert.Equal(5, before);
    }

    [Fact]
    public async Task A_damaged_octet_costs_that_record_and_what_is_behind_it_never_more()
    {
        var path = Path.Combine(_directory, "cache");
        var cache = new ControlCache(_time);
        await using (ControlCacheFile.Open(cache, path, Assert.Fail))
        {
            Learn(cache, 1, "first", "mta1", AnswerState.Answered);
            Learn(cache, 2, "second", "mta1", AnswerState.Answered);
        }
        var bytes = await File.ReadAllBytesAsync(path);
        bytes[^3] ^= 0x40;
        await File.WriteAllBytesAsync(path, bytes);

        var restored = new ControlCache(_time);
        await using var _ = ControlCacheFile.Open(restored, path, Assert.Fail);

        Assert.Equal("first", restored.All().Single().Command);
    }

    [Fact]
    public async Task A_foreign_file_is_left_alone_and_the_operator_told()
    {
        var path = Path.Combine(_directory, "notes.txt");
        await File.WriteAllTextAsync(path, "my notes");
        var said = new List<string>();
        var cache = new ControlCache(_time);
        await using (ControlCacheFile.Open(cache, path, said.Add))
            Learn(cache, 1, "version", "mta1", AnswerState.Answered);

        Assert.Equal("my notes", await File.ReadAllTextAsync(path));
        Assert.Contains("is not a control cache", Assert.Single(said));
        Assert.Single(cache.Find("version"));
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static void Learn(ControlCache cache, uint number, string command, string node, AnswerState state, string text = "", int body = 0) =>
        cache.Learn(new(new(new(1), number), "mgr1", new("ana", []), [], TimeSpan.FromSeconds(1), command), "default", new(node, state, 0, text, new byte[body]));

    private sealed class SteppedTime : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.FromUnixTimeSeconds(1_790_000_000);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
