using System.Net;

namespace Veredus.Logging;

/// <summary>Takes the fields of a record in the order of the classic log. One list of fields serves the classic and the JSON form.</summary>
/// <remarks>Names are the JSON names, UTF-8 and in no need of escaping.</remarks>
public interface IFieldWriter
{
    /// <summary>A text; <see langword="null"/> is the empty field.</summary>
    void Field(ReadOnlySpan<byte> name, string? value);

    void Field(ReadOnlySpan<byte> name, LogId value);

    void Field(ReadOnlySpan<byte> name, long value);

    /// <summary>A duration, printed in seconds.</summary>
    void Field(ReadOnlySpan<byte> name, TimeSpan value);

    /// <summary>An address without port; <see langword="null"/> is the empty field.</summary>
    void Field(ReadOnlySpan<byte> name, IPAddress? value);

    /// <summary>An address with port; <see langword="null"/> is the empty field.</summary>
    void Field(ReadOnlySpan<byte> name, IPEndPoint? value);

    /// <summary>A field that only keeps the positions of the classic form; absent in JSON.</summary>
    void Placeholder();
}
