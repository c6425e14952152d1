using System.CommandLine;
using Veredus.CommandLine;
using Veredus.Control;
using Veredus.Terminal;

namespace Veredus.Commands;

/// <summary>The node's own commands, one by one or in a conversation (cli.md 8).</summary>
internal static class ConsoleCommand
{
    private static readonly Argument<string[]> Words = new("[ENDPOINT] COMMAND")
    {
        Description = "Endpoint (socket path, host:port, [ip6]:port, user@host:port) and a command; without a command lines are read",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<bool> PasswordStdin = new("--password-stdin") { Description = "The first line of standard input is the password" };
    private static readonly Option<string?> Ca = new("--ca") { Description = "PEM file with the authority of the server's certificate", HelpName = "FILE" };
    private static readonly Option<string?> Fingerprint = new("--fingerprint") { Description = "SHA-256 of the server's certificate instead", HelpName = "HEX" };
    private static readonly Option<bool> KeepGoing = new("--keep-going") { Description = "Batch: go on after a command that failed" };

    public static Command Build(CliHost host)
    {
        var command = CommandTree.Leaf(host, "console", "Asks the node; 'help' lists what",
            ["veredus console", "veredus console mailq -l 5", "veredus console ops@mta02.example.org:2025 summary"],
            RunAsync, PasswordStdin, Ca, Fingerprint, KeepGoing, Words);
        // The node's commands have options of their own (mailq -l 5): they are not ours to understand.
        command.TreatUnmatchedTokensAsErrors = false;
        return command;
    }

    private static async Task<int> RunAsync(Call call, CancellationToken cancellationToken)
    {
        var words = Typed(call);
        var places = call.ConsoleEndpoints;
        var isNamed = false;
        if (words.Count > 0 && ControlEndpoint.Looks(words[0]))
        {
            (places, isNamed) = ([Call.EndpointOf(words[0])], true);
            words = [.. words.Skip(1)];
        }
        // No command has a slash in its name; one word with spaces may be a whole command with a path in it.
        else if (words.Count > 0 && words[0].Contains('/', StringComparison.Ordinal) && !words[0].Any(char.IsWhiteSpace))
        {
            throw new CliException(ExitCodes.Usage, $"'{words[0]}' is neither a command nor an endpoint.", $"The path of a socket begins with / or ./: veredus console ./{words[0]}");
        }
        var interactive = words.Count == 0 && call.Host.IsInTerminal && call.Host.IsOutTerminal && !call.IsJson;
        var given = call.Parse.GetValue(PasswordStdin) ? await call.Host.In.ReadLineAsync(cancellationToken) : null;
        // What proves who one is to the managers of a context is not shown to a place named here.
        var options = isNamed ? call.Managers.OptionsElsewhere : call.Managers.Options;
        options = options with
        {
            CaFile = call.Parse.GetValue(Ca) ?? options.CaFile,
            Fingerprint = call.Parse.GetValue(Fingerprint) ?? options.Fingerprint,
            Password = user => given ?? options.Password(user),
        };
        var (client, place) = places.Count > 1 ? await call.ConnectToFirstAsync(places, cancellationToken, options)
            : (await call.ConnectAsync(cancellationToken, places[0], options with { ConnectTimeout = new ControlClientOptions().ConnectTimeout }), places[0]);
        await using var connection = client;
        if (interactive)
        {
            using var session = new ConsoleSession(call, client, place);
            return await session.RunAsync(cancellationToken);
        }
        return await BatchAsync(call, client, words, cancellationToken);
    }

    // What stands behind the first word that is no option of ours, as it was typed.
    private static IReadOnlyList<string> Typed(Call call) => [.. call.Parse.GetValue(Words) ?? [], .. call.Parse.UnmatchedTokens];

    private static async Task<int> BatchAsync(Call call, ControlClient client, IReadOnlyList<string> words, CancellationToken cancellationToken)
    {
        if (words.Count > 0)
            return await RunOneAsync(call, client, Line(words), cancellationToken);
        var worst = ExitCodes.Done;
        var pending = "";
        while (await call.Host.In.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.EndsWith('\\'))
            {
                pending += line[..^1];
                continue;
            }
            line = (pending + line).Trim();
            pending = "";
            if (line.Length == 0 || line.StartsWith('#'))
                continue;
            if (line is "quit" or "exit")
                break;
            var exitCode = await RunOneAsync(call, client, line, cancellationToken);
            worst = Math.Max(worst, exitCode);
            if (exitCode != ExitCodes.Done && !call.Parse.GetValue(KeepGoing))
                break;
        }
        return worst;
    }

    /// <summary>One word is a whole command as it stands; several are quoted where they need it.</summary>
    public static string Line(IReadOnlyList<string> words) => words.Count == 1 ? words[0]
        : string.Join(' ', words.Select(word => word is "(" or ")" or "=" ? word : CommandWords.Quote(word)));

    /// <summary>Gives a command and prints its answer as it comes.</summary>
    public static async Task<int> RunOneAsync(Call call, ControlClient client, string line, CancellationToken cancellationToken)
    {
        try
        {
            var (code, text) = await client.BeginAsync(call.IsJson && !line.StartsWith("json ", StringComparison.OrdinalIgnoreCase) ? "json " + line : line, cancellationToken);
            // What some nodes have answered is a result, although others have not.
            var screen = code is 0 or ControlErrors.Incomplete ? call.Out : call.Error;
            if (code == 0 && text.Length > 0)
                call.Out.Line(text);
            await foreach (var body in client.BodyAsync(cancellationToken))
            {
                if (screen.IsTerminal || screen == call.Error)
                    screen.Line(body);
                else
                    screen.Writer.WriteLine(body);
            }
            if (code != 0)
                call.Error.Line(text, Output.Tone.Bad);
            return ExitCodes.Of(code);
        }
        catch (ControlException exception)
        {
            throw new CliException(ExitCodes.Unreachable, exception.Message);
        }
    }
}
