namespace Veredus.Journal.Tests;

public sealed class ReaderTests : JournalFixture
{
    [Fact]
    public void What_is_not_acknowledged_comes_again()
    {
        JournalDirectory.Create(Log);
        JournalDirectory.AddSubscriber(Log, "s");
        Append("one", "two", "three");
        using (var reader = JournalReader.Open(Log, "s"))
        {
            Assert.Equal(new JournalInterval(new(0, 1), new(0, 3), 3), reader.ReadInterval());
            Assert.Equal(new JournalInterval(new(0, 1), new(0, 3), 3), reader.ReadInterval());
            reader.Checkpoint(new(0, 2));
            Assert.Equal(new JournalInterval(new(0, 3), new(0, 3), 1), reader.ReadInterval());
        }
        Assert.Equal(["three"], Drain("s"));
        Assert.Empty(Drain("s"));
    }

    [Fact]
    public void An_open_reader_sees_what_is_appended_later()
    {
        JournalDirectory.Create(Log);
        JournalDirectory.AddSubscriber(Log, "s");
        using var reader = JournalReader.Open(Log, "s");
        Assert.Equal(0u, reader.ReadInterval().Count);
        Append("one");
        Assert.Equal(1u, reader.ReadInterval().Count);
        Append("two");
        Assert.Equal(2u, reader.ReadInterval().Count);
    }

    [Fact]
    public void A_segment_goes_when_the_last_subscriber_has_stepped_past_it()
    {
        JournalDirectory.Create(Log, unitLimit: 20);  // each record finishes its segment
        JournalDirectory.AddSubscriber(Log, "quick");
        JournalDirectory.AddSubscriber(Log, "slow");
        Append("aaaaaaaa", "bbbbbbbb");
        Assert.Equal(["aaaaaaaa", "bbbbbbbb"], Drain("quick"));
        Assert.True(File.Exists(Segment(0)));
        using (var reader = JournalReader.Open(Log, "slow"))
        {
            reader.Checkpoint(reader.ReadInterval().Last);
            Assert.True(File.Exists(Segment(0)));  // acknowledged, not yet left
            reader.ReadInterval();
            Assert.False(File.Exists(Segment(0)));
            Assert.False(File.Exists(Index(0)));
        }
        Assert.True(File.Exists(Segment(1)));
    }

    [Fact]
    public void Missing_segments_are_stepped_over_at_once_however_many()
    {
        JournalDirectory.Create(Log, unitLimit: 20);
        JournalDirectory.AddSubscriber(Log, "s");
        Append("aaaaaaaa", "bbbbbbbb");
        File.Move(Segment(1), Segment(0xF0000000));
        File.Move(Segment(2), Segment(0xF0000001));
        using (var file = File.OpenWrite(Path.Join(Log, "metastore")))
            file.Write(BitConverter.GetBytes(0xF0000001));
        Assert.Equal(["aaaaaaaa", "bbbbbbbb"], Drain("s"));
    }

    [Fact]
    public void Subscribers_are_added_at_the_first_record_or_behind_the_last_copied_set_and_removed()
    {
        JournalDirectory.Create(Log);
        Append("one", "two");
        Assert.Equal(new(0, 0), JournalDirectory.AddSubscriber(Log, "first"));
        Assert.Equal(new(0, 2), JournalDirectory.AddSubscriber(Log, "last", atEnd: true));
        Assert.Equal(JournalError.SubscriberExists, Assert.Throws<JournalException>(() => JournalDirectory.AddSubscriber(Log, "last")).Error);
        Append("three");
        Assert.Equal(["three"], Drain("last"));
        JournalDirectory.CopySubscriber(Log, "last", "copy");
        JournalDirectory.SetCheckpoint(Log, "first", new(0, 1));
        Assert.Equal([new(0, 3), new(0, 1), new(0, 3)], JournalDirectory.Subscribers(Log).OrderBy(entry => entry.Subscriber, StringComparer.Ordinal).Select(entry => entry.Position!.Value));
        Assert.True(JournalDirectory.RemoveSubscriber(Log, "copy"));
        Assert.False(JournalDirectory.RemoveSubscriber(Log, "copy"));
        Assert.Equal(JournalError.InvalidSubscriber, Assert.Throws<JournalException>(() => JournalReader.Open(Log, "copy")).Error);
    }

    [Theory]
    [InlineData(0u, 99u, "")]     // past the end of the only segment: set back
    [InlineData(7u, 3u, "")]      // above the active segment: nothing, nothing changed
    [InlineData(0u, 1u, "two")]
    public void A_checkpoint_outside_of_the_data_is_survived(uint segment, uint marker, string expected)
    {
        JournalDirectory.Create(Log);
        JournalDirectory.AddSubscriber(Log, "s");
        Append("one", "two");
        JournalDirectory.SetCheckpoint(Log, "s", new(segment, marker));
        Assert.Equal(expected, string.Concat(Drain("s")));
        Assert.Equal(segment == 0 ? new(0, 2) : new RecordId(segment, marker), JournalDirectory.Subscribers(Log)[0].Position);
    }

    [Fact]
    public void A_record_larger_than_the_limit_and_than_the_read_buffer_arrives_whole()
    {
        JournalDirectory.Create(Log, unitLimit: 100);
        JournalDirectory.AddSubscriber(Log, "s");
        var large = new string('l', 3_000_000);
        Append("", large, "", "x");
        Assert.Equal(["", large, "", "x"], Drain("s"));
    }

    [Fact]
    public void Reading_a_record_that_is_not_there_says_so()
    {
        JournalDirectory.Create(Log, unitLimit: 20);
        JournalDirectory.AddSubscriber(Log, "s");
        Append("aaaaaaaa");
        using var reader = JournalReader.Open(Log, "s");
        using var batch = new RecordBatch();
        reader.ReadInterval();
        Assert.Equal(JournalError.IllegalRecordId, Assert.Throws<JournalException>(() => reader.Read(new(0, 0), 1, batch)).Error);
        Assert.Equal(JournalError.ClosedMarker, Assert.Throws<JournalException>(() => reader.Read(new(0, 2), 1, batch)).Error);
        Assert.Equal(JournalError.IllegalRecordId, Assert.Throws<JournalException>(() => reader.Read(new(0, 3), 1, batch)).Error);
        Assert.Equal(JournalError.SegmentOpen, Assert.Throws<JournalException>(() => reader.Read(new(9, 1), 1, batch)).Error);
    }

    [Fact]
    public void What_a_failed_append_left_out_stays_in_the_buffer_and_only_that()
    {
        JournalDirectory.Create(Log, unitLimit: 20);
        JournalDirectory.AddSubscriber(Log, "s");
        Directory.CreateDirectory(Segment(1));
        using (var writer = JournalWriter.Open(Log))
        using (var buffer = writer.CreateBuffer())
        {
            foreach (var payload in new[] { "aaaaaaaa", "bbbbbbbb", "cccccccc" })
                buffer.Add(System.Text.Encoding.UTF8.GetBytes(payload), 1);
            Assert.Throws<JournalException>(() => writer.Append(buffer));
            Assert.Equal(2, buffer.Count);
            Directory.Delete(Segment(1));
            writer.Append(buffer);
            Assert.Equal(0, buffer.Count);
        }
        Assert.Equal(["aaaaaaaa", "bbbbbbbb", "cccccccc"], Drain("s"));
    }

    [Fact]
    public async Task Many_writers_lose_double_and_reorder_nothing()
    {
        JournalDirectory.Create(Log, unitLimit: 200);
        JournalDirectory.AddSubscriber(Log, "s");
        await Task.WhenAll(Enumerable.Range(0, 4).Select(writerNumber => Task.Run(() =>
        {
            using var writer = JournalWriter.Open(Log);  // each with handles and locks of its own, as another process has
            for (var n = 0; n < 200; n++)
                writer.Append(System.Text.Encoding.UTF8.GetBytes($"{writerNumber} {n:000}"), 1);
        })));
        var all = Drain("s");
        Assert.Equal(800, all.Count);
        foreach (var group in all.GroupBy(record => record[0]))
            Assert.Equal(group.Order(StringComparer.Ordinal), group);
        Assert.All(JournalDirectory.Segments(Log), segment => Assert.Equal(JournalDirectory.Settings(Log).ActiveSegment, segment.Number));
    }
}
