using System.Buffers;
using System.Net;
using Xunit.Abstractions;

namespace Veredus.Spool.Tests;

public sealed class EnvelopeCodecTests(ITestOutputHelper output)
{
    [Fact]
    public void Every_envelope_survives_the_codec()
    {
        var seed = Seed.Next();
        output.WriteLine($"VEREDUS_SEED={seed}");
        var random = new Random(seed);
        for (var i = 0; i < 3000; i++)
        {
            var envelope = Envelopes.Any(random);
            var octets = Envelopes.Encode(envelope);
            Assert.True(octets.Length <= EnvelopeCodec.MaxEncodedSize(envelope));
            Assert.True(EnvelopeCodec.TryRead(octets, out var read));
            Envelopes.AssertSame(envelope, read);
        }
    }

    [Fact]
    public void A_cut_or_changed_envelope_gives_false_or_another_envelope_but_never_an_exception()
    {
        var seed = Seed.Next();
        output.WriteLine($"VEREDUS_SEED={seed}");
        var random = new Random(seed);
        for (var i = 0; i < 300; i++)
        {
            var octets = Envelopes.Encode(Envelopes.Any(random));
            for (var cut = 0; cut < octets.Length; cut += 1 + random.Next(4))
                Assert.False(EnvelopeCodec.TryRead(octets.AsSpan(0, cut), out _));
            for (var change = 0; change < 50; change++)
            {
                var changed = octets.ToArray();
                changed[random.Next(changed.Length)] = (byte)random.Next(256);
                if (EnvelopeCodec.TryRead(changed, out var read))
                    Assert.True(Envelopes.Encode(read).Length > 0);
            }
        }
    }

    [Fact]
    public void A_newer_format_is_refused_and_additions_at_the_end_are_ignored()
    {
        var octets = Envelopes.Encode(Envelopes.Any(new Random(1)));
        Assert.True(EnvelopeCodec.TryRead([.. octets, 1, 2, 3], out _));
        octets[0]++;
        Assert.False(EnvelopeCodec.TryRead(octets, out _));
    }

    [Fact]
    public void An_envelope_that_is_too_long_is_refused_when_written()
    {
        var envelope = Envelopes.Any(new Random(1)) with { MessageContext = new Dictionary<string, string> { ["x"] = new('x', 400_000) } };
        Assert.Throws<ArgumentException>(() => EnvelopeCodec.Write(envelope, new ArrayBufferWriter<byte>()));
    }

    [Fact]
    public void Crc32C_gives_the_values_of_RFC_3720()
    {
        Assert.Equal(0x8A9136AAu, Crc32C.Compute(new byte[32]));
        Assert.Equal(0xE3069283u, Crc32C.Compute("123456789"u8));
        Assert.Equal(0xE3069283u, Crc32C.Append(Crc32C.Compute("1234"u8), "56789"u8));
    }
}

internal static class Envelopes
{
    private static readonly string[] Words = ["", "a", "news@example.com", "bob@example.org", "=?utf-8?q?=40?=", "größe@bücher.example", "日本語@例え.jp", "\0\n\"@@", new('x', 500)];

    public static Envelope Any(Random random) => new()
    {
        Id = new((ulong)random.NextInt64()),
        BatchId = new((ulong)random.NextInt64()),
        ConnectionId = new(random.Next(2) == 0 ? 0 : (ulong)random.NextInt64()),
        Received = DateTimeOffset.UnixEpoch.AddMicroseconds(random.NextInt64(-1L << 50, 1L << 51)),
        ReceivedFrom = EndPoint(random),
        ReceivedVia = EndPoint(random),
        Protocol = Word(random),
        Sender = Word(random),
        Recipient = Word(random),
        OriginalRecipient = Maybe(random),
        Notify = (DsnNotify)random.Next(16),
        Return = (DsnReturn)random.Next(3),
        EnvelopeId = Maybe(random),
        BodyType = (BodyType)random.Next(4),
        Flags = (EnvelopeFlags)random.Next(64),
        BindingGroup = Word(random),
        Binding = Word(random),
        RoutingOverride = Maybe(random),
        ConnectionContext = Context(random),
        MessageContext = Context(random),
        Origin = random.Next(2) == 0 ? null : new(Guid.NewGuid(), new((ulong)random.NextInt64()), (uint)random.Next()),
    };

    public static Envelope Simple(MessageId id, string recipient = "bob@example.org") => new()
    {
        Id = id,
        BatchId = id,
        Received = DateTimeOffset.FromUnixTimeSeconds(id.Slot),
        Protocol = "ESMTP",
        Sender = "news@example.com",
        Recipient = recipient,
        BindingGroup = "default",
        Binding = "default",
    };

    public static byte[] Encode(Envelope envelope)
    {
        var target = new ArrayBufferWriter<byte>();
        EnvelopeCodec.Write(envelope, target);
        return target.WrittenSpan.ToArray();
    }

    public static void AssertSame(Envelope expected, Envelope actual)
    {
        Assert.Equal(expected.ConnectionContext, actual.ConnectionContext);
        Assert.Equal(expected.MessageContext, actual.MessageContext);
        Assert.Equal(expected, actual with { ConnectionContext = expected.ConnectionContext, MessageContext = expected.MessageContext });
    }

    private static string Word(Random random) => Words[random.Next(Words.Length)];

    private static string? Maybe(Random random) => random.Next(2) == 0 ? null : Word(random);

    private static IPEndPoint? EndPoint(Random random) => random.Next(3) switch
    {
        0 => null,
        1 => new(IPAddress.Parse("203.0.113.9"), random.Next(65536)),
        _ => new(IPAddress.Parse("2001:db8::9"), random.Next(65536)),
    };

    private static Dictionary<string, string> Context(Random random) =>
        Enumerable.Range(0, random.Next(5)).ToDictionary(i => $"{i}{Word(random)}", _ => Word(random));
}
