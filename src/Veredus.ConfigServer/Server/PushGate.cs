using System.Text;

namespace Veredus.ConfigServer;

/// <summary>Looks at a revision before it becomes <c>main</c> (configuration server specification, 5.2).</summary>
public sealed class PushGate(RepositoryStore store)
{
    /// <summary>Commits that are only to be looked at lie here, under their own names.</summary>
    internal const string Candidates = "refs/candidates/";

    /// <summary>What is wrong with a push, in the words that its sender reads; empty = it may be taken.</summary>
    /// <param name="pushed">The repository, with the pushed objects visible.</param>
    public async Task<IReadOnlyList<string>> CheckAsync(string name, GitRepository pushed, string reference, string oldCommit, string newCommit, bool force, CancellationToken cancellationToken)
    {
        if (reference.StartsWith("refs/heads/running/", StringComparison.Ordinal) || (reference.StartsWith(Candidates, StringComparison.Ordinal) && reference[Candidates.Length..] == newCommit))
            return await ContentAsync(name, pushed, WorkingCopy.EmptyTree, newCommit, cancellationToken);
        if (reference != "refs/heads/main")
            return [$"Only main and running/<node> are taken, not {reference}."];
        if (newCommit == CommitId.None.Hex)
            return ["main can't be deleted."];
        if (!await pushed.IsAncestorAsync(oldCommit, newCommit, cancellationToken))
            return ["main moves forward only; a force push is refused. Run \"eccfg pull\", then commit."];
        if ((await pushed.RunAsync(["rev-list", "--merges", "-n", "1", $"{oldCommit}..{newCommit}"], cancellationToken)).Trim().Length > 0)
            return ["The history of main has no merge commits; rebase, then push."];
        var problems = await ContentAsync(name, pushed, oldCommit, newCommit, cancellationToken);
        return problems.Count > 0 || force ? problems : await ValidateAsync(name, pushed, newCommit, cancellationToken);
    }

    /// <summary>Sizes, links and names: what no revision may have, whether it is to be <c>main</c> or only looked at.</summary>
    private static async Task<List<string>> ContentAsync(string name, GitRepository pushed, string oldCommit, string newCommit, CancellationToken cancellationToken)
    {
        var entries = await pushed.ListAsync(newCommit, cancellationToken);
        var problems = new List<string>();
        foreach (var entry in entries)
        {
            if (entry.Mode == "160000")
                problems.Add($"{entry.Path}: a submodule can't be configuration.");
            if (entry.Size > ConfigLimits.MaxFileBytes)
                problems.Add($"{entry.Path} has {entry.Size} octets; a file may have {ConfigLimits.MaxFileBytes}.");
            if (entry.Path == Worktree.MarkerName || (name != WorkingCopy.GlobalName && (entry.Path == WorkingCopy.GlobalName || entry.Path.StartsWith(WorkingCopy.GlobalName + "/", StringComparison.Ordinal))))
                problems.Add($"{entry.Path}: this name belongs to the working copy.");
            if (entry.Mode == "120000")
                problems.AddRange(CheckLink(entry.Path, Encoding.UTF8.GetString(await pushed.ReadBlobAsync(entry.Blob, cancellationToken))));
        }
        var changed = (await pushed.DiffAsync(oldCommit, newCommit, cancellationToken)).Select(change => change.Path).ToHashSet();
        if (entries.Where(entry => changed.Contains(entry.Path)).Sum(entry => entry.Size) is var octets && octets > ConfigLimits.MaxCommitBytes)
            problems.Add($"The changed files have {octets} octets together; a commit may have {ConfigLimits.MaxCommitBytes}.");
        return problems;
    }

    private static IEnumerable<string> CheckLink(string path, string target)
    {
        try
        {
            Worktree.CheckLink(path, target);
            return [];
        }
        catch (EccfgException exception)
        {
            return [exception.Message];
        }
    }

    /// <summary>A subcluster's revision is checked with today's global files; a global one with every subcluster.</summary>
    public async Task<IReadOnlyList<string>> ValidateAsync(string name, GitRepository pushed, string commit, CancellationToken cancellationToken)
    {
        var isGlobal = name == WorkingCopy.GlobalName;
        var own = await ReadAsync(pushed, commit, isGlobal ? WorkingCopy.GlobalName + "/" : "", cancellationToken);
        var findings = new List<string>();
        foreach (var other in isGlobal ? store.Names().Where(other => other != name) : [WorkingCopy.GlobalName])
        {
            var repository = store.Open(other);
            var head = await repository.HeadAsync(cancellationToken);
            var files = head == Head.None ? [] : await ReadAsync(repository, head.Commit.Hex, isGlobal ? "" : WorkingCopy.GlobalName + "/", cancellationToken);
            findings.AddRange(TreeValidator.CheckTree(own.Concat(files).ToDictionary()));
        }
        return findings;
    }

    private static async Task<Dictionary<string, byte[]>> ReadAsync(GitRepository repository, string commit, string prefix, CancellationToken cancellationToken)
    {
        var files = new Dictionary<string, byte[]>();
        var entries = (await repository.ListAsync(commit, cancellationToken)).Where(entry => entry.Mode != "160000").ToList();
        var asked = Encoding.ASCII.GetBytes(string.Concat(entries.Select(entry => entry.Blob + "\n")));
        var (exitCode, output, errors) = await repository.TryAsync(["cat-file", "--batch"], cancellationToken, asked);
        if (exitCode != 0)
            throw new GitException("cat-file", exitCode, errors);
        var at = 0;
        foreach (var entry in entries)
        {
            var end = Array.IndexOf(output, (byte)'\n', at);
            var size = int.Parse(Encoding.ASCII.GetString(output, at, end - at).Split(' ')[2], System.Globalization.CultureInfo.InvariantCulture);
            files[prefix + entry.Path] = output.AsSpan(end + 1, size).ToArray();
            at = end + 1 + size + 1;
        }
        return files;
    }
}
