namespace Veredus.Smtp;

/// <summary>What a content is made of, as far as one pass over its octets tells.</summary>
[Flags]
public enum DataFacts
{
    None = 0,
    /// <summary>An octet above 127.</summary>
    EightBit = 1 << 0,
    /// <summary>A NUL octet (RFC 5322 §4 forbids it).</summary>
    Nul = 1 << 1,
    BareLfInHeaders = 1 << 2,
    BareCrInHeaders = 1 << 3,
    BareLfInBody = 1 << 4,
    BareCrInBody = 1 << 5,
    /// <summary>A line with a single dot that is not delimited by CRLF on both sides: the smuggling guard's find.</summary>
    LoneDot = 1 << 6,
    /// <summary>Some line of the content begins with a dot, so sending it with DATA needs stuffing. Lines begin after CRLF and also
    /// after a bare CR or LF, so the fact holds when those are repaired later.</summary>
    LeadingDot = 1 << 7,
    /// <summary>The content doesn't end with CRLF (BDAT only).</summary>
    NoFinalLineEnd = 1 << 8,
    /// <summary>The empty line that ends the header section was seen.</summary>
    HeadersEnd = 1 << 9,
}

/// <summary>What reached the sink, told at the end of the content.</summary>
/// <param name="Size">Octets of content, as written to the sink (dots unstuffed).</param>
/// <param name="HeaderSize">Octets up to and including the empty line; <paramref name="Size"/> if there is none.</param>
/// <param name="LongestLine">Octets of the longest line without its CRLF; lines end at LF.</param>
/// <param name="Facts">What the octets are like.</param>
public readonly record struct DataResult(long Size, long HeaderSize, long LongestLine, DataFacts Facts);
