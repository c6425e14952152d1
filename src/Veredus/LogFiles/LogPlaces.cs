using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Veredus.LogFiles;

/// <summary>One file of a log: of which log and node it is, as its path says.</summary>
internal sealed record LogFile(string Path, string Node, string Log, DateTime Written);

/// <summary>Finds log files on this host: those that a manager gathers by its pattern, or a node's own.</summary>
internal sealed class LogPlaces
{
    private readonly string _base;
    private readonly Regex? _pattern;
    private readonly IReadOnlyList<LogFile> _own;

    private LogPlaces(string directory, Regex? pattern, IReadOnlyList<LogFile> own) => (_base, _pattern, _own) = (directory, pattern, own);

    /// <summary>What the pattern of <c>Logs { logfile }</c> can have made.</summary>
    public static LogPlaces OfPattern(string pattern, string directory)
    {
        var text = new StringBuilder("^");
        var seen = new HashSet<char>();
        for (var at = 0; at < pattern.Length; at++)
        {
            if (pattern[at] != '%' || at + 1 == pattern.Length)
            {
                text.Append(Regex.Escape(pattern[at].ToString()));
            }
            else if (pattern[at + 1] == '{')
            {
                var name = pattern[at + 2];
                text.Append(CultureInfo.InvariantCulture, $"{(seen.Add(name) ? $"(?<{name}>" : "(")}[A-Za-z0-9_.-]+)");
                at += 3;
            }
            else
            {
                text.Append(pattern[++at] switch { '%' => "%", 'Y' or 'G' => "[0-9]{4}", 'm' or 'd' or 'H' or 'M' or 'S' or 'y' or 'I' => "[0-9]{2}", _ => ".+?" });
            }
        }
        return new(directory, new(text.Append('$').ToString(), RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant), []);
    }

    /// <summary>The plain files of a node's own loggers.</summary>
    public static LogPlaces OfNode(string node, IEnumerable<(string Log, string Path)> files) =>
        new("", null, [.. files.Select(file => new LogFile(file.Path, node, file.Log, default))]);

    /// <summary>The files of this moment, oldest first.</summary>
    public IReadOnlyList<LogFile> Find(string? node, string? log)
    {
        IEnumerable<LogFile> found = _own.Where(file => File.Exists(file.Path)).Select(file => file with { Written = File.GetLastWriteTimeUtc(file.Path) });
        if (_pattern is { } pattern && Directory.Exists(_base))
        {
            found = Directory.EnumerateFiles(_base, "*", new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = FileAttributes.Hidden })
                .Select(path => (Path: path, Match: pattern.Match(path))).Where(entry => entry.Match.Success)
                .Select(entry => new LogFile(entry.Path, Of(entry.Match, "n"), Of(entry.Match, "l"), File.GetLastWriteTimeUtc(entry.Path)));
        }
        return [.. found.Where(file => (node is null || file.Node == node) && (log is null || file.Log == log)).OrderBy(file => file.Written).ThenBy(file => file.Path, StringComparer.Ordinal)];
    }

    private static string Of(Match match, string group) => match.Groups[group] is { Success: true } found ? found.Value : "";
}
