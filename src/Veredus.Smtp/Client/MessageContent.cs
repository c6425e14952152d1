using System.Buffers;

namespace Veredus.Smtp;

/// <summary>The octets of a message to send: canonical (CRLF line ends), not dot-stuffed. Read from any offset, any number of times.</summary>
public abstract class MessageContent
{
    /// <summary>Octets.</summary>
    public abstract long Length { get; }

    /// <summary><see langword="false"/> only when it is known that no line begins with a dot: DATA then sends the octets as they are.</summary>
    public virtual bool MayHaveLeadingDots => true;

    /// <summary>Holds octets above 127.</summary>
    public virtual bool IsEightBit => false;

    /// <summary>The whole content, when it is in memory anyway; valid until the transaction ends.</summary>
    public virtual bool TryGetSequence(out ReadOnlySequence<byte> content)
    {
        content = default;
        return false;
    }

    /// <summary>Called before the last octets go out: from now on the peer may have taken the message.</summary>
    public virtual void Ending()
    {
    }

    /// <summary>Reads from <paramref name="offset"/>; at least one octet unless the offset is at <see cref="Length"/>.</summary>
    /// <exception cref="IOException">The content can't be read; the transaction then ends with 451 4.3.0 at stage 8.</exception>
    public abstract ValueTask<int> ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken);
}

/// <summary>A content that is in memory.</summary>
public sealed class BufferedContent(ReadOnlySequence<byte> octets, bool mayHaveLeadingDots = true, bool isEightBit = false) : MessageContent
{
    public override long Length => octets.Length;
    public override bool MayHaveLeadingDots => mayHaveLeadingDots;
    public override bool IsEightBit => isEightBit;

    public override bool TryGetSequence(out ReadOnlySequence<byte> content)
    {
        content = octets;
        return true;
    }

    public override ValueTask<int> ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        var part = octets.Slice(offset, Math.Min(destination.Length, octets.Length - offset));
        part.CopyTo(destination.Span);
        return ValueTask.FromResult((int)part.Length);
    }
}
