using System.Globalization;
using System.Text;

namespace Veredus.ConfigServer;

public sealed partial class WorkingCopy
{
    /// <summary>Takes a revision's change back with a new commit on top; later changes to other lines stay.</summary>
    /// <param name="which">From the subcluster's part to the revision; null = the last one.</param>
    /// <returns>Null when nothing of it is left.</returns>
    public async Task<Committed?> TakeBackAsync(Remote remote, Func<TreePart, Task<CommitId?>> which, CommitAuthor author, CancellationToken cancellationToken)
    {
        var part = Part(RequireMarker(), false);
        var what = await which(part);
        return await EditTipAsync(remote, part, author, async tip =>
        {
            var revision = what ?? tip;
            var before = await part.Repository.ResolveAsync(revision.Hex + "^", cancellationToken) ?? throw new EccfgException("the first revision can't be taken back.");
            // The change backwards: from the revision to its parent, merged onto the tip.
            var at = author.At;
            var origin = await part.Repository.CommitTreeAsync(revision.Hex + "^{tree}", [], "origin", "eccfg", "eccfg", at, cancellationToken);
            var mine = await part.Repository.CommitTreeAsync(tip.Hex + "^{tree}", [origin], "tip", "eccfg", "eccfg", at, cancellationToken);
            var theirs = await part.Repository.CommitTreeAsync(before.Hex + "^{tree}", [origin], "before", "eccfg", "eccfg", at, cancellationToken);
            var merge = await TreeMerge.RunAsync(part.Repository, origin, mine, theirs, ConflictChoice.Refuse, cancellationToken);
            return merge.Conflicts.Count == 0 ? merge.Tree
                : throw new EccfgException(EccfgExit.Conflict, $"later revisions have changed the same lines: {string.Join(", ", merge.Conflicts)}; edit them and commit.");
        }, cancellationToken, tip => $"{(string.IsNullOrWhiteSpace(author.Message) ? $"take back {(what ?? tip).Short}" : author.Message)}\n\n{Confirmation.Undoes}: {(what ?? tip).Hex}\n");
    }

    /// <summary>Confirms the commit at the tip that waits for it, by a commit without files.</summary>
    public async Task<CommitId> KeepAsync(Remote remote, CommitAuthor author, CancellationToken cancellationToken)
    {
        foreach (var part in new[] { Part(RequireMarker(), false), Part(RequireMarker(), true) })
        {
            var tip = await remote.FetchAsync(part.Repository, part.Name, cancellationToken);
            if (await Confirmation.OfAsync(part.Repository, tip, cancellationToken) is null)
                continue;
            var commit = await part.Repository.CommitTreeAsync(tip.Hex + "^{tree}", [tip], $"keep {tip.Short}\n\n{Confirmation.Keeps}: {tip.Hex}\n", author.User, $"eccfg {author.Node}", author.At, cancellationToken);
            return await remote.PushAsync(part.Repository, part.Name, commit, force: true, cancellationToken) ? tip
                : throw new EccfgException(EccfgExit.Conflict, $"{tip.Short} was taken back meanwhile, or confirmed.");
        }
        throw new EccfgException(EccfgExit.Conflict, "no commit waits to be kept; it may have been taken back already ('eccfg log').");
    }

    /// <summary>Saves text as the node's running configuration on the branch <c>running/NODE</c>.</summary>
    /// <returns>False when the branch has it already.</returns>
    public async Task<bool> PutRunningAsync(Remote remote, string node, string text, CommitAuthor author, CancellationToken cancellationToken)
    {
        var part = Part(RequireMarker(), false);
        var branch = $"refs/heads/running/{node}";
        var before = await remote.TryFetchAsync(part.Repository, part.Name, branch, cancellationToken);
        var blob = await part.Repository.WriteBlobAsync(Encoding.UTF8.GetBytes(text), cancellationToken);
        var tree = await part.Repository.EditTreeAsync(EmptyTree, [new("100644", blob, "running.conf", -1)], [], cancellationToken);
        if (before is { } old && (await part.Repository.DiffAsync(old.Hex, tree, cancellationToken)).Count == 0)
            return false;
        var commit = await part.Repository.CommitTreeAsync(tree, before is { } parent ? [parent] : [], $"running configuration of {node}", author.User, $"eccfg {author.Node}", author.At, cancellationToken);
        await remote.OfferAsync(part.Repository, part.Name, commit, cancellationToken, branch);
        return true;
    }

    /// <summary>Makes the working copy anew. What differed is kept: as a patch where the old base is known, and the old tree as it is.</summary>
    public async Task<(string? Patch, string? Old)> RepairAsync(Remote remote, string subcluster, CancellationToken cancellationToken)
    {
        var kept = Path.Combine(etc, ".eccfg", "repair-" + DateTimeOffset.UtcNow.ToString("yyyyMMdd-HHmmss-fff", CultureInfo.InvariantCulture));
        RemoveLeftovers();
        if (!Directory.Exists(Conf))
        {
            await BootstrapAsync(remote, subcluster, cancellationToken);
            return (null, null);
        }
        // The repositories may be what is damaged: they come anew as well.
        Directory.CreateDirectory(kept);
        foreach (var name in new[] { GlobalName, subcluster })
            if (Directory.Exists(Repository(name).Directory))
                Directory.Move(Repository(name).Directory, Path.Combine(kept, name + ".git"));
        var global = await remote.FetchAsync(Repository(GlobalName), GlobalName, cancellationToken);
        var tip = await remote.FetchAsync(Repository(subcluster), subcluster, cancellationToken);
        var marker = new Marker(subcluster, tip.Hex, global.Hex, [], []);
        var patch = new StringBuilder();
        foreach (var isGlobal in new[] { false, true })
        {
            var part = Part(marker, isGlobal);
            patch.Append(await part.Repository.RunAsync(["diff", "--no-color", "--binary", $"--src-prefix=a/{part.Prefix}", $"--dst-prefix=b/{part.Prefix}", part.Base.Hex, await SnapshotAsync(part, cancellationToken)], cancellationToken));
        }
        var file = Path.Combine(kept, "local-changes.patch");
        if (patch.Length > 0)
            AtomicFile.Write(file, Encoding.UTF8.GetBytes(patch.ToString()));
        // The old tree leaves the name that the new one takes; a crash between is mended by the next repair.
        Directory.Move(Conf, Path.Combine(kept, "conf"));
        await SwitchAsync(marker, tip.Hex, global.Hex, [], null, cancellationToken);
        return patch.Length > 0 ? (file, Path.Combine(kept, "conf")) : (null, null);
    }
}
