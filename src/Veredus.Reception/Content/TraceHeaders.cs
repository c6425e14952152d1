using System.Buffers;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Unicode;

namespace Veredus.Reception.Content;

/// <summary>Writes the headers that reception adds.</summary>
public static class TraceHeaders
{
    /// <summary>Name and version in the Received line.</summary>
    public const string Product = "veredus 1.0";

    private static readonly SearchValues<char> Quoted = SearchValues.Create([.. Enumerable.Range(0, 32).Append(127).Select(code => (char)code), '(', ')', '\\']);

    /// <summary>Writes the Received line, folded, with CR LF at its end.</summary>
    public static void WriteReceived(TraceFacts facts, IBufferWriter<byte> output)
    {
        var (helo, sender) = (Comment(facts.Helo.Length == 0 ? "unknown" : facts.Helo), Comment(facts.Sender));
        var span = output.GetSpan(384 + 3 * (helo.Length + sender.Length + facts.Hostname.Length));
        Utf8.TryWrite(span, CultureInfo.InvariantCulture, $"Received: from ", out var length);
        if (facts.Client is { } client)
        {
            var family = client.AddressFamily == AddressFamily.InterNetworkV6 ? "IPv6:" : "";
            Utf8.TryWrite(span[length..], CultureInfo.InvariantCulture, $"[{family}{client.Address}] ([{family}{client.Address}:{client.Port}] ", out var written);
            length += written;
        }
        else
        {
            "localhost (unix-socket "u8.CopyTo(span[length..]);
            length += "localhost (unix-socket "u8.Length;
        }

        Utf8.TryWrite(
            span[length..], CultureInfo.InvariantCulture,
            $"helo={helo})\r\n        by {facts.Hostname} (envelope-from <{sender}>)\r\n        ({Product}) with {facts.Protocol} id {facts.Id}; {facts.Received.UtcDateTime:ddd, dd MMM yyyy HH:mm:ss} +0000\r\n",
            out var rest);
        output.Advance(length + rest);
    }

    /// <summary>Writes the Received line of a message that came with another spool: no client brought it, so it has no <c>from</c>.</summary>
    public static void WriteImported(string hostname, string sender, string id, DateTimeOffset imported, IBufferWriter<byte> output)
    {
        sender = Comment(sender);
        Utf8.TryWrite(
            output.GetSpan(256 + 3 * (sender.Length + hostname.Length)), CultureInfo.InvariantCulture,
            $"Received: by {hostname} (envelope-from <{sender}>)\r\n        ({Product}) with import id {id}; {imported.UtcDateTime:ddd, dd MMM yyyy HH:mm:ss} +0000\r\n",
            out var length);
        output.Advance(length);
    }

    /// <summary>Writes the Date line, with CR LF at its end.</summary>
    public static void WriteDate(TraceFacts facts, IBufferWriter<byte> output)
    {
        Utf8.TryWrite(output.GetSpan(64), CultureInfo.InvariantCulture, $"Date: {facts.Received.UtcDateTime:ddd, dd MMM yyyy HH:mm:ss} +0000\r\n", out var length);
        output.Advance(length);
    }

    /// <summary>Writes the Message-ID line, with CR LF at its end: the ID with dots for <c>/</c> and <c>-</c>.</summary>
    public static void WriteMessageId(TraceFacts facts, IBufferWriter<byte> output)
    {
        var id = facts.Id.Replace('/', '.').Replace('-', '.');
        Utf8.TryWrite(output.GetSpan(64 + 3 * facts.IdHostname.Length), CultureInfo.InvariantCulture, $"Message-ID: <{id}@{facts.IdHostname}>\r\n", out var length);
        output.Advance(length);
    }

    /// <summary>Text from outside inside a comment: parentheses and backslashes are quoted (RFC 5322 §3.2.2), control characters become <c>?</c>.</summary>
    private static string Comment(string text)
    {
        if (!text.AsSpan().ContainsAny(Quoted))
            return text;
        var quoted = new StringBuilder(text.Length + 8);
        foreach (var c in text)
        {
            if (c is '(' or ')' or '\\')
                quoted.Append('\\');
            quoted.Append(char.IsControl(c) ? '?' : c);
        }

        return quoted.ToString();
    }
}
