using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using Veredus.CommandLine;
using Veredus.Contexts;
using Veredus.Output;

namespace Veredus.Commands;

/// <summary>Which cluster one talks to (cli.md 3, 4.1): names for the managers of clusters, in the user's <c>cli.toml</c>.</summary>
internal static class ContextCommand
{
    private static readonly Argument<string> Name = new("NAME") { Description = "Letters, digits, '_' and '-'" };
    private static readonly Argument<string[]> Endpoints = new("ENDPOINT") { Description = "Managers: socket path, host:port or [ip6]:port, with user@ in front if need be", Arity = ArgumentArity.OneOrMore };
    private static readonly Argument<string?> OptionalName = new("NAME") { Description = "A context", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<bool> Production = new("--production") { Description = "Changes that are asked about need --reason" };
    private static readonly Option<bool> Use = new("--use") { Description = "Make it the current one" };
    private static readonly Option<bool> None = new("--none") { Description = "No context: this host's manager or node" };
    private static readonly Option<bool> TokenStdin = new("--token-stdin") { Description = "The first line of standard input is the token; it is kept in a file that only you may read" };
    private static readonly Option<string?> Ca = new("--ca") { Description = "PEM file with the authority of the managers' certificates", HelpName = "FILE" };
    private static readonly Option<string?> Fingerprint = new("--fingerprint") { Description = "SHA-256 of the managers' certificate instead", HelpName = "HEX" };

    public static Command Build(CliHost host)
    {
        var command = new Command("context", "Clusters by name: which one am I talking to")
        {
            CommandTree.Leaf(host, "list", "Contexts; '*' marks the current one", ["veredus context list", "veredus context list --json"], (call, _) => Done(() => List(call)), GlobalOptions.NoHeader),
            CommandTree.Leaf(host, "add", "Adds a context", ["veredus context add prod ops@mgr1.example.net:2025 ops@mgr2.example.net:2025 --production --use", "veredus context add lab /run/veredus/manager.sock"],
                AddAsync, Name, Endpoints, Production, Use, TokenStdin, Ca, Fingerprint),
            CommandTree.Leaf(host, "use", "Makes a context the current one", ["veredus context use prod", "veredus context use --none"], (call, _) => Done(() => UseIt(call)), OptionalName, None),
            CommandTree.Leaf(host, "remove", "Removes a context and its token", ["veredus context remove lab", "veredus context remove lab --json"], (call, _) => Done(() => Remove(call)), Name),
        };
        command.Aliases.Add("contexts");
        command.Subcommands[0].Aliases.Add("ls");
        return command;
    }

    private static Task<int> Done(Action action)
    {
        action();
        return Task.FromResult(ExitCodes.Done);
    }

    private static ContextStore Store(Call call) =>
        ContextStore.Of(call.Host.Environment) ?? throw new CliException(ExitCodes.Usage, "There is no place for cli.toml: neither XDG_CONFIG_HOME nor HOME is set.");

    private static void List(Call call)
    {
        var store = Store(call);
        var (contexts, current) = store.Read();
        if (call.IsJson)
        {
            call.Json("veredus.context.list/1", "", JsonSerializer.Serialize(
                contexts.Select(context => new ContextRow(context.Name, context.Name == current, context.Managers, context.IsProduction, store.Token(context.Name) is not null)).ToList(), ContextJson.Default.ListContextRow));
            return;
        }
        if (contexts.Count == 0)
        {
            call.Out.Line($"no contexts in {store.File}");
            return;
        }
        var table = new Table(new(""), new("NAME"), new("MANAGERS"), new("KIND"), new("TOKEN"));
        foreach (var context in contexts)
            table.Add(context.Name == current ? "*" : "", context.Name, string.Join(' ', context.Managers), context.IsProduction ? "production" : "", store.Token(context.Name) is null ? "" : "kept");
        table.Print(call.Out, !call.Parse.GetValue(GlobalOptions.NoHeader));
    }

    private static async Task<int> AddAsync(Call call, CancellationToken cancellationToken)
    {
        var (store, name) = (Store(call), call.Parse.GetValue(Name)!);
        if (!ClusterContext.IsName(name))
            throw new CliException(ExitCodes.Usage, $"'{name}' is no name of a context; letters, digits, '_' and '-' are, at most 64.");
        if (store.Read().Contexts.Any(context => context.Name == name))
            throw new CliException(ExitCodes.Conflict, $"There is a context '{name}' already; nothing was changed.", $"veredus context remove {name}, or edit {store.File}");
        var places = call.Parse.GetValue(Endpoints)!;
        foreach (var place in places)
            Call.EndpointOf(place);
        if (call.Parse.GetValue(Ca) is { } file && !File.Exists(file))
            throw new CliException(ExitCodes.NotFound, $"There is no file {file}.");
        string? token = null;
        if (call.Parse.GetValue(TokenStdin) && (token = (await call.Host.In.ReadLineAsync(cancellationToken))?.Trim()) is null or "")
            throw new CliException(ExitCodes.Usage, "--token-stdin: the first line of standard input is empty.");
        var ca = call.Parse.GetValue(Ca) is { } given ? Path.GetFullPath(given) : null;
        if (token is not null)
            store.SetToken(name, token);
        store.Add(new(name, [.. places.Select(place => place.StartsWith("./", StringComparison.Ordinal) ? Path.GetFullPath(place) : place)], call.Parse.GetValue(Production), ca, call.Parse.GetValue(Fingerprint)), call.Parse.GetValue(Use));
        Say(call, $"context {name} added to {store.File}{(call.Parse.GetValue(Use) ? "; it is the current one" : "")}");
        return ExitCodes.Done;
    }

    private static void UseIt(Call call)
    {
        var (store, name) = (Store(call), call.Parse.GetValue(OptionalName));
        if (name is null != call.Parse.GetValue(None))
            throw new CliException(ExitCodes.Usage, "Name a context, or say --none.", "veredus context list");
        if (name is not null)
            CheckExists(store, name);
        store.Use(name);
        Say(call, name is null ? "no context is current: this host's manager or node is asked" : $"{name} is the current context");
    }

    private static void Remove(Call call)
    {
        var (store, name) = (Store(call), call.Parse.GetValue(Name)!);
        CheckExists(store, name);
        store.Remove(name);
        Say(call, $"context {name} removed");
    }

    private static void CheckExists(ContextStore store, string name)
    {
        if (store.Read().Contexts.All(context => context.Name != name))
            throw new CliException(ExitCodes.NotFound, $"There is no context '{name}'.", "veredus context list");
    }

    private static void Say(Call call, string text)
    {
        if (call.IsJson)
            call.Json("veredus.done/1", "", JsonSerializer.Serialize(new DoneData(text), JournalJson.Default.DoneData));
        else
            call.Out.Line(text);
    }
}

internal sealed record ContextRow(string Name, bool IsCurrent, IReadOnlyList<string> Managers, bool IsProduction, bool HasToken);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(List<ContextRow>))]
internal sealed partial class ContextJson : JsonSerializerContext;
