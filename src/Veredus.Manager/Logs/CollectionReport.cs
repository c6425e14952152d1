using System.Globalization;
using System.Text;
using System.Text.Json;
using Veredus.LogShipping;

namespace Veredus.Manager.Logs;

/// <summary>The state of log gathering for people and for programs.</summary>
internal static class CollectionReport
{
    public static string Text(IReadOnlyList<CollectedLog> logs, IReadOnlyList<(string Node, string Why)> unreachable, DateTimeOffset now)
    {
        var text = new StringBuilder();
        foreach (var log in logs)
        {
            text.Append(CultureInfo.InvariantCulture, $"{log.Log} {log.Node} {State(log)}, until {log.CollectedUntil?.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture) ?? "never"}, {log.BehindSeconds:0} s and {log.WaitingBytes} bytes behind, {log.Records} lines since the start\n");
            if (log.Error is not null)
                text.Append(CultureInfo.InvariantCulture, $"  ! {log.Error}\n");
            foreach (var other in log.Subscribers.Where(other => other.Name != log.Subscriber && other.WaitingBytes > 0))
                text.Append(CultureInfo.InvariantCulture, $"  subscriber {other.Name}: {other.WaitingBytes} bytes wait{(other.OldestWaiting is { } oldest ? $", the oldest for {(now - oldest).TotalSeconds:0} s" : "")}\n");
        }
        foreach (var (node, why) in unreachable)
            text.Append(CultureInfo.InvariantCulture, $"! {node}: {why}\n");
        return text.Length > 0 ? text.ToString() : "no node publishes a log";
    }

    public static string Json(string manager, IReadOnlyList<CollectedLog> logs, IReadOnlyList<(string Node, string Why)> unreachable)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteString("manager", manager);
            json.WriteStartArray("logs");
            foreach (var log in logs)
                Write(json, log);
            json.WriteEndArray();
            json.WriteStartArray("unreachable");
            foreach (var (node, why) in unreachable)
            {
                json.WriteStartObject();
                json.WriteString("node", node);
                json.WriteString("why", why);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static void Write(Utf8JsonWriter json, CollectedLog log)
    {
        json.WriteStartObject();
        json.WriteString("log", log.Log);
        json.WriteString("node", log.Node);
        json.WriteString("subcluster", log.Subcluster);
        json.WriteString("subscriber", log.Subscriber);
        json.WriteString("state", State(log));
        if (log.CollectedUntil is { } until)
            json.WriteString("collectedUntil", until);
        json.WriteNumber("waitingBytes", log.WaitingBytes);
        json.WriteNumber("behindSeconds", Math.Round(log.BehindSeconds, 1));
        json.WriteNumber("bytesPerSecond", Math.Round(log.BytesPerSecond));
        json.WriteNumber("lines", log.Records);
        json.WriteNumber("bytes", log.Bytes);
        json.WriteNumber("diskBytes", log.DiskBytes);
        json.WriteStartArray("subscribers");
        foreach (var subscriber in log.Subscribers)
        {
            json.WriteStartObject();
            json.WriteString("name", subscriber.Name);
            json.WriteString("checkpoint", subscriber.Position.ToString());
            json.WriteNumber("waitingBytes", subscriber.WaitingBytes);
            if (subscriber.OldestWaiting is { } oldest)
                json.WriteString("oldestWaiting", oldest);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        if (log.Error is not null)
            json.WriteString("error", log.Error);
        json.WriteEndObject();
    }

    private static string State(CollectedLog log) => log.State switch
    {
        CollectionState.UpToDate => "up to date",
        CollectionState.CatchingUp => "catching up",
        CollectionState.NotSubscribed => "not subscribed",
        _ => "disconnected",
    };
}
