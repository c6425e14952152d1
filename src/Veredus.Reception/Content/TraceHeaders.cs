using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Veredus.Reception.Content;

/// <summary>Writes the headers that reception adds.</summary>
public static class TraceHeaders
{
    /// <summary>Name and version in the Received line.</summary>
    public const string Product = "veredus 1.0";

    /// <summary>The Received line, folded, with CR LF at its end.</summary>
    public static string Received(TraceFacts facts)
    {
        var line = new StringBuilder(320).Append("Received: from ");
        if (facts.Client is { } client)
        {
            var v6 = client.AddressFamily == AddressFamily.InterNetworkV6;
            line.Append(v6 ? "[IPv6:" : "[").Append(client.Address).Append("] ([").Append(v6 ? $"IPv6:{client.Address}" : client.Address.ToString())
                .Append(':').Append(CultureInfo.InvariantCulture, $"{client.Port}] ");
        }
        else
        {
            line.Append("localhost (unix-socket ");
        }

        line.Append("helo=");
        AppendComment(line, facts.Helo.Length == 0 ? "unknown" : facts.Helo);
        line.Append(")\r\n        by ").Append(facts.Hostname).Append(" (envelope-from <");
        AppendComment(line, facts.Sender);
        line.Append(">)\r\n        (").Append(Product).Append(") with ").Append(facts.Protocol).Append(" id ").Append(facts.Id).Append("; ");
        AppendDate(line, facts.Received);
        return line.Append("\r\n").ToString();
    }

    /// <summary>The Date line, with CR LF at its end.</summary>
    public static string Date(TraceFacts facts)
    {
        var line = new StringBuilder("Date: ", 48);
        AppendDate(line, facts.Received);
        return line.Append("\r\n").ToString();
    }

    /// <summary>The Message-ID line, with CR LF at its end: the ID with dots for <c>/</c> and <c>-</c>.</summary>
    public static string MessageId(TraceFacts facts) =>
        $"Message-ID: <{facts.Id.Replace('/', '.').Replace('-', '.')}@{facts.IdHostname}>\r\n";

    private static void AppendDate(StringBuilder line, DateTimeOffset time) =>
        line.Append(CultureInfo.InvariantCulture, $"{time.UtcDateTime:ddd, dd MMM yyyy HH:mm:ss} +0000");

    /// <summary>Text from outside inside a comment: parentheses and backslashes are quoted (RFC 5322 §3.2.2), control characters become <c>?</c>.</summary>
    private static void AppendComment(StringBuilder line, string text)
    {
        foreach (var c in text)
        {
            if (c is '(' or ')' or '\\')
                line.Append('\\');
            line.Append(char.IsControl(c) ? '?' : c);
        }
    }
}
