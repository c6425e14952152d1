using Microsoft.Win32.SafeHandles;

namespace Veredus.Logging;

/// <summary>Standard error: the journal's way in under systemd, the operator's screen in the foreground.</summary>
public sealed class StderrTarget : ILogTarget
{
    private readonly SafeFileHandle _file = new(2, ownsHandle: false);

    public string Name => "stderr";

    public void Write(ReadOnlySpan<byte> lines) => RandomAccess.Write(_file, lines, 0);

    public void Reopen()
    {
    }

    public void Dispose() => _file.Dispose();
}
