using System.CommandLine;

namespace Veredus.CommandLine;

/// <summary>Options that every command has.</summary>
internal static class GlobalOptions
{
    public static readonly Option<bool> Json = new("--json") { Description = "One JSON document on standard output", Recursive = true };

    public static readonly Option<string?> Color = Words(
        new("--color") { Description = "auto, always or never", Recursive = true, HelpName = "WHEN" }, "auto", "always", "never");

    public static readonly Option<string?> Socket = new("--socket")
    {
        Description = "Control socket of the node: a path, host:port or [ip6]:port", Recursive = true, HelpName = "ENDPOINT",
    };

    public static readonly Option<string?> Manager = new("--manager")
    {
        Description = "Control socket of a manager: a path, host:port or [ip6]:port", Recursive = true, HelpName = "ENDPOINT",
    };

    public static readonly Option<string?> Context = new("--context")
    {
        Description = "Cluster to talk to, of those that 'veredus context list' knows", Recursive = true, HelpName = "NAME",
    };

    public static readonly Option<string?> TokenFile = new("--token-file")
    {
        Description = "File, open to nobody else, whose first line proves to a remote manager who you are", Recursive = true, HelpName = "FILE",
    };

    public static readonly Option<bool> Yes = new("--yes", "-y") { Description = "Don't ask" };

    public static readonly Option<string?> Expect = new("--expect") { Description = "The number that the plan states, for what can't be undone", HelpName = "N" };

    public static readonly Option<bool> DryRun = new("--dry-run") { Description = "Only show the plan" };

    public static readonly Option<string?> Format = Words(new("--format") { Description = "csv, tsv or names", HelpName = "FORMAT" }, "csv", "tsv", "names");

    public static readonly Option<int> Limit = new("--limit") { Description = "Most lines to show", HelpName = "N", DefaultValueFactory = _ => 20 };

    public static readonly Option<bool> All = new("--all") { Description = "All lines" };

    public static readonly Option<bool> NoHeader = new("--no-header") { Description = "Only the lines of the list" };

    private static Option<string?> Words(Option<string?> option, params string[] words)
    {
        option.AcceptOnlyFromAmong(words);
        return option;
    }
}
