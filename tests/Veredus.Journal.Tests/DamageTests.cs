using Xunit.Abstractions;

namespace Veredus.Journal.Tests;

public sealed class DamageTests(ITestOutputHelper output) : JournalFixture
{
    [Fact]
    public void An_append_that_was_cut_at_any_octet_is_cut_off_and_the_next_one_follows()
    {
        JournalDirectory.Create(Log);
        Append("one", "two");
        var whole = File.ReadAllBytes(Segment(0));
        var first = whole.Length / 2;
        for (var cut = first; cut <= whole.Length; cut++)
        {
            File.WriteAllBytes(Segment(0), whole[..cut]);
            File.Delete(Index(0));
            JournalDirectory.SetCheckpoint(Log, "s", default);
            Append("three");
            Assert.Equal(cut == whole.Length ? ["one", "two", "three"] : ["one", "three"], Drain("s"));
        }
    }

    [Theory]
    [InlineData("torn by 3", 9, 9)]
    [InlineData("torn to 5 of a header", 9, 9)]
    [InlineData("bad magic in 4", 9, 9)]
    [InlineData("bad magic in 0", 9, 9)]
    [InlineData("length of 4 too large", 9, 9)]
    [InlineData("bad magic in 9", 9, 9)]
    public void Damage_in_a_finished_segment_costs_only_the_record_it_is_in(string damage, int readable, int afterRepair)
    {
        var bytes = TenRecordsFinished();
        var size = bytes.Length / 10;
        bytes = damage switch
        {
            "torn by 3" => bytes[..^3],
            "torn to 5 of a header" => bytes[..((9 * size) + 5)],
            "bad magic in 4" => Flip(bytes, 4 * size),
            "bad magic in 0" => Flip(bytes, 0),
            "bad magic in 9" => Flip(bytes, 9 * size),
            _ => Flip(bytes, (4 * size) + 13),
        };
        File.WriteAllBytes(Segment(0), bytes);
        var read = Drain("s");
        Assert.Equal(readable + 1, read.Count);
        Assert.Equal("next segment", read[^1]);
        Assert.NotEmpty(KeptDamage);
        Assert.Equal(afterRepair, readable);
    }

    [Fact]
    public void A_repair_keeps_what_it_cuts_out_beside_the_journal()
    {
        var bytes = TenRecordsFinished();
        var size = bytes.Length / 10;
        File.WriteAllBytes(Segment(0), Flip(bytes, 4 * size));
        var plan = JournalDirectory.Repair(Log, dryRun: true);
        Assert.Equal([new DamagedRange(4 * size, 5 * size)], plan.Damage[0]);
        Assert.Empty(KeptDamage);
        Assert.Equal(bytes.Length, new FileInfo(Segment(0)).Length);

        JournalDirectory.Repair(Log);
        Assert.Equal(Flip(bytes, 4 * size)[(4 * size)..(5 * size)], File.ReadAllBytes(Assert.Single(KeptDamage)));
        Assert.Equal(9 * size, new FileInfo(Segment(0)).Length);
        Assert.True(JournalDirectory.Repair(Log).IsClean);
    }

    [Fact]
    public void Damage_in_the_active_segment_leaves_what_is_before_it_readable_and_refuses_appends()
    {
        JournalDirectory.Create(Log);
        JournalDirectory.AddSubscriber(Log, "s");
        Append("one", "two", "three");
        var bytes = File.ReadAllBytes(Segment(0));
        File.WriteAllBytes(Segment(0), Flip(bytes, 16 + 3));
        using (var reader = JournalReader.Open(Log, "s"))
        {
            Assert.Equal(1u, reader.ReadInterval().Count);
            Assert.True(reader.ActiveSegmentDamaged);
        }
        Assert.Contains("repair", Assert.Throws<JournalException>(() => Append("four")).Message, StringComparison.Ordinal);
        JournalDirectory.Repair(Log);
        Append("four");
        Assert.Equal(["one", "three", "four"], Drain("s"));
    }

    [Theory]
    [InlineData(3)]   // not whole entries
    [InlineData(16)]  // points anywhere
    public void A_bad_index_is_rebuilt_for_the_active_segment_too(int length)
    {
        JournalDirectory.Create(Log);
        JournalDirectory.AddSubscriber(Log, "s");
        Append("one", "two", "three");
        File.WriteAllBytes(Index(0), [.. Enumerable.Repeat((byte)0x77, length)]);
        Assert.Equal(["one", "two", "three"], Drain("s"));
    }

    [Fact]
    public void Repair_brings_checkpoints_back_into_the_data_without_skipping_any()
    {
        JournalDirectory.Create(Log, unitLimit: 20);
        Append("aaaaaaaa", "bbbbbbbb", "cccccccc");
        File.Delete(Segment(0));
        JournalDirectory.SetCheckpoint(Log, "low", new(0, 1));
        JournalDirectory.SetCheckpoint(Log, "high", new(900, 1));
        File.WriteAllBytes(Path.Join(Log, "cp.626164"), [1, 2, 3]);
        var report = JournalDirectory.Repair(Log);
        Assert.Equal(3, report.Checkpoints.Count);
        Assert.Equal(["bbbbbbbb", "cccccccc"], Drain("low"));
        Assert.Equal(["cccccccc"], Drain("bad")[^1..]);
        Assert.Empty(Drain("high"));
    }

    [Fact]
    public void A_damaged_checkpoint_pins_everything_until_it_is_repaired()
    {
        JournalDirectory.Create(Log, unitLimit: 20);
        JournalDirectory.AddSubscriber(Log, "s");
        Append("aaaaaaaa", "bbbbbbbb");
        File.WriteAllBytes(Path.Join(Log, "cp.626164"), []);
        Assert.Equal(2, Drain("s").Count);
        Assert.True(File.Exists(Segment(0)));
        Assert.Equal(0, JournalDirectory.Clean(Log));
        JournalDirectory.RemoveSubscriber(Log, "bad");
        Assert.Equal(2, JournalDirectory.Clean(Log));
    }

    [Fact]
    public void Foreign_files_in_the_directory_are_not_touched_and_disturb_nothing()
    {
        JournalDirectory.Create(Log, unitLimit: 100);
        JournalDirectory.AddSubscriber(Log, "s");
        string[] names = ["README", "00000f_x", "ffffffff.bak", "0000000Z", "00000001.idx.old", "cp.zz", "cp.7", "cp.7E", "repair", ".hidden", "pre_commit.old"];
        foreach (var name in names)
            File.WriteAllText(Path.Join(Log, name), $"foreign {name}");
        Directory.CreateDirectory(Path.Join(Log, "00000009"));
        Directory.CreateDirectory(Path.Join(Log, "directory"));

        Append([.. Enumerable.Range(0, 30).Select(n => $"record {n:00}")]);
        Assert.Equal("s", Assert.Single(JournalDirectory.Subscribers(Log)).Subscriber);
        Assert.Equal(Enumerable.Range(0, 30).Select(n => $"record {n:00}"), Drain("s"));
        JournalDirectory.Clean(Log);
        var report = JournalDirectory.Repair(Log, dryRun: false);
        Assert.True(report.IsClean);
        Append("behind");
        Assert.Equal(["behind"], Drain("s"));

        Assert.All(names, name => Assert.Equal($"foreign {name}", File.ReadAllText(Path.Join(Log, name))));
        Assert.True(Directory.Exists(Path.Join(Log, "00000009")));
    }

    [Fact]
    public void Nothing_that_a_damaged_directory_holds_crashes_a_reader_or_a_repair_or_makes_it_endless()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("VEREDUS_SEED"), out var given) ? given : Random.Shared.Next();
        output.WriteLine($"VEREDUS_SEED={seed}");
        var random = new Random(seed);
        for (var round = 0; round < 150; round++)
        {
            JournalDirectory.Create(Log, (uint)random.Next(1, 400));
            JournalDirectory.AddSubscriber(Log, "s");
            var records = Enumerable.Range(0, random.Next(1, 30)).Select(n => $"{n:000}{new string('p', random.Next(60))}").ToArray();
            Append(records);
            if (random.Next(2) == 0)
            {
                using var reader = JournalReader.Open(Log, "s");
                reader.ReadInterval();
            }
            var data = false;
            for (var harm = random.Next(1, 4); harm > 0; harm--)
                data |= Harm(random);
            try
            {
                var read = Drain("s");
                // An index may lie about where records begin, data may not be invented.
                if (!data)
                    Assert.Equal(read.Distinct().Order(StringComparer.Ordinal), read);
            }
            catch (JournalException)
            {
                JournalDirectory.Repair(Log);
                if (Directory.GetFiles(Log, "cp.73").Length == 1)
                    Drain("s");
            }
            Directory.Delete(Log, true);
        }
    }

    /// <returns>Whether a data segment was harmed.</returns>
    private bool Harm(Random random)
    {
        var files = Directory.GetFiles(Log).Order(StringComparer.Ordinal).ToArray();
        var file = files[random.Next(files.Length)];
        var bytes = File.ReadAllBytes(file);
        switch (random.Next(4))
        {
            case 0:
                File.WriteAllBytes(file, bytes[..random.Next(bytes.Length + 1)]);
                break;
            case 1 when bytes.Length > 0:
                bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                File.WriteAllBytes(file, bytes);
                break;
            case 2:
                var more = new byte[random.Next(1, 64)];
                random.NextBytes(more);
                File.WriteAllBytes(file, [.. bytes, .. more]);
                break;
            default:
                File.Delete(file);
                break;
        }
        return !Path.GetFileName(file).Contains('.', StringComparison.Ordinal);
    }

    private byte[] TenRecordsFinished()
    {
        JournalDirectory.Create(Log, unitLimit: 230);
        JournalDirectory.AddSubscriber(Log, "s");
        Append([.. Enumerable.Range(0, 10).Select(n => $"record{n}")]);
        Append("next segment");
        return File.ReadAllBytes(Segment(0));
    }

    private static byte[] Flip(byte[] bytes, int at)
    {
        var copy = bytes.ToArray();
        copy[at] ^= 0xFF;
        return copy;
    }
}
