using System.Globalization;

namespace Veredus.Smtp;

/// <summary>The keywords of an EHLO or LHLO reply.</summary>
internal static class CapabilityParser
{
    /// <param name="text">The reply's lines, separated by LF; the first is the greeting.</param>
    public static (SmtpCapabilities Capabilities, long MaxSize) Read(string text)
    {
        var (capabilities, maxSize, isFirst) = (SmtpCapabilities.None, 0L, true);
        foreach (var range in text.AsSpan().Split('\n'))
        {
            var line = text.AsSpan()[range];
            if (!isFirst)
                Keyword(line, ref capabilities, ref maxSize);
            isFirst = false;
        }

        return (capabilities, maxSize);
    }

    private static void Keyword(ReadOnlySpan<char> line, ref SmtpCapabilities capabilities, ref long maxSize)
    {
        var end = line.IndexOfAny(' ', '=');
        var word = end < 0 ? line : line[..end];
        var arguments = end < 0 ? default : line[(end + 1)..];
        if (Is(word, "PIPELINING"))
            capabilities |= SmtpCapabilities.Pipelining;
        else if (Is(word, "8BITMIME"))
            capabilities |= SmtpCapabilities.EightBitMime;
        else if (Is(word, "ENHANCEDSTATUSCODES"))
            capabilities |= SmtpCapabilities.EnhancedStatusCodes;
        else if (Is(word, "DSN"))
            capabilities |= SmtpCapabilities.Dsn;
        else if (Is(word, "STARTTLS"))
            capabilities |= SmtpCapabilities.StartTls;
        else if (Is(word, "CHUNKING"))
            capabilities |= SmtpCapabilities.Chunking;
        else if (Is(word, "SMTPUTF8"))
            capabilities |= SmtpCapabilities.SmtpUtf8;
        else if (Is(word, "XCLIENT"))
            capabilities |= SmtpCapabilities.Xclient;
        else if (Is(word, "XECMMOVE"))
            capabilities |= SmtpCapabilities.Xecmmove;
        else if (Is(word, "SIZE"))
        {
            capabilities |= SmtpCapabilities.Size;
            if (long.TryParse(arguments.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var size))
                maxSize = size;
        }
        else if (Is(word, "AUTH"))
        {
            foreach (var range in arguments.Split(' '))
            {
                if (Is(arguments[range], "PLAIN"))
                    capabilities |= SmtpCapabilities.AuthPlain;
                else if (Is(arguments[range], "LOGIN"))
                    capabilities |= SmtpCapabilities.AuthLogin;
            }
        }
    }

    private static bool Is(ReadOnlySpan<char> word, string keyword) => word.Equals(keyword, StringComparison.OrdinalIgnoreCase);
}
