using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Veredus.Network;

/// <summary>Builds netlink messages one behind the other in a buffer that grows. In host byte order, as netlink has it.</summary>
internal sealed class NetlinkWriter
{
    private byte[] _buffer = new byte[32 * 1024];
    private int _messageStart;

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, Length);

    public void Clear() => Length = 0;

    /// <summary>Opens a message: header (16 octets), then the family's fixed part.</summary>
    public void Begin<TFixed>(ushort type, ushort flags, uint sequence, in TFixed fixedPart) where TFixed : unmanaged
    {
        _messageStart = Length;
        var header = Take(16);
        BinaryPrimitives.WriteUInt16LittleEndian(header[4..], type);
        BinaryPrimitives.WriteUInt16LittleEndian(header[6..], flags);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], sequence);
        header[12..16].Clear();
        MemoryMarshal.AsBytes(new ReadOnlySpan<TFixed>(in fixedPart)).CopyTo(Take(System.Runtime.CompilerServices.Unsafe.SizeOf<TFixed>()));
    }

    public void Attribute(ushort type, ReadOnlySpan<byte> value)
    {
        var span = Take((4 + value.Length + 3) & ~3);
        span.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(span, (ushort)(4 + value.Length));
        BinaryPrimitives.WriteUInt16LittleEndian(span[2..], type);
        value.CopyTo(span[4..]);
    }

    public void Attribute(ushort type, uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        Attribute(type, bytes);
    }

    /// <summary>Closes the message: its length is known now.</summary>
    public void End() => BinaryPrimitives.WriteInt32LittleEndian(_buffer.AsSpan(_messageStart), Length - _messageStart);

    /// <summary>Asks for an answer to the message that was closed last.</summary>
    public void AskForAck() => _buffer[_messageStart + 6] |= (byte)NetlinkConstants.Ack;

    private Span<byte> Take(int count)
    {
        if (Length + count > _buffer.Length)
            Array.Resize(ref _buffer, _buffer.Length * 2);
        Length += count;
        return _buffer.AsSpan(Length - count, count);
    }
}
