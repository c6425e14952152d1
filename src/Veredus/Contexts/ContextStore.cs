using Veredus.CommandLine;

namespace Veredus.Contexts;

/// <summary>The user's contexts (<c>cli.toml</c>) and, in a file of their own that only the user may read, their tokens.</summary>
internal sealed class ContextStore(string directory)
{
    private const UnixFileMode OnlyMine = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Foreign = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <summary>The contexts.</summary>
    public string File { get; } = Path.Combine(directory, "cli.toml");

    private string Tokens { get; } = Path.Combine(directory, "tokens.toml");

    /// <summary><c>$XDG_CONFIG_HOME/veredus</c>, else <c>~/.config/veredus</c>; <see langword="null"/> where there is no home.</summary>
    public static ContextStore? Of(Func<string, string?> environment) =>
        environment("XDG_CONFIG_HOME") is ['/', ..] configured ? new(Path.Combine(configured, "veredus"))
        : environment("HOME") is ['/', ..] home ? new(Path.Combine(home, ".config", "veredus")) : null;

    /// <exception cref="CliException">It can't be read, or is wrong: the place and what would be right.</exception>
    public (IReadOnlyList<ClusterContext> Contexts, string? Current) Read()
    {
        try
        {
            return ClusterContext.Read(Text);
        }
        catch (FormatException wrong)
        {
            throw new CliException(ExitCodes.Usage, $"{File}:{wrong.Message}.");
        }
    }

    public void Add(ClusterContext context, bool isCurrent)
    {
        var text = Text.TrimEnd('\n');
        text = (text.Length > 0 ? text + "\n\n" : "") + context.Render();
        Write(File, isCurrent ? ClusterContext.WithCurrent(text, context.Name) : text);
    }

    public void Use(string? name) => Write(File, ClusterContext.WithCurrent(Text, name));

    public void Remove(string name)
    {
        var text = ClusterContext.Without(Text, name);
        Write(File, Read().Current == name ? ClusterContext.WithCurrent(text, null) : text);
        SetToken(name, null);
    }

    /// <summary>What proves to the managers of a context who one is; <see langword="null"/>: none is kept.</summary>
    /// <exception cref="CliException">Others may read the file.</exception>
    public string? Token(string name) => System.IO.File.Exists(Tokens) ? ReadTokens().FirstOrDefault(token => token.Key == name)?.Value as string : null;

    /// <summary>Keeps a token, or forgets it.</summary>
    public void SetToken(string name, string? token)
    {
        if (token is null && !System.IO.File.Exists(Tokens))
            return;
        var kept = (System.IO.File.Exists(Tokens) ? ReadTokens() : []).Where(other => other.Key != name).Select(other => (other.Key, (string)other.Value));
        Write(Tokens, string.Concat((token is null ? kept : kept.Append((name, token))).Select(entry => $"{entry.Item1} = {TomlText.Quote(entry.Item2)}\n")));
    }

    /// <summary>The first line of a file that only its owner may read.</summary>
    /// <exception cref="CliException">It is not there, empty, or others may read it.</exception>
    public static string ReadSecret(string file)
    {
        CheckMode(file);
        return Guarded(file, () => System.IO.File.ReadLines(file).FirstOrDefault())?.Trim() is { Length: > 0 } secret ? secret : throw new CliException(ExitCodes.Usage, $"{file} is empty; its first line should be the token.");
    }

    private string Text => System.IO.File.Exists(File) ? Guarded(File, () => System.IO.File.ReadAllText(File)) : "";

    private IReadOnlyList<TomlSetting> ReadTokens()
    {
        CheckMode(Tokens);
        try
        {
            var tokens = TomlText.Read(Guarded(Tokens, () => System.IO.File.ReadAllText(Tokens)));
            return tokens.FirstOrDefault(token => token.Value is not string || token.Table.Length > 0) is { } bad
                ? throw new CliException(ExitCodes.Usage, $"{Tokens}:{bad.Line}: only lines NAME = \"TOKEN\" belong here.") : tokens;
        }
        catch (FormatException wrong)
        {
            throw new CliException(ExitCodes.Usage, $"{Tokens}:{wrong.Message}.");
        }
    }

    private static void CheckMode(string file)
    {
        if (!System.IO.File.Exists(file))
            throw new CliException(ExitCodes.NotFound, $"There is no file {file}.");
        if ((System.IO.File.GetUnixFileMode(file) & Foreign) != 0)
            throw new CliException(ExitCodes.NotAllowed, $"{file} holds a secret and is open to others; it is not used.", $"chmod 600 {file}");
    }

    private void Write(string file, string text) => Guarded(file, () =>
    {
        Directory.CreateDirectory(directory, OnlyMine | UnixFileMode.UserExecute);
        var temporary = file + ".new";
        System.IO.File.Delete(temporary);
        using (var stream = new FileStream(temporary, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OnlyMine }))
            stream.Write(System.Text.Encoding.UTF8.GetBytes(text));
        System.IO.File.Move(temporary, file, overwrite: true);
        return true;
    });

    private static T Guarded<T>(string file, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCodes.Failed, $"{file}: {exception.Message}");
        }
    }
}
