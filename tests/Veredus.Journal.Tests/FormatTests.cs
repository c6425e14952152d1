using System.Text;

namespace Veredus.Journal.Tests;

/// <summary>Byte for byte what the C library writes (jlog-format section 25 and 27.1 to 27.5).</summary>
public sealed class FormatTests : JournalFixture
{
    [Fact]
    public void Two_records_give_the_bytes_of_the_published_dump()
    {
        JournalDirectory.Create(Log, unitLimit: 40);
        JournalDirectory.AddSubscriber(Log, "reader1");
        using (var writer = JournalWriter.Open(Log))
        {
            writer.Append("alpha"u8, 1_700_000_000_123_456);
            writer.Append("bravo-2"u8, 1_700_000_001_000_000);
        }
        using (var reader = JournalReader.Open(Log, "reader1"))
        {
            Assert.Equal(2u, reader.ReadInterval().Count);
            reader.Checkpoint(new(0, 1));
        }

        Assert.Equal("18733a6600f1536540e2010005000000" + "616c706861" + "18733a6601f153650000000007000000" + "627261766f2d32", Hex(Segment(0)));
        Assert.Equal("", Hex(Segment(1)));
        Assert.Equal("0000000000000000" + "1500000000000000" + "0000000000000000", Hex(Index(0)));
        Assert.Equal("0000000001000000", Hex(Path.Join(Log, "cp.72656164657231")));
        Assert.Equal("01000000" + "28000000" + "01000000" + "18733a66", Hex(Path.Join(Log, "metastore")));
    }

    [Theory]
    [InlineData(500, 580)]  // 116-byte records: the fifth reaches the limit and stays whole
    [InlineData(464, 464)]  // reached exactly: rolled at once
    public void A_segment_ends_with_the_record_that_reaches_the_limit(uint limit, long expected)
    {
        JournalDirectory.Create(Log, limit);
        var count = (int)(expected / 116);
        Append([.. Enumerable.Repeat(new string('x', 100), count)]);
        Assert.Equal(expected, new FileInfo(Segment(0)).Length);
        Assert.Equal(0, new FileInfo(Segment(1)).Length);
        Assert.Equal(1u, JournalDirectory.Settings(Log).ActiveSegment);
    }

    [Fact]
    public void A_buffer_rolls_over_at_the_same_records_as_single_appends()
    {
        var records = Enumerable.Range(0, 200).Select(n => new string('r', n % 37)).ToArray();
        JournalDirectory.Create(Log, 300);
        Append(records);
        var single = Directory.GetFiles(Log).Order().Select(Hex).ToArray();
        Directory.Delete(Log, true);

        JournalDirectory.Create(Log, 300);
        using (var writer = JournalWriter.Open(Log))
        using (var buffer = writer.CreateBuffer())
        {
            foreach (var record in records)
                buffer.Add(Encoding.UTF8.GetBytes(record), 1_700_000_000_123_456);
            writer.Append(buffer);
        }
        Assert.Equal(single, Directory.GetFiles(Log).Order().Select(Hex));
    }

    [Theory]
    [InlineData("alpha", "cp.616c706861")]
    [InlineData("a/b", "cp.612f62")]
    [InlineData("", "cp.")]
    [InlineData("~x", "cp.7e78")]
    [InlineData("é", "cp.c3a9")]
    public void A_subscriber_is_named_by_the_hex_of_its_bytes(string subscriber, string file)
    {
        JournalDirectory.Create(Log);
        JournalDirectory.AddSubscriber(Log, subscriber);
        Assert.True(File.Exists(Path.Join(Log, file)));
        Assert.Equal([subscriber], JournalDirectory.Subscribers(Log).Select(entry => entry.Subscriber));
    }

    [Fact]
    public void A_subscriber_name_has_at_most_126_bytes()
    {
        JournalDirectory.Create(Log);
        JournalDirectory.AddSubscriber(Log, new string('n', 126));
        Assert.Contains("126", Assert.Throws<JournalException>(() => JournalDirectory.AddSubscriber(Log, new string('n', 127))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_compressed_journal_is_read_and_written()
    {
        JournalDirectory.Create(Log);
        JournalDirectory.AddSubscriber(Log, "s");
        WriteMagic(0x15106A01);
        var compressible = Convert.FromHexString("016a1015" + "00f15365" + "40e20100" + "3c000000" + "0b000000" + "1f61010023506161616161");
        File.WriteAllBytes(Segment(0), [.. Convert.FromHexString("016a101500f1536540e201000500000006000000" + "50616c706861"), .. compressible]);
        Append("", "bravo-2", new string('z', 5000));
        Assert.Equal("01000000" + "00", Hex(Segment(0))[((26 + 31 + 16) * 2)..][..10]);
        Assert.Equal(["alpha", new string('a', 60), "", "bravo-2", new string('z', 5000)], Drain("s"));
    }

    [Fact]
    public void A_journal_of_the_null_compression_is_read_and_written()
    {
        JournalDirectory.Create(Log);
        JournalDirectory.AddSubscriber(Log, "s");
        WriteMagic(0x15106A00);
        // As the C library stores an empty payload: 16384 octets of padding.
        File.WriteAllBytes(Segment(0), [.. Convert.FromHexString("006a101500f1536540e201000000000000400000"), .. new byte[16384]]);
        Append("next");
        Assert.Equal(["", "next"], Drain("s"));
    }

    [Theory]
    [InlineData("", "0 bytes")]
    [InlineData("00000000280000000100", "10 bytes")]
    [InlineData("000000002800000001000000", "1.x")]
    [InlineData("00000000280000000100000000000000", "magic 0")]
    [InlineData("000000002800000001000000663a7318", "byte order")]
    [InlineData("00000000280000000100000007000000", "unknown record magic")]
    [InlineData("00000000000000000100000018733a66", "unit limit 0")]
    [InlineData("00000000280000000300000018733a66", "safety 3")]
    public void A_wrong_metastore_is_refused_and_nothing_is_changed(string bytes, string expected)
    {
        JournalDirectory.Create(Log);
        JournalDirectory.AddSubscriber(Log, "s");
        Append("kept");
        File.WriteAllBytes(Path.Join(Log, "metastore"), Convert.FromHexString(bytes));
        var before = Directory.GetFiles(Log).Order().Select(Hex).ToArray();
        Assert.Contains(expected, Assert.Throws<JournalException>(() => JournalWriter.Open(Log)).Message, StringComparison.Ordinal);
        Assert.Throws<JournalException>(() => JournalReader.Open(Log, "s"));
        Assert.Equal(before, Directory.GetFiles(Log).Order().Select(Hex));
    }

    [Fact]
    public void Records_of_a_dead_writers_buffer_come_in_exactly_once_and_only_when_asked_for()
    {
        JournalDirectory.Create(Log);
        JournalDirectory.AddSubscriber(Log, "s");
        var record = Convert.FromHexString("18733a6600f1536540e2010005000000" + "616c706861");
        File.WriteAllBytes(Path.Join(Log, "pre_commit"), [(byte)(2 * record.Length), 0, 0, 0, .. record, .. record, .. new byte[100]]);
        Assert.Contains("2 records", Assert.Throws<JournalException>(() => JournalWriter.Open(Log)).Message, StringComparison.Ordinal);
        JournalWriter.Open(Log, adoptPreCommit: true).Dispose();
        JournalWriter.Open(Log, adoptPreCommit: true).Dispose();
        Assert.Equal(["alpha", "alpha"], Drain("s"));
    }

    private static string Hex(string path) => Convert.ToHexStringLower(File.ReadAllBytes(path));

    private void WriteMagic(uint magic)
    {
        using var file = File.OpenWrite(Path.Join(Log, "metastore"));
        file.Position = 12;
        file.Write(BitConverter.GetBytes(magic));
    }
}
