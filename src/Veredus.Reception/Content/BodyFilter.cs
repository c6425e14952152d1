namespace Veredus.Reception.Content;

/// <summary>Checks or repairs the lines of a body on its way; with no rule in force it only passes on.</summary>
internal sealed class BodyFilter(ContentRules rules, IContentOutput output)
{
    private readonly bool _passes = rules.LoneBreakInBody == LoneLineBreak.Ignore && rules.LongLine == LongLine.Ignore;
    private readonly int _maxLine = rules.LongLine == LongLine.Ignore ? int.MaxValue : rules.MaxLineLength;
    private bool _afterCr;
    private int _lineLength;

    public ContentFault Write(ReadOnlySpan<byte> bytes)
    {
        if (_passes)
        {
            if (!bytes.IsEmpty)
                output.Write(bytes);
            return ContentFault.None;
        }

        while (!bytes.IsEmpty)
        {
            if (_afterCr)
            {
                _afterCr = false;
                if (bytes[0] == '\n')
                {
                    EndLine("\r\n"u8);
                    bytes = bytes[1..];
                    continue;
                }

                if (LoneBreak("\r"u8) is var lone and not ContentFault.None)
                    return lone;
            }

            var run = bytes.IndexOfAny((byte)'\r', (byte)'\n');
            var isBreak = run >= 0;
            if (!isBreak)
                run = bytes.Length;
            if (Text(bytes[..run]) is var fault and not ContentFault.None)
                return fault;
            if (!isBreak)
                return ContentFault.None;
            if (bytes[run] == '\r')
                _afterCr = true;
            else if (LoneBreak("\n"u8) is var alone and not ContentFault.None)
                return alone;
            bytes = bytes[(run + 1)..];
        }

        return ContentFault.None;
    }

    public ContentFault Complete()
    {
        if (!_afterCr)
            return ContentFault.None;
        _afterCr = false;
        return LoneBreak("\r"u8);
    }

    private ContentFault Text(ReadOnlySpan<byte> text)
    {
        while (text.Length > _maxLine - _lineLength)
        {
            if (rules.LongLine == LongLine.Reject)
                return ContentFault.LineTooLong;
            var fits = _maxLine - _lineLength;
            output.Write(text[..fits]);
            EndLine("\r\n"u8);
            text = text[fits..];
        }

        if (!text.IsEmpty)
            output.Write(text);
        _lineLength += text.Length;
        return ContentFault.None;
    }

    private ContentFault LoneBreak(ReadOnlySpan<byte> lone)
    {
        switch (rules.LoneBreakInBody)
        {
            case LoneLineBreak.Reject:
                return ContentFault.LoneBreakInBody;
            case LoneLineBreak.Fix:
                EndLine("\r\n"u8);
                return ContentFault.None;
            default:
                // Not a line break for the next server, so the line goes on.
                return Text(lone);
        }
    }

    private void EndLine(ReadOnlySpan<byte> lineBreak)
    {
        output.Write(lineBreak);
        _lineLength = 0;
    }
}
