namespace Veredus.Logging;

/// <summary>Standard error: the journal's way in under systemd, the operator's screen in the foreground.</summary>
/// <remarks>A stream, for standard error may be a pipe, a socket or a file that others append to: none has a place to write to.</remarks>
public sealed class StderrTarget : ILogTarget
{
    private readonly Stream _stream = Console.OpenStandardError();

    public string Name => "stderr";

    public void Write(ReadOnlySpan<byte> lines) => _stream.Write(lines);

    public void Reopen()
    {
    }

    public void Dispose() => _stream.Dispose();
}
