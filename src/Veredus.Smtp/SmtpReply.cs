using System.Buffers;
using System.Globalization;
using System.Text;

namespace Veredus.Smtp;

/// <summary>One SMTP reply (RFC 5321 §4.2), to send or as received.</summary>
public sealed record SmtpReply
{
    /// <summary>Octets of one reply line that a text may use (RFC 5321 §4.5.3.1.5: 512 with code, enhanced code and CRLF).</summary>
    public const int MaxLineLength = 480;

    /// <param name="code">200–599; the first digit tells the client: done, go on, retry, give up (§4.2.1).</param>
    /// <param name="status">Enhanced code; <see langword="default"/> for the greeting, EHLO and 3yz (RFC 2034 §4).</param>
    /// <param name="text">For the remote operator: printable ASCII; lines of a multi-line reply are separated by LF.</param>
    /// <exception cref="ArgumentException">The text could split the reply or overflow a line; <see cref="FromText"/> repairs instead.</exception>
    public SmtpReply(int code, EnhancedStatus status, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentOutOfRangeException.ThrowIfLessThan(code, 200);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(code, 599);
        foreach (var line in text.AsSpan().Split('\n'))
            if (text.AsSpan()[line] is var part && (part.Length > MaxLineLength || part.ContainsAnyExceptInRange(' ', '~')))
                throw new ArgumentException("A reply line is at most 480 characters of printable ASCII.", nameof(text));
        (Code, Status, Text) = (code, status, text);
    }

    private SmtpReply(int code, EnhancedStatus status, string text, bool _) => (Code, Status, Text) = (code, status, text);

    public int Code { get; }

    public EnhancedStatus Status { get; }

    /// <summary>Text without code and enhanced code; LF between lines.</summary>
    public string Text { get; }

    /// <summary>Who decided, for the reject log: core, limits, auth, relay, rfc2822, or a hook's name.</summary>
    public string Module { get; init; } = "core";

    public bool IsPositive => Code < 400;
    public bool IsTransient => Code is >= 400 and < 500;
    public bool IsPermanent => Code >= 500;

    /// <summary>A reply from text that somebody else wrote: unprintable characters become "?", long text is cut.</summary>
    public static SmtpReply FromText(int code, EnhancedStatus status, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var clean = new StringBuilder(Math.Min(text.Length, MaxLineLength));
        foreach (var c in text.AsSpan(0, Math.Min(text.Length, MaxLineLength)))
            clean.Append(c is >= ' ' and <= '~' ? c : '?');
        return new(code, status, clean.ToString());
    }

    /// <summary>A reply as a remote host gave it; its text isn't checked and must not be sent on as it is.</summary>
    internal static SmtpReply Received(int code, EnhancedStatus status, string text) => new(code, status, text, false);

    /// <summary>Writes the reply with its CRLFs.</summary>
    public void WriteTo(IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        var rest = Text.AsSpan();
        while (true)
        {
            var end = rest.IndexOf('\n');
            var line = end < 0 ? rest : rest[..end];
            var span = output.GetSpan(line.Length + 32);
            var at = 0;
            Code.TryFormat(span, out at, default, CultureInfo.InvariantCulture);
            span[at++] = end < 0 ? (byte)' ' : (byte)'-';
            if (!Status.IsNone)
            {
                at += WriteStatus(span[at..]);
                span[at++] = (byte)' ';
            }
            at += Encoding.UTF8.GetBytes(line, span[at..]);
            "\r\n"u8.CopyTo(span[at..]);
            output.Advance(at + 2);
            if (end < 0)
                return;
            rest = rest[(end + 1)..];
        }
    }

    private int WriteStatus(Span<byte> span)
    {
        span[0] = (byte)('0' + Status.Class);
        span[1] = (byte)'.';
        Status.Subject.TryFormat(span[2..], out var subject, default, CultureInfo.InvariantCulture);
        span[2 + subject] = (byte)'.';
        Status.Detail.TryFormat(span[(3 + subject)..], out var detail, default, CultureInfo.InvariantCulture);
        return 3 + subject + detail;
    }

    /// <summary>Code, enhanced code and text as one line (lines joined with a blank), as logs show it.</summary>
    public override string ToString()
    {
        var text = Text.Replace('\n', ' ');
        return Status.IsNone
            ? string.Create(CultureInfo.InvariantCulture, $"{Code} {text}")
            : string.Create(CultureInfo.InvariantCulture, $"{Code} {Status} {text}");
    }
}
