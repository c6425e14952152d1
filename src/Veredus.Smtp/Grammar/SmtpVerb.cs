using System.Buffers.Binary;
using System.Text;

namespace Veredus.Smtp;

internal enum SmtpVerb : byte
{
    Unknown, Helo, Ehlo, Lhlo, Mail, Rcpt, Data, Bdat, Rset, Noop, Quit, Vrfy, Expn, Help, StartTls, Auth, Xclient, Xecmmove,
}

internal static class SmtpVerbs
{
    /// <summary>Reads the verb of a command line (without CRLF).</summary>
    /// <param name="argument">What follows the first blank; leading blanks dropped. Trailing ones stay.</param>
    public static SmtpVerb Read(ReadOnlySpan<byte> line, out ReadOnlySpan<byte> argument)
    {
        var end = line.IndexOf((byte)' ');
        var word = end < 0 ? line : line[..end];
        argument = end < 0 ? default : line[(end + 1)..].TrimStart((byte)' ');
        if (word.Length != 4)
        {
            return Ascii.EqualsIgnoreCase(word, "STARTTLS"u8) ? SmtpVerb.StartTls
                : Ascii.EqualsIgnoreCase(word, "XCLIENT"u8) ? SmtpVerb.Xclient
                : Ascii.EqualsIgnoreCase(word, "XECMMOVE"u8) ? SmtpVerb.Xecmmove
                : SmtpVerb.Unknown;
        }

        // Clearing bit 5 makes letters upper-case, and nothing but a letter can become one that way.
        return (BinaryPrimitives.ReadUInt32BigEndian(word) & 0xDFDFDFDF) switch
        {
            0x4D41494C => SmtpVerb.Mail,
            0x52435054 => SmtpVerb.Rcpt,
            0x44415441 => SmtpVerb.Data,
            0x42444154 => SmtpVerb.Bdat,
            0x52534554 => SmtpVerb.Rset,
            0x45484C4F => SmtpVerb.Ehlo,
            0x48454C4F => SmtpVerb.Helo,
            0x4C484C4F => SmtpVerb.Lhlo,
            0x51554954 => SmtpVerb.Quit,
            0x4E4F4F50 => SmtpVerb.Noop,
            0x56524659 => SmtpVerb.Vrfy,
            0x4558504E => SmtpVerb.Expn,
            0x48454C50 => SmtpVerb.Help,
            0x41555448 => SmtpVerb.Auth,
            _ => SmtpVerb.Unknown,
        };
    }
}
