using System.Buffers;
using System.IO.Pipelines;
using System.Text;

namespace Veredus.Control;

/// <summary>What came of waiting for a line.</summary>
internal enum LineResult
{
    Line,
    Closed,
    TooLong,
    NotText,
}

/// <summary>Reads lines ended by LF (a CR before it is dropped) of at most 64 KiB.</summary>
internal static class LineInput
{
    public const int MaxBytes = 64 * 1024;

    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    public static async ValueTask<(LineResult Result, string Line)> ReadLineAsync(PipeReader input, CancellationToken cancellationToken)
    {
        var tooLong = false;
        while (true)
        {
            var read = await input.ReadAsync(cancellationToken);
            var buffer = read.Buffer;
            if (buffer.PositionOf((byte)'\n') is { } end)
            {
                var line = buffer.Slice(0, end);
                var result = tooLong || line.Length > MaxBytes ? (LineResult.TooLong, "") : Decode(line);
                input.AdvanceTo(buffer.GetPosition(1, end));
                return result;
            }
            // The rest of a line that is too long is dropped as it comes, so that the client can still read the answer.
            tooLong |= buffer.Length > MaxBytes;
            if (tooLong)
                input.AdvanceTo(buffer.End);
            else
                input.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted || read.IsCanceled)
                return (LineResult.Closed, "");
        }
    }

    private static (LineResult, string) Decode(ReadOnlySequence<byte> line)
    {
        try
        {
            return (LineResult.Line, Strict.GetString(line).TrimEnd('\r'));
        }
        catch (DecoderFallbackException)
        {
            return (LineResult.NotText, "");
        }
    }
}
