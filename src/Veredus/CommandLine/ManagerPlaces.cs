using System.CommandLine;
using Veredus.Contexts;
using Veredus.Control;
using Veredus.Terminal;

namespace Veredus.CommandLine;

/// <summary>
/// Which managers one call of the tool talks to (cli.md 4.1): <c>--manager</c>, else <c>VEREDUS_MANAGER</c>, else <c>--context</c> or <c>VEREDUS_CONTEXT</c>, else the current
/// context, else the manager of this host. The current context gives way to a node that was named, and the console's classic names heed options only.
/// </summary>
internal sealed class ManagerPlaces
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly CliHost _host;
    private readonly string? _tokenFile;

    public ManagerPlaces(CliHost host, ParseResult parse)
    {
        _host = host;
        _tokenFile = Given(parse.GetValue(GlobalOptions.TokenFile)) ?? Given(host.Environment("VEREDUS_TOKEN_FILE"));
        var socket = Given(parse.GetValue(GlobalOptions.Socket));
        var isClassic = Personality.IsConsole(host.CalledAs);
        var heedsEnvironment = socket is null && !isClassic;
        var manager = Given(parse.GetValue(GlobalOptions.Manager)) ?? (heedsEnvironment ? Given(host.Environment("VEREDUS_MANAGER")) : null);
        var context = Given(parse.GetValue(GlobalOptions.Context)) ?? (heedsEnvironment ? Given(host.Environment("VEREDUS_CONTEXT")) : null);
        var isNodeNamed = socket is not null || (manager is null && context is null && Given(host.Environment("VEREDUS_CONTROL")) is not null);
        if (manager is not null)
            Places = [Call.EndpointOf(manager)];
        else if (context is not null)
            Places = [.. (Context = Named(context)).Managers.Select(Call.EndpointOf)];
        else if (!isNodeNamed && !isClassic && Current() is { } current)
            Places = [.. (Context = current).Managers.Select(Call.EndpointOf)];
        else if (File.Exists(ControlEndpoint.ManagerPath))
            Places = [ControlEndpoint.Unix(ControlEndpoint.ManagerPath)];
        AreChosen = manager is not null || Context is not null;
        NamesNode = isNodeNamed && !AreChosen;
    }

    /// <summary>In the order in which they are tried; empty: none was named, and this host has none.</summary>
    public IReadOnlyList<ControlEndpoint> Places { get; } = [];

    /// <summary>The context in force; <see langword="null"/>: none, or a manager was named.</summary>
    public ClusterContext? Context { get; }

    /// <summary>The places were named, by option, environment or context.</summary>
    public bool AreChosen { get; }

    /// <summary>A node's socket was named.</summary>
    public bool NamesNode { get; }

    /// <summary>How to prove who one is there.</summary>
    public ControlClientOptions Options => new()
    {
        ConnectTimeout = Patience,
        CaFile = Context?.CaFile,
        Fingerprint = Context?.Fingerprint,
        Password = user => Token ?? Ask(user),
    };

    /// <summary>The same for a place that is not of the context: only a file that was named is used there.</summary>
    public ControlClientOptions OptionsElsewhere => new() { Password = user => _tokenFile is not null ? ContextStore.ReadSecret(_tokenFile) : Ask(user) };

    /// <summary>What is kept for the context, or stands in the file that was named.</summary>
    private string? Token => _tokenFile is not null ? ContextStore.ReadSecret(_tokenFile) : Context is { } context ? ContextStore.Of(_host.Environment)?.Token(context.Name) : null;

    private string? Ask(string user) =>
        _host.IsInTerminal && _host.IsErrorTerminal ? Secret.Ask($"Password of {user}: ", new(_host.Error, _host.IsErrorTerminal, false, _host.Width)) : null;

    private static string? Given(string? text) => string.IsNullOrEmpty(text) ? null : text;

    private ClusterContext Named(string name)
    {
        var contexts = ContextStore.Of(_host.Environment)?.Read().Contexts ?? [];
        return contexts.FirstOrDefault(context => context.Name == name) ?? throw new CliException(ExitCodes.NotFound, $"There is no context '{name}'.",
            contexts.Count == 0 ? "veredus context add NAME ENDPOINT... makes one." : $"There are: {string.Join(' ', contexts.Select(context => context.Name))}");
    }

    private ClusterContext? Current() => ContextStore.Of(_host.Environment) is { } store && File.Exists(store.File) && store.Read().Current is { } name ? Named(name) : null;
}
