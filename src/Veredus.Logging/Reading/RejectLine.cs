using System.Globalization;
using System.Net;
using System.Text;

namespace Veredus.Logging;

/// <summary>Reads a line of the rejectlog.</summary>
internal static class RejectLine
{
    public static ILogRecord? Parse(ReadOnlySpan<byte> line)
    {
        var colon = line.IndexOf((byte)':');
        if (colon <= 0 || !long.TryParse(line[..colon], NumberStyles.None, CultureInfo.InvariantCulture, out var time))
            return null;
        if (line[colon..].SequenceEqual(": Marker 1"u8))
            return new HeartbeatRecord(LogKind.Reject, time);
        line = line[(colon + 1)..];
        return Word(ref line, " R="u8, out var remote) && Word(ref line, " L="u8, out var local) && Word(ref line, " C="u8, out var connection)
            && Word(ref line, " PATH="u8, out var pathway) && Word(ref line, " PATH_GRP="u8, out var group) && Word(ref line, " P="u8, out var state)
            && Word(ref line, " E="u8, out var code) && Word(ref line, " M="u8, out var module)
            && Context(ref line, " CTXCONN=["u8, out var connectionContext) && Context(ref line, " CTXMESS=["u8, out var messageContext)
            && Skip(ref line, " "u8) && LogText.TryUnescape(line, out var text)
            && EndPoint(remote, out var remoteEndPoint) && EndPoint(local, out var localEndPoint)
            && LogId.TryFrom(Encoding.UTF8.GetBytes(connection), out var connectionId)
            && int.TryParse(code, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? new RejectRecord
            {
                Time = time,
                Remote = remoteEndPoint,
                Local = localEndPoint,
                ConnectionId = connectionId,
                Pathway = pathway,
                PathwayGroup = group,
                State = state,
                Code = number,
                Module = module,
                ConnectionContext = connectionContext,
                MessageContext = messageContext,
                Text = text,
            }
            : null;
    }

    private static bool EndPoint(string text, out IPEndPoint? endPoint)
    {
        endPoint = null;
        return text.Length == 0 || IPEndPoint.TryParse(text, out endPoint);
    }

    private static bool Skip(ref ReadOnlySpan<byte> line, ReadOnlySpan<byte> prefix)
    {
        if (!line.StartsWith(prefix))
            return false;
        line = line[prefix.Length..];
        return true;
    }

    /// <summary>A quoted text, or a bare word up to a blank, comma, equals sign or bracket.</summary>
    private static bool Word(ref ReadOnlySpan<byte> line, ReadOnlySpan<byte> prefix, out string word)
    {
        word = "";
        if (!Skip(ref line, prefix))
            return false;
        if (line.IsEmpty || line[0] != '"')
        {
            var end = line.IndexOfAny(" ,=]"u8);
            var bare = end < 0 ? line : line[..end];
            line = line[bare.Length..];
            return LogText.TryUnescape(bare, out word);
        }
        for (var at = 1; at < line.Length; at++)
        {
            if (line[at] == '\\')
            {
                at++;
            }
            else if (line[at] == '"')
            {
                var quoted = line[1..at];
                line = line[(at + 1)..];
                return LogText.TryUnescape(quoted, out word);
            }
        }
        return false;
    }

    private static bool Context(ref ReadOnlySpan<byte> line, ReadOnlySpan<byte> prefix, out IReadOnlyCollection<KeyValuePair<string, string>> context)
    {
        List<KeyValuePair<string, string>> pairs = [];
        context = pairs;
        if (!Skip(ref line, prefix))
            return false;
        while (!line.IsEmpty && line[0] != ']')
        {
            if (!Word(ref line, pairs.Count == 0 ? ""u8 : ","u8, out var key) || !Word(ref line, "="u8, out var value))
                return false;
            pairs.Add(new(key, value));
        }
        return Skip(ref line, "]"u8);
    }
}
