using System.Buffers;

namespace Veredus.Reception.Content;

/// <summary>Passes a body on; where the rules say so, lone CR and LF become CR LF and long lines are cut.</summary>
internal sealed class BodyWriter(bool fixesLineEnds, int limit)
{
    private bool _afterCr;
    private int _lineLength;

    public void Write(ReadOnlySpan<byte> bytes, IBufferWriter<byte> output)
    {
        if (!fixesLineEnds && limit == 0)
        {
            output.Write(bytes);
            return;
        }

        while (!bytes.IsEmpty)
        {
            if (_afterCr)
            {
                _afterCr = false;
                var isPair = bytes[0] == '\n';
                EndLine(isPair, "\r"u8, output);
                if (isPair)
                {
                    bytes = bytes[1..];
                    continue;
                }
            }

            var end = bytes.IndexOfAny((byte)'\r', (byte)'\n');
            Text(end < 0 ? bytes : bytes[..end], output);
            if (end < 0)
                return;
            if (bytes[end] == '\r')
                _afterCr = true;
            else
                EndLine(false, "\n"u8, output);
            bytes = bytes[(end + 1)..];
        }
    }

    public void Complete(IBufferWriter<byte> output)
    {
        if (_afterCr)
            EndLine(false, "\r"u8, output);
        _afterCr = false;
    }

    private void EndLine(bool isPair, ReadOnlySpan<byte> lone, IBufferWriter<byte> output)
    {
        if (!isPair && !fixesLineEnds)
        {
            // No line break for the next server, so the line goes on.
            Text(lone, output);
            return;
        }

        output.Write("\r\n"u8);
        _lineLength = 0;
    }

    private void Text(ReadOnlySpan<byte> text, IBufferWriter<byte> output)
    {
        while (limit > 0 && text.Length > limit - _lineLength)
        {
            var fits = limit - _lineLength;
            output.Write(text[..fits]);
            output.Write("\r\n"u8);
            text = text[fits..];
            _lineLength = 0;
        }

        output.Write(text);
        _lineLength += text.Length;
    }
}
