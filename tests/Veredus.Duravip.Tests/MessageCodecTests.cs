using System.Globalization;

namespace Veredus.Duravip.Tests;

public sealed class MessageCodecTests
{
    private static readonly MessageHeader Header = new(new(0x1122334455667788), 0x99AA);
    private static readonly MemberId Sender = new(1, 4242);

    private static VipEntry Entry(int i) => new(
        VipAddress.Parse(string.Create(CultureInfo.InvariantCulture, $"10.0.{i / 256}.{i % 256}")), VipAddress.Parse("10.9.9.9"),
        ["esmtp", "multivip"], [$"cust-{i}"], "mta1", Placeability.Placeable, "10.0.0.0/8");

    private static DuravipMessage[] Examples() =>
    [
        new ViewOpenMessage([new(1, 2), new(3, uint.MaxValue)]),
        new StateMessage
        {
            Node = "mta1", Role = MemberRole.Manager, Mature = true, Draining = true, Weight = 7, BalanceSetSize = 3, GuardRemainingMs = 1234,
            ConfigurationDigest = ulong.MaxValue, Entries = [Entry(1), Entry(2)], Held = [VipAddress.Parse("2001:db8::1")],
            Failed = [VipAddress.Parse("192.0.2.1")], Pins = [new(VipAddress.Parse("192.0.2.1"), "mta2", 9, 60_000), new(VipAddress.Parse("192.0.2.2"), "", 10, 0)],
            Excluded = [new(4, 5)],
        },
        new StateMessage { Node = "a.b-c" },
        new ExcludeMessage([new(1, 2)]),
        new MatureMessage(),
        new AnnounceMessage { Complete = true, Changed = [Entry(3)], Removed = [VipAddress.Parse("::1")], Failed = [], Draining = true, Weight = 2 },
        new MoveMessage(MoveKind.Operator, 5, 10, 1000, [new(VipAddress.Parse("192.0.2.1"), new(1, 2), new(3, 4)), new(VipAddress.Parse("192.0.2.2"), new(1, 2), null)], "ana", "kernel update"),
        new UnpinMessage([]),
        new ReleasedMessage(77, [VipAddress.Parse("192.0.2.1")]),
        new AcquiredMessage([VipAddress.Parse("192.0.2.1"), VipAddress.Parse("2001:db8::2")]),
        new FailMessage(VipAddress.Parse("192.0.2.1"), "Operation not permitted"),
        new SuspectMessage(new(9, 9), 3),
        new HeartbeatMessage(1, 2, ulong.MaxValue),
        new NeighbourMessage([new(VipAddress.Parse("192.0.2.9"), 0x0123456789AB)]),
    ];

    /// <summary>The bytes of a message decide whether two are the same: arrays inside records compare by reference.</summary>
    private static byte[] Bytes(DuravipMessage message) => [.. MessageCodec.Encode(Header, 1, message).SelectMany(chunk => chunk)];

    [Fact]
    public void Every_message_reads_as_it_was_written()
    {
        foreach (var message in Examples())
        {
            var assembler = new MessageAssembler();
            var chunk = Assert.Single(MessageCodec.Encode(Header, 1, message));
            Assert.Equal(ChunkResult.Message, assembler.Add(Sender, chunk, out var header, out var read));
            Assert.Equal(Header, header);
            Assert.Equal(message.GetType(), read!.GetType());
            Assert.Equal(Bytes(message), Bytes(read));
        }
    }

    [Fact]
    public void A_large_state_travels_in_chunks_and_comes_together()
    {
        var state = new StateMessage { Node = "mta1", Entries = [.. Enumerable.Range(0, VipSet.MaxVips).Select(Entry)] };
        var chunks = MessageCodec.Encode(Header, 7, state);
        Assert.True(chunks.Count > 1);
        Assert.All(chunks, chunk => Assert.InRange(chunk.Length, 33, MessageCodec.MaxChunk));
        var assembler = new MessageAssembler();
        foreach (var chunk in chunks.SkipLast(1))
            Assert.Equal(ChunkResult.Partial, assembler.Add(Sender, chunk, out _, out _));
        Assert.Equal(ChunkResult.Message, assembler.Add(Sender, chunks[^1], out _, out var message));
        Assert.Equal(state.Entries, ((StateMessage)message!).Entries);
    }

    [Fact]
    public void A_membership_change_discards_what_is_incomplete()
    {
        var chunks = MessageCodec.Encode(Header, 7, new StateMessage { Node = "mta1", Entries = [.. Enumerable.Range(0, 5_000).Select(Entry)] });
        var assembler = new MessageAssembler();
        assembler.Add(Sender, chunks[0], out _, out _);
        assembler.Reset();
        Assert.Equal(ChunkResult.Damaged, assembler.Add(Sender, chunks[1], out _, out _));
    }

    [Fact]
    public void Chunks_of_two_messages_never_mix()
    {
        var first = MessageCodec.Encode(Header, 7, new StateMessage { Node = "mta1", Entries = [.. Enumerable.Range(0, 5_000).Select(Entry)] });
        var second = MessageCodec.Encode(Header, 8, new StateMessage { Node = "mta1", Entries = [.. Enumerable.Range(0, 5_000).Select(Entry)] });
        var assembler = new MessageAssembler();
        assembler.Add(Sender, first[0], out _, out _);
        Assert.Equal(ChunkResult.Damaged, assembler.Add(Sender, second[1], out _, out _));
    }

    [Fact]
    public void Any_flipped_bit_is_noticed()
    {
        var chunk = MessageCodec.Encode(Header, 1, Examples()[1])[0];
        for (var bit = 0; bit < chunk.Length * 8; bit++)
        {
            chunk[bit / 8] ^= (byte)(1 << bit % 8);
            Assert.Equal(ChunkResult.Damaged, new MessageAssembler().Add(Sender, chunk, out _, out _));
            chunk[bit / 8] ^= (byte)(1 << bit % 8);
        }
    }

    [Fact]
    public void Reading_is_total_on_hostile_bytes()
    {
        var seed = Environment.GetEnvironmentVariable("VEREDUS_SEED") is { } text && int.TryParse(text, CultureInfo.InvariantCulture, out var given) ? given : Random.Shared.Next();
        var random = new Random(seed);
        var payloads = Array.ConvertAll(Examples(), message => MessageCodec.Encode(Header, 1, message)[0][MessageCodec.HeaderSize..]);
        for (var i = 0; i < 60_000; i++)
        {
            var bytes = (byte[])payloads[random.Next(payloads.Length)].Clone();
            for (var change = random.Next(1, 5); change > 0; change--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            var cut = bytes.AsSpan(0, random.Next(4) == 0 ? random.Next(bytes.Length + 1) : bytes.Length);
            try
            {
                if (MessageBody.TryRead(cut, out var message))
                    MessageBody.TryRead(MessageCodec.Encode(Header, 1, message)[0].AsSpan(MessageCodec.HeaderSize), out _);
            }
            catch (Exception thrown)
            {
                Assert.Fail($"VEREDUS_SEED={seed}: {Convert.ToHexString(cut)}: {thrown}");
            }
        }
    }

    [Fact]
    public void A_count_that_the_bytes_cannot_hold_takes_no_memory()
    {
        byte[] hostile = [8, 0xFF, 0xFF, 0x7F];  // RELEASED with two million addresses and not one byte of them
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.False(MessageBody.TryRead(hostile, out _));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4_096);
    }

    [Fact]
    public void An_address_has_one_spelling()
    {
        var mapped = new byte[] { 9, 1, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 0, 2, 1 };
        Assert.False(MessageBody.TryRead(mapped, out _));
        Assert.Equal(VipAddress.Parse("192.0.2.1"), VipAddress.Parse("::ffff:192.0.2.1"));
    }
}
