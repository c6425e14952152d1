using Veredus.Configuration;

namespace Veredus.ConfigServer;

/// <summary>Whether a tree of configuration loads: for every node that has a directory of its own, and for a node without one.</summary>
public static class TreeValidator
{
    private const string Root = "/conf";
    private static readonly string[] NoNodes = ["global", "default"];

    /// <summary>Checks files that lie in a directory, as if it were the working copy already.</summary>
    /// <param name="etc">Where <c>cluster.boot</c> lies.</param>
    /// <param name="conf">The working copy's name; messages show it.</param>
    /// <param name="directory">Where the files are now.</param>
    /// <returns>What is wrong, one finding an entry; empty = it loads.</returns>
    public static IReadOnlyList<string> CheckDirectory(string etc, string conf, string directory, string nodeName) =>
        CheckNode(new MovedFiles(conf, directory), etc, conf, nodeName, isKnownNode: true);

    /// <summary>Files on disk, those of the working copy read from another directory: a revision that is not in place yet.</summary>
    public static IConfigurationFiles Moved(string conf, string directory) => new MovedFiles(conf, directory);

    /// <summary>Checks trees of a repository, without a host: what only a host has (files beside the working copy, certificates) is not looked at.</summary>
    /// <param name="files">Content by path relative to the working copy.</param>
    public static IReadOnlyList<string> CheckTree(IReadOnlyDictionary<string, byte[]> files)
    {
        var tree = new TreeFiles(files);
        var nodes = files.Keys.Where(path => path.Count(c => c == '/') == 1 && path.EndsWith(".conf", StringComparison.Ordinal)).Select(path => path[..path.IndexOf('/', StringComparison.Ordinal)])
            .Except(NoNodes).Distinct().Order(StringComparer.Ordinal);
        return [.. CheckNode(tree, "", Root, "(any other node)", isKnownNode: false).Concat(nodes.SelectMany(node => CheckNode(tree, "", Root, node, isKnownNode: true)))
            .Select(finding => finding.Replace(Root + "/", "", StringComparison.Ordinal)).Distinct().Take(50)];
    }

    private static IEnumerable<string> Check(ConfigurationLoader loader, bool isKnownNode)
    {
        if (loader.LocateNodeFile() is not { } main)
            return [];
        // A node that has no directory here may have its files elsewhere; an absolute path is the host's own.
        return loader.Load(main).Errors.Where(error => error.Code != "CFG-0401" || (isKnownNode && !Path.IsPathRooted(error.Near))).Select(error => error.ToString());
    }

    private static List<string> CheckNode(IConfigurationFiles files, string etc, string conf, string nodeName, bool isKnownNode)
    {
        string[] directories = [$"{conf}/global", $"{conf}/{nodeName}", $"{conf}/default"];
        return [.. Check(new(files, new(etc.Length == 0 ? directories : [etc, .. directories])), isKnownNode)];
    }

    /// <summary>Files on disk that will lie elsewhere.</summary>
    private sealed class MovedFiles(string conf, string directory) : IConfigurationFiles
    {
        public FileKind Kind(string path) => DiskFiles.Instance.Kind(Moved(path));
        public IEnumerable<string> List(string path) => DiskFiles.Instance.List(Moved(path));
        public byte[] Read(string path, int limit) => DiskFiles.Instance.Read(Moved(path), limit);
        public string Identity(string path) => DiskFiles.Instance.Identity(Moved(path));
        private string Moved(string path) => path.StartsWith(conf + "/", StringComparison.Ordinal) ? directory + path[conf.Length..] : path;
    }

    private sealed class TreeFiles(IReadOnlyDictionary<string, byte[]> files) : IConfigurationFiles
    {
        private readonly HashSet<string> _directories = [.. files.Keys.SelectMany(Parents)];

        public FileKind Kind(string path) => Inside(path) is not { } inside ? FileKind.Missing
            : files.ContainsKey(inside) ? FileKind.File : _directories.Contains(inside) ? FileKind.Directory : FileKind.Missing;

        public IEnumerable<string> List(string directory) =>
            files.Keys.Where(path => path.StartsWith(Inside(directory) + "/", StringComparison.Ordinal)).Select(path => path[(Inside(directory)!.Length + 1)..]).Where(name => !name.Contains('/', StringComparison.Ordinal));

        public byte[] Read(string path, int limit) => files[Inside(path)!];

        public string Identity(string path) => Inside(path) ?? path;

        private static string? Inside(string path) => Path.IsPathRooted(path) && Path.GetFullPath(path) is var full && full.StartsWith(Root + "/", StringComparison.Ordinal) ? full[(Root.Length + 1)..] : null;

        private static IEnumerable<string> Parents(string path)
        {
            for (var at = path.LastIndexOf('/'); at > 0; at = path.LastIndexOf('/', at - 1))
                yield return path[..at];
        }
    }
}
