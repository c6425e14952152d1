namespace Veredus.ConfigServer;

/// <summary>The bare repositories of one configuration server: one a subcluster, and <c>global</c>.</summary>
public sealed class RepositoryStore(string root)
{
    /// <summary>The hook hands the push over to the server that started it, and waits for its word.</summary>
    private const string Hook = """
        #!/bin/sh
        # Written by ecconfigd. A push that does not come through it is refused.
        [ -p "$VEREDUS_PUSH/ask" ] || { echo "Push over HTTPS to the configuration server, not here." >&2; exit 1; }
        { echo "quarantine $GIT_QUARANTINE_PATH"; echo "option ${GIT_PUSH_OPTION_0:-}"; while read -r line; do echo "ref $line"; done; echo end; } > "$VEREDUS_PUSH/ask"
        verdict=1
        while IFS= read -r line; do
          case "$line" in
            "+ok") verdict=0; break ;;
            "+no") break ;;
            *) printf '%s\n' "$line" >&2 ;;
          esac
        done < "$VEREDUS_PUSH/answer"
        exit $verdict
        """;

    /// <summary>Of every repository here. Files that are larger than any that is taken are looked at in pieces: what somebody sends is never all in memory.</summary>
    private static readonly (string Name, string Value)[] s_settings =
    [
        ("receive.denyNonFastForwards", "true"), ("receive.denyDeletes", "true"), ("receive.fsckObjects", "true"), ("receive.maxInputSize", "128m"),
        ("receive.advertisePushOptions", "true"), ("http.receivepack", "true"), ("core.fsync", "all"), ("gc.auto", "0"), ("core.logAllRefUpdates", "true"),
        ("uploadpack.allowAnySHA1InWant", "true"), ("core.bigFileThreshold", "17m"), ("receive.keepAlive", "1"),
    ];

    public string Root => root;

    public GitRepository Open(string name) => new(Path.Combine(root, name + ".git"));

    public bool Has(string name) => Open(name).Exists;

    /// <summary>Names of all repositories, <c>global</c> included, sorted.</summary>
    public IReadOnlyList<string> Names() => Directory.Exists(root)
        ? [.. Directory.EnumerateDirectories(root, "*.git").Select(path => Path.GetFileNameWithoutExtension(path)).Order(StringComparer.Ordinal)] : [];

    /// <summary>
    /// Makes a repository with its first commit, an empty one that is the same on every server: servers that were set up apart
    /// from each other agree as long as nobody has committed.
    /// </summary>
    public async Task<GitRepository> CreateAsync(string name, CancellationToken cancellationToken)
    {
        ClusterBoot.CheckName(name, "subcluster");
        var repository = Open(name);
        await repository.InitAsync(cancellationToken);
        await SetAsync(repository, cancellationToken);
        var hook = Path.Combine(repository.Directory, "hooks", "pre-receive");
        Directory.CreateDirectory(Path.GetDirectoryName(hook)!);
        AtomicFile.Write(hook, System.Text.Encoding.ASCII.GetBytes(Hook), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (await repository.ResolveAsync("refs/heads/main", cancellationToken) is null)
        {
            var tree = await repository.EditTreeAsync(await EmptyTreeAsync(repository, cancellationToken), [], [], cancellationToken);
            var first = await repository.CommitTreeAsync(tree, [], "empty", "ecconfigd", "ecconfigd", DateTimeOffset.UnixEpoch, cancellationToken);
            await repository.RunAsync(["update-ref", "refs/heads/main", first.Hex, CommitId.None.Hex], cancellationToken);
        }
        return repository;
    }

    private static async Task SetAsync(GitRepository repository, CancellationToken cancellationToken)
    {
        var lines = (await repository.RunAsync(["config", "--local", "--list"], cancellationToken)).Split('\n').ToHashSet(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, value) in s_settings.Where(setting => !lines.Contains($"{setting.Name}={setting.Value}")))
            await repository.RunAsync(["config", name, value], cancellationToken);
    }

    private static async Task<string> EmptyTreeAsync(GitRepository repository, CancellationToken cancellationToken) =>
        (await repository.RunAsync(["mktree"], cancellationToken)).Trim();
}
