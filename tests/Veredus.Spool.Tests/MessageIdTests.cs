using System.Text;

namespace Veredus.Spool.Tests;

public sealed class MessageIdTests
{
    [Theory]
    [InlineData(1790000000u, 7, 1, "10/00-00007-08B31BA6")]
    [InlineData(1790000000u, 7, 2, "20/00-00007-08B31BA6")]
    [InlineData(0xFFFFFFFFu, 65535, 65535, "FF/FF-65535-FFFFFFFF")]
    [InlineData(0x12345678u, 0, 0xABCD, "DC/BA-00000-87654321")]
    public void An_id_reads_as_the_specification_says(uint slot, int node, int counter, string text)
    {
        var id = new MessageId(slot, (ushort)node, (ushort)counter);
        Assert.Equal(text, id.ToString());
        Assert.Equal(text, $"{id}");
        Assert.True(MessageId.TryParse(text, out var read));
        Assert.Equal(id, read);
        Assert.True(MessageId.TryParse(Encoding.ASCII.GetBytes(text), out read));
        Assert.Equal((slot, (ushort)node, (ushort)counter), (read.Slot, read.Node, read.Counter));
    }

    [Theory]
    [InlineData("")]
    [InlineData("10/00-00007-08B31BA")]
    [InlineData("10/00-00007-08B31BA60")]
    [InlineData("10-00-00007-08B31BA6")]
    [InlineData("10/00-00007/08B31BA6")]
    [InlineData("10/00-65536-08B31BA6")]
    [InlineData("10/00-0000a-08B31BA6")]
    [InlineData("1g/00-00007-08B31BA6")]
    [InlineData("10/00-00007-08b31ba6")]
    [InlineData("10/00-00007-08B31B\u00c46")]
    [InlineData("../..-00007-08B31BA6")]
    public void What_is_not_an_id_is_refused(string text)
    {
        Assert.False(MessageId.TryParse(text, out _));
        Assert.False(MessageId.TryParse(Encoding.UTF8.GetBytes(text), out _));
        Assert.Throws<FormatException>(() => MessageId.Parse(text));
    }

    [Fact]
    public void Every_id_survives_text_and_back()
    {
        var seed = Seed.Next();
        var random = new Random(seed);
        for (var i = 0; i < 20_000; i++)
        {
            var id = new MessageId((ulong)random.NextInt64(long.MinValue, long.MaxValue));
            Assert.True(MessageId.TryParse(id.ToString(), out var read) && read == id, $"VEREDUS_SEED={seed}: {id}");
        }
    }

    [Fact]
    public void A_generator_never_repeats_an_id_when_the_clock_goes_back_or_the_counter_wraps()
    {
        var time = new ManualTime(DateTimeOffset.FromUnixTimeSeconds(1790000000));
        var ids = new MessageIdGenerator(7, time, lastSlot: 0);
        Assert.Equal("10/00-00007-08B31BA6", ids.Next().ToString());
        var last = ids.Next();
        for (var i = 0; i < 200_000; i++)
        {
            if (i % 50_000 == 0)
                time.SetBack(TimeSpan.FromHours(1));
            var next = ids.Next();
            Assert.True(next > last);
            Assert.NotEqual(0, next.Counter);
            last = next;
        }
    }

    [Fact]
    public void A_generator_begins_after_the_last_slot_of_the_process_before_it()
    {
        var time = new ManualTime(DateTimeOffset.FromUnixTimeSeconds(1790000000));
        Assert.Equal(1790000001u, new MessageIdGenerator(7, time, lastSlot: 1790000000).Next().Slot);
        Assert.Equal(1790000500u, new MessageIdGenerator(7, time, lastSlot: 1790000499).Next().Slot);
        Assert.Equal(1790000000u, new MessageIdGenerator(7, time, lastSlot: 1789999999).Next().Slot);
    }

    [Fact]
    public async Task Threads_never_draw_the_same_id()
    {
        var ids = new MessageIdGenerator(7, TimeProvider.System, 0);
        var drawn = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => Enumerable.Range(0, 20_000).Select(_ => ids.Next()).ToArray())));
        Assert.Equal(80_000, drawn.SelectMany(part => part).Distinct().Count());
    }
}
