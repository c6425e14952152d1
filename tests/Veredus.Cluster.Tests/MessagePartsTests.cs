namespace Veredus.Cluster.Tests;

public sealed class MessagePartsTests
{
    private static readonly MemberId s_one = new(1, 10), s_two = new(2, 20);

    [Theory]
    [InlineData(1)]
    [InlineData(MessageParts.MaxContent)]
    [InlineData(MessageParts.MaxContent + 1)]
    [InlineData(BusLimits.MaxMessageBytes)]
    public void A_message_of_any_size_comes_back_as_it_was(int size)
    {
        var (message, assembler) = (Bytes(size), new PartAssembler());

        var parts = Split(message, 7).ToArray();

        Assert.All(parts, part => Assert.InRange(part.Length, 1, BusLimits.MaxPartBytes));
        Assert.All(parts[..^1], part => Assert.Null(assembler.Add(s_one, part)));
        Assert.Equal(message, assembler.Add(s_one, parts[^1]));
    }

    [Fact]
    public void Parts_of_several_senders_may_alternate()
    {
        var (first, second, assembler) = (Bytes(150_000), Bytes(170_000), new PartAssembler());
        var whole = new List<(MemberId, byte[]?)>();

        foreach (var (one, two) in Split(first, 1).Zip(Split(second, 1)))
        {
            whole.Add((s_one, assembler.Add(s_one, one)));
            whole.Add((s_two, assembler.Add(s_two, two)));
        }

        Assert.Equal([(s_one, first), (s_two, second)], whole.Where(entry => entry.Item2 is not null));
    }

    [Fact]
    public void What_a_membership_change_interrupts_is_dropped_and_its_tail_ignored()
    {
        var (message, assembler) = (Bytes(200_000), new PartAssembler());
        var interrupted = Split(message, 1).ToArray();
        assembler.Add(s_one, interrupted[0]);
        Assert.True(assembler.HasPartial(s_one));

        assembler.MembershipChanged();

        Assert.All(interrupted[1..], part => Assert.Null(assembler.Add(s_one, part)));
        Assert.Equal(message, Split(message, 2).Select(part => assembler.Add(s_one, part)).ToArray()[^1]);
    }

    [Fact]
    public void Damaged_and_foreign_bytes_are_ignored()
    {
        var assembler = new PartAssembler();
        var part = Split("hello"u8.ToArray(), 1).Single();
        for (var i = 0; i < part.Length; i++)
        {
            var damaged = part.ToArray();
            damaged[i] ^= 0x10;
            Assert.Null(assembler.Add(s_one, damaged));
        }
        for (var length = 0; length < part.Length; length++)
            Assert.Null(assembler.Add(s_one, part.AsSpan(0, length)));
        Assert.Equal("hello"u8.ToArray(), assembler.Add(s_one, part));
    }

    private static byte[] Bytes(int count)
    {
        var bytes = new byte[count];
        new Random(count).NextBytes(bytes);
        return bytes;
    }

    private static IEnumerable<byte[]> Split(byte[] message, uint sequence) => Enumerable.Range(0, MessageParts.Count(message.Length)).Select(index =>
    {
        var content = MessageParts.Content(message, index);
        var part = new byte[MessageParts.HeaderSize + content.Length];
        MessageParts.WriteHeader(part, sequence, index, MessageParts.Count(message.Length), content);
        content.CopyTo(part.AsSpan(MessageParts.HeaderSize));
        return part;
    });
}
