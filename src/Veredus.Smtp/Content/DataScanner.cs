using System.Text;

namespace Veredus.Smtp;

/// <summary>
/// One pass over the octets of a content as they arrive: takes the dot-stuffing off, finds the end of DATA, and notes
/// what a policy may ask later. Only CRLF "." CRLF ends DATA (RFC 5321 §4.1.1.4); anything that merely looks like it to
/// a lax server sets <see cref="DataFacts.LoneDot"/>. Cuts between two calls may lie anywhere.
/// </summary>
/// <param name="dotStuffed"><see langword="true"/> for DATA; <see langword="false"/> for BDAT, whose end the caller counts.</param>
internal sealed class DataScanner(bool dotStuffed)
{
    private enum Position : byte
    {
        /// <summary>At the beginning, or after CRLF.</summary>
        LineStart,
        InLine,
        /// <summary>A CR was the last octet so far; it isn't written yet.</summary>
        AfterCr,
        /// <summary>"." at the start of a line (DATA); not written: it is stuffing, or the end.</summary>
        Dot,
        /// <summary>"." CR at the start of a line; neither is written.</summary>
        DotCr,
    }

    private Position _position;
    private bool _inHeaders = true;
    private DataFacts _facts;
    private long _size;
    private long _headerSize;
    private long _longestLine;
    private long _lineLength;
    // A "lax" line is what lies between two of CR, LF or CRLF: how many octets it has on the wire (up to 3), whether all
    // of them are dots, and whether CRLF (or the beginning) precedes it.
    private int _laxLength;
    private bool _laxDots = true;
    private bool _laxAfterCrlf = true;

    /// <summary>The end of DATA was found.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>Octets of content so far, dropped ones included.</summary>
    public long Size => _size;

    /// <summary>Takes the next octets; what is content goes to <paramref name="sink"/> (<see langword="null"/>: it is dropped).</summary>
    /// <returns>Octets taken: all, or those up to the end of DATA.</returns>
    public int Scan(ReadOnlySpan<byte> input, IMessageSink? sink)
    {
        var (at, start) = (0, 0);  // [start, at) is content that isn't written yet
        while (at < input.Length)
        {
            var next = input[at];
            switch (_position)
            {
                case Position.Dot when next == '\r':
                    start = ++at;
                    _position = Position.DotCr;
                    continue;
                case Position.Dot:
                    (_laxLength, _laxDots) = (1, true);
                    if (next == '.')
                        _facts |= DataFacts.LeadingDot;
                    _position = Position.InLine;
                    continue;
                case Position.DotCr when next == '\n':
                    IsComplete = true;
                    return at + 1;
                case Position.DotCr:
                    (_laxLength, _laxDots) = (1, true);
                    WriteBareCr(sink);
                    continue;
                case Position.AfterCr when next == '\n':
                    Write("\r\n"u8, sink);
                    start = ++at;
                    EndLine(_size);
                    continue;
                case Position.AfterCr:
                    WriteBareCr(sink);
                    continue;
                case Position.LineStart when next == '.' && dotStuffed:
                    Write(input[start..at], sink);
                    start = ++at;
                    _position = Position.Dot;
                    continue;
            }

            _position = Position.InLine;
            var rest = input[at..];
            var run = rest.IndexOfAny((byte)'\r', (byte)'\n', (byte)0);
            Text(run < 0 ? rest : rest[..run]);
            if (run < 0)
            {
                at = input.Length;
                break;
            }

            at += run;
            switch (input[at++])
            {
                case 0:
                    _facts |= DataFacts.Nul;
                    Text([0]);
                    break;
                case (byte)'\n':
                    BareLf(_size + (at - start));
                    break;
                default:
                    if (at == input.Length)
                    {
                        Write(input[start..(at - 1)], sink);
                        start = at;
                        _position = Position.AfterCr;
                    }
                    else if (input[at] == '\n')
                    {
                        at++;
                        EndLine(_size + (at - start));
                    }
                    else
                    {
                        BareCr();
                    }

                    break;
            }
        }

        Write(input[start..at], sink);
        return at;
    }

    /// <summary>The result, once DATA is complete or the last BDAT was scanned.</summary>
    public DataResult Finish(IMessageSink? sink)
    {
        if (_position == Position.AfterCr)
            WriteBareCr(sink);
        if (!IsComplete && _position != Position.LineStart)
        {
            // Sending it on appends a CRLF, and that must not make an end of DATA for anybody.
            _facts |= DataFacts.NoFinalLineEnd;
            GuardLine(closedByCrlf: true);
        }

        _longestLine = Math.Max(_longestLine, _lineLength);
        return new(_size, _inHeaders ? _size : _headerSize, _longestLine, _facts);
    }

    private void Write(ReadOnlySpan<byte> content, IMessageSink? sink)
    {
        if (content.IsEmpty)
            return;
        if ((_facts & DataFacts.EightBit) == 0 && !Ascii.IsValid(content))
            _facts |= DataFacts.EightBit;
        _size += content.Length;
        sink?.Write(content);
    }

    private void Text(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty)
            return;
        if (_laxLength == 0 && text[0] == '.' && !(dotStuffed && _laxAfterCrlf))
            _facts |= DataFacts.LeadingDot;
        if (_laxDots)
            _laxDots = _laxLength + text.Length <= 2 && !text.ContainsAnyExcept((byte)'.');
        _laxLength = (int)Math.Min(3, _laxLength + (long)text.Length);
        _lineLength += text.Length;
    }

    private void WriteBareCr(IMessageSink? sink)
    {
        Write("\r"u8, sink);
        BareCr();
        _position = Position.InLine;
    }

    private void BareCr()
    {
        _facts |= _inHeaders ? DataFacts.BareCrInHeaders : DataFacts.BareCrInBody;
        _lineLength++;
        GuardLine(closedByCrlf: false);
    }

    private void BareLf(long position)
    {
        _facts |= _inHeaders ? DataFacts.BareLfInHeaders : DataFacts.BareLfInBody;
        GuardLine(closedByCrlf: false);
        CountLine(position);
    }

    private void EndLine(long position)
    {
        GuardLine(closedByCrlf: true);
        CountLine(position);
        _position = Position.LineStart;
    }

    /// <summary>Ends a lax line and looks for the single dot that some other server would take for the end of DATA.</summary>
    private void GuardLine(bool closedByCrlf)
    {
        if (_laxDots && _laxLength > 0)
        {
            var stuffed = dotStuffed && _laxAfterCrlf;  // the first of its dots is not content
            if ((_laxLength == 1 && !(closedByCrlf && _laxAfterCrlf)) || (_laxLength == 2 && stuffed && !closedByCrlf))
                _facts |= DataFacts.LoneDot;
        }

        (_laxLength, _laxDots, _laxAfterCrlf) = (0, true, closedByCrlf);
    }

    private void CountLine(long position)
    {
        if (_inHeaders && _lineLength == 0)
        {
            (_inHeaders, _headerSize) = (false, position);
            _facts |= DataFacts.HeadersEnd;
        }

        _longestLine = Math.Max(_longestLine, _lineLength);
        _lineLength = 0;
    }
}
