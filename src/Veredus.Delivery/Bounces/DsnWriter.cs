using System.Buffers;
using System.Globalization;
using System.Text;
using Veredus.Smtp;
using Veredus.Spool;

namespace Veredus.Delivery.Bounces;

/// <summary>A failure to be reported.</summary>
/// <param name="Hostname">Reporting-MTA.</param>
/// <param name="From">Address of the mailer daemon.</param>
/// <param name="To">Who gets the report.</param>
/// <param name="Time">When the last attempt ended.</param>
public sealed record FailureReport(string Hostname, string From, string To, Envelope Failed, DateTimeOffset Time)
{
    /// <summary>What the message was given up with.</summary>
    public required SmtpReply Reply { get; init; }

    /// <summary>Status to report instead of the reply's; none: the reply's.</summary>
    public EnhancedStatus Status { get; init; }

    /// <summary>The last reply of a remote host, where <see cref="Reply"/> only says that time or tries ran out.</summary>
    public SmtpReply? Cause { get; init; }

    /// <summary>The host that replied; empty: none did.</summary>
    public string RemoteName { get; init; } = "";
    public OriginalInDsn Include { get; init; }

    /// <summary>The original from its begin; may be cut.</summary>
    public ReadOnlyMemory<byte> Original { get; init; }

    /// <summary>Octets of the whole original.</summary>
    public long OriginalSize { get; init; }
}

/// <summary>Writes delivery status notifications: multipart/report (RFC 6522) with message/delivery-status (RFC 3464). A function of its argument.</summary>
public static class DsnWriter
{
    private const int MaxLine = 900;

    /// <returns>Header and body in wire form, not dot-stuffed.</returns>
    public static byte[] Write(FailureReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        var original = Original(report);
        var boundary = Boundary(report, original.Span);
        var output = new ArrayBufferWriter<byte>(original.Length + 4096);
        var isEightBit = original.Span.ContainsAnyInRange((byte)0x80, (byte)0xff);
        Add(output, Head(report, boundary, isEightBit));
        Add(output, Explanation(report, boundary));
        Add(output, Status(report, boundary));
        if (!original.IsEmpty)
        {
            var type = IsWhole(report) ? "message/rfc822" : "text/rfc822-headers";
            Add(output, $"--{boundary}\r\nContent-Description: Undelivered message\r\nContent-Type: {type}\r\n{(isEightBit ? "Content-Transfer-Encoding: 8bit\r\n" : "")}\r\n");
            output.Write(original.Span);
            if (!original.Span.EndsWith("\r\n"u8))
                Add(output, "\r\n");
        }
        Add(output, $"\r\n--{boundary}--\r\n");
        return output.WrittenSpan.ToArray();
    }

    private static string Head(FailureReport report, string boundary, bool isEightBit) =>
        $"From: Mail Delivery System <{Clean(report.From)}>\r\n" +
        $"To: <{Clean(report.To)}>\r\n" +
        "Subject: Undelivered mail returned to sender\r\n" +
        $"Date: {MailDate(report.Time)}\r\n" +
        $"Message-ID: <{IdText(report.Failed.Id)}.dsn.{report.Time.ToUnixTimeMilliseconds()}@{Clean(report.Hostname)}>\r\n" +
        "Auto-Submitted: auto-replied\r\n" +
        "MIME-Version: 1.0\r\n" +
        $"Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{boundary}\"\r\n" +
        (isEightBit ? "Content-Transfer-Encoding: 8bit\r\n" : "") +
        "\r\n";

    private static string Explanation(FailureReport report, string boundary)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"--{boundary}\r\nContent-Description: Notification\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
        text.Append(CultureInfo.InvariantCulture, $"This is the mail system at {Clean(report.Hostname)}.\r\n\r\n");
        text.Append("Your message could not be delivered to the following recipient and has been\r\ngiven up:\r\n\r\n");
        text.Append(CultureInfo.InvariantCulture, $"    <{Clean(report.Failed.Recipient)}>\r\n\r\n");
        text.Append(report.RemoteName.Length > 0 && report.Cause is null && !report.Reply.IsInternal() ? $"The host {Clean(report.RemoteName)} answered:\r\n\r\n" : "Reason:\r\n\r\n");
        text.Append(CultureInfo.InvariantCulture, $"    {Clean(report.Reply.ToString())}\r\n");
        if (report.Cause is { } cause)
            text.Append(CultureInfo.InvariantCulture, $"\r\nThe last attempt ended with:\r\n\r\n    {Clean(cause.ToString())}\r\n");
        return text.Append("\r\n").ToString();
    }

    private static string Status(FailureReport report, string boundary)
    {
        var failed = report.Failed;
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"--{boundary}\r\nContent-Description: Delivery report\r\nContent-Type: message/delivery-status\r\n\r\n");
        text.Append(CultureInfo.InvariantCulture, $"Reporting-MTA: dns; {Clean(report.Hostname)}\r\n");
        if (failed.EnvelopeId is { } id && Xtext.TryDecode(id, out var plain))
            text.Append(CultureInfo.InvariantCulture, $"Original-Envelope-Id: {Clean(plain)}\r\n");
        text.Append(CultureInfo.InvariantCulture, $"Arrival-Date: {MailDate(failed.Received)}\r\n\r\n");
        if (failed.OriginalRecipient is { } given && given.IndexOf(';', StringComparison.Ordinal) is > 0 and var semicolon && Xtext.TryDecode(given[(semicolon + 1)..], out var original))
            text.Append(CultureInfo.InvariantCulture, $"Original-Recipient: {Clean(given[..semicolon])}; {AddressText(original)}\r\n");
        text.Append(CultureInfo.InvariantCulture, $"Final-Recipient: {(Ascii.IsValid(failed.Recipient) ? "rfc822" : "utf-8")}; {AddressText(failed.Recipient)}\r\n");
        text.Append(CultureInfo.InvariantCulture, $"Action: failed\r\nStatus: {StatusCode(report)}\r\n");
        var diagnostic = report.Cause ?? report.Reply;
        if (report.RemoteName.Length > 0 && !diagnostic.IsInternal())
            text.Append(CultureInfo.InvariantCulture, $"Remote-MTA: dns; {Clean(report.RemoteName)}\r\n");
        text.Append(CultureInfo.InvariantCulture, $"Diagnostic-Code: {(diagnostic.IsInternal() ? "x-veredus" : "smtp")}; {Clean(diagnostic.ToString())}\r\n");
        text.Append(CultureInfo.InvariantCulture, $"Last-Attempt-Date: {MailDate(report.Time)}\r\n\r\n");
        return text.ToString();
    }

    /// <summary>A failed action has a status of class 5 (RFC 3464 §2.3.4).</summary>
    private static EnhancedStatus StatusCode(FailureReport report)
    {
        var status = report.Status.IsNone ? report.Reply.Status : report.Status;
        return status.IsNone ? new(5, 0, 0) : new(5, status.Subject, status.Detail);
    }

    private static bool IsWhole(FailureReport report) => report.Include is OriginalInDsn.All && report.Original.Length == report.OriginalSize;

    /// <summary>The whole message, or its header section; a message is never returned cut.</summary>
    private static ReadOnlyMemory<byte> Original(FailureReport report)
    {
        if (report.Include is OriginalInDsn.None || IsWhole(report))
            return report.Include is OriginalInDsn.None ? default : report.Original;
        var span = report.Original.Span;
        var end = span.IndexOf("\r\n\r\n"u8);
        if (end < 0)
            end = span.LastIndexOf("\r\n"u8);  // the header section alone exceeds the limit: whole lines of it
        return end < 0 ? default : report.Original[..(end + 2)];
    }

    private static string Boundary(FailureReport report, ReadOnlySpan<byte> original)
    {
        for (var turn = 0; ; turn++)
        {
            var boundary = $"=_{IdText(report.Failed.Id)}_{report.Time.ToUnixTimeMilliseconds():x}_{turn}";
            if (original.IndexOf(Encoding.ASCII.GetBytes(boundary)) < 0)
                return boundary;
        }
    }

    private static string IdText(MessageId id) => id.ToString().Replace('/', '.').Replace('-', '.');

    private static string MailDate(DateTimeOffset time) => time.ToUniversalTime().ToString("ddd, dd MMM yyyy HH:mm:ss", CultureInfo.InvariantCulture) + " +0000";

    /// <summary>RFC 6533 §3: what is not ASCII is written <c>\x{HEX}</c>.</summary>
    private static string AddressText(string address)
    {
        if (Ascii.IsValid(address))
            return Clean(address);
        var text = new StringBuilder();
        foreach (var rune in address.EnumerateRunes())
            _ = rune.IsAscii ? text.Append(rune) : text.Append(CultureInfo.InvariantCulture, $"\\x{{{rune.Value:X}}}");
        return Clean(text.ToString());
    }

    /// <summary>Text of others as one line of printable ASCII: no line of theirs becomes a field of ours.</summary>
    private static string Clean(string text)
    {
        var clean = new StringBuilder(Math.Min(text.Length, MaxLine));
        foreach (var c in text.AsSpan(0, Math.Min(text.Length, MaxLine)))
            clean.Append(c is >= ' ' and <= '~' ? c : '?');
        return clean.ToString();
    }

    private static void Add(ArrayBufferWriter<byte> output, string text) => Encoding.UTF8.GetBytes(text, output);
}
