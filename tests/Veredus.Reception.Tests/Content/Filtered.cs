using System.Buffers;
using System.Net;
using System.Text;
using Veredus.Reception.Content;

namespace Veredus.Reception.Tests.Content;

/// <summary>Runs a filter over a message that arrives in pieces.</summary>
internal sealed class Filtered
{
    public static readonly TraceFacts Trace = new(
        new IPEndPoint(IPAddress.Parse("203.0.113.9"), 41220), "app.example.com", "mx1.example.org", "news@example.com", "ESMTPSA",
        "10/00-00007-08B31BA6", "mx1.example.org", DateTimeOffset.FromUnixTimeSeconds(1790000000));

    public static readonly ContentRules NoTrace = new() { TraceHeaders = false, Date = MissingDate.Ignore, AddMessageId = false };

    public required ContentFault Fault { get; init; }

    public required HeaderFacts Facts { get; init; }

    public required string Text { get; init; }

    public static Filtered Run(ContentRules rules, string message, Func<int>? pieces = null)
    {
        var bytes = Encoding.Latin1.GetBytes(message);
        var output = new ArrayBufferWriter<byte>();
        using var filter = new ContentFilter(rules, Trace, output);
        for (var at = 0; at < bytes.Length;)
        {
            var length = Math.Min(pieces?.Invoke() ?? bytes.Length, bytes.Length - at);
            if (!filter.Write(bytes.AsSpan(at, length)))
                break;
            at += length;
        }

        filter.Complete();
        return new() { Fault = filter.Fault, Facts = filter.Facts, Text = Encoding.Latin1.GetString(output.WrittenSpan) };
    }
}
