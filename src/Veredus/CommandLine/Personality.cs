namespace Veredus.CommandLine;

/// <summary>Which program was called: the tool itself, or one of its classic names (cli.md 2).</summary>
internal static class Personality
{
    /// <summary>Classic names and the words they stand for. Only what this version can do has a name here.</summary>
    public static readonly IReadOnlyDictionary<string, string[]> Links = new Dictionary<string, string[]>(StringComparer.Ordinal)
    {
        ["ecelerity"] = ["node", "run"],
        ["eccmgr"] = ["manager", "run"],
        ["ecconfigd"] = ["configd", "run"],
        ["eccfg"] = ["eccfg"],
        ["ec_ctl"] = ["service", "node"],
        ["eccmgr_ctl"] = ["service", "manager"],
        ["ecconfigd_ctl"] = ["service", "configd"],
        ["jlogctl"] = ["jlogctl"],
        ["ec_console"] = ["console"],
        ["veredus-console"] = ["console"],
        ["veredus-passwd"] = ["user", "password"],
        ["validate_config"] = ["config", "validate", "--local"],
        ["ec_show"] = ["message", "list", "--all", "--spool"],
        ["ec_dump_config"] = ["config", "show", "--recursive"],
    };

    /// <summary>
    /// The name that this process was called by. With a link to the program, neither the runtime's arguments nor its process path have it:
    /// only the first entry of /proc/self/cmdline does.
    /// </summary>
    public static string CalledAs()
    {
        try
        {
            var commandLine = File.ReadAllBytes("/proc/self/cmdline");
            var end = Array.IndexOf(commandLine, (byte)0);
            return Path.GetFileName(System.Text.Encoding.UTF8.GetString(commandLine, 0, end < 0 ? commandLine.Length : end));
        }
        catch (IOException)
        {
            return "veredus";
        }
    }

    /// <summary>The tool's arguments for a call by a name; <see langword="null"/> for a name that is not known.</summary>
    public static string[]? Translate(string name, IReadOnlyList<string> arguments)
    {
        if (name is "veredus" or "veredus.dll" or "dotnet")
        {
            if (arguments.Count > 0 && arguments[0] == "eccfg")
                return EccfgWords(arguments.Skip(1));
            if (arguments.Count > 0 && arguments[0] == "run")
                return RunWords(arguments);
            if (arguments.Count < 2 || arguments[0] != "as")
                return [.. arguments];
            return Links.ContainsKey(arguments[1]) ? Translate(arguments[1], [.. arguments.Skip(2)]) : null;
        }
        if (!Links.TryGetValue(name, out var words))
            return [.. arguments];
        // The console's words are the node's: an option or a bracketed address among them is not for the tool's parser.
        return name is "ec_console" or "veredus-console" ? [.. words, .. ConsoleArguments(arguments)]
            : name is "eccfg" ? EccfgWords(arguments)
            : name is "jlogctl" ? ["jlogctl", "--", .. arguments]
            : words[0] is "service" ? ServiceWords(words[1], arguments)
            : name is "ecelerity" ? [.. words, .. arguments.Select(NodeArgument)]
            : [.. words, .. arguments];
    }

    // The classic order is verb alone: "eccmgr_ctl restart". Options of ours may stand around it.
    private static string[] ServiceWords(string service, IReadOnlyList<string> arguments)
    {
        var at = arguments.ToList().FindIndex(argument => argument is "start" or "stop" or "restart" or "status" or "logs");
        return at < 0 ? ["service", .. arguments] : ["service", arguments[at], service, .. arguments.Where((_, i) => i != at)];
    }

    public static bool IsConsole(string name) => name is "ec_console" or "veredus-console";

    // eccfg reads its options itself: shortened, with one hyphen.
    private static string[] EccfgWords(IEnumerable<string> arguments) => ["eccfg", "--", .. arguments];

    // What stands behind run's own options is the nodes' command, with options of its own.
    private static string[] RunWords(IReadOnlyList<string> arguments)
    {
        var at = 1;
        while (at < arguments.Count && arguments[at].StartsWith('-') && arguments[at] != "--")
            at += arguments[at] is "--on" or "--wait" or "--manager" or "--context" or "--token-file" or "--socket" or "--color" ? 2 : 1;
        return at >= arguments.Count || arguments[at] == "--" ? [.. arguments] : [.. arguments.Take(at), "--", .. arguments.Skip(at)];
    }

    private static IEnumerable<string> ConsoleArguments(IReadOnlyList<string> arguments)
    {
        var own = arguments.TakeWhile(argument => argument is "--json" or "--help" or "--password-stdin" or "--keep-going" or "-h" or "-?"
            || argument.StartsWith("--ca=", StringComparison.Ordinal) || argument.StartsWith("--fingerprint=", StringComparison.Ordinal)).ToList();
        return own.Count == arguments.Count ? own : [.. own, "--", .. arguments.Skip(own.Count)];
    }

    // ecelerity's long options have one dash as well.
    private static string NodeArgument(string argument) => argument is "-help" ? "--help" : argument;
}
