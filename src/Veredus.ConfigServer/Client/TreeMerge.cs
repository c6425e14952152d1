using System.Text;

namespace Veredus.ConfigServer;

/// <summary>What to do with changes of both sides to the same lines.</summary>
public enum ConflictChoice
{
    /// <summary>Nothing is changed; the files are named.</summary>
    Refuse,
    Mine,
    Theirs,
    /// <summary>Both versions are left in the file, marked.</summary>
    Manual,
}

/// <summary>Merges local changes onto a new revision, without a working tree.</summary>
/// <param name="Tree">The merged tree.</param>
/// <param name="Conflicts">Paths whose lines both sides have changed; what the tree has for them follows the choice.</param>
/// <param name="Extra">For a manual merge: the three versions of each.</param>
internal sealed record TreeMerge(string Tree, IReadOnlyList<string> Conflicts, IReadOnlyList<WorkingCopy.ExtraFile> Extra)
{
    /// <param name="mine">A commit whose parent is the base, with the local files.</param>
    /// <param name="theirs">The new tip.</param>
    public static async Task<TreeMerge> RunAsync(GitRepository repository, CommitId baseCommit, CommitId mine, CommitId theirs, ConflictChoice choice, CancellationToken cancellationToken)
    {
        var (exitCode, output, errors) = await repository.TryAsync(["merge-tree", "--write-tree", "--no-messages", "--name-only", "-z", mine.Hex, theirs.Hex], cancellationToken);
        if (exitCode is not (0 or 1))
            throw new GitException("merge-tree", exitCode, errors);
        var words = Encoding.UTF8.GetString(output).Split('\0', StringSplitOptions.RemoveEmptyEntries);
        var (tree, conflicts) = (words[0].Trim(), words.Skip(1).ToList());
        if (conflicts.Count == 0 || choice == ConflictChoice.Refuse)
            return new(tree, conflicts, []);
        var sides = new List<Dictionary<string, TreeEntry>>();
        foreach (var side in new[] { mine, baseCommit, theirs })
            sides.Add((await repository.ListAsync(side.Hex, cancellationToken)).ToDictionary(entry => entry.Path));
        var (put, remove, extra) = (new List<TreeEntry>(), new List<string>(), new List<WorkingCopy.ExtraFile>());
        foreach (var path in conflicts)
        {
            var (our, old, their) = (sides[0].GetValueOrDefault(path), sides[1].GetValueOrDefault(path), sides[2].GetValueOrDefault(path));
            var chosen = choice == ConflictChoice.Mine ? our : their;
            if (our is not null && their is not null)
            {
                var versions = await Task.WhenAll(new[] { our, old, their }.Select(async entry => entry is null ? [] : await repository.ReadBlobAsync(entry.Blob, cancellationToken)));
                if (await MergeFileAsync(repository, versions, choice, cancellationToken) is { } merged)
                    chosen = our with { Blob = await repository.WriteBlobAsync(merged, cancellationToken) };
                if (choice == ConflictChoice.Manual)
                    extra.AddRange([new(path + ".mine", versions[0]), new(path + ".base", versions[1]), new(path + ".theirs", versions[2])]);
            }
            else if (choice == ConflictChoice.Manual)
                chosen = our ?? their;
            if (chosen is null)
                remove.Add(path);
            else
                put.Add(chosen with { Path = path });
        }
        return new(await repository.EditTreeAsync(tree, put, remove, cancellationToken), conflicts, extra);
    }

    /// <summary>Merges three versions of a file; null for what is no text.</summary>
    private static async Task<byte[]?> MergeFileAsync(GitRepository repository, byte[][] versions, ConflictChoice choice, CancellationToken cancellationToken)
    {
        var directory = Directory.CreateTempSubdirectory("eccfg").FullName;
        try
        {
            string[] names = ["mine", "base", "theirs"];
            for (var i = 0; i < 3; i++)
                await File.WriteAllBytesAsync(Path.Combine(directory, names[i]), versions[i], cancellationToken);
            string[] favour = choice switch { ConflictChoice.Mine => ["--ours"], ConflictChoice.Theirs => ["--theirs"], _ => [] };
            var (exitCode, output, _) = await repository.TryAsync(
                ["merge-file", "-p", .. favour, "-L", "mine", "-L", "base", "-L", "theirs", .. names.Select(name => Path.Combine(directory, name))], cancellationToken);
            return exitCode is >= 0 and < 128 ? output : null;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
