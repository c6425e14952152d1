using System.Buffers.Binary;
using System.Text;

namespace Veredus.Spool;

/// <summary>Puts little-endian values one after the other into a span that is known to be large enough.</summary>
internal ref struct SpanWriter(Span<byte> target)
{
    private readonly Span<byte> _target = target;

    public int Length { get; private set; }

    public void U8(byte value) => _target[Length++] = value;

    public void U16(ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_target[Length..], value);
        Length += 2;
    }

    public void U32(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_target[Length..], value);
        Length += 4;
    }

    public void U64(ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_target[Length..], value);
        Length += 8;
    }

    public void Guid(Guid value)
    {
        value.TryWriteBytes(_target[Length..]);
        Length += 16;
    }

    public void Bytes(scoped ReadOnlySpan<byte> value)
    {
        value.CopyTo(_target[Length..]);
        Length += value.Length;
    }

    public void Varint(uint value)
    {
        for (; value > 127; value >>= 7)
            U8((byte)(value | 128));
        U8((byte)value);
    }

    public void Text(string value)
    {
        Varint((uint)Encoding.UTF8.GetByteCount(value));
        Length += Encoding.UTF8.GetBytes(value, _target[Length..]);
    }
}

/// <summary>Takes little-endian values off a span. Reading past the end or nonsense sets <see cref="Failed"/> and gives zeros from then on.</summary>
internal ref struct SpanReader(ReadOnlySpan<byte> source)
{
    private ReadOnlySpan<byte> _rest = source;

    public bool Failed { get; private set; }

    public void Fail()
    {
        Failed = true;
        _rest = default;
    }

    public ReadOnlySpan<byte> Bytes(int count)
    {
        if (count > _rest.Length)
        {
            Fail();
            return default;
        }
        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }

    public byte U8() => Bytes(1) is [var value] ? value : (byte)0;

    public ushort U16() => Bytes(2) is { Length: 2 } value ? BinaryPrimitives.ReadUInt16LittleEndian(value) : (ushort)0;

    public uint U32() => Bytes(4) is { Length: 4 } value ? BinaryPrimitives.ReadUInt32LittleEndian(value) : 0;

    public ulong U64() => Bytes(8) is { Length: 8 } value ? BinaryPrimitives.ReadUInt64LittleEndian(value) : 0;

    public Guid Guid() => Bytes(16) is { Length: 16 } value ? new(value) : default;

    public uint Varint()
    {
        ulong value = 0;
        for (var shift = 0; shift < 35; shift += 7)
        {
            var octet = U8();
            value |= (ulong)(octet & 127) << shift;
            if (octet < 128)
            {
                if (value <= uint.MaxValue)
                    return (uint)value;
                break;
            }
        }
        Fail();
        return 0;
    }

    public string Text()
    {
        var length = Varint();
        if (length > (uint)_rest.Length)
            Fail();
        return Failed || length == 0 ? "" : Encoding.UTF8.GetString(Bytes((int)length));
    }
}
