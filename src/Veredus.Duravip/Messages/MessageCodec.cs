using System.Buffers.Binary;
using System.Numerics;

namespace Veredus.Duravip;

/// <summary>
/// The bytes of the protocol. A message is a type byte and its fields; it travels in chunks of at most
/// <see cref="MaxChunk"/> bytes, each with a header and a checksum. Little-endian. Reading is total.
/// </summary>
/// <remarks>
/// Chunk: 0 "VD" · 2 version u8 · 3 zero · 4 CRC-32C of 8.. u32 · 8 view u64 · 16 incarnation u64 · 24 message number u32 ·
/// 28 part u16 · 30 parts u16 · 32 payload.
/// </remarks>
public static class MessageCodec
{
    /// <summary>The protocol version that this code speaks; chunks of another are refused.</summary>
    public const byte Version = 1;
    /// <summary>Bytes of one chunk, header included.</summary>
    public const int MaxChunk = 60_000;
    /// <summary>Bytes of one whole message: 10,240 entries with room to spare.</summary>
    public const int MaxMessage = 8 << 20;

    internal const int HeaderSize = 32;

    /// <summary>Encodes a message into the chunks that carry it, in order.</summary>
    /// <exception cref="ArgumentException">It would exceed <see cref="MaxMessage"/>.</exception>
    public static IReadOnlyList<byte[]> Encode(MessageHeader header, uint number, DuravipMessage message)
    {
        var writer = new MessageWriter();
        MessageBody.Write(writer, message);
        var payload = writer.Written;
        if (payload.Length > MaxMessage)
            throw new ArgumentException($"A message of {payload.Length} bytes exceeds {MaxMessage}.", nameof(message));
        var parts = (payload.Length + MaxChunk - HeaderSize - 1) / (MaxChunk - HeaderSize);
        var chunks = new byte[parts][];
        for (var part = 0; part < parts; part++)
        {
            var slice = payload[(part * (MaxChunk - HeaderSize))..];
            slice = slice[..Math.Min(slice.Length, MaxChunk - HeaderSize)];
            var chunk = chunks[part] = new byte[HeaderSize + slice.Length];
            chunk[0] = (byte)'V';
            chunk[1] = (byte)'D';
            chunk[2] = Version;
            BinaryPrimitives.WriteUInt64LittleEndian(chunk.AsSpan(8), header.View.Value);
            BinaryPrimitives.WriteUInt64LittleEndian(chunk.AsSpan(16), header.Incarnation);
            BinaryPrimitives.WriteUInt32LittleEndian(chunk.AsSpan(24), number);
            BinaryPrimitives.WriteUInt16LittleEndian(chunk.AsSpan(28), (ushort)part);
            BinaryPrimitives.WriteUInt16LittleEndian(chunk.AsSpan(30), (ushort)parts);
            slice.CopyTo(chunk.AsSpan(HeaderSize));
            BinaryPrimitives.WriteUInt32LittleEndian(chunk.AsSpan(4), Crc32C(chunk.AsSpan(8)));
        }
        return chunks;
    }

    internal static bool TryReadHeader(ReadOnlySpan<byte> chunk, out ChunkHeader header)
    {
        header = default;
        if (chunk.Length is <= HeaderSize or > MaxChunk || chunk[0] != 'V' || chunk[1] != 'D' || chunk[2] != Version || chunk[3] != 0
            || BinaryPrimitives.ReadUInt32LittleEndian(chunk[4..]) != Crc32C(chunk[8..]))
            return false;
        header = new(
            new(new(BinaryPrimitives.ReadUInt64LittleEndian(chunk[8..])), BinaryPrimitives.ReadUInt64LittleEndian(chunk[16..])),
            BinaryPrimitives.ReadUInt32LittleEndian(chunk[24..]),
            BinaryPrimitives.ReadUInt16LittleEndian(chunk[28..]), BinaryPrimitives.ReadUInt16LittleEndian(chunk[30..]));
        return header.Part < header.Parts && header.Parts <= MaxMessage / (MaxChunk - HeaderSize) + 1;
    }

    private static uint Crc32C(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        for (; bytes.Length >= 8; bytes = bytes[8..])
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (var b in bytes)
            crc = BitOperations.Crc32C(crc, b);
        return ~crc;
    }
}

/// <summary>A chunk's header after its checksum was found right.</summary>
internal readonly record struct ChunkHeader(MessageHeader Message, uint Number, int Part, int Parts);
