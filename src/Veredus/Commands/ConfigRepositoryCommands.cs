using System.CommandLine;
using System.Diagnostics;
using Veredus.CommandLine;
using Veredus.ConfigServer;
using Veredus.Output;

namespace Veredus.Commands;

/// <summary>The modern form of eccfg (cli.md 9.1): the same work on the working copy and the servers, with the tool's options, JSON and exit codes.</summary>
internal static class ConfigRepositoryCommands
{
    private static readonly Option<string?> Message = new("-m", "--message") { Description = "What the commit is for", HelpName = "TEXT" };
    private static readonly Option<string[]> Without = new("--without") { Description = "Commit although this node can't load it or was not reached (may be given several times)", HelpName = "NODE" };
    private static readonly Option<string?> ConfirmWithin = new("--confirm-within") { Description = "Take it back unless 'veredus config keep' comes in this time, e.g. 5m", HelpName = "TIME" };
    private static readonly Option<bool> Force = new("--force") { Description = "Ask no node, and let the server take a revision that does not validate" };
    private static readonly Option<bool> Resolves = new("--resolve") { Description = "This commit ends the subcluster's CONFLICT" };
    private static readonly Option<bool> Mine = new("--mine") { Description = "Where both changed the same lines, local ones win" };
    private static readonly Option<bool> Theirs = new("--theirs") { Description = "Where both changed the same lines, the servers' win" };
    private static readonly Option<bool> Manual = new("--manual") { Description = "Leave both versions in the file, marked" };
    private static readonly Option<bool> ExitCode = new("--exit-code") { Description = "12 when there are differences" };
    private static readonly Option<int?> Number = new("-n", "--number") { Description = "Most commits to show", HelpName = "N" };
    private static readonly Option<string?> Take = new("--take") { Description = "The files of this server's side are taken", HelpName = "SERVER" };
    private static readonly Option<bool> Show = new("--show") { Description = "Only show the sides" };
    private static readonly Option<string?> UserName = new("--username") { Description = "Who signs in (default: $USER)", HelpName = "NAME" };
    private static readonly Option<bool> PasswordStdin = new("--password-stdin") { Description = "The password is the first line of standard input (or ECCFG_PASSWORD)" };
    private static readonly Argument<string?> Path = new("PATH") { Description = "A file of the working copy", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Argument<string[]> Revisions = new("REVISION") { Description = "None: local changes; one: from there to the files here; two: from one to the other", Arity = new(0, 2) };
    private static readonly Argument<string> Revision = new("REVISION") { Description = "Its number or commit ('veredus config log')" };
    private static readonly Argument<string> OptionName = new("OPTION") { Description = "An option's name, or FILE[:LINE]" };
    private static readonly Argument<string> Subcluster = new("SUBCLUSTER");
    private static readonly Argument<string[]> Words = new("WORDS") { Description = "clusters, create C, copy A B, master C, slaves C, override C NODE, resume C NODE, conflict C, status C, forget C NODE", Arity = ArgumentArity.OneOrMore };

    public static IReadOnlyList<Command> Build(CliHost host)
    {
        return
        [
            Leaf("status", "Revision, local changes, servers and nodes", ["veredus config status", "veredus config status --json"], StatusAsync),
            Leaf("pull", "Gets the servers' revision; local changes are merged", ["veredus config pull", "veredus config pull --manual"], (call, stop) => RunAsync(call, stop, ["pull", .. Flags(call, Mine, Theirs, Manual, Force)]), Mine, Theirs, Manual, Force),
            Leaf("diff", "Local changes, or what changed between revisions", ["veredus config diff", "veredus config diff 3 5", "veredus config diff --exit-code"], (call, stop) => RunAsync(call, stop, ["diff", .. call.Parse.GetValue(Revisions) ?? [], .. Flags(call, ExitCode)]), Revisions, ExitCode),
            Leaf("edit", "Opens $EDITOR on a file of the working copy, then checks it", ["veredus config edit", "veredus config edit mta01/node-local.conf"], EditAsync, Path),
            Leaf("plan", "What a commit of the local changes would do on every node", ["veredus config plan", "veredus config plan --json"], (call, stop) => RunAsync(call, stop, ["plan"])),
            Leaf("effect", "As 'plan'", ["veredus config effect"], (call, stop) => RunAsync(call, stop, ["plan"])),
            Leaf("commit", "Sends all local changes to the servers, if every node can load them", ["veredus config commit -m 'raise a throttle'", "veredus config commit -m x --without mta04 --confirm-within 10m"],
                (call, stop) => RunAsync(call, stop, ["commit", "--add-all", "--delete-all", .. Valued(call, Message, "message"), .. Valued(call, ConfirmWithin, "confirm-within"), .. WithoutWords(call), .. Flags(call, Force, Resolves)]), Message, Without, ConfirmWithin, Force, Resolves),
            Leaf("keep", "Confirms a commit that waits for it", ["veredus config keep"], (call, stop) => RunAsync(call, stop, ["keep"])),
            Leaf("undo", "Takes the last revision back by a new one", ["veredus config undo"], (call, stop) => RunAsync(call, stop, ["undo", .. Valued(call, Message, "message")]), Message),
            Leaf("revert", "Takes an earlier revision back by a new one", ["veredus config revert 7", "veredus config revert 9c41e7a"], (call, stop) => RunAsync(call, stop, ["takeback", call.Parse.GetValue(Revision)!, .. Valued(call, Message, "message")]), Revision, Message),
            Leaf("log", "The revisions of the subcluster, or of a file", ["veredus config log -n 5", "veredus config log default/veredus.conf --json"],
                (call, stop) => RunAsync(call, stop, ["log", .. call.Parse.GetValue(Path) is { } path ? [path] : Array.Empty<string>(), .. call.Parse.GetValue(Number) is { } number ? ["--number", number.ToString(System.Globalization.CultureInfo.InvariantCulture)] : Array.Empty<string>()]), Path, Number),
            Leaf("blame", "Who set an option, and in which revision", ["veredus config blame max_outbound_connections", "veredus config blame default/veredus.conf:12"], BlameAsync, OptionName),
            Leaf("resolve", "Ends a CONFLICT of a subcluster", ["veredus config resolve west", "veredus config resolve west --take mgr2", "veredus config resolve west --show"],
                (call, stop) => RunAsync(call, stop, ["subcluster", call.Parse.GetValue(Show) ? "status" : "resolve", call.Parse.GetValue(Subcluster)!, .. Valued(call, Take, "take")]), Subcluster, Take, Show),
            Leaf("subcluster", "Subclusters and their masters", ["veredus config subcluster clusters", "veredus config subcluster override default mgr2"], (call, stop) => RunAsync(call, stop, ["subcluster", .. call.Parse.GetValue(Words)!]), Words),
        ];

        Command Leaf(string name, string summary, string[] examples, Func<Call, CancellationToken, Task<int>> run, params Symbol[] symbols) =>
            CommandTree.Leaf(host, name, summary, examples, run, [.. symbols, UserName, PasswordStdin]);
    }

    private static IEnumerable<string> Flags(Call call, params Option<bool>[] options) => options.Where(call.Parse.GetValue).Select(option => option.Name);

    private static string[] Valued(Call call, Option<string?> option, string name) => call.Parse.GetValue(option) is { } value ? [$"--{name}={value}"] : [];

    private static string[] WithoutWords(Call call) => call.Parse.GetValue(Without) is { Length: > 0 } nodes ? [$"--without={string.Join(',', nodes)}"] : [];

    /// <summary>Runs eccfg's code; what it can't do comes out as the tool's errors do.</summary>
    private static async Task<int> RunAsync(Call call, CancellationToken cancellationToken, params string[] words)
    {
        string[] who = [.. Valued(call, UserName, "username"), .. Flags(call, PasswordStdin)];
        var host = ConfigServerCommands.EccfgHost(call) with { IsStrict = true, Json = call.IsJson ? (schema, data) => call.Json(schema, "", data) : null, Out = call.Host.Out };
        try
        {
            return await Eccfg.RunAsync(call.IsJson ? host with { Out = words[0] is "diff" or "blame" ? host.Out : TextWriter.Null } : host, [.. words, .. who, "--etc", ConfigCommand.Etc(call.Host)], cancellationToken);
        }
        catch (EccfgException exception)
        {
            throw new CliException(exception.ExitCode, exception.Message, exception.ExitCode switch
            {
                EccfgExit.Conflict => "look: veredus config status",
                EccfgExit.Unreachable => "Is a configuration server running ('veredus configd run')? cluster.boot names them.",
                _ => "",
            });
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or GitException)
        {
            throw new CliException(ExitCodes.Failed, exception.Message);
        }
    }

    private static async Task<int> StatusAsync(Call call, CancellationToken cancellationToken)
    {
        // In JSON the servers' and nodes' state is the document; local changes are 'config diff'.
        if (!call.IsJson)
            await RunAsync(call, cancellationToken, ["status"]);
        return await RunAsync(call, cancellationToken, ["subcluster", "status"]);
    }

    private static async Task<int> EditAsync(Call call, CancellationToken cancellationToken)
    {
        var conf = System.IO.Path.Combine(ConfigCommand.Etc(call.Host), "conf");
        string file;
        try
        {
            file = System.IO.Path.Combine(conf, Worktree.Inside(conf, call.Parse.GetValue(Path) ?? "default/veredus.conf"));
        }
        catch (EccfgException exception)
        {
            throw new CliException(exception.ExitCode, exception.Message);
        }
        if (!Directory.Exists(conf))
            throw new CliException(ExitCodes.NotFound, $"There is no working copy {conf}.", "Make one with 'eccfg bootstrap'.");
        var editor = call.Host.Environment("VISUAL") ?? call.Host.Environment("EDITOR") ?? "vi";
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(file)!);
        using var process = Process.Start(new ProcessStartInfo("sh", ["-c", $"exec {editor} \"$1\"", "sh", file])) ?? throw new CliException(ExitCodes.Failed, $"{editor} can't be started.");
        await process.WaitForExitAsync(cancellationToken);
        if (process.ExitCode != 0)
            throw new CliException(ExitCodes.Failed, $"{editor} ended with {process.ExitCode}.", "Another editor: EDITOR=nano veredus config edit");
        var loader = ConfigCommand.Loader(call.Host);
        var errors = loader.LocateNodeFile() is { } main ? loader.Load(main).Errors.ToList() : [];
        errors.ForEach(error => call.Error.Line(error.ToString(), Tone.Bad));
        return errors.Count == 0 ? ExitCodes.Done : ExitCodes.Failed;
    }

    private static async Task<int> BlameAsync(Call call, CancellationToken cancellationToken)
    {
        var name = call.Parse.GetValue(OptionName)!;
        var conf = System.IO.Path.Combine(ConfigCommand.Etc(call.Host), "conf") + "/";
        if (name.Contains('/', StringComparison.Ordinal))
            return await RunAsync(call, cancellationToken, ["blame", name]);
        var loader = ConfigCommand.Loader(call.Host);
        var snapshot = loader.LocateNodeFile() is { } main ? loader.Load(main).Snapshot : null;
        var places = (snapshot ?? throw new CliException(ExitCodes.Failed, "The files here do not load.", "veredus config validate")).Root.Walk()
            .SelectMany(scope => scope.Settings).Where(setting => string.Equals(setting.Option.Name, name, StringComparison.OrdinalIgnoreCase)).Select(setting => setting.Position)
            .Where(position => position.File.StartsWith(conf, StringComparison.Ordinal)).Select(position => $"{position.File[conf.Length..]}:{position.Line}").Distinct().ToList();
        if (places.Count == 0)
            throw new CliException(ExitCodes.NotFound, $"No file of the working copy sets '{name}'.", "veredus config get shows what is in force, and why.");
        foreach (var place in places)
        {
            call.Out.Line(place, Tone.Strong);
            await RunAsync(call, cancellationToken, ["blame", place]);
        }
        return ExitCodes.Done;
    }
}
