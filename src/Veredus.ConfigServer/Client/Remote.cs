using System.Text;

namespace Veredus.ConfigServer;

/// <summary>A configuration server as git sees it.</summary>
/// <param name="BaseUrl">The repositories are <c>BaseUrl/NAME.git</c>.</param>
/// <param name="Environment">How git gets credentials and the pinned certificate.</param>
public sealed record Remote(string BaseUrl, IReadOnlyDictionary<string, string> Environment)
{
    private const string Fetched = "refs/eccfg/main";
    /// <summary>Begin the words of a server that takes no commit at all now, or not for the moment.</summary>
    internal const string Refused = "refused: ", RefusedNow = "refused for now: ";

    /// <summary>Servers of repositories whose master is another one: each repository elects its own.</summary>
    public IReadOnlyDictionary<string, ServerLink> Elsewhere { get; init; } = new Dictionary<string, ServerLink>();

    public static Remote Local(string directory) => new(directory, new Dictionary<string, string>());

    /// <param name="certificateFile">The server's certificate (PEM), pinned.</param>
    public static Remote Https(string host, int port, string user, string password, string certificateFile) => new($"https://{host}:{port}/config", GitSettings(
        ("http.sslCAInfo", certificateFile),
        ("http.extraHeader", "Authorization: Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}"))),
        ("http.lowSpeedLimit", "1"), ("http.lowSpeedTime", "30"), ("http.followRedirects", "false"), ("http.proxy", "")));

    /// <summary>Settings for one git through its environment, where other users can't read them.</summary>
    public static IReadOnlyDictionary<string, string> GitSettings(params (string Name, string Value)[] settings)
    {
        var environment = new Dictionary<string, string> { ["GIT_CONFIG_COUNT"] = settings.Length.ToString(System.Globalization.CultureInfo.InvariantCulture) };
        foreach (var (setting, i) in settings.Select((setting, i) => (setting, i)))
            (environment[$"GIT_CONFIG_KEY_{i}"], environment[$"GIT_CONFIG_VALUE_{i}"]) = setting;
        return environment;
    }

    public string UrlOf(string name) => $"{Of(name).BaseUrl}/{name}.git";

    private Remote Of(string name) => Elsewhere.TryGetValue(name, out var link) ? link.Remote : this;

    /// <summary>Gets <c>main</c>, or one commit, and what it consists of.</summary>
    public async Task<CommitId> FetchAsync(GitRepository repository, string name, CancellationToken cancellationToken, string? commit = null)
    {
        if (!repository.Exists)
            await repository.InitAsync(cancellationToken);
        var (exitCode, _, errors) = await repository.With(Of(name).Environment).TryAsync(
            ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", UrlOf(name), $"+{commit ?? "refs/heads/main"}:{Fetched}"], cancellationToken);
        if (exitCode != 0)
            throw Explain(name, errors);
        return await repository.ResolveAsync(Fetched, cancellationToken) ?? throw new EccfgException($"The server's repository {name} is empty.");
    }

    /// <summary>Gets a branch that may not exist; null when it does not.</summary>
    public async Task<CommitId?> TryFetchAsync(GitRepository repository, string name, string branch, CancellationToken cancellationToken)
    {
        var (exitCode, output, errors) = await repository.With(Of(name).Environment).TryAsync(["ls-remote", UrlOf(name), branch], cancellationToken);
        if (exitCode != 0)
            throw Explain(name, errors);
        return output.Length == 0 ? null : await FetchAsync(repository, name, cancellationToken, branch);
    }

    /// <summary>Puts a commit on a server, to be looked at, or as a branch other than <c>main</c>.</summary>
    public async Task OfferAsync(GitRepository repository, string name, CommitId commit, CancellationToken cancellationToken, string? branch = null)
    {
        var (exitCode, _, errors) = await repository.With(Of(name).Environment).TryAsync(["push", "--quiet", "--porcelain", UrlOf(name), $"{commit.Hex}:{branch ?? PushGate.Candidates + commit.Hex}"], cancellationToken);
        if (exitCode != 0)
            throw Explain(name, errors);
    }

    /// <summary>Offers a commit as the new <c>main</c>.</summary>
    /// <returns>False when <c>main</c> has moved meanwhile.</returns>
    public async Task<bool> PushAsync(GitRepository repository, string name, CommitId commit, bool force, CancellationToken cancellationToken)
    {
        string[] options = force ? ["--push-option=force"] : [];
        var (exitCode, _, errors) = await repository.With(Of(name).Environment).TryAsync(["push", "--quiet", "--porcelain", .. options, UrlOf(name), $"{commit.Hex}:refs/heads/main"], cancellationToken);
        if (exitCode == 0)
            return true;
        if (errors.Contains("fetch first", StringComparison.Ordinal) || errors.Contains("non-fast-forward", StringComparison.Ordinal) || errors.Contains("failed to update ref", StringComparison.Ordinal) || errors.Contains("cannot lock ref", StringComparison.Ordinal))
            return false;
        var tip = await FetchAsync(repository, name, cancellationToken);  // the answer may have been lost, not the push
        return tip == commit ? true : throw Explain(name, errors);
    }

    /// <summary>What git's messages mean; the server's own words (<c>remote:</c>) and its address are no evidence: they may contain any word and number.</summary>
    internal EccfgException Explain(string name, string errors)
    {
        var lines = errors.Split('\n').ToLookup(line => line.StartsWith("remote: ", StringComparison.Ordinal));
        var said = string.Join('\n', lines[true].Select(line => line[8..].TrimEnd())).Trim();
        var server = Of(name).BaseUrl;
        var own = string.Join('\n', lines[false]).Replace(server, "", StringComparison.Ordinal);
        bool Has(string text) => own.Contains(text, StringComparison.OrdinalIgnoreCase);
        bool Answered(int status) => Has($"returned error: {status}") || Has($"HTTP {status}");
        if (said.StartsWith(Refused, StringComparison.Ordinal))
            return new(EccfgExit.Conflict, said[Refused.Length..]);
        if (said.StartsWith(RefusedNow, StringComparison.Ordinal))
            return new TryAgainException(said[RefusedNow.Length..]);
        if (Answered(307))
            return new TryAgainException($"{server} is not the master of {name} any more; {Replica.TryAgain}");
        if (Answered(401) || Has("Authentication failed") || Has("could not read Username"))
            return new(EccfgExit.NotAllowed, "wrong user name or password.");
        if (Answered(403))
            return new(EccfgExit.NotAllowed, said.Length > 0 ? said : $"you may not write to {name}.");
        if (Answered(429))
            return new(EccfgExit.NotAllowed, "too many wrong passwords; wait a minute.");
        if (Answered(404) || Has("not found") || Has("does not appear to be a git repository"))
            return new(EccfgExit.Failed, $"{UrlOf(name)} does not exist; 'eccfg subcluster clusters' lists what does.");
        if (Has("expired"))
            return new UntrustedServerException($"server certificate expired (host {server}).");
        if (Has("certificate") || Has("SSL"))
            return new UntrustedServerException($"{server} does not have the certificate that was pinned: {errors.Trim()}");
        if (Has("Failed to connect") || Has("resolve host") || Has("timed out") || Has("Connection refused") || Has("unable to access"))
            return new(EccfgExit.Unreachable, $"{server} can't be reached: {errors.Trim()}");
        if (Has("No space left"))
            return new(EccfgExit.Failed, "not enough space.");
        return new(EccfgExit.Failed, said.Length > 0 ? said : errors.Trim());
    }
}
