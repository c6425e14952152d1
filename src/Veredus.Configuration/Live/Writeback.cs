using System.Text;

namespace Veredus.Configuration;

/// <param name="Written">The file as it is now; null when nothing was written.</param>
/// <param name="Unsaved">Changes that the language can't express in that file.</param>
/// <param name="Text">For the operator.</param>
internal sealed record WritebackResult(bool Success, LoadedFile? Written, IReadOnlyList<string> Unsaved, string Text);

/// <summary>
/// Saves live changes to <c>local_changes_file</c> or a named file (configuration.md section 12). Values that the file
/// sets already are changed in place; others are appended; all other text stays as it is.
/// </summary>
internal static class Writeback
{
    private sealed record Place(string ScopePath, AssignmentStatement Assignment);

    /// <param name="reread">Reads the configuration from its files again.</param>
    public static WritebackResult Run(ConfigurationSnapshot loaded, ConfigurationSnapshot current, string? file, Func<ConfigurationSnapshot?> reread)
    {
        var changes = OptionDifference.Between(loaded.Root, current.Root);
        if (changes.Count == 0)
            return new(true, null, [], "Nothing to write: there are no live changes.");
        if ((file ?? current.Global.Get(Options.LocalChangesFile)) is not { } name)
            return new(false, null, [], "Set local_changes_file, or name the file: config writeback FILE.");
        var path = Path.IsPathRooted(name) ? name : Path.Combine(Path.GetDirectoryName(current.MainFile) ?? "", name);
        var known = current.Files.FirstOrDefault(f => DiskFiles.Instance.Identity(f.Path) == DiskFiles.Instance.Identity(path));
        if (known is { ReadOnly: true })
            return new(false, null, [], $"'{path}' is read-only: it is included with readonly_include or more than once.");
        try
        {
            byte[] content = File.Exists(path) ? DiskFiles.Instance.Read(path, ConfigurationLoader.MaxFileBytes) : [];
            if (known is not null && !known.Hash.Span.SequenceEqual(LoadedFile.HashOf(content)))
                return new(false, null, [], $"'{path}' changed on disk since it was read; reload first, or write to another file.");
            List<string> unsaved = [];
            var diagnostics = new DiagnosticBag();
            var text = Edit(Encoding.UTF8.GetString(content), path, changes, unsaved, diagnostics);
            if (diagnostics.HasErrors)
                return new(false, null, [], $"'{path}' has errors; nothing was written.\n{string.Join('\n', diagnostics.Items)}");
            var bytes = Encoding.UTF8.GetBytes(text);
            Replace(path, bytes);
            // What the next reload would give decides: an option removed here may still be set by another file.
            if (file is null && reread() is { } stored)
                unsaved = [.. OptionDifference.Between(stored.Root, current.Root).Where(d => changes.Exists(c => c.Option == d.Option && c.Scope.Id == d.Scope.Id)).Select(d => $"config {(d.New is null ? "unset" : "set")} {d.Path}")];
            var report = $"Wrote {changes.Count - unsaved.Count} changes to '{path}'.";
            if (unsaved.Count > 0)
                report += "\nNot saved (other files still set them; remove them there):\n  " + string.Join("\n  ", unsaved);
            return new(true, new(path, false, LoadedFile.HashOf(bytes)), unsaved, report);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new(false, null, [], $"Can't write '{path}': {e.Message}");
        }
    }

    internal static string Edit(string text, string file, IReadOnlyList<OptionDifference> changes, List<string> unsaved, DiagnosticBag diagnostics)
    {
        List<Place> places = [];
        Collect(SyntaxParser.Parse(text, file, diagnostics), TreeBuilder.NewRoot(), places);
        List<(int Start, int End, string New)> replacements = [];
        var appended = TreeBuilder.NewRoot();
        foreach (var change in changes)
        {
            var own = places.Where(p => p.ScopePath == change.Scope.Id.Path && Schema.Find(p.Assignment.Name, change.Scope.Kind) == change.Option).ToList();
            if (change.New is null)
            {
                replacements.AddRange(own.Select(p => (p.Assignment.Start, p.Assignment.End, "")));
                if (own.Count == 0)
                    unsaved.Add($"config unset {change.Path}");
            }
            else if (own.Count > 0)
            {
                var last = own[^1].Assignment;
                replacements.Add((last.ValueStart, last.End, change.New.Render("")));
            }
            else
            {
                Append(appended, change);
            }
        }
        var edited = new StringBuilder(text);
        foreach (var (start, end, replacement) in replacements.OrderByDescending(r => r.Start))
            edited.Remove(start, end - start).Insert(start, replacement);
        if (appended.Children.Count > 0 || appended.Settings.Any())
        {
            if (edited.Length > 0 && edited[^1] != '\n')
                edited.Append('\n');
            edited.Append(Renderer.Recurse(appended, mask: false));
        }
        return edited.ToString();
    }

    private static void Collect(IEnumerable<Statement> statements, ScopeNode scope, List<Place> places)
    {
        foreach (var statement in statements)
        {
            if (statement is AssignmentStatement assignment)
            {
                places.Add(new(scope.Id.Path, assignment));
            }
            else if (statement is ScopeStatement child && Schema.FindScope(child.Name, scope.Kind) is { } definition)
            {
                var instance = child.Instance ?? "";
                if (TreeBuilder.CheckInstance(definition, ref instance, child.Instance is not null, out _))
                    Collect(child.Body, scope.Open(definition, instance, child.Position), places);
            }
        }
    }

    private static void Append(ScopeNode root, OptionDifference change)
    {
        Stack<ScopeNode> path = [];
        for (var node = change.Scope; node.Parent is not null; node = node.Parent)
            path.Push(node);
        var scope = root;
        foreach (var step in path)
            scope = scope.Open(step.Definition, step.Instance, default);
        scope.Set(change.Scope.Find(change.Option)!.MovedTo(scope));
    }

    /// <summary>The file has either its old content or the new one, whatever happens in between.</summary>
    private static void Replace(string path, byte[] content)
    {
        var temporary = path + ".new~";
        using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            File.SetUnixFileMode(temporary, File.Exists(path) ? File.GetUnixFileMode(path) : UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
            file.Write(content);
            file.Flush(flushToDisk: true);
        }
        File.Move(temporary, path, overwrite: true);
    }
}
