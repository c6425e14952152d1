namespace Veredus.ConfigServer;

/// <summary>How a pull ended.</summary>
/// <param name="HasChanged">False: nothing to do, or a policy said so; see <paramref name="Note"/>.</param>
/// <param name="Revision">The revision of the subcluster's files now.</param>
/// <param name="Conflicts">Files that were merged by a choice, or are left to be edited.</param>
/// <param name="Note">Why nothing changed.</param>
public sealed record PullResult(bool HasChanged, Head Revision, IReadOnlyList<string> Conflicts, string Note = "");

/// <summary>What a pull is to arrive at, where that is known.</summary>
/// <param name="Commit">Of the subcluster's repository; null = the server's <c>main</c>.</param>
/// <param name="Global">Of <c>global</c>; null = the server's <c>main</c>.</param>
/// <param name="IsRehearsal">The new tree is built and checked, and thrown away.</param>
public sealed record PullTarget(string? Commit, string? Global, bool IsRehearsal = false)
{
    public static readonly PullTarget Main = new(null, null);
}

public sealed partial class WorkingCopy
{
    private const string BeforeManual = "refs/eccfg/before-manual";

    /// <summary>First checkout. Removes nothing: an existing working copy is refused.</summary>
    public async Task<IReadOnlyList<string>> BootstrapAsync(Remote remote, string subcluster, CancellationToken cancellationToken)
    {
        if (Directory.Exists(Conf) && Directory.EnumerateFileSystemEntries(Conf).Any())
            throw new EccfgException($"working copy already exists; remove {Conf} first");
        Directory.CreateDirectory(StateDirectory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var global = await remote.FetchAsync(Repository(GlobalName), GlobalName, cancellationToken);
        var tip = await remote.FetchAsync(Repository(subcluster), subcluster, cancellationToken);
        await SwitchAsync(new(subcluster, tip.Hex, global.Hex, [], []), tip.Hex, global.Hex, [], null, cancellationToken);
        var files = (await Repository(subcluster).ListAsync(tip.Hex, cancellationToken)).Select(entry => entry.Path)
            .Concat((await Repository(GlobalName).ListAsync(global.Hex, cancellationToken)).Select(entry => $"{GlobalName}/{entry.Path}"));
        return [.. files];
    }

    /// <summary>Updates to the servers' state; local changes are merged onto it.</summary>
    /// <param name="policy">For updates that nobody asked for (<c>--auto</c>); <see cref="AutoUpdate.True"/> otherwise.</param>
    /// <param name="check">Looks at the complete new tree (its directory) before it counts.</param>
    public async Task<PullResult> PullAsync(Remote remote, ConflictChoice choice, AutoUpdate policy, Func<string, Task>? check, CancellationToken cancellationToken, PullTarget? target = null)
    {
        target ??= PullTarget.Main;
        var marker = RequireMarker();
        if (policy == AutoUpdate.False)
            return await UnchangedAsync("autoupdate is false in cluster.boot");
        if (marker.Conflicts.Count > 0)
            throw new EccfgException(EccfgExit.Conflict, $"unresolved conflicts of an earlier pull: {string.Join(", ", marker.Conflicts)}; edit them, then 'eccfg resolve'");
        RemoveLeftovers();
        await StepAsync("fetch");
        var global = await FetchAsync(GlobalName, target.Global, marker.GlobalBase);
        var tip = await FetchAsync(marker.Subcluster, target.Commit, marker.Base);
        if (tip.Hex == marker.Base && global.Hex == marker.GlobalBase && choice == ConflictChoice.Refuse && !target.IsRehearsal)
            return await UnchangedAsync("");
        await StepAsync("merge");
        var merges = new List<(TreePart Part, CommitId Mine, TreeMerge Merge)>();
        foreach (var (part, to) in new[] { (Part(marker, false), tip), (Part(marker, true), global) })
        {
            var local = await SnapshotAsync(part, cancellationToken);
            var isChanged = (await part.Repository.DiffAsync(part.Base.Hex, local, cancellationToken)).Count > 0;
            if (isChanged && policy == AutoUpdate.IfUnchanged)
                return await UnchangedAsync("local changes present, not updated");
            var mine = await part.Repository.CommitTreeAsync(local, [part.Base], "local changes", "eccfg", "eccfg", DateTimeOffset.UnixEpoch, cancellationToken);
            merges.Add((part, mine, !isChanged ? new(to.Hex, [], []) : await TreeMerge.RunAsync(part.Repository, part.Base, mine, to, choice, cancellationToken)));
        }
        var conflicts = merges.SelectMany(merge => merge.Merge.Conflicts.Select(path => merge.Part.Prefix + path)).ToList();
        if (conflicts.Count > 0 && choice == ConflictChoice.Refuse)
            throw new EccfgException(EccfgExit.Conflict, $"local changes and the repository's overlap in: {string.Join(", ", conflicts)}; nothing was changed. Pull with --mine, --theirs or --manual.");
        var isManual = choice == ConflictChoice.Manual && conflicts.Count > 0;
        foreach (var (part, mine, _) in isManual ? merges : [])
            await part.Repository.RunAsync(["update-ref", BeforeManual, mine.Hex], cancellationToken);
        var extra = merges.SelectMany(merge => merge.Merge.Extra.Select(file => file with { Path = merge.Part.Prefix + file.Path })).ToList();
        await SwitchAsync(new(marker.Subcluster, tip.Hex, global.Hex, marker.Deleted, isManual ? conflicts : []), merges[0].Merge.Tree, merges[1].Merge.Tree, extra, check, cancellationToken, target.IsRehearsal);
        return new(!target.IsRehearsal, new(await Repository(marker.Subcluster).RevisionAsync(tip, cancellationToken), tip), conflicts);

        async Task<PullResult> UnchangedAsync(string note) => new(false, await BaseHeadAsync(marker, cancellationToken), [], note);

        // What lies here already is not asked for again.
        async Task<CommitId> FetchAsync(string name, string? commit, string have) =>
            commit == have ? new(have) : await remote.FetchAsync(Repository(name), name, cancellationToken, commit);
    }

    /// <summary>The revision of the subcluster's files.</summary>
    public async Task<Head> BaseHeadAsync(Marker marker, CancellationToken cancellationToken) =>
        new(await Repository(marker.Subcluster).RevisionAsync(new(marker.Base), cancellationToken), new(marker.Base));

    /// <summary>Clears the conflict mark of files that were edited.</summary>
    /// <param name="paths">Empty: all that are marked.</param>
    public async Task<IReadOnlyList<string>> ResolveAsync(IReadOnlyList<string> paths, CancellationToken cancellationToken)
    {
        var marker = RequireMarker();
        var chosen = paths.Count == 0 ? marker.Conflicts : [.. paths.Select(path => Worktree.Inside(Conf, path))];
        foreach (var path in chosen)
        {
            if (!marker.Conflicts.Contains(path))
                throw new EccfgException($"'{path}' is not in conflict.");
            var file = Path.Combine(Conf, path);
            if (File.Exists(file) && (await File.ReadAllLinesAsync(file, cancellationToken)).Any(line => line.StartsWith("<<<<<<< ", StringComparison.Ordinal) || line.StartsWith(">>>>>>> ", StringComparison.Ordinal)))
                throw new EccfgException(EccfgExit.Conflict, $"'{path}' still has conflict markers (<<<<<<<, >>>>>>>); edit it first.");
        }
        (marker with { Conflicts = [.. marker.Conflicts.Except(chosen)] }).Write(Conf);
        foreach (var path in chosen)
            DeleteVersions(path);
        return chosen;
    }

    /// <summary>Gives a manual merge up: the tree is again as it was before the pull.</summary>
    public async Task AbandonMergeAsync(CancellationToken cancellationToken)
    {
        var marker = RequireMarker();
        if (marker.Conflicts.Count == 0)
            throw new EccfgException("there is no merge to give up.");
        var mine = await Repository(marker.Subcluster).ResolveAsync(BeforeManual, cancellationToken);
        var global = await Repository(GlobalName).ResolveAsync(BeforeManual, cancellationToken);
        if (mine is null || global is null)
            throw new EccfgException("the state before the pull was not kept.");
        var old = await Repository(marker.Subcluster).ResolveAsync(mine + "^", cancellationToken);
        var oldGlobal = await Repository(GlobalName).ResolveAsync(global + "^", cancellationToken);
        await SwitchAsync(new(marker.Subcluster, old!.Value.Hex, oldGlobal!.Value.Hex, marker.Deleted, []), mine.Value.Hex, global.Value.Hex, [], null, cancellationToken);
    }

    private void DeleteVersions(string path)
    {
        foreach (var ending in new[] { ".mine", ".base", ".theirs" })
            File.Delete(Path.Combine(Conf, path + ending));
    }
}
