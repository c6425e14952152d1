using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;

namespace Veredus.Cluster;

/// <summary>How a message travels: in parts of at most <see cref="BusLimits.MaxPartBytes"/>, most often one.</summary>
/// <remarks>Part: 0 magic "VG" u16 · 2 version u8 · 3 zero u8 · 4 sequence u32, of its sender · 8 index u16 · 10 count u16 · 12 CRC-32C of 0..11
/// and the content u32 · 16 content. Little-endian.</remarks>
internal static class MessageParts
{
    public const int HeaderSize = 16;
    public const int MaxContent = BusLimits.MaxPartBytes - HeaderSize;
    private const ushort Magic = 'V' | 'G' << 8;
    private const byte Version = 1;

    public static int Count(int messageBytes) => (messageBytes + MaxContent - 1) / MaxContent;

    /// <summary>The content of one part.</summary>
    public static ReadOnlySpan<byte> Content(ReadOnlySpan<byte> message, int index) =>
        message[(index * MaxContent)..Math.Min((index + 1) * MaxContent, message.Length)];

    public static void WriteHeader(Span<byte> header, uint sequence, int index, int count, ReadOnlySpan<byte> content)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(header, Magic);
        header[2] = Version;
        header[3] = 0;
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], sequence);
        BinaryPrimitives.WriteUInt16LittleEndian(header[8..], (ushort)index);
        BinaryPrimitives.WriteUInt16LittleEndian(header[10..], (ushort)count);
        BinaryPrimitives.WriteUInt32LittleEndian(header[12..], Checksum(header[..12], content));
    }

    /// <summary>Reads a part; <see langword="false"/> for foreign, torn or damaged bytes and for other versions.</summary>
    public static bool TryRead(ReadOnlySpan<byte> part, out uint sequence, out int index, out int count, out ReadOnlySpan<byte> content)
    {
        (sequence, index, count) = (0, 0, 0);
        content = default;
        if (part.Length is <= HeaderSize or > BusLimits.MaxPartBytes || BinaryPrimitives.ReadUInt16LittleEndian(part) != Magic || part[2] != Version)
            return false;
        content = part[HeaderSize..];
        if (BinaryPrimitives.ReadUInt32LittleEndian(part[12..]) != Checksum(part[..12], content))
            return false;
        sequence = BinaryPrimitives.ReadUInt32LittleEndian(part[4..]);
        index = BinaryPrimitives.ReadUInt16LittleEndian(part[8..]);
        count = BinaryPrimitives.ReadUInt16LittleEndian(part[10..]);
        return index < count && count <= Count(BusLimits.MaxMessageBytes);
    }

    private static uint Checksum(ReadOnlySpan<byte> head, ReadOnlySpan<byte> content)
    {
        var crc = uint.MaxValue;
        crc = Add(crc, head);
        return ~Add(crc, content);
    }

    private static uint Add(uint crc, ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= 8; bytes = bytes[8..])
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (var octet in bytes)
            crc = BitOperations.Crc32C(crc, octet);
        return crc;
    }
}

/// <summary>
/// Puts messages together again. Depends on nothing but what the group delivers, in its order, so every member comes to the same messages:
/// what is incomplete when the membership changes is dropped by all, and its sender starts over.
/// </summary>
internal sealed class PartAssembler
{
    private readonly Dictionary<MemberId, Partial> _partial = [];

    private sealed class Partial(uint sequence, int count)
    {
        public readonly uint Sequence = sequence;
        public readonly int Count = count;
        public readonly ArrayBufferWriter<byte> Content = new();
        public int Next;
    }

    /// <summary>Some part of a message of this sender has been delivered, and not all.</summary>
    public bool HasPartial(MemberId sender) => _partial.ContainsKey(sender);

    /// <summary>Takes a delivered part; returns the message when it is whole. Bytes that are no part, and parts whose beginning was not seen, are ignored.</summary>
    public byte[]? Add(MemberId sender, ReadOnlySpan<byte> part)
    {
        if (!MessageParts.TryRead(part, out var sequence, out var index, out var count, out var content))
            return null;
        if (count == 1)
            return content.ToArray();
        if (index == 0)
            _partial[sender] = new(sequence, count);
        if (!_partial.TryGetValue(sender, out var partial) || partial.Sequence != sequence || partial.Next != index || partial.Count != count)
            return null;
        partial.Content.Write(content);
        if (++partial.Next < count)
            return null;
        _partial.Remove(sender);
        return partial.Content.WrittenSpan.ToArray();
    }

    public void MembershipChanged() => _partial.Clear();
}
