using System.Buffers;

namespace Veredus.Reception.Content;

/// <summary>Folds header lines that are too long (RFC 5322 §2.2.3).</summary>
internal static class HeaderFolder
{
    /// <summary>Writes a field whose lines all end with CR LF; a line above the limit is broken at its last white space, or, where there is none, at the limit.</summary>
    public static void Write(ReadOnlySpan<byte> field, int maxLine, IBufferWriter<byte> output)
    {
        while (!field.IsEmpty)
        {
            var end = field.IndexOf("\r\n"u8);
            var line = field[..end];
            field = field[(end + 2)..];
            var room = maxLine;
            while (line.Length > room)
            {
                // Not at the white space a continuation begins with: that would leave an empty line behind.
                var at = line[..room].LastIndexOfAny((byte)' ', (byte)'\t');
                if (at > 0 && !line[..at].Trim(" \t"u8).IsEmpty)
                {
                    output.Write(line[..at]);
                    output.Write("\r\n"u8);
                    room = maxLine;
                }
                else
                {
                    at = room;
                    output.Write(line[..at]);
                    output.Write("\r\n "u8);
                    room = maxLine - 1;
                }

                line = line[at..];
            }

            output.Write(line);
            output.Write("\r\n"u8);
        }
    }
}
