namespace Veredus.ConfigServer;

/// <summary>A line of <c>eccfg status</c>. <paramref name="Kind"/>: A M D ? ! C.</summary>
public sealed record LocalChange(char Kind, string Path);

/// <summary>
/// The one working copy of a host. Two repositories lie in it: the subcluster's at its root, <c>global</c> below <c>global/</c>; their git
/// directories are outside, in <c>ETC/.eccfg</c>. Files and revision change together by one exchange of names.
/// </summary>
/// <param name="etc">E.g. <c>/etc/veredus</c>.</param>
/// <param name="conf">The working copy, e.g. <c>/etc/veredus/conf</c>; on the same file system as its parent.</param>
/// <param name="step">Called before each step that a crash may cut off; tests stop there.</param>
public sealed partial class WorkingCopy(string etc, string conf, Func<string, Task>? step = null)
{
    public const string GlobalName = "global";

    public string Etc => etc;

    /// <summary>Where the files are.</summary>
    public string Conf { get; } = Path.GetFullPath(conf).TrimEnd('/');

    public string StateDirectory => Path.Combine(etc, ".eccfg");

    /// <summary>The git directory of a repository.</summary>
    public GitRepository Repository(string name) => new(Path.Combine(StateDirectory, name + ".git"));

    /// <exception cref="EccfgException">There is no working copy.</exception>
    public Marker RequireMarker() => Marker.Read(Conf) ?? throw new EccfgException($"{Conf} is no working copy; make one with 'eccfg bootstrap'.");

    /// <summary>Local changes against the base revisions, by path.</summary>
    public async Task<IReadOnlyList<LocalChange>> StatusAsync(CancellationToken cancellationToken)
    {
        var marker = RequireMarker();
        var changes = new List<LocalChange>();
        foreach (var isGlobal in new[] { false, true })
        {
            var part = Part(marker, isGlobal);
            var tree = await SnapshotAsync(part, cancellationToken);
            foreach (var change in await part.Repository.DiffAsync(part.Base.Hex, tree, cancellationToken))
            {
                var path = part.Prefix + change.Path;
                changes.Add(new(marker.Conflicts.Contains(path) ? 'C' : change.Kind switch
                {
                    'A' => '?',
                    'D' => marker.Deleted.Contains(path) ? 'D' : '!',
                    _ => 'M',
                }, path));
            }
        }
        foreach (var path in marker.Conflicts.Where(path => changes.All(change => change.Path != path)))
            changes.Add(new('C', path));
        changes.Sort((left, right) => string.CompareOrdinal(left.Path, right.Path));
        return changes;
    }

    /// <summary>One of the two repositories in a working copy.</summary>
    /// <param name="Prefix">Empty, or <c>global/</c>.</param>
    public sealed record TreePart(string Name, GitRepository Repository, string Prefix, string Root, CommitId Base);

    internal TreePart Part(Marker marker, bool isGlobal)
    {
        var name = isGlobal ? GlobalName : marker.Subcluster;
        return new(name, Repository(name), isGlobal ? GlobalName + "/" : "", isGlobal ? Path.Combine(Conf, GlobalName) : Conf, marker.BaseOf(isGlobal));
    }

    /// <summary>The tree of the files as they lie there, leftovers of conflicts left out; its objects are written to the repository.</summary>
    internal static async Task<string> SnapshotAsync(TreePart part, CancellationToken cancellationToken)
    {
        IReadOnlyList<LocalFile> files = Directory.Exists(part.Root) ? Worktree.Scan(part.Root, part.Prefix.Length == 0 ? [GlobalName] : []) : [];
        files = [.. files.Where(file => !IsConflictLeftover(part.Root, file.Path))];
        var plain = files.Where(file => file.Mode != "120000").ToList();
        var paths = System.Text.Encoding.UTF8.GetBytes(string.Concat(plain.Select(file => Quote(Path.Combine(part.Root, file.Path)) + "\n")));
        var blobs = plain.Count == 0 ? [] : (await part.Repository.RunAsync(["hash-object", "-w", "--no-filters", "--stdin-paths"], cancellationToken, paths)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (blobs.Length != plain.Count)
            throw new EccfgException("A file vanished while it was read; try again.");
        var entries = plain.Zip(blobs, (file, blob) => new TreeEntry(file.Mode, blob, file.Path, file.Size)).ToList();
        foreach (var link in files.Where(file => file.Mode == "120000"))
        {
            var target = new FileInfo(Path.Combine(part.Root, link.Path)).LinkTarget ?? "";
            entries.Add(new("120000", await part.Repository.WriteBlobAsync(System.Text.Encoding.UTF8.GetBytes(target), cancellationToken), link.Path, target.Length));
        }
        return await part.Repository.EditTreeAsync(EmptyTree, entries, [], cancellationToken);
    }

    /// <summary>git's name for a tree without files.</summary>
    internal const string EmptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

    // hash-object takes a path in quotes as C does; a bare one may not begin with a quote.
    private static string Quote(string path) => path.AsSpan().ContainsAny('"', '\\') || path.Any(char.IsControl)
        ? '"' + path.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\t", "\\t", StringComparison.Ordinal) + '"' : path;

    private static bool IsConflictLeftover(string root, string path) =>
        (path.EndsWith(".mine", StringComparison.Ordinal) || path.EndsWith(".theirs", StringComparison.Ordinal) || path.EndsWith(".base", StringComparison.Ordinal))
        && File.Exists(Path.Combine(root, Path.ChangeExtension(path, null)));

    private Task StepAsync(string name) => step?.Invoke(name) ?? Task.CompletedTask;
}
