using System.Text;

namespace Veredus.Smtp;

internal enum ReplyRead : byte { NeedMore, Complete, Bad }

/// <summary>Finds the end of one reply of a server (RFC 5321 §4.2) in octets that arrive in pieces. A mutable value.</summary>
/// <remarks>Bounds: 4 KiB a line, 64 KiB a reply. A bare LF ends a line too: refusing it would only lose mail.</remarks>
internal struct ReplyParser
{
    public const int MaxLine = 4096;
    public const int MaxReply = 64 * 1024;

    private int _lineStart;
    private int _searched;
    private int _code;

    /// <param name="input">All octets since the reply began; longer at each call until the result isn't NeedMore.</param>
    /// <param name="length">Octets of the reply, if complete.</param>
    /// <param name="code">Its code, 200–599.</param>
    public ReplyRead Read(ReadOnlySpan<byte> input, out int length, out int code)
    {
        (length, code) = (0, 0);
        while (true)
        {
            var end = input[_searched..].IndexOf((byte)'\n');
            var line = input[_lineStart..(end < 0 ? input.Length : _searched + end)];
            if (line.Length > MaxLine || _lineStart + line.Length >= MaxReply)
                return ReplyRead.Bad;
            if (end < 0)
            {
                _searched = input.Length;
                // Four octets tell whether this is SMTP at all; waiting for a line end of something else may take long.
                return line.Length >= 4 && !IsReplyLine(line, out _, out _) ? ReplyRead.Bad : ReplyRead.NeedMore;
            }

            if (line is [.., (byte)'\r'])
                line = line[..^1];
            if (!IsReplyLine(line, out var lineCode, out var isLast) || (_code != 0 && _code != lineCode))
                return ReplyRead.Bad;
            _code = lineCode;
            _lineStart = _searched = _searched + end + 1;
            if (!isLast)
                continue;
            (length, code) = (_lineStart, _code);
            this = default;
            return ReplyRead.Complete;
        }
    }

    private static bool IsReplyLine(ReadOnlySpan<byte> line, out int code, out bool isLast)
    {
        (code, isLast) = (0, true);
        if (line.Length < 3 || line[0] is < (byte)'2' or > (byte)'5' || line[1] is < (byte)'0' or > (byte)'9' || line[2] is < (byte)'0' or > (byte)'9')
            return false;
        code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
        isLast = line.Length == 3 || line[3] == ' ' || line[3] == '\r';
        return isLast || line[3] == '-';
    }

    /// <summary>The lines of a complete reply without code and separator.</summary>
    public static LineEnumerator Lines(ReadOnlySpan<byte> reply) => new(reply);

    /// <summary>Makes a value of a complete reply: the enhanced code is taken off its lines, control characters become "?".</summary>
    public static SmtpReply ToReply(ReadOnlySpan<byte> reply, int code)
    {
        var status = EnhancedStatus.None;
        var isFirst = true;
        Span<byte> text = reply.Length <= 1024 ? stackalloc byte[reply.Length] : new byte[reply.Length];
        var length = 0;
        foreach (var each in Lines(reply))
        {
            var line = each;
            var rest = line;
            if (EnhancedStatus.TryTake(ref rest, out var lineStatus) && (isFirst || lineStatus == status) && lineStatus.Class == code / 100)
            {
                status = lineStatus;
                line = rest;
            }

            if (!isFirst)
                text[length++] = (byte)'\n';
            isFirst = false;
            foreach (var octet in line)
                text[length++] = octet is < (byte)' ' or 0x7F ? (byte)'?' : octet;
        }

        return SmtpReply.Received(code, status, Encoding.UTF8.GetString(text[..length]));
    }

    internal ref struct LineEnumerator(ReadOnlySpan<byte> reply)
    {
        private ReadOnlySpan<byte> _rest = reply;

        public ReadOnlySpan<byte> Current { get; private set; }

        public readonly LineEnumerator GetEnumerator() => this;

        public bool MoveNext()
        {
            if (_rest.IsEmpty)
                return false;
            var end = _rest.IndexOf((byte)'\n');
            var line = _rest[..end];
            _rest = _rest[(end + 1)..];
            if (line is [.., (byte)'\r'])
                line = line[..^1];
            Current = line.Length > 4 ? line[4..] : default;
            return true;
        }
    }
}
