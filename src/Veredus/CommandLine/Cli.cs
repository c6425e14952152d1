using System.CommandLine;
using Veredus.Control;
using Veredus.Output;

namespace Veredus.CommandLine;

/// <summary>What the commands work with: streams, environment, clock. Tests give their own.</summary>
internal sealed record CliHost
{
    public required TextWriter Out { get; init; }
    public required TextWriter Error { get; init; }
    public required TextReader In { get; init; }
    public bool IsOutTerminal { get; init; }
    public bool IsErrorTerminal { get; init; }
    public bool IsInTerminal { get; init; }
    public int Width { get; init; } = 100;
    public Func<string, string?> Environment { get; init; } = _ => null;
    public TimeProvider Time { get; init; } = TimeProvider.System;
    /// <summary>The name this process was called by; decides between the tool's exit codes and the console's.</summary>
    public string CalledAs { get; init; } = "veredus";

    public static CliHost System()
    {
        var width = 100;
        try
        {
            width = global::System.Console.IsOutputRedirected ? width : Math.Max(40, global::System.Console.WindowWidth);
        }
        catch (IOException)
        {
            // A terminal that does not tell its size.
        }
        return new()
        {
            Out = global::System.Console.Out,
            Error = global::System.Console.Error,
            In = global::System.Console.In,
            IsOutTerminal = !global::System.Console.IsOutputRedirected,
            IsErrorTerminal = !global::System.Console.IsErrorRedirected,
            IsInTerminal = !global::System.Console.IsInputRedirected,
            Width = width,
            Environment = global::System.Environment.GetEnvironmentVariable,
            CalledAs = Personality.CalledAs(),
        };
    }
}

/// <summary>One call of the tool: the parsed options that all commands share, and the way to the node.</summary>
internal sealed class Call
{
    // Read when a command asks for them: a mistake in somebody's cli.toml stops no command that needs none of it, 'node run' least of all.
    private readonly Lazy<ManagerPlaces> _managers;

    public Call(CliHost host, ParseResult parse)
    {
        (Host, Parse) = (host, parse);
        IsJson = parse.GetValue(GlobalOptions.Json);
        var color = parse.GetValue(GlobalOptions.Color) ?? "auto";
        Out = new(host.Out, host.IsOutTerminal, !IsJson && Screen.WantsColor(color, host.IsOutTerminal, host.Environment), host.IsOutTerminal ? host.Width : int.MaxValue);
        _managers = new(() => new(host, parse));
        Error = new(host.Error, host.IsErrorTerminal, Screen.WantsColor(color, host.IsErrorTerminal, host.Environment), host.Width);
    }

    public CliHost Host { get; }

    public ParseResult Parse { get; }

    public bool IsJson { get; }

    public Screen Out { get; }

    public Screen Error { get; }

    public DateTimeOffset Now => Host.Time.GetUtcNow();

    /// <summary>The local node's control socket.</summary>
    public ControlEndpoint Endpoint => Parse.GetValue(GlobalOptions.Socket) is { Length: > 0 } socket ? EndpointOf(socket)
        : Host.Environment("VEREDUS_CONTROL") is { Length: > 0 } path ? ControlEndpoint.Unix(path) : ControlEndpoint.Unix(ControlEndpoint.DefaultPath);

    /// <summary>The ways to a manager, and what the user's contexts say.</summary>
    public ManagerPlaces Managers => _managers.Value;

    /// <summary>Whether the caller said which node is to be asked.</summary>
    public bool NamesNode => Managers.NamesNode;

    /// <summary>Where a console connects when no place is named: a manager that was chosen, else the local node, or the local manager where there is no node.</summary>
    public IReadOnlyList<ControlEndpoint> ConsoleEndpoints => Managers.AreChosen ? Managers.Places
        : Endpoint is { Path: { } path } && !File.Exists(path) && !NamesNode && Managers.Places is { Count: > 0 } others ? others : [Endpoint];

    /// <summary>Connects to what can reach all nodes: a manager, else the local node (cli.md 4.1). A node's socket that was named is taken as it is; the managers of a context
    /// are not replaced by this host's node, which may be of another cluster.</summary>
    /// <exception cref="CliException">Exit code 5 with all that was tried.</exception>
    public Task<(ControlClient Client, ControlEndpoint Place)> ConnectToClusterAsync(CancellationToken cancellationToken) =>
        ConnectToFirstAsync(NamesNode ? [Endpoint] : Managers.Context is not null ? Managers.Places : [.. Managers.Places, Endpoint], cancellationToken);

    /// <summary>Connects to the first place that answers within two seconds.</summary>
    /// <exception cref="CliException">Exit code 5 with all that was tried, or 4.</exception>
    public async Task<(ControlClient Client, ControlEndpoint Place)> ConnectToFirstAsync(
        IReadOnlyList<ControlEndpoint> places, CancellationToken cancellationToken, ControlClientOptions? options = null)
    {
        var tried = new List<string>();
        foreach (var place in places)
        {
            try
            {
                return (await ControlClient.ConnectAsync(place, options ?? Managers.Options, cancellationToken), place);
            }
            catch (ControlException exception) when (exception.Code is ControlErrors.AuthenticationNeeded or ControlErrors.NotAuthorized)
            {
                throw new CliException(ExitCodes.NotAllowed, exception.Message);
            }
            catch (ControlException exception)
            {
                tried.Add(exception.Message);
            }
        }
        var what = Managers.Context is { } context ? $"No manager of the context '{context.Name}' answers" : "Neither a manager nor a node answers";
        throw new CliException(ExitCodes.Unreachable, $"{what}: {string.Join("; ", tried)}",
            "Is one running ('systemctl status veredus-manager veredus-node')? Another place: --manager, --context, --socket, or VEREDUS_MANAGER.");
    }

    /// <summary>Refuses a change without a reason where the context is marked as production (cli.md 4.5).</summary>
    /// <exception cref="CliException">Exit code 2.</exception>
    public void CheckReason(string? reason)
    {
        if (string.IsNullOrWhiteSpace(reason) && Managers.Context is { IsProduction: true } context)
            throw new CliException(ExitCodes.Usage, $"The context '{context.Name}' is production: a change needs a reason.", "Add --reason TEXT.");
    }

    /// <summary>Leaves the reason of a change as a remark in the paniclog, where one was given.</summary>
    public async Task NoteAsync(ControlClient client, string deed, string? reason, CancellationToken cancellationToken)
    {
        if (!string.IsNullOrWhiteSpace(reason))
            await AskAsync(client, $"note {CommandWords.Quote($"{deed}: {reason}")}", cancellationToken);
    }

    public static ControlEndpoint EndpointOf(string text) => ControlEndpoint.TryParse(text, out var endpoint, out var error)
        ? endpoint : throw new CliException(ExitCodes.Usage, error);

    /// <summary>Connects to the node.</summary>
    /// <exception cref="CliException">Exit code 5 or 4, with what to do; 2 when a context was given, which this host's node may not be of.</exception>
    public async Task<ControlClient> ConnectAsync(CancellationToken cancellationToken, ControlEndpoint? endpoint = null, ControlClientOptions? options = null)
    {
        if (endpoint is null && Parse.GetValue(GlobalOptions.Context) is { Length: > 0 } context && string.IsNullOrEmpty(Parse.GetValue(GlobalOptions.Socket)))
            throw new CliException(ExitCodes.Usage, $"--context {context} names managers, and this command asks a node.", "Name the node: --socket ENDPOINT.");
        try
        {
            return await ControlClient.ConnectAsync(endpoint ?? Endpoint, options ?? new(), cancellationToken);
        }
        catch (ControlException exception)
        {
            throw exception.Code is ControlErrors.AuthenticationNeeded or ControlErrors.NotAuthorized
                ? new CliException(ExitCodes.NotAllowed, exception.Message)
                : new CliException(ExitCodes.Unreachable, exception.Message,
                    endpoint is not null && Managers.Places.Contains(endpoint) ? "Is the manager running ('veredus service status manager')? Another place: --manager, or VEREDUS_MANAGER. The socket is open to the group 'veredus'."
                    : "Is the node running ('systemctl status veredus-node')? Another place: --socket, or VEREDUS_CONTROL. The socket is open to the group 'veredus'.");
        }
    }

    /// <summary>Asks the node once; a refusal becomes the exit code that belongs to it.</summary>
    public async Task<ControlReply> AskAsync(ControlClient client, string command, CancellationToken cancellationToken)
    {
        ControlReply reply;
        try
        {
            reply = await client.SendAsync(command, cancellationToken);
        }
        catch (ControlException exception)
        {
            throw new CliException(ExitCodes.Unreachable, exception.Message);
        }
        if (!reply.IsOk)
        {
            foreach (var line in reply.Lines)
                Error.Line(line);
            throw new CliException(ExitCodes.Of(reply.Code), reply.Text);
        }
        return reply;
    }

    /// <summary>Prints a JSON document in its envelope.</summary>
    public void Json(string schema, string node, string data) => Host.Out.WriteLine(Envelope.Wrap(schema, Now, node, data));

    /// <summary>Asks for a "y" (tier 2). Ctrl-C at the question ends the command.</summary>
    public Task ConfirmAsync(string question, bool yes, CancellationToken cancellationToken) =>
        Task.Run(() => Confirm(question, yes), CancellationToken.None).WaitAsync(cancellationToken);

    private void Confirm(string question, bool yes)
    {
        if (yes)
            return;
        if (!Host.IsInTerminal || !Host.IsErrorTerminal)
            throw new CliException(ExitCodes.NotConfirmed, "This needs a confirmation, and nobody is there to ask.", "Add --yes.");
        Error.Write($"{question} [y/N] ", Tone.Strong);
        if (Host.In.ReadLine()?.Trim() is not ("y" or "Y" or "yes"))
            throw new CliException(ExitCodes.NotConfirmed, "Not confirmed; nothing was changed.");
    }

    /// <summary>Asks for the number that the plan states (tier 3). Ctrl-C at the question ends the command.</summary>
    public Task ConfirmNumberAsync(string deed, string expected, bool yes, string? expect, CancellationToken cancellationToken) =>
        Task.Run(() => ConfirmNumber(deed, expected, yes, expect), CancellationToken.None).WaitAsync(cancellationToken);

    private void ConfirmNumber(string deed, string expected, bool yes, string? expect)
    {
        if (yes && expect is not null)
        {
            if (expect != expected)
                throw new CliException(ExitCodes.Conflict, $"The plan says {expected}, --expect says {expect}; nothing was changed.", "Look at the plan again.");
            return;
        }
        if (!Host.IsInTerminal || !Host.IsErrorTerminal || yes)
            throw new CliException(ExitCodes.NotConfirmed, $"This can't be undone and needs --yes --expect {expected}; nothing was changed.");
        Error.Write($"Type {expected} to {deed}: ", Tone.Strong);
        if (Host.In.ReadLine()?.Trim() != expected)
            throw new CliException(ExitCodes.NotConfirmed, "Not confirmed; nothing was changed.");
    }
}

/// <summary>Parses, runs, and turns every end into an exit code.</summary>
internal static class Cli
{
    public static async Task<int> RunAsync(CliHost host, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var translated = Personality.Translate(host.CalledAs, arguments);
        var asConsole = Personality.IsConsole(host.CalledAs) || (arguments.Count > 1 && arguments[0] == "as" && Personality.IsConsole(arguments[1]));
        var exitCode = translated is null
            ? Fail(host, false, new(ExitCodes.Usage, $"'{arguments[1]}' is not a program that veredus can be called as.", $"Known: {string.Join(' ', Personality.Links.Keys)}"))
            : await InvokeAsync(host, translated, cancellationToken);
        return asConsole ? ExitCodes.ForConsole(exitCode) : exitCode;
    }

    private static async Task<int> InvokeAsync(CliHost host, string[] arguments, CancellationToken cancellationToken)
    {
        if (arguments.Length == 0)
            arguments = ["--help"];
        var root = CommandTree.Build(host);
        // Words such as @example.com are addresses, not files with further words.
        var parse = root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        var isJson = arguments.Contains("--json");
        if (parse.Errors.Count > 0)
        {
            var errors = parse.Errors.Select(error => error.Message).Distinct().ToList();
            // "A command is missing" says nothing beside the word that is none.
            var error = string.Join(' ', errors.Count > 1 ? errors.Where(message => !message.StartsWith("Required command", StringComparison.Ordinal)) : errors);
            return Fail(host, isJson, new(ExitCodes.Usage, error, $"{Suggestion(parse)}See: {CommandTree.PathOf(parse.CommandResult.Command)} --help"));
        }
        CommandTree.ShowExamples(parse.CommandResult.Command);
        try
        {
            return await parse.InvokeAsync(new() { Output = host.Out, Error = host.Error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, cancellationToken);
        }
        catch (CliException exception)
        {
            return Fail(host, isJson, exception);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return ExitCodes.Interrupted;
        }
    }

    private static int Fail(CliHost host, bool isJson, CliException exception)
    {
        if (isJson)
        {
            host.Error.WriteLine(Envelope.Error(host.Time.GetUtcNow(), exception.ExitCode, exception.Message, exception.Hint));
            return exception.ExitCode;
        }
        var screen = new Screen(host.Error, host.IsErrorTerminal, Screen.WantsColor("auto", host.IsErrorTerminal, host.Environment), host.Width);
        screen.Line($"x  {exception.Message}", Tone.Bad);
        if (exception.Hint.Length > 0)
            screen.Line($"   {exception.Hint}");
        return exception.ExitCode;
    }

    private static string Suggestion(ParseResult parse)
    {
        if (parse.UnmatchedTokens is not [var word, ..])
            return "";
        var known = parse.CommandResult.Command.Subcommands.Where(command => !command.Hidden).Select(command => command.Name)
            .Concat(parse.CommandResult.Command.Options.Select(option => option.Name));
        var near = known.OrderBy(name => Spelling.Distance(name, word)).FirstOrDefault(name => Spelling.Distance(name, word) <= 2);
        return near is null ? "" : $"Did you mean \"{near}\"? ";
    }
}
