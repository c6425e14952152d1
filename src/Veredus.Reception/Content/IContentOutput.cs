namespace Veredus.Reception.Content;

/// <summary>Takes the bytes of a message as they will stand in the spool.</summary>
public interface IContentOutput
{
    /// <summary>Appends; the span is not kept.</summary>
    void Write(ReadOnlySpan<byte> bytes);
}
