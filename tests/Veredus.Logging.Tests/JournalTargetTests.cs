using System.Text;
using Veredus.Journal;

namespace Veredus.Logging.Tests;

public sealed class JournalTargetTests : IDisposable
{
    private readonly string _base = Directory.CreateTempSubdirectory("veredus-jlog-").FullName;

    private string Log => Path.Join(_base, "mainlog.cluster");

    public void Dispose() => Directory.Delete(_base, recursive: true);

    [Theory]
    [InlineData("jlog:///a/b", "/a/b", "master")]
    [InlineData("cluster:///a/b=>agg1", "/a/b", "agg1")]
    [InlineData("JLOG:///a/b?subscribers=agg1,agg2,agg1", "/a/b", "agg1 agg2")]
    public void A_destination_names_a_path_and_subscribers(string text, string path, string subscribers)
    {
        Assert.True(JournalDestination.IsOne(text));
        Assert.True(JournalDestination.TryParse(text, out var destination, out _));
        Assert.Equal((path, subscribers), (destination.Directory, string.Join(' ', destination.Subscribers)));
    }

    [Theory]
    [InlineData("jlog://a/b", "absolute")]
    [InlineData("jlog:///", "absolute")]
    [InlineData("jlog:///a=>b?subscribers=c", "combined")]
    [InlineData("jlog:///a?readers=c", "not known")]
    [InlineData("jlog:///a?max_bytes=1M", "at least 16M")]
    [InlineData("jlog:///a?max_bytes=9999999T", "no limit")]
    [InlineData("jlog:///a=>", "no subscriber's name")]
    [InlineData("jlog:///a?subscribers=ok,not/ok", "not/ok")]
    public void A_wrong_destination_is_refused_with_what_would_be_right(string text, string expected)
    {
        Assert.False(JournalDestination.TryParse(text, out _, out var error));
        Assert.Contains(expected, error, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => LogTargets.Open(new(LogKind.Main, text, UnixFileMode.UserRead)));
    }

    [Fact]
    public void Each_line_is_a_record_that_every_subscriber_gets_and_missing_subscribers_are_added_later()
    {
        using (var target = LogTargets.Open(new(LogKind.Main, $"jlog://{Log}=>first", UnixFileMode.UserRead)))
            target.Write("one\ntwo\n"u8);
        using (var target = LogTargets.Open(new(LogKind.Main, $"cluster://{Log}?subscribers=first,second", UnixFileMode.UserRead)))
        {
            target.Reopen();
            target.Write("three\n"u8);
        }
        Assert.Equal(["one\n", "two\n", "three\n"], Read("first"));
        Assert.Equal(["one\n", "two\n", "three\n"], Read("second"));
    }

    [Fact]
    public void A_limit_removes_the_oldest_and_tells_the_operator_who_missed_what()
    {
        Assert.True(JournalDestination.TryParse($"jlog://{Log}=>slow?max_bytes=16M", out var destination, out _));
        Assert.Equal(16 << 20, destination.MaxBytes);
        using var target = new JournalTarget(destination);
        var block = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(new string('x', 1023) + "\n", 1024)));
        string? notice = null;
        for (var megabyte = 0; megabyte < 40; megabyte++)
        {
            target.Write(block);
            notice ??= target.TakeNotice();
        }
        Assert.Contains("'slow' had not read them", notice, StringComparison.Ordinal);
        Assert.InRange(JournalDirectory.Size(Log), 8 << 20, 24 << 20);
        Assert.Equal(JournalDirectory.Segments(Log)[0].Number, JournalDirectory.Subscribers(Log)[0].Position!.Value.Segment);
        Assert.NotEmpty(Read("slow"));
    }

    [Fact]
    public void A_subscriber_that_does_not_read_for_a_day_is_named_once()
    {
        var time = new ManualTime();
        Assert.True(JournalDestination.TryParse($"jlog://{Log}=>gone", out var destination, out _));
        using var target = new JournalTarget(destination, time);
        target.Write("one\n"u8);
        time.Advance(TimeSpan.FromHours(25));
        target.Write("two\n"u8);
        Assert.Contains($"veredus journal remove {Log} gone", target.TakeNotice(), StringComparison.Ordinal);
        time.Advance(TimeSpan.FromHours(25));
        target.Write("three\n"u8);
        Assert.Null(target.TakeNotice());
    }

    private List<string> Read(string subscriber)
    {
        using var reader = JournalReader.Open(Log, subscriber);
        using var batch = new RecordBatch();
        var interval = reader.ReadInterval();
        reader.Read(interval.First, interval.Count, batch);
        return [.. Enumerable.Range(0, batch.Count).Select(i => Encoding.UTF8.GetString(batch[i]))];
    }
}
