using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Veredus.ConfigServer;

/// <summary>One commit, for <c>log --json</c>.</summary>
public sealed record LogEntry(int Revision, string Commit, string At, string Author, string Message);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(IReadOnlyList<LogEntry>))]
[JsonSerializable(typeof(IReadOnlyList<LocalChange>))]
internal sealed partial class HistoryJson : JsonSerializerContext;

public sealed partial class Eccfg
{
    /// <summary>A file in the working copy, in the repository that holds it: global's or the subcluster's.</summary>
    private (WorkingCopy.TreePart Part, string Path) Place(string? typed)
    {
        var path = typed is null ? "" : Worktree.Inside(_copy.Conf, typed);
        var part = _copy.Part(_copy.RequireMarker(), path == WorkingCopy.GlobalName || path.StartsWith(WorkingCopy.GlobalName + "/", StringComparison.Ordinal));
        return (part, path.Length <= part.Prefix.Length ? "" : path[part.Prefix.Length..]);
    }

    private async Task<int> LogAsync(List<string> words, CancellationToken cancellationToken)
    {
        var (part, path) = Place(words.ElementAtOrDefault(0));
        var count = _arguments["number"] is not { } text ? 50 : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 ? number
            : throw new EccfgException(EccfgExit.Usage, $"-n {text}: a number of commits is needed");
        var revision = await part.Repository.RevisionAsync(part.Base, cancellationToken);
        var commits = (await part.Repository.RunAsync(["rev-list", "--first-parent", part.Base.Hex], cancellationToken)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var numbers = commits.Select((commit, i) => (commit, revision - i)).ToDictionary(pair => pair.commit, pair => pair.Item2);
        string[] only = path.Length == 0 ? [] : ["--", path];
        var lines = (await part.Repository.RunAsync(["log", "-n", count.ToString(CultureInfo.InvariantCulture), "--date=iso-strict", "--format=%H%x00%ad%x00%an%x00%s", part.Base.Hex, .. only], cancellationToken))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\0')).Select(words => new LogEntry(numbers.GetValueOrDefault(words[0]), words[0], words[1], words[2], words[3])).ToList();
        if (_host.Json is { } json)
            json("veredus.config.log/1", JsonSerializer.Serialize(lines, HistoryJson.Default.IReadOnlyListLogEntry));
        else
            lines.ForEach(line => _host.Out.WriteLine($"{line.Revision,5}  {line.Commit[..7]}  {line.At}  {line.Author}  {line.Message}"));
        return EccfgExit.Done;
    }

    /// <summary>A revision from its number, or from its commit's first digits.</summary>
    private static async Task<CommitId> RevisionAsync(WorkingCopy.TreePart part, string text, CancellationToken cancellationToken)
    {
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && text.Length < 7)
        {
            var last = await part.Repository.RevisionAsync(part.Base, cancellationToken);
            return number >= 1 && number <= last && await part.Repository.ResolveAsync($"{part.Base.Hex}~{last - number}", cancellationToken) is { } found ? found
                : throw new EccfgException(EccfgExit.Usage, $"there is no revision {text}; 1 to {last} are here");
        }
        return text.Length is >= 4 and <= 40 && text.All(char.IsAsciiHexDigitLower) && await part.Repository.ResolveAsync(text, cancellationToken) is { } commit && await part.Repository.IsAncestorAsync(commit.Hex, part.Base.Hex, cancellationToken) ? commit
            : throw new EccfgException(EccfgExit.Usage, $"'{text}' is no revision of {part.Name}; 'eccfg log' shows them");
    }

    /// <summary>Local changes; with one revision, from it to the files here; with two, from one to the other.</summary>
    private async Task<int> DiffAsync(List<string> revisions, CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        foreach (var isGlobal in revisions.Count == 0 ? new[] { false, true } : [false])
        {
            var part = _copy.Part(_copy.RequireMarker(), isGlobal);
            var from = revisions.Count == 0 ? part.Base : await RevisionAsync(part, revisions[0], cancellationToken);
            var to = revisions.Count == 2 ? (await RevisionAsync(part, revisions[1], cancellationToken)).Hex : await WorkingCopy.SnapshotAsync(part, cancellationToken);
            text.Append(await part.Repository.RunAsync(["diff", "--no-color", $"--src-prefix=a/{part.Prefix}", $"--dst-prefix=b/{part.Prefix}", from.Hex, to], cancellationToken));
        }
        _host.Out.Write(text);
        return _arguments.Has("exit-code") && text.Length > 0 ? EccfgExit.Different : EccfgExit.Done;
    }

    /// <summary>Who wrote each line of a file, or one of its lines (<c>file:line</c>), and in which revision.</summary>
    private async Task<int> BlameAsync(string typed, CancellationToken cancellationToken)
    {
        var at = typed.LastIndexOf(':');
        var line = at > 0 && int.TryParse(typed.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 ? number : 0;
        var (part, path) = Place(line > 0 ? typed[..at] : typed);
        string[] only = line > 0 ? ["-L", $"{line},{line}"] : [];
        var (exitCode, output, errors) = await part.Repository.TryAsync(["blame", "--date=iso-strict", .. only, part.Base.Hex, "--", path], cancellationToken);
        if (exitCode != 0)
            throw new EccfgException($"'{typed}' is not in revision {await part.Repository.RevisionAsync(part.Base, cancellationToken)}: {errors.Trim()}");
        _host.Out.Write(Encoding.UTF8.GetString(output));
        return EccfgExit.Done;
    }

    /// <summary>Takes one revision back by a commit of its own: <c>undo</c> the last one, <c>revert-revision</c> any.</summary>
    private async Task<int> UndoAsync(string? revision, CancellationToken cancellationToken)
    {
        var boot = Boot();
        var done = await WithServerAsync(boot, remote => _copy.TakeBackAsync(remote, part => revision is null ? Task.FromResult<CommitId?>(null) : ToNullable(RevisionAsync(part, revision, cancellationToken)), Author(boot), cancellationToken), cancellationToken, writes: true);
        return done is null ? throw new EccfgException("there is nothing to take back: its changes are gone already") : await ReportAsync(boot, done, cancellationToken);

        static async Task<CommitId?> ToNullable(Task<CommitId> commit) => await commit;
    }

    /// <summary>Confirms the commit that waits for it.</summary>
    private async Task<int> KeepAsync(CancellationToken cancellationToken)
    {
        var boot = Boot();
        var kept = await WithServerAsync(boot, remote => _copy.KeepAsync(remote, Author(boot), cancellationToken), cancellationToken, writes: true);
        Say($"kept {kept.Short}");
        return EccfgExit.Done;
    }

    /// <summary><c>5m</c>, <c>300</c>, <c>1h</c>.</summary>
    private static TimeSpan Duration(string option, string text)
    {
        var unit = text.Length > 0 && !char.IsAsciiDigit(text[^1]) ? text[^1] : 's';
        var digits = char.IsAsciiDigit(text.Length > 0 ? text[^1] : 'x') ? text : text[..Math.Max(0, text.Length - 1)];
        var seconds = unit switch { 's' => 1, 'm' => 60, 'h' => 3600, _ => 0 };
        return seconds > 0 && int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number * (long)seconds is >= 1 and <= 86_400 ? TimeSpan.FromSeconds(number * (long)seconds)
            : throw new EccfgException(EccfgExit.Usage, $"{option} {text}: a time of 1s to 24h is needed, e.g. 5m");
    }

    /// <summary>Saves the node's running configuration, changes that were never written to a file included.</summary>
    private async Task<int> PutRunningAsync(CancellationToken cancellationToken)
    {
        var boot = Boot();
        if (_host.Running is null || await _host.Running(cancellationToken) is not { } text)
            throw new EccfgException(EccfgExit.Unreachable, "no node runs here, or its console does not answer");
        var done = await WithServerAsync(boot, remote => _copy.PutRunningAsync(remote, boot.NodeName, text, Author(boot), cancellationToken), cancellationToken, writes: true);
        Say(done ? $"saved to running/{boot.NodeName}" : "unchanged");
        return EccfgExit.Done;
    }

    /// <summary>A damaged working copy is made anew; what differs from the repository is kept as a patch, and the old tree beside it.</summary>
    private async Task<int> RepairAsync(CancellationToken cancellationToken)
    {
        var boot = Boot();
        var (patch, old) = await WithServerAsync(boot, remote => _copy.RepairAsync(remote, boot.ClusterName, cancellationToken), cancellationToken);
        Say($"Checked out revision {(await _copy.BaseHeadAsync(_copy.RequireMarker(), cancellationToken)).Revision}.");
        Say(patch is null ? "There were no local changes." : $"Local changes are in {patch}; the old files are in {old}.");
        return EccfgExit.Done;
    }
}
