namespace Veredus.Logging;

/// <summary>A journal as a log's destination: <c>jlog:///path</c>, <c>jlog:///path=&gt;subscriber</c>, <c>jlog:///path?subscribers=a,b</c>; <c>cluster://</c> means the same.</summary>
/// <param name="Directory">Absolute path of the journal, made on demand.</param>
/// <param name="Subscribers">Added where they are missing, at least one: without a subscriber nobody would keep the data.</param>
public sealed record JournalDestination(string Directory, IReadOnlyList<string> Subscribers)
{
    /// <summary>The subscriber of a destination that names none.</summary>
    public const string DefaultSubscriber = "master";

    /// <summary>True for <c>jlog://</c> and <c>cluster://</c>, right or wrong.</summary>
    public static bool IsOne(string text) =>
        text.StartsWith("jlog://", StringComparison.OrdinalIgnoreCase) || text.StartsWith("cluster://", StringComparison.OrdinalIgnoreCase);

    /// <param name="error">What is wrong and what would be accepted.</param>
    public static bool TryParse(string text, out JournalDestination destination, out string error)
    {
        destination = null!;
        var rest = text[(text.IndexOf("://", StringComparison.Ordinal) + 3)..];
        var arrow = rest.IndexOf("=>", StringComparison.Ordinal);
        var question = rest.IndexOf('?', StringComparison.Ordinal);
        if (arrow >= 0 && question >= 0)
            return Refuse("'=>' and '?subscribers=' can't be combined; list all subscribers behind '?subscribers='.", out error);
        string[] subscribers = [DefaultSubscriber];
        if (arrow >= 0)
        {
            subscribers = [rest[(arrow + 2)..]];
            rest = rest[..arrow];
        }
        else if (question >= 0)
        {
            const string Key = "subscribers=";
            var query = rest[(question + 1)..];
            if (!query.StartsWith(Key, StringComparison.Ordinal))
                return Refuse($"'{query}' is not known; only '?subscribers=a,b' is.", out error);
            subscribers = query[Key.Length..].Split(',');
            rest = rest[..question];
        }
        if (!rest.StartsWith('/') || rest.Length < 2)
            return Refuse($"the path '{rest}' is not absolute; write three slashes, as in jlog:///var/log/veredus/mainlog.cluster.", out error);
        if (Array.Find(subscribers, name => !IsName(name)) is { } bad)
            return Refuse($"'{bad}' is no subscriber's name; a name has 1 to 64 letters, digits, '_', '.' and '-'.", out error);
        destination = new(rest, [.. subscribers.Distinct(StringComparer.Ordinal)]);
        error = "";
        return true;
    }

    private static bool Refuse(string why, out string error)
    {
        error = why;
        return false;
    }

    private static bool IsName(string name) =>
        name.Length is >= 1 and <= 64 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-');
}
