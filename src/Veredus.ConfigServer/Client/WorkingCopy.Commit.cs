namespace Veredus.ConfigServer;

/// <summary>One repository's part of a commit.</summary>
public sealed record Committed(string Repository, Head Revision, IReadOnlyList<LocalChange> Files);

/// <summary>Who commits, and what is said about it.</summary>
/// <param name="User">The authenticated user: the commit's author.</param>
/// <param name="Node">This host; the commit's committer is <c>eccfg NODE</c>.</param>
/// <param name="Force">Asks the server to take a revision that does not validate.</param>
public sealed record CommitAuthor(string User, string Node, string? Message, DateTimeOffset At, bool Force = false)
{
    public string Text => string.IsNullOrWhiteSpace(Message) ? $"eccfg commit from {Node}" : Message;
}

public sealed partial class WorkingCopy
{
    private const int MaxTries = 6;

    /// <summary>Sends local changes.</summary>
    /// <param name="take">Asked for each unknown (?) and each missing (!) file: whether it is part of the commit.</param>
    /// <param name="review">Looks at each commit before it is pushed; false: it is not.</param>
    public async Task<IReadOnlyList<Committed>> CommitAsync(
        Remote remote, CommitAuthor author, Func<LocalChange, bool> take, CancellationToken cancellationToken, Func<TreePart, CommitId, Task<bool>>? review = null)
    {
        var marker = RequireMarker();
        if (marker.Conflicts.Count > 0)
            throw new EccfgException(EccfgExit.Conflict, $"unresolved conflicts: {string.Join(", ", marker.Conflicts)}; edit them, then 'eccfg resolve'");
        RemoveLeftovers();
        var chosen = (await StatusAsync(cancellationToken)).Where(change => change.Kind is not ('?' or '!') || take(change)).ToList();
        var done = new List<Committed>();
        foreach (var isGlobal in new[] { false, true })
        {
            var part = Part(marker, isGlobal);
            var mine = chosen.Where(change => change.Path.StartsWith(GlobalName + "/", StringComparison.Ordinal) == isGlobal).ToList();
            if (mine.Count == 0)
                continue;
            if (await PushChangesAsync(remote, part, mine, author, review, cancellationToken) is not var (commit, parent))
                continue;
            await StepAsync("record the commit");
            marker = await AdoptAsync(marker, part, isGlobal, commit, parent, mine, cancellationToken);
            done.Add(new(part.Name, new(await part.Repository.RevisionAsync(commit, cancellationToken), commit), mine));
        }
        return done;
    }

    private async Task<(CommitId Commit, CommitId Parent)?> PushChangesAsync(
        Remote remote, TreePart part, List<LocalChange> changes, CommitAuthor author, Func<TreePart, CommitId, Task<bool>>? review, CancellationToken cancellationToken)
    {
        var local = (await part.Repository.ListAsync(await SnapshotAsync(part, cancellationToken), cancellationToken)).ToDictionary(entry => entry.Path);
        var paths = changes.Select(change => change.Path[part.Prefix.Length..]).ToList();
        if (paths.Where(local.ContainsKey).Sum(path => local[path].Size) is var octets && octets > ConfigLimits.MaxCommitBytes)
            throw new EccfgException($"the changed files have {octets} octets together; a commit may have {ConfigLimits.MaxCommitBytes}.");
        for (var tries = 0; tries < MaxTries; tries++)
        {
            var tip = await remote.FetchAsync(part.Repository, part.Name, cancellationToken);
            var moved = (await part.Repository.DiffAsync(part.Base.Hex, tip.Hex, cancellationToken)).Select(change => change.Path).ToHashSet();
            var overlap = paths.Where(moved.Contains).ToList();
            var tree = await part.Repository.EditTreeAsync(tip.Hex, paths.Where(local.ContainsKey).Select(path => local[path]), paths.Where(path => !local.ContainsKey(path)), cancellationToken);
            if (overlap.Count > 0)
            {
                // Cut off after its push, a commit finds its own change at the tip.
                if ((await part.Repository.DiffAsync(tree, tip.Hex, cancellationToken)).Count == 0)
                    return (tip, tip);
                var revision = await part.Repository.RevisionAsync(part.Base, cancellationToken);
                throw new EccfgException(EccfgExit.Conflict, $"file(s) changed since revision {revision}: {string.Join(", ", overlap.Select(path => part.Prefix + path))}; run \"eccfg pull\" first");
            }
            var commit = await part.Repository.CommitTreeAsync(tree, [tip], author.Text, author.User, $"eccfg {author.Node}", author.At, cancellationToken);
            if (review is not null && !await review(part, commit))
                return null;
            await StepAsync("push");
            if (await remote.PushAsync(part.Repository, part.Name, commit, author.Force, cancellationToken))
                return (commit, tip);
        }
        throw new EccfgException(EccfgExit.Conflict, $"others commit to {part.Name} all the time; try again.");
    }

    /// <summary>The working copy after a commit: its base is the new revision, with what others have committed before it.</summary>
    private async Task<Marker> AdoptAsync(Marker marker, TreePart part, bool isGlobal, CommitId commit, CommitId parent, List<LocalChange> committed, CancellationToken cancellationToken)
    {
        var next = marker with { Deleted = [.. marker.Deleted.Except(committed.Select(change => change.Path))] };
        next = isGlobal ? next with { GlobalBase = commit.Hex } : next with { Base = commit.Hex };
        if (parent == part.Base)
        {
            next.Write(Conf);
            return next;
        }
        var local = await SnapshotAsync(part, cancellationToken);
        var mine = await part.Repository.CommitTreeAsync(local, [part.Base], "local changes", "eccfg", "eccfg", DateTimeOffset.UnixEpoch, cancellationToken);
        var merge = await TreeMerge.RunAsync(part.Repository, part.Base, mine, commit, ConflictChoice.Refuse, cancellationToken);
        var other = await SnapshotAsync(Part(marker, !isGlobal), cancellationToken);
        if (merge.Conflicts.Count > 0)
            throw new EccfgException(EccfgExit.Conflict, $"committed, but the rest of the working copy conflicts with what others committed: {string.Join(", ", merge.Conflicts)}; run \"eccfg pull\" with --mine, --theirs or --manual");
        await SwitchAsync(next, isGlobal ? other : merge.Tree, isGlobal ? merge.Tree : other, [], null, cancellationToken);
        return next;
    }

    /// <summary>Changes the tip without the working copy: <c>clone</c>, <c>overlay</c>, <c>put</c>.</summary>
    /// <param name="edit">From the tip's tree to the new one.</param>
    /// <returns>Null when nothing changes.</returns>
    /// <param name="message">From the tip to the message; null = the author's.</param>
    private async Task<Committed?> EditTipAsync(
        Remote remote, TreePart part, CommitAuthor author, Func<CommitId, Task<string>> edit, CancellationToken cancellationToken, Func<CommitId, string>? message = null)
    {
        for (var tries = 0; tries < MaxTries; tries++)
        {
            var tip = await remote.FetchAsync(part.Repository, part.Name, cancellationToken);
            var tree = await edit(tip);
            var changes = await part.Repository.DiffAsync(tip.Hex, tree, cancellationToken);
            if (changes.Count == 0)
                return null;
            var commit = await part.Repository.CommitTreeAsync(tree, [tip], message?.Invoke(tip) ?? author.Text, author.User, $"eccfg {author.Node}", author.At, cancellationToken);
            await StepAsync("push");
            if (await remote.PushAsync(part.Repository, part.Name, commit, author.Force, cancellationToken))
                return new(part.Name, new(await part.Repository.RevisionAsync(commit, cancellationToken), commit), [.. changes.Select(change => new LocalChange(change.Kind, part.Prefix + change.Path))]);
        }
        throw new EccfgException(EccfgExit.Conflict, $"others commit to {part.Name} all the time; try again.");
    }

    /// <summary>Copies a directory of the repository onto another in one commit.</summary>
    /// <param name="keepsOthers">Overlay: files that only the destination has stay. Otherwise the destination is replaced.</param>
    public async Task<Committed?> CopyDirectoryAsync(Remote remote, string source, string destination, bool keepsOthers, CommitAuthor author, CancellationToken cancellationToken)
    {
        var (from, to) = (Worktree.Inside(Conf, source), Worktree.Inside(Conf, destination));
        var marker = RequireMarker();
        var isGlobal = IsGlobal(from);
        if (IsGlobal(to) != isGlobal)
            throw new EccfgException(EccfgExit.Usage, "source and destination are in different repositories.");
        if ((to + "/").StartsWith(from + "/", StringComparison.Ordinal) || (from + "/").StartsWith(to + "/", StringComparison.Ordinal))
            throw new EccfgException(EccfgExit.Usage, $"'{from}' and '{to}' lie in each other.");
        var part = Part(marker, isGlobal);
        var (fromPrefix, toPrefix) = (from[part.Prefix.Length..] + "/", to[part.Prefix.Length..] + "/");
        return await EditTipAsync(remote, part, author, async tip =>
        {
            var entries = await part.Repository.ListAsync(tip.Hex, cancellationToken);
            var put = entries.Where(entry => entry.Path.StartsWith(fromPrefix, StringComparison.Ordinal)).Select(entry => entry with { Path = toPrefix + entry.Path[fromPrefix.Length..] }).ToList();
            if (put.Count == 0)
                throw new EccfgException($"there is no directory '{from}' in the repository.");
            return await part.Repository.EditTreeAsync(tip.Hex, put, keepsOthers ? [] : entries.Where(entry => entry.Path.StartsWith(toPrefix, StringComparison.Ordinal)).Select(entry => entry.Path), cancellationToken);
        }, cancellationToken);
    }

    /// <summary>Commits one file if it differs from the repository's.</summary>
    public async Task<Committed?> PutAsync(Remote remote, string sourceFile, string destination, CommitAuthor author, CancellationToken cancellationToken)
    {
        var to = Worktree.Inside(Conf, destination);
        if (!File.Exists(sourceFile))
            throw new EccfgException($"there is no file '{sourceFile}'.");
        if (!LinuxFiles.IsPlainFile(sourceFile) || new FileInfo(sourceFile).Length > ConfigLimits.MaxFileBytes)
            throw new EccfgException($"'{sourceFile}' is no plain file of at most {ConfigLimits.MaxFileBytes} octets.");
        var part = Part(RequireMarker(), IsGlobal(to));
        var blob = await part.Repository.WriteBlobAsync(await File.ReadAllBytesAsync(sourceFile, cancellationToken), cancellationToken);
        return await EditTipAsync(remote, part, author, tip => part.Repository.EditTreeAsync(tip.Hex, [new("100644", blob, to[part.Prefix.Length..], -1)], [], cancellationToken), cancellationToken);
    }

    private static bool IsGlobal(string path) => path.StartsWith(GlobalName + "/", StringComparison.Ordinal);

    /// <summary>Schedules removal of files or directories, and removes them from the disk.</summary>
    public async Task<IReadOnlyList<string>> DeleteAsync(IReadOnlyList<string> typed, CancellationToken cancellationToken)
    {
        var marker = RequireMarker();
        var deleted = new List<string>();
        foreach (var path in typed.Select(path => Worktree.Inside(Conf, path)))
        {
            var part = Part(marker, IsGlobal(path));
            var inside = path[part.Prefix.Length..];
            var known = (await part.Repository.ListAsync(part.Base.Hex, cancellationToken)).Select(entry => entry.Path)
                .Where(entry => entry == inside || entry.StartsWith(inside + "/", StringComparison.Ordinal)).Select(entry => part.Prefix + entry).ToList();
            deleted.AddRange(known.Count > 0 ? known : throw new EccfgException($"'{path}' is not under version control; remove it with rm."));
        }
        (marker with { Deleted = [.. marker.Deleted.Union(deleted)] }).Write(Conf);
        foreach (var path in deleted)
            if (Path.Combine(Conf, path) is var file && Directory.Exists(Path.GetDirectoryName(file)))
                File.Delete(file);
        return deleted;
    }

    /// <summary>Discards local changes of files, a scheduled removal as well.</summary>
    public async Task<IReadOnlyList<string>> RevertAsync(IReadOnlyList<string> typed, CancellationToken cancellationToken)
    {
        var marker = RequireMarker();
        var paths = typed.Select(path => Worktree.Inside(Conf, path)).ToList();
        var reverted = new List<string>();
        foreach (var isGlobal in new[] { false, true })
        {
            var part = Part(marker, isGlobal);
            var entries = await part.Repository.ListAsync(part.Base.Hex, cancellationToken);
            foreach (var entry in entries.Where(entry => paths.Any(path => path == part.Prefix + entry.Path || (part.Prefix + entry.Path).StartsWith(path + "/", StringComparison.Ordinal))))
            {
                var file = Path.Combine(part.Root, entry.Path);
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                var mode = File.Exists(file) ? File.GetUnixFileMode(file) : UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;
                var content = await part.Repository.ReadBlobAsync(entry.Blob, cancellationToken);
                if (entry.Mode == "120000")
                {
                    File.Delete(file);
                    File.CreateSymbolicLink(file, System.Text.Encoding.UTF8.GetString(content));
                }
                else
                    AtomicFile.Write(file, content, mode);
                reverted.Add(part.Prefix + entry.Path);
            }
        }
        if (paths.FirstOrDefault(path => !reverted.Any(file => file == path || file.StartsWith(path + "/", StringComparison.Ordinal))) is { } unknown)
            throw new EccfgException($"'{unknown}' is not under version control.");
        (marker with { Deleted = [.. marker.Deleted.Except(reverted)], Conflicts = [.. marker.Conflicts.Except(reverted)] }).Write(Conf);
        reverted.ForEach(DeleteVersions);
        return reverted;
    }
}
