namespace Veredus.Reception.Content;

/// <summary>Where the header section ends.</summary>
/// <param name="Found">More input is needed when false.</param>
/// <param name="HeaderBytes">Octets of the header lines, line breaks included.</param>
/// <param name="BlankBytes">Octets of the empty line behind them; 0 when the section ends without one.</param>
internal readonly record struct HeaderEnd(bool Found, int HeaderBytes, int BlankBytes)
{
    /// <summary>
    /// Finds the end: the first empty line, or the first line that is neither a field (RFC 5322 §2.2) nor the continuation of one.
    /// The latter is where a body begins that has no empty line before it.
    /// </summary>
    /// <param name="bytes">The message from its first octet.</param>
    /// <param name="isLast">Nothing follows.</param>
    /// <param name="scanned">Start of the first line not yet judged; kept by the caller between calls, so that no octet is judged twice.</param>
    public static HeaderEnd Find(ReadOnlySpan<byte> bytes, bool isLast, ref int scanned)
    {
        while (true)
        {
            var line = bytes[scanned..];
            var length = line.IndexOfAny((byte)'\r', (byte)'\n');
            var isComplete = length >= 0 && (line[length] == '\n' || length + 1 < line.Length);
            if (!isComplete && !isLast)
                return default;
            if (length < 0)
                length = line.Length;
            if (length == 0)
            {
                if (line.IsEmpty)
                    return new(true, scanned, 0);
                var isPair = line[0] == '\r' && line.Length > 1 && line[1] == '\n';
                return new(true, scanned, isPair ? 2 : 1);
            }

            if (!(line[0] is (byte)' ' or (byte)'\t' ? scanned > 0 : IsField(line[..length])))
                return new(true, scanned, 0);
            scanned += length;
            if (length < line.Length)
                scanned += line[length] == '\r' && length + 1 < line.Length && line[length + 1] == '\n' ? 2 : 1;
        }
    }

    /// <summary>A field begins with printable US-ASCII other than the colon, then a colon; white space before the colon is obsolete syntax (RFC 5322 §4.5).</summary>
    private static bool IsField(ReadOnlySpan<byte> line)
    {
        var colon = line.IndexOf((byte)':');
        return colon > 0 && !line[..colon].TrimEnd(" \t"u8).ContainsAnyExceptInRange((byte)'!', (byte)'~') && line[0] is not ((byte)' ' or (byte)'\t');
    }
}
