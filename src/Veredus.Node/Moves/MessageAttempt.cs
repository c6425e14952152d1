using Veredus.Configuration;
using Veredus.Logging;
using Veredus.Node.Logs;
using Veredus.Spool;

namespace Veredus.Node.Moves;

/// <summary>One attempt to deliver a message, or its end.</summary>
/// <param name="Number">From 1, over all nodes.</param>
/// <param name="Source">The address of the binding, as this node's configuration says now; empty: the system's choice.</param>
/// <param name="Domain">Routing domain.</param>
/// <param name="Host">Who answered; empty: nobody was reached, or this node decided.</param>
/// <param name="Stage">Where in the dialogue it failed.</param>
/// <param name="Reply">With its code; empty for a delivery.</param>
/// <param name="IsFinal">Nothing comes after it: delivered, or given up.</param>
public sealed record MessageAttempt(DateTimeOffset At, string Node, int Number, string Binding, string Source, string Domain, string Host, string Stage, string Reply, bool IsFinal)
{
    /// <summary>For people.</summary>
    internal string Text => $"attempt {Number}  {Binding}{(Source.Length > 0 ? " " + Source : "")} -> {Domain}{(Host.Length > 0 ? $" [{Host}]" : "")}  {(Reply.Length > 0 ? $"{Reply} ({Stage})" : "delivered")}";
}

/// <summary>The attempts of a message on this node: what its main log says, and the last one from the spool where the log does not reach.</summary>
/// <param name="BeginsAt">Since when the main log says something; <see langword="null"/>: this node writes none that can be read.</param>
internal sealed record AttemptHistory(IReadOnlyList<MessageAttempt> Attempts, DateTimeOffset? BeginsAt)
{
    /// <param name="since">Nothing is looked for before.</param>
    /// <param name="last">The last try that the spool knows of.</param>
    public static AttemptHistory Read(VeredusNode node, string name, MessageId id, DateTimeOffset since, AttemptRecord? last)
    {
        var configuration = node.Configuration.Current;
        var trail = new MessageTrail([], null);
        if (MainLog(configuration) is { } file)
        {
            node.Logs.Flush();
            try
            {
                // The file before the last rotation, as logrotate and ec_rotate name it.
                trail = MessageTrail.Read([file, file + ".1"], LogId.From(id), since.ToUnixTimeSeconds());
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                node.Logs.Panic(PanicLevel.Error, PanicSubsystems.Log1, "logging", $"attempts of {id} are not known: {file} cannot be read: {e.Message}");
            }
        }
        var attempts = trail.Records.Select(record => From(configuration, name, record)).OfType<MessageAttempt>().ToList();
        if (last is { } known && !attempts.Exists(attempt => attempt.Number == known.Count))
            attempts.Add(new(known.Time, name, known.Count, "", "", "", "", ((DeliveryStage)known.Stage).Name(), $"{known.Code}", IsFinal: false));
        return new([.. attempts.OrderBy(attempt => attempt.Number)], trail.BeginsAt is { } begins ? DateTimeOffset.FromUnixTimeSeconds(begins) : null);
    }

    private static MessageAttempt? From(ConfigurationSnapshot configuration, string name, ILogRecord record) => record switch
    {
        FailureRecord failed => new(DateTimeOffset.FromUnixTimeSeconds(failed.Time), name, failed.Retries + 1, failed.Binding, Source(configuration, failed.BindingGroup, failed.Binding, failed.Domain),
            failed.Domain, $"{failed.RemoteAddress}", failed.Stage.Name(), SafeText.Visible(failed.Reply.ReplaceLineEndings(" ")), failed.Kind is FailureKind.Permanent),
        DeliveryRecord { Kind: DeliveryKind.Delivered } delivered => new(DateTimeOffset.FromUnixTimeSeconds(delivered.Time), name, delivered.Retries + 1, delivered.Binding,
            Source(configuration, delivered.BindingGroup, delivered.Binding, delivered.Domain), delivered.Domain, $"{delivered.RemoteAddress}", "", "", IsFinal: true),
        _ => null,
    };

    private static string Source(ConfigurationSnapshot configuration, string group, string binding, string domain) =>
        configuration.Sending(group, binding, domain).Get(Options.BindAddress).Address?.ToString() ?? "";

    /// <summary>The first one that is a plain file with lines.</summary>
    private static string? MainLog(ConfigurationSnapshot configuration) => LogConfiguration.Loggers(configuration)
        .Where(logger => (logger.Records & LogRecords.TransientFailures) != 0).SelectMany(logger => logger.Logs).Where(log => log is { Kind: LogKind.Main, IsPlain: true })
        .Select(log => log.Path).FirstOrDefault();
}
