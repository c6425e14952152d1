using System.Text;

namespace Veredus.Logging.Tests;

internal sealed class MemoryTarget(string name) : ILogTarget
{
    private readonly StringBuilder _text = new();

    public string Name => name;

    public bool Full { get; set; }

    public string Text => _text.ToString();

    public void Write(ReadOnlySpan<byte> lines)
    {
        if (Full)
            throw new IOException("No space left on device");
        _text.Append(Encoding.UTF8.GetString(lines));
    }

    public void Reopen()
    {
    }

    public void Dispose()
    {
    }
}

internal sealed class NullTarget : ILogTarget
{
    public string Name => "null";

    public void Write(ReadOnlySpan<byte> lines)
    {
    }

    public void Reopen()
    {
    }

    public void Dispose()
    {
    }
}
