using Veredus.Control;

namespace Veredus.Contexts;

/// <summary>A cluster under a name of the user's own: where its managers are, and how careful one has to be.</summary>
/// <param name="Managers">Endpoints, as <c>--manager</c> takes them; the next is tried when one does not answer within two seconds.</param>
/// <param name="IsProduction">Changes that are asked about need <c>--reason</c>.</param>
/// <param name="CaFile">PEM file with the authority of the managers' certificates; <see langword="null"/>: the system's.</param>
/// <param name="Fingerprint">SHA-256 of the managers' certificate in hex, instead of an authority.</param>
internal sealed record ClusterContext(string Name, IReadOnlyList<string> Managers, bool IsProduction = false, string? CaFile = null, string? Fingerprint = null)
{
    private const string Prefix = "contexts.";

    public static bool IsName(string name) => name.Length is >= 1 and <= 64 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-');

    /// <summary>What <c>cli.toml</c> says.</summary>
    /// <exception cref="FormatException">The message begins with the line's number.</exception>
    public static (IReadOnlyList<ClusterContext> Contexts, string? Current) Read(string text)
    {
        var (contexts, current) = (new Dictionary<string, ClusterContext>(StringComparer.Ordinal), (string?)null);
        foreach (var setting in TomlText.Read(text))
        {
            var name = setting.Table.StartsWith(Prefix, StringComparison.Ordinal) ? setting.Table[Prefix.Length..] : "";
            var context = name.Length == 0 ? null : contexts.GetValueOrDefault(name) ?? new(name, []);
            if (context is not null && !IsName(name))
                throw new FormatException($"{setting.Line}: '{name}' is no name of a context; letters, digits, '_' and '-' are");
            switch (setting)
            {
                case { Table: "", Key: "current", Value: string text1 }:
                    current = text1;
                    continue;
                case { Key: "managers", Value: List<string> managers } when context is not null:
                    if (managers.Find(manager => !ControlEndpoint.TryParse(manager, out _, out _)) is { } bad)
                        throw new FormatException($"{setting.Line}: '{bad}' is not an endpoint; give a socket path, host:port or [ip6]:port, with user@ in front if need be");
                    context = context with { Managers = managers };
                    break;
                case { Key: "production", Value: bool production } when context is not null:
                    context = context with { IsProduction = production };
                    break;
                case { Key: "ca", Value: string file } when context is not null:
                    context = context with { CaFile = file };
                    break;
                case { Key: "fingerprint", Value: string hex } when context is not null:
                    context = context with { Fingerprint = hex };
                    break;
                default:
                    throw new FormatException($"{setting.Line}: '{setting.Key}'{(setting.Table.Length > 0 ? $" in [{setting.Table}]" : "")} is not known here, or has another kind of value; "
                        + "known are current = \"NAME\", and in [contexts.NAME] managers = [\"ENDPOINT\"], production = true, ca = \"FILE\", fingerprint = \"HEX\"");
            }
            contexts[name] = context!;
        }
        if (contexts.Values.FirstOrDefault(context => context.Managers.Count == 0) is { } empty)
            throw new FormatException($"1: the context '{empty.Name}' has no managers");
        return ([.. contexts.Values.OrderBy(context => context.Name, StringComparer.Ordinal)], current);
    }

    /// <summary>As a table of <c>cli.toml</c>.</summary>
    public string Render() => $"[{Prefix}{Name}]\nmanagers = [{string.Join(", ", Managers.Select(TomlText.Quote))}]\n{(IsProduction ? "production = true\n" : "")}"
        + (CaFile is null ? "" : $"ca = {TomlText.Quote(CaFile)}\n") + (Fingerprint is null ? "" : $"fingerprint = {TomlText.Quote(Fingerprint)}\n");

    /// <summary>The file without this context's table; comments and other tables stay as they are.</summary>
    public static string Without(string text, string name)
    {
        var kept = new List<string>();
        var skips = false;
        foreach (var line in text.ReplaceLineEndings("\n").Split('\n'))
        {
            if (line.TrimStart().StartsWith('['))
                skips = line.Split('#')[0].Replace(" ", "", StringComparison.Ordinal).Trim() == $"[{Prefix}{name}]";
            if (!skips)
                kept.Add(line);
        }
        return string.Join('\n', kept).TrimEnd('\n') + "\n";
    }

    /// <summary>The file with another current context; <see langword="null"/>: with none.</summary>
    public static string WithCurrent(string text, string? name)
    {
        var lines = text.ReplaceLineEndings("\n").Split('\n').ToList();
        var top = lines.FindIndex(line => line.TrimStart().StartsWith('['));
        lines.RemoveAll(line => (top < 0 || lines.IndexOf(line) < top) && line.TrimStart().StartsWith("current", StringComparison.Ordinal) && line.Contains('=', StringComparison.Ordinal));
        if (name is not null)
            lines.Insert(0, $"current = {TomlText.Quote(name)}");
        return string.Join('\n', lines).TrimEnd('\n') + "\n";
    }
}
