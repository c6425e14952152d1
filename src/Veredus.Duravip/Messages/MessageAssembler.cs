using System.Buffers;

namespace Veredus.Duravip;

/// <summary>What one chunk came to.</summary>
public enum ChunkResult : byte
{
    /// <summary>A message is complete.</summary>
    Message,
    /// <summary>More parts are to come.</summary>
    Partial,
    /// <summary>Not a chunk of this protocol and version, damaged, or not a message.</summary>
    Damaged,
}

/// <summary>
/// Puts the chunks of each sender together; chunks of one sender arrive in order, so at most one message per sender is
/// incomplete. A membership change discards what is incomplete, at every member alike.
/// </summary>
public sealed class MessageAssembler
{
    private readonly Dictionary<MemberId, Incomplete> _incomplete = [];

    /// <summary>Discards every incomplete message.</summary>
    public void Reset() => _incomplete.Clear();

    /// <summary>Takes one delivered chunk.</summary>
    public ChunkResult Add(MemberId sender, ReadOnlySpan<byte> chunk, out MessageHeader header, out DuravipMessage? message)
    {
        message = null;
        header = default;
        if (!MessageCodec.TryReadHeader(chunk, out var read))
            return ChunkResult.Damaged;
        header = read.Message;
        var payload = chunk[MessageCodec.HeaderSize..];
        if (read.Parts == 1)
        {
            _incomplete.Remove(sender);
            return MessageBody.TryRead(payload, out message) ? ChunkResult.Message : ChunkResult.Damaged;
        }
        if (read.Part == 0)
            _incomplete[sender] = new(read);
        if (!_incomplete.TryGetValue(sender, out var incomplete) || !incomplete.TryAdd(read, payload))
        {
            _incomplete.Remove(sender);
            return ChunkResult.Damaged;
        }
        if (read.Part + 1 < read.Parts)
            return ChunkResult.Partial;
        _incomplete.Remove(sender);
        return MessageBody.TryRead(incomplete.Bytes, out message) ? ChunkResult.Message : ChunkResult.Damaged;
    }

    private sealed class Incomplete(ChunkHeader first)
    {
        private readonly ArrayBufferWriter<byte> _bytes = new();
        private int _next;

        public ReadOnlySpan<byte> Bytes => _bytes.WrittenSpan;

        public bool TryAdd(ChunkHeader header, ReadOnlySpan<byte> payload)
        {
            if (header != first with { Part = _next } || _bytes.WrittenCount + payload.Length > MessageCodec.MaxMessage)
                return false;
            _next++;
            _bytes.Write(payload);
            return true;
        }
    }
}
