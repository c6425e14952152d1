using System.Globalization;

namespace Veredus.ConfigServer;

/// <summary>
/// A commit that is taken back unless somebody confirms it: its trailer <c>Confirm-Within: SECONDS</c> says so to every server, also to one that becomes master later. It
/// waits while it is the tip; a commit with <c>Keeps:</c> or <c>Undoes:</c> ends that.
/// </summary>
public static class Confirmation
{
    public const string Within = "Confirm-Within", Keeps = "Keeps", Undoes = "Undoes";

    /// <summary>How long a commit waits for its confirmation; null: it does not.</summary>
    public static async Task<TimeSpan?> OfAsync(GitRepository repository, CommitId commit, CancellationToken cancellationToken) =>
        await TrailerAsync(repository, commit.Hex, Within, cancellationToken) is { } text && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds is > 0 and <= 86_400 ? TimeSpan.FromSeconds(seconds) : null;

    /// <summary>Whether a commit ends the waiting of another.</summary>
    public static async Task<bool> EndsAsync(GitRepository repository, string commit, CommitId waiting, CancellationToken cancellationToken) =>
        await TrailerAsync(repository, commit, Keeps, cancellationToken) == waiting.Hex || await TrailerAsync(repository, commit, Undoes, cancellationToken) == waiting.Hex;

    private static async Task<string?> TrailerAsync(GitRepository repository, string commit, string name, CancellationToken cancellationToken) =>
        (await repository.RunAsync(["log", "-n", "1", $"--format=%(trailers:key={name},valueonly,unfold)", commit], cancellationToken)).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault();
}
