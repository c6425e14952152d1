namespace Veredus.Configuration;

/// <summary>Directories where configuration files are looked for, in order; the first that has the file wins (configuration.md section 3).</summary>
public sealed record SearchPath(IReadOnlyList<string> Directories)
{
    /// <param name="etc">The etc directory, e.g. <c>/etc/veredus</c>.</param>
    /// <param name="nodeName">Name of the node; null = the short host name in lower case.</param>
    /// <param name="environment">Looks a variable up: VEREDUS_CONF_SEARCH_PATH, or EC_CONF_SEARCH_PATH as its old name, replaces the default.</param>
    public static SearchPath Create(string etc, string? nodeName = null, Func<string, string?>? environment = null)
    {
        environment ??= System.Environment.GetEnvironmentVariable;
        var text = environment("VEREDUS_CONF_SEARCH_PATH") ?? environment("EC_CONF_SEARCH_PATH");
        if (string.IsNullOrEmpty(text))
            text = $"{etc}:{etc}/conf/global:{etc}/conf/{{NODENAME}}:{etc}/conf/default";
        nodeName ??= environment("VEREDUS_NODE_NAME") ?? environment("EC_NODE_NAME") ?? System.Environment.MachineName.Split('.')[0].ToLowerInvariant();
        return new([.. text.Replace("{NODENAME}", nodeName, StringComparison.Ordinal).Split(':', StringSplitOptions.RemoveEmptyEntries)]);
    }

    /// <summary>The first existing file or directory of this name, or null. <paramref name="from"/>: directory of the including file, tried first.</summary>
    public string? Find(IConfigurationFiles files, string name, string? from)
    {
        if (Path.IsPathRooted(name))
            return files.Kind(name) == FileKind.Missing ? null : name;
        foreach (var directory in from is null ? Directories : [from, .. Directories])
        {
            var path = directory.Length == 0 ? name : Path.Combine(directory, name);
            if (files.Kind(path) != FileKind.Missing)
                return path;
        }
        return null;
    }

    public override string ToString() => string.Join(':', Directories);
}
