using System.Buffers;
using System.Net;

namespace Veredus.Logging;

/// <summary>The classic form: fields separated by <c>@</c>, without names.</summary>
internal struct AtFieldWriter(LineBuffer buffer) : IFieldWriter
{
    private static readonly SearchValues<byte> Special =
        SearchValues.Create([.. Enumerable.Range(0, 32).Append(127).Select(code => (byte)code), (byte)'\\', (byte)'@']);

    private bool _started;

    public void Field(ReadOnlySpan<byte> name, string? value)
    {
        Separate();
        LogText.AppendField(buffer, value);
    }

    public void Field(ReadOnlySpan<byte> name, LogId value)
    {
        Separate();
        if (value.Utf8.ContainsAny(Special))
            LogText.AppendField(buffer, value.ToString());
        else
            buffer.Append(value.Utf8);
    }

    public void Field(ReadOnlySpan<byte> name, long value)
    {
        Separate();
        buffer.Append(value);
    }

    public void Field(ReadOnlySpan<byte> name, TimeSpan value)
    {
        Separate();
        buffer.AppendSeconds(value);
    }

    public void Field(ReadOnlySpan<byte> name, IPAddress? value)
    {
        Separate();
        if (value is not null)
            buffer.Append(value);
    }

    public void Field(ReadOnlySpan<byte> name, IPEndPoint? value)
    {
        Separate();
        if (value is not null)
            buffer.Append(value);
    }

    public void Placeholder() => Separate();

    private void Separate()
    {
        if (_started)
            buffer.Append((byte)'@');
        _started = true;
    }
}
