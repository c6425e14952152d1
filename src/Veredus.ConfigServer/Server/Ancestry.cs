namespace Veredus.ConfigServer;

/// <summary>Whether a history contains a mark: by descent, or because a resolution in it names the mark in a trailer <c>Resolves:</c>.</summary>
public static class Ancestry
{
    public const string Trailer = "Resolves";

    public static async Task<bool> ContainsAsync(GitRepository repository, CommitId history, string mark, CancellationToken cancellationToken)
    {
        if (mark == history.Hex)
            return true;
        var (pending, seen) = (new Queue<string>([history.Hex]), new HashSet<string>());
        while (pending.TryDequeue(out var at))
        {
            if (!seen.Add(at) || await repository.ResolveAsync(at, cancellationToken) is null)
                continue;
            if (CommitId.IsValid(mark) && await repository.IsAncestorAsync(mark, at, cancellationToken))
                return true;
            var resolved = (await repository.RunAsync(["log", $"--format=%(trailers:key={Trailer},valueonly,unfold)", at], cancellationToken))
                .Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            if (resolved.Contains(mark))
                return true;
            foreach (var commit in resolved.Where(CommitId.IsValid))
                pending.Enqueue(commit);
        }
        return false;
    }
}
