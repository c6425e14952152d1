namespace Veredus.Smtp;

/// <summary>Doubles the dot at the start of lines (RFC 5321 §4.5.2), for content that comes in pieces. A mutable value: pass it by reference.</summary>
internal struct DotStuffer()
{
    // How much of CRLF the octets so far end with; the beginning counts as the start of a line.
    private int _matched = 2;

    /// <summary>Largest output for an input of <paramref name="length"/> octets: each line of three may grow by one.</summary>
    public static int MaxOutput(int length) => length + length / 3 + 1;

    /// <summary>Stuffs all of <paramref name="source"/>; the destination has <see cref="MaxOutput"/> octets.</summary>
    /// <returns>Octets written.</returns>
    public int Stuff(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        if (source.IsEmpty)
            return 0;
        var written = 0;
        // The first octets may complete a line start that an earlier piece began.
        while (_matched > 0 && !source.IsEmpty)
        {
            if (_matched == 2)
            {
                if (source[0] == '.')
                    destination[written++] = (byte)'.';
                break;
            }

            _matched = source[0] == '\n' ? 2 : source[0] == '\r' ? 1 : 0;
            destination[written++] = source[0];
            source = source[1..];
        }

        if (source.IsEmpty)
            return written;
        _matched = source is [.., (byte)'\r', (byte)'\n'] ? 2 : source[^1] == '\r' ? 1 : 0;
        while (source.IndexOf("\r\n."u8) is >= 0 and var line)
        {
            source[..(line + 3)].CopyTo(destination[written..]);
            written += line + 3;
            destination[written++] = (byte)'.';
            source = source[(line + 3)..];
        }

        source.CopyTo(destination[written..]);
        return written + source.Length;
    }
}
