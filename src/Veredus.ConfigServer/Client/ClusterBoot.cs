namespace Veredus.ConfigServer;

/// <summary>What follows a new revision in the repository.</summary>
public enum AutoUpdate
{
    /// <summary>Applied, merged with local changes that don't conflict.</summary>
    True,
    /// <summary>Applied when there are no local changes.</summary>
    IfUnchanged,
    /// <summary>Only by hand.</summary>
    False,
}

/// <summary><c>cluster.boot</c>: who this host is, and where its configuration comes from.</summary>
public sealed record ClusterBoot(
    string ClusterName, string NodeName, AutoUpdate AutoUpdate = AutoUpdate.True, IReadOnlyList<string>? Repo = null, bool ReloadConfigOnUpdate = true, string? FirstServer = null)
{
    public const string FileName = "cluster.boot";

    /// <exception cref="EccfgException">A line that is none, an unknown value, a name that can't be one.</exception>
    public static ClusterBoot Parse(string text, string path)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (line, number) in text.Split('\n').Select((line, i) => (line.Trim(), i + 1)))
        {
            if (line.Length == 0 || line[0] == '#')
                continue;
            var at = line.IndexOf('=', StringComparison.Ordinal);
            if (at <= 0)
                throw new EccfgException($"{path}:{number}: '{line}' is not key=value.");
            values[line[..at].Trim()] = line[(at + 1)..].Trim();
        }
        return new(
            CheckName(values.GetValueOrDefault("cluster_name", "default"), "cluster_name"),
            CheckName(values.GetValueOrDefault("node_name", Environment.MachineName.Split('.')[0].ToLowerInvariant()), "node_name"),
            values.GetValueOrDefault("autoupdate", "true") switch
            {
                "true" => AutoUpdate.True,
                "ifunchanged" => AutoUpdate.IfUnchanged,
                "false" => AutoUpdate.False,
                var other => throw new EccfgException($"{path}: autoupdate is true, ifunchanged or false, not '{other}'."),
            },
            values.GetValueOrDefault("repo", "auto").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
            values.GetValueOrDefault("reload_config_on_update", "true") is "true" or "1" or "yes" or "on",
            values.GetValueOrDefault("ecconfigd.1"));
    }

    /// <summary>The name of a subcluster or node: a directory and a repository are called so.</summary>
    /// <exception cref="EccfgException">Not lower-case letters, digits, '-', '_', '.' with a letter or digit in front, or longer than 63.</exception>
    public static string CheckName(string name, string what) =>
        name.Length is > 0 and <= 63 && char.IsAsciiLetterOrDigit(name[0]) && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_' or '.')
            && !name.EndsWith(".git", StringComparison.Ordinal) && !name.EndsWith(".lock", StringComparison.Ordinal) && !name.Contains("..", StringComparison.Ordinal)
            ? name : throw new EccfgException(EccfgExit.Usage, $"{what} '{name}' is no name: lower-case letters, digits, '-', '_' and '.', at most 63.");

    public override string ToString() => $"""
        # Written by eccfg bootstrap.
        cluster_name={ClusterName}
        node_name={NodeName}
        autoupdate={AutoUpdate.ToString().ToLowerInvariant()}
        repo={string.Join(',', Repo ?? ["auto"])}
        reload_config_on_update={(ReloadConfigOnUpdate ? "true" : "false")}
        {(FirstServer is null ? "" : $"ecconfigd.1={FirstServer}\n")}
        """;
}
