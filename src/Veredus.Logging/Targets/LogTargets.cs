namespace Veredus.Logging;

/// <summary>Opens destinations as the configuration names them.</summary>
public static class LogTargets
{
    /// <summary>True for a destination that this version opens: a path, <c>file://</c>, <c>jlog://</c> and its alias <c>cluster://</c>, and <c>syslog://</c> for the paniclog.</summary>
    public static bool IsSupported(LogDestination destination) =>
        !destination.Destination.Contains("://", StringComparison.Ordinal)
        || destination.Destination.StartsWith("file:///", StringComparison.OrdinalIgnoreCase)
        || JournalDestination.IsOne(destination.Destination)
        || (destination.Kind is LogKind.Panic && destination.Destination.StartsWith("syslog://", StringComparison.OrdinalIgnoreCase));

    /// <summary>Opens one destination.</summary>
    /// <exception cref="IOException">It could not be opened; the message names it and the reason.</exception>
    /// <exception cref="ArgumentException">Not a destination that is supported; the message says what is.</exception>
    public static ILogTarget Open(LogDestination destination)
    {
        var text = destination.Destination;
        if (!IsSupported(destination))
        {
            throw new ArgumentException($"{destination.Kind.Name()} = \"{text}\": this kind of destination is not known here; "
                + "give a path, jlog:///PATH=>SUBSCRIBER, or syslog://?facility=F&priority=P for the paniclog.", nameof(destination));
        }
        if (JournalDestination.IsOne(text))
        {
            return JournalDestination.TryParse(text, out var journal, out var error)
                ? new JournalTarget(journal)
                : throw new ArgumentException($"{destination.Kind.Name()} = \"{text}\": {error}", nameof(destination));
        }
        if (!text.StartsWith("syslog://", StringComparison.OrdinalIgnoreCase))
        {
            return new FileLogTarget(destination.Path, destination.Mode);
        }
        var (facility, priority) = ("mail", "err");
        var query = text.IndexOf('?') is >= 0 and var at ? text[(at + 1)..] : "";
        foreach (var pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var (key, value) = pair.Split('=', 2) is [var k, var v] ? (k, v) : (pair, "");
            if (key.Equals("facility", StringComparison.OrdinalIgnoreCase))
                facility = value;
            else if (key.Equals("priority", StringComparison.OrdinalIgnoreCase))
                priority = value;
            else
                throw new ArgumentException($"{destination.Kind.Name()} = \"{text}\": '{key}' is not known; syslog:// takes facility and priority.", nameof(destination));
        }
        return new SyslogTarget(facility, priority);
    }
}
