using System.CommandLine;
using System.Globalization;
using Veredus.CommandLine;

namespace Veredus.Demo;

/// <summary>A cluster on this machine, to look at and to break.</summary>
internal static class DemoCommand
{
    private static readonly Option<string> For = new("--for") { Description = "Ends by itself after this time: 90s, 10m, 1h", HelpName = "D", DefaultValueFactory = _ => "30m" };
    private static readonly Option<int> Rate = new("--rate") { Description = $"Messages a second, up to {DemoOptions.MaxRate}", HelpName = "N", DefaultValueFactory = _ => 20 };
    private static readonly Option<int> Nodes = new("--nodes") { Description = $"Nodes, 2 to {DemoOptions.MaxNodes}", HelpName = "N", DefaultValueFactory = _ => 3 };
    private static readonly Option<int> Messages = new("--messages") { Description = "relay: messages to send, up to 1,000,000", HelpName = "N", DefaultValueFactory = _ => 2000 };
    private static readonly Option<string> Limit = new("--limit") { Description = "Time for all of it", HelpName = "D", DefaultValueFactory = _ => "5m" };
    private static readonly Option<string> Gap = new("--gap") { Description = "Longest time that an address may be silent after a failure", HelpName = "D", DefaultValueFactory = _ => "5s" };
    private static readonly Option<string?> Policy = new("--policy") { Description = "duravip_partition_policy: component or quorum", HelpName = "POLICY" };
    private static readonly Argument<string> Script = new("SCRIPT") { Description = $"{string.Join(", ", StoryScript.All.Select(script => script.Name))} or relay" };
    private static readonly Argument<string?> Id = new("ID") { Description = "e.g. d7; none: all that this user can see", Arity = ArgumentArity.ZeroOrOne };

    public static Command Build(CliHost host)
    {
        Policy.AcceptOnlyFromAmong("component", "quorum");
        Script.AcceptOnlyFromAmong([.. StoryScript.All.Select(script => script.Name), "relay"]);
        var demo = CommandTree.Leaf(host, "demo", "A cluster on this machine, to look at and to break; removes everything at its end",
            ["veredus demo", "veredus demo --for 5m --rate 100", "veredus demo run failover --json"], UpAsync, For, Rate, Nodes, Policy, DemoSession.IsolationWanted);
        demo.Subcommands.Add(CommandTree.Leaf(host, "up", "The same as 'veredus demo'", ["veredus demo up", "veredus demo up --nodes 5"], UpAsync, For, Rate, Nodes, Policy, DemoSession.IsolationWanted));
        demo.Subcommands.Add(CommandTree.Leaf(host, "run", "Plays a story without a terminal and checks it: exit 0, or 20 when an expectation was broken",
            ["veredus demo run failover", "veredus demo run relay --messages 10000 --json"], RunScriptAsync, Script, Messages, Limit, Gap, Policy, DemoSession.IsolationWanted));
        demo.Subcommands.Add(CommandTree.Leaf(host, "down", "Ends demos, and removes what crashed ones left", ["veredus demo down", "veredus demo down d7"], DemoCleanup.DownAsync, Id));
        demo.Subcommands.Add(CommandTree.Leaf(host, "status", "Which demos run on this host", ["veredus demo status", "veredus demo status --json"], DemoCleanup.StatusAsync));
        return demo;
    }

    /// <summary>The demo that <c>down</c> is about; <see langword="null"/>: all.</summary>
    public static string? WantedId(Call call) => call.Parse.GetValue(Id);

    /// <summary>Reads <c>90s</c>, <c>10m</c>, <c>1h</c>; a bare number is seconds.</summary>
    public static TimeSpan Duration(string text)
    {
        var unit = text.Length > 0 ? text[^1] : ' ';
        var number = char.IsAsciiLetter(unit) ? text[..^1] : text;
        var seconds = unit switch { 'm' => 60, 'h' => 3600, 'd' => 86_400, 's' or (>= '0' and <= '9') => 1, _ => 0 };
        return seconds > 0 && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count is > 0 and < 1_000_000
            ? TimeSpan.FromSeconds((double)count * seconds)
            : throw new CliException(ExitCodes.Usage, $"'{text}' is not a duration.", "Give a number with s, m, h or d: 90s, 10m, 1h.");
    }

    private static Task<int> RunScriptAsync(Call call, CancellationToken cancellationToken)
    {
        var messages = call.Parse.GetValue(Messages);
        if (messages is < 2 or > 1_000_000)
            throw new CliException(ExitCodes.Usage, $"--messages {messages}: give 2 to 1,000,000.");
        var (limit, gap) = (Duration(call.Parse.GetValue(Limit)!), Duration(call.Parse.GetValue(Gap)!));
        if (StoryScript.All.FirstOrDefault(script => script.Name == call.Parse.GetValue(Script)) is not { } story)
            return new RelayScript(call).RunAsync(messages, limit, cancellationToken);
        return DemoSession.RunAsync(call, $"run {story.Name}", limit,
            (directory, state, stop) => StoryPlayer.PlayAsync(call, story, directory, state, gap, call.Parse.GetValue(Policy), stop),
            (isolation, stop) => story.Name == Stories.Failover.Script.Name ? new RelayScript(call).RunAsync(messages, limit, stop)
                : throw new CliException(ExitCodes.Failed, $"'{story.Name}' needs network namespaces: {isolation.Why}", "On loopback there are 'failover' (one node, killed and started again) and 'relay'."),
            cancellationToken);
    }

    private static Task<int> UpAsync(Call call, CancellationToken cancellationToken)
    {
        var (rate, nodes, length) = (call.Parse.GetValue(Rate), call.Parse.GetValue(Nodes), Duration(call.Parse.GetValue(For)!));
        if (rate is < 1 or > DemoOptions.MaxRate)
            throw new CliException(ExitCodes.Usage, $"--rate {rate}: give 1 to {DemoOptions.MaxRate}.");
        if (nodes is < 2 or > DemoOptions.MaxNodes)
            throw new CliException(ExitCodes.Usage, $"--nodes {nodes}: give 2 to {DemoOptions.MaxNodes}.");
        return DemoSession.RunAsync(call, "cluster", length,
            (directory, state, stop) => ClusterShow.RunAsync(call, directory, state, new(nodes, rate, call.Parse.GetValue(Policy) ?? "component"), stop),
            (_, stop) => LoopbackShow.RunAsync(call, rate, length, stop), cancellationToken);
    }
}
