namespace Veredus.Smtp;

/// <summary>Where the content of one message goes while it is received. Used by one session at a time.</summary>
public interface IMessageSink
{
    /// <summary>Takes the next octets of content; the span is a view into the pipe and gone afterwards.</summary>
    void Write(ReadOnlySpan<byte> content);

    /// <summary>Called after each portion read from the network, before more is read: the place for back-pressure.</summary>
    /// <returns><see langword="false"/>: nothing more is wanted (full disk, failed write). The rest is read and dropped,
    /// then <see cref="ISmtpServerHandler.EndOfDataAsync"/> says why.</returns>
    ValueTask<bool> FlushAsync(CancellationToken cancellationToken);
}
