using System.Globalization;
using System.Text;
using System.Text.Json;
using Veredus.Configuration;
using Veredus.Control;
using Veredus.Journal;
using Veredus.Logging;
using Veredus.LogShipping;

namespace Veredus.Node.Logs;

/// <summary>Offers the journals of the dictionary <c>logs</c> to managers, by the ECCluster listener (logging.md 4).</summary>
public sealed class LogPublishing(ClusterNetwork network) : INodeService
{
    private VeredusNode _node = null!;
    private LogService _service = null!;

    /// <summary>The console's commands.</summary>
    public IEnumerable<ControlCommand> Commands =>
    [
        new("cluster show logs", "", "published logs: size on disk, subscribers and what waits for them", (call, _) => new(ControlAnswer.Body(call.Json ? Json() : Text()))) { HasJson = true },
        new("cluster logs decommission", "NAME [force]", "removes a manager's subscriber from every published log of this node", (call, _) => new(call.Arguments switch
        {
            [var name] => Decommission(name, force: false),
            [var name, "force"] => Decommission(name, force: true),
            _ => ControlAnswer.Usage(call.Command),
        })),
    ];

    private PublishedLogs Published => Of(_node.Configuration.Current);

    public ValueTask StartAsync(VeredusNode node, CancellationToken cancellationToken)
    {
        _node = node;
        _service = new(() => Published, node.Time, text => node.Logs.Panic(PanicLevel.Warning, PanicSubsystems.Log1, "", text));
        network.Offer(_service);
        foreach (var warning in Warnings(node.Configuration.Current))
            node.Logs.Panic(PanicLevel.Warning, PanicSubsystems.Log1, "", warning);
        return default;
    }

    public ValueTask DisposeAsync() => default;

    /// <summary>What a configuration publishes.</summary>
    public static PublishedLogs Of(ConfigurationSnapshot configuration)
    {
        var published = configuration.Get(ScopeKinds.Cluster, Options.PublishedLogs);
        return new(
            published.Where(entry => entry.Value is [['/', ..]]).ToDictionary(entry => entry.Key, entry => entry.Value[0], StringComparer.Ordinal),
            configuration.Get(ScopeKinds.Cluster, Options.LogActiveInterval), configuration.Get(ScopeKinds.Cluster, Options.LogIdleInterval));
    }

    /// <summary>Entries of the dictionary that publish nothing.</summary>
    internal static IEnumerable<string> Warnings(ConfigurationSnapshot configuration)
    {
        var written = LogConfiguration.Loggers(configuration).SelectMany(logger => logger.Destinations).Select(log => log.Destination)
            .Where(JournalDestination.IsOne).Select(text => JournalDestination.TryParse(text, out var journal, out _) ? journal.Directory : "").ToHashSet(StringComparer.Ordinal);
        foreach (var (name, value) in configuration.Get(ScopeKinds.Cluster, Options.PublishedLogs))
        {
            if (value is not [['/', ..] path])
                yield return $"cluster: logs: {name} = \"{string.Join(' ', value)}\" is not the absolute path of a journal; it is not offered";
            else if (!written.Contains(path))
                yield return $"cluster: logs: {name} = \"{path}\" is written by no logger; give one the destination cluster://{path}";
        }
    }

    private string Text()
    {
        var (text, readings) = (new StringBuilder(), _service.Readings);
        foreach (var (name, directory) in Published.Logs)
        {
            text.Append(CultureInfo.InvariantCulture, $"{name} {directory}\n");
            try
            {
                var size = JournalDirectory.Size(directory);
                text.Append(CultureInfo.InvariantCulture, $"  [on disk: {size} bytes]\n");
                foreach (var entry in JournalBacklog.Read(directory))
                {
                    var reading = readings.FirstOrDefault(one => one.Log == name && one.Subscriber == entry.Subscriber);
                    text.Append(CultureInfo.InvariantCulture, $"  [subscriber: '{entry.Subscriber}' @ {entry.Position?.ToString() ?? "damaged"}] {entry.Bytes} bytes wait{(reading is null ? "" : $", {reading.Manager} reads")}\n");
                }
            }
            catch (IOException e)
            {
                text.Append(CultureInfo.InvariantCulture, $"  {e.Message}\n");
            }
        }
        return text.Length > 0 ? text.ToString() : "no log is published; name them in cluster { logs = [ ... ] }";
    }

    private string Json()
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            var readings = _service.Readings;
            writer.WriteStartArray();
            foreach (var (name, directory) in Published.Logs)
            {
                writer.WriteStartObject();
                writer.WriteString("log", name);
                writer.WriteString("journal", directory);
                try
                {
                    var (size, backlog) = (JournalDirectory.Size(directory), JournalBacklog.Read(directory));
                    writer.WriteNumber("bytes", size);
                    writer.WriteStartArray("subscribers");
                    foreach (var entry in backlog)
                    {
                        writer.WriteStartObject();
                        writer.WriteString("name", entry.Subscriber);
                        writer.WriteString("checkpoint", entry.Position?.ToString());
                        writer.WriteNumber("waitingBytes", entry.Bytes);
                        if (entry.OldestUnixMicroseconds is { } oldest)
                            writer.WriteNumber("waitingSeconds", Math.Round(Math.Max(0, (_node.Time.GetUtcNow() - DateTimeOffset.FromUnixTimeMilliseconds(oldest / 1000)).TotalSeconds), 1));
                        writer.WriteString("readBy", readings.FirstOrDefault(one => one.Log == name && one.Subscriber == entry.Subscriber)?.Manager);
                        writer.WriteEndObject();
                    }
                    writer.WriteEndArray();
                }
                catch (IOException e)
                {
                    writer.WriteString("error", e.Message);
                }
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
        }
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private ControlAnswer Decommission(string name, bool force)
    {
        List<string> lines = [];
        try
        {
            var found = Published.Logs.Where(log => Directory.Exists(log.Value))
                .SelectMany(log => JournalBacklog.Read(log.Value).Where(entry => entry.Subscriber == name).Select(entry => (Log: log.Key, Journal: log.Value, entry.Bytes))).ToList();
            if (!force && found.Any(entry => entry.Bytes > 0))
            {
                return ControlAnswer.Error(ControlErrors.Conflict, $"data waits for '{name}'; let it drain, or add 'force' to give it up",
                    found.Where(entry => entry.Bytes > 0).Select(entry => $"{entry.Log}: {entry.Bytes} bytes wait for {name}"));
            }
            if (LogConfiguration.Loggers(_node.Configuration.Current).SelectMany(logger => logger.Destinations).Select(log => log.Destination).FirstOrDefault(text =>
                JournalDestination.IsOne(text) && JournalDestination.TryParse(text, out var journal, out _) && journal.Subscribers.Contains(name)) is { } still)
                return ControlAnswer.Error(ControlErrors.Conflict, $"the configuration still names '{name}' in {still}; take it out and reload first, or it comes back");
            foreach (var (log, journal, _) in found)
            {
                JournalDirectory.RemoveSubscriber(journal, name);
                lines.Add($"{log}: {name} removed, {JournalDirectory.Clean(journal)} segments deleted");
            }
            return lines.Count > 0 ? ControlAnswer.Body(lines) : ControlAnswer.Ok($"no published log has a subscriber '{name}'");
        }
        catch (IOException e)
        {
            return ControlAnswer.Error(ControlErrors.Internal, e.Message, lines);
        }
    }
}
