namespace Veredus.ConfigServer;

/// <summary>The words of an eccfg call: long options with one hyphen or two, shortened while unique, as <c>--name value</c> or <c>--name=value</c>.</summary>
public sealed class EccfgArguments
{
    private static readonly string[] Switches =
    [
        "quiet", "debug", "add-all", "delete-all", "auto", "mine", "theirs", "manual", "revert", "resolve", "repair", "exit-code", "with-history", "singlenode", "force", "password-stdin", "help", "json",
    ];

    private static readonly string[] Valued = ["username", "password", "working-copy", "wc", "message", "clustername", "take", "etc", "node", "fingerprint", "ca", "number", "without", "confirm-within"];
    private readonly Dictionary<string, string> _options = [];

    /// <summary>Words that are no options.</summary>
    public List<string> Words { get; } = [];

    public bool Has(string option) => _options.ContainsKey(option);

    public string? this[string option] => _options.GetValueOrDefault(option);

    /// <exception cref="EccfgException">Exit 2: unknown or ambiguous option, missing value.</exception>
    public static EccfgArguments Parse(IReadOnlyList<string> arguments)
    {
        var parsed = new EccfgArguments();
        for (var i = 0; i < arguments.Count; i++)
        {
            var word = arguments[i];
            if (word == "--")
            {
                parsed.Words.AddRange(arguments.Skip(i + 1));
                break;
            }
            if (word.Length < 2 || word[0] != '-')
            {
                parsed.Words.Add(word);
                continue;
            }
            var (name, value) = Split(word.TrimStart('-'));
            name = Complete(word, name);
            if (Switches.Contains(name))
                parsed._options[name] = value is null ? "" : throw new EccfgException(EccfgExit.Usage, $"--{name} takes no value.");
            else if (value is not null || i + 1 < arguments.Count)
                parsed._options[name == "wc" ? "working-copy" : name] = value ?? arguments[++i];
            else
                throw new EccfgException(EccfgExit.Usage, $"--{name} needs a value.");
        }
        string[] choices = ["mine", "theirs", "manual"];
        if (choices.Count(parsed.Has) > 1 || (parsed.Has("quiet") && parsed.Has("debug")) || (parsed.Has("clustername") && parsed.Has("singlenode")))
            throw new EccfgException(EccfgExit.Usage, "--mine, --theirs and --manual, --quiet and --debug, --clustername and --singlenode exclude each other.");
        return parsed;
    }

    private static (string Name, string? Value) Split(string text) => text.IndexOf('=', StringComparison.Ordinal) is > 0 and var at ? (text[..at], text[(at + 1)..]) : (text, null);

    private static string Complete(string word, string name)
    {
        var (exact, shortened) = (Switches.Concat(Valued).Where(option => option == name).ToList(), Switches.Concat(Valued).Where(option => option.StartsWith(name, StringComparison.Ordinal)).ToList());
        // The classic one-letter forms.
        string? letter = name switch { "m" => "message", "u" => "username", "p" => "password", "h" => "help", "n" => "number", "q" => "quiet", _ => null };
        return exact.Count == 1 ? exact[0] : letter ?? (shortened.Count == 1 ? shortened[0]
            : throw new EccfgException(EccfgExit.Usage, shortened.Count == 0 ? $"unknown option {word}" : $"{word} may be {string.Join(" or ", shortened.Select(option => "--" + option))}"));
    }
}
