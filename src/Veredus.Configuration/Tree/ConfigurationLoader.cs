using System.Text;

namespace Veredus.Configuration;

/// <summary>Reads a main file with everything it includes, checks it against the schema and makes a snapshot of it.</summary>
public sealed class ConfigurationLoader(IConfigurationFiles files, SearchPath searchPath)
{
    /// <summary>Largest file that is read, in octets.</summary>
    public const int MaxFileBytes = 64 * 1024 * 1024;
    private const int MaxIncludeDepth = 32;
    private static readonly string[] SkippedEndings = ["~", ".bak", ".rpmnew", ".rpmsave"];

    internal IConfigurationFiles Files => files;

    /// <summary>Reads by the same search path from other files.</summary>
    public ConfigurationLoader With(IConfigurationFiles others) => new(others, searchPath);

    /// <summary>Path of the main file: <paramref name="name"/>, looked up along the search path. Null when there is none.</summary>
    public string? Locate(string name) => searchPath.Find(files, name, null);

    /// <summary>The main file of a node: <c>veredus.conf</c>, else <c>ecelerity.conf</c> where no <c>veredus.conf</c> exists.</summary>
    public string? LocateNodeFile() => Locate("veredus.conf") ?? Locate("ecelerity.conf");

    /// <summary>Reads a main file. Never throws for what stands in files.</summary>
    /// <param name="mainFile">A path, or a name for the search path.</param>
    /// <param name="checkResources">Whether files that options name (certificates and the like) must be there.</param>
    public LoadResult Load(string mainFile, bool checkResources = false)
    {
        var run = new Run(files, searchPath);
        return run.Load(mainFile, checkResources);
    }

    private sealed class Run(IConfigurationFiles files, SearchPath searchPath)
    {
        private readonly DiagnosticBag _diagnostics = new();
        private readonly List<string> _open = [];
        private readonly Dictionary<string, (string Path, bool ReadOnly, byte[] Hash, int Times)> _read = [];
        private TreeBuilder _builder = null!;

        public LoadResult Load(string mainFile, bool checkResources)
        {
            var origin = new SourcePosition(mainFile, 0, 0);
            _builder = new(_diagnostics, Include);
            var root = _builder.Root;
            var path = searchPath.Find(files, mainFile, null);
            if (path is null)
                _diagnostics.Error("CFG-0401", origin, "", $"No such file; looked in {searchPath}.");
            else
                ReadFile(path, origin, readOnly: false, root);
            if (root.Find(Options.LocalChangesFile) is Resolved<string?> { Value: { } local } setting)
                ReadLocalChanges(local, setting.Position, root, path ?? mainFile);
            CrossChecks.Run(root, _diagnostics);
            if (checkResources)
                CheckResources(root);
            var loaded = _read.Values.Select(f => new LoadedFile(f.Path, f.ReadOnly || f.Times > 1, f.Hash)).ToList();
            return new(_diagnostics.HasErrors ? null : new ConfigurationSnapshot(root, loaded, path ?? mainFile), _diagnostics.Items);
        }

        private void CheckResources(ScopeNode root)
        {
            foreach (var setting in root.Walk().SelectMany(n => n.Settings))
            {
                if (setting.Option.TypeText == "file" && setting.Option.Status == OptionStatus.Active && setting is Resolved<string?> { Value: { } file } && files.Kind(file) != FileKind.File)
                    _diagnostics.Error("CFG-0601", setting.Position, file, $"{setting.Option.DisplayName} names '{file}', which is no readable file.");
            }
        }

        /// <summary>A file for local changes may not exist yet: it comes with the first change.</summary>
        private void ReadLocalChanges(string local, SourcePosition position, ScopeNode root, string mainFile)
        {
            var path = Path.IsPathRooted(local) ? local : Path.Combine(Path.GetDirectoryName(mainFile) ?? "", local);
            if (files.Kind(path) == FileKind.Missing)
                return;
            if (_read.ContainsKey(files.Identity(path)))
                _diagnostics.Error("CFG-0504", position, local, $"local_changes_file '{local}' is the main file or is included; give it a file of its own.");
            else
                ReadFile(path, position, readOnly: false, root);
        }

        private void Include(IncludeStatement include, ScopeNode scope, bool readOnly)
        {
            var position = include.Position;
            var name = include.Path.StartsWith("file://", StringComparison.OrdinalIgnoreCase) ? include.Path[7..] : include.Path;
            if (name.Contains("://", StringComparison.Ordinal))
            {
                _diagnostics.Error("CFG-0405", position, include.Path, $"Can't include '{include.Path}'; only plain paths and file:// are read.");
                return;
            }
            if (name.Length == 0 || name.Contains('\0', StringComparison.Ordinal))
            {
                _diagnostics.Error("CFG-0401", position, include.Path, "include needs a file or directory name.");
                return;
            }
            if (_open.Count >= MaxIncludeDepth)
            {
                _diagnostics.Error("CFG-0404", position, include.Path, $"Includes are nested more than {MaxIncludeDepth} deep.");
                return;
            }
            var from = Path.GetDirectoryName(position.File);
            var path = searchPath.Find(files, name, from);
            if (path is null)
                _diagnostics.Error("CFG-0401", position, include.Path, $"No file or directory '{name}'; looked in '{from}' and along {searchPath}.");
            else if (files.Kind(path) == FileKind.Directory)
                IncludeDirectory(path, position, readOnly || include.ReadOnly, scope);
            else
                ReadFile(path, position, readOnly || include.ReadOnly, scope);
        }

        private void IncludeDirectory(string directory, SourcePosition position, bool readOnly, ScopeNode scope)
        {
            List<string> names;
            try
            {
                names = [.. files.List(directory).Where(IsRead)];
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                _diagnostics.Error("CFG-0402", position, directory, $"Can't list '{directory}': {e.Message}");
                return;
            }
            names.Sort(string.CompareOrdinal);
            foreach (var name in names)
                ReadFile(Path.Combine(directory, name), position, readOnly, scope);
        }

        private static bool IsRead(string name) =>
            !name.StartsWith('.') && !SkippedEndings.Any(ending => name.EndsWith(ending, StringComparison.Ordinal)) && !name.Contains(".dpkg-", StringComparison.Ordinal);

        private void ReadFile(string path, SourcePosition position, bool readOnly, ScopeNode scope)
        {
            var identity = files.Identity(path);
            if (_open.Contains(identity))
            {
                _diagnostics.Error("CFG-0403", position, path, $"Include loop: '{path}' is being read already.");
                return;
            }
            byte[] content;
            try
            {
                content = files.Read(path, MaxFileBytes);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                _diagnostics.Error("CFG-0402", position, path, $"Can't read '{path}': {e.Message}");
                return;
            }
            var times = _read.GetValueOrDefault(identity).Times;
            _read[identity] = (path, readOnly, LoadedFile.HashOf(content), times + 1);
            if (Decode(path, content) is not { } text)
                return;
            var statements = SyntaxParser.Parse(text, path, _diagnostics);
            _open.Add(identity);
            _builder.Apply(statements, scope, readOnly);
            _open.RemoveAt(_open.Count - 1);
        }

        private string? Decode(string path, byte[] content)
        {
            if (content.Length > MaxFileBytes)
            {
                _diagnostics.Error("CFG-0112", new(path, 0, 0), "", $"The file has more than {MaxFileBytes} octets.");
                return null;
            }
            try
            {
                return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(content);
            }
            catch (DecoderFallbackException e)
            {
                var before = content.AsSpan(0, Math.Clamp(e.Index, 0, content.Length));
                _diagnostics.Error("CFG-0106", new(path, before.Count((byte)'\n') + 1, before.Length - before.LastIndexOf((byte)'\n')), "", "The file is not UTF-8.");
                return null;
            }
        }
    }
}
