using System.Buffers;

namespace Veredus.Spool;

/// <summary>Reads single records of messages; every checksum is looked at.</summary>
internal static class RecordReader
{
    public static Envelope ReadEnvelope(Segment segment, int offset, int length, MessageId id)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            var record = buffer.AsSpan(0, length);
            if (segment.File.Read(record, offset) == length
                && RecordHeader.TryRead(record, segment.Number, offset, out var header)
                && header.Type is RecordType.Envelope && header.Id == id.Value && header.TotalLength == length
                && TryReadEnvelope(record.Slice(RecordHeader.Size, header.MetaLength), header.MetaCrc, out var envelope))
                return envelope;
            throw new SpoolCorruptException($"The envelope of {id} is damaged.");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public static BodyLocation ReadBodyHead(Segment segment, int offset, StoredBody body, LargeBodies large)
    {
        Span<byte> head = stackalloc byte[RecordHeader.Size + BodyMeta.MaxSize];
        var read = segment.File.Read(head, offset);
        if (!RecordHeader.TryRead(head[..read], segment.Number, offset, out var header) || header.Type is not RecordType.Body || header.Id != body.Id
            || header.MetaLength > BodyMeta.MaxSize || header.TotalLength != body.RecordBytes)
            throw new SpoolCorruptException("The head of a body is damaged.");
        var octets = head.Slice(RecordHeader.Size, header.MetaLength);
        if (Crc32C.Compute(octets) != header.MetaCrc || !BodyMeta.TryRead(octets, out var meta) || meta.IsLarge != body is LargeStoredBody || header.PayloadLength + meta.LargeLength != body.Length)
            throw new SpoolCorruptException("The head of a body is damaged.");
        return new(segment, offset + RecordHeader.Size + header.MetaLength, header.PayloadLength, header.PayloadCrc, meta.IsLarge ? large.PathOf(meta.FileNumber) : null, meta.LargeLength, meta.LargeCrc);
    }

    private static bool TryReadEnvelope(ReadOnlySpan<byte> meta, uint crc, out Envelope envelope)
    {
        envelope = null!;
        return Crc32C.Compute(meta) == crc && EnvelopeMeta.TryRead(meta, out _) && EnvelopeCodec.TryRead(meta[EnvelopeMeta.Size..], out envelope);
    }
}
