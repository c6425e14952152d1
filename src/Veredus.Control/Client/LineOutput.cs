using System.Buffers;
using System.IO.Pipelines;
using System.Text;

namespace Veredus.Control;

/// <summary>Reads what a server sends, line by line. A JSON answer is one line, so lines may be long, but not endless.</summary>
internal static class LineOutput
{
    public const int MaxBytes = 64 * 1024 * 1024;

    public static async ValueTask<string?> ReadLineAsync(PipeReader input, CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await input.ReadAsync(cancellationToken);
            var buffer = read.Buffer;
            if (buffer.PositionOf((byte)'\n') is { } end)
            {
                var line = Encoding.UTF8.GetString(buffer.Slice(0, end)).TrimEnd('\r');
                input.AdvanceTo(buffer.GetPosition(1, end));
                return line;
            }
            if (buffer.Length > MaxBytes)
                throw new IOException($"a line is longer than {MaxBytes >> 20} MiB");
            input.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted)
                return null;
        }
    }
}
