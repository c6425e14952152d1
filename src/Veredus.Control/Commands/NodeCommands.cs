using System.Globalization;

namespace Veredus.Control.Commands;

/// <summary>The commands of mta.md 9.3 and 9.4 about the node as a whole that only a node has.</summary>
public sealed class NodeCommands(INodeConsole node)
{
    public IEnumerable<ControlCommand> Commands =>
    [
        new("show inbound", "", "inbound sessions", (call, _) =>
            QueueCommands.Answer(call, QueueCommands.List(node.Inbound()), list => list.Items.Select(Layouts.Inbound))) { HasJson = true },
        new("module list", "", "loaded modules", (call, _) => QueueCommands.Answer(call, QueueCommands.List(node.Modules()), Text)) { HasJson = true },
        new("tls show cache", "", "TLS contexts in use", (call, _) => QueueCommands.Answer(call, QueueCommands.List(node.TlsContexts()), Text)) { HasJson = true },
        new("tls flush cache", "", "re-reads certificates", (_, _) => new(ControlAnswer.Ok($"{node.FlushTlsCache()} TLS contexts dropped."))),
    ];

    private static IEnumerable<string> Text(Listing<ModuleLine> modules) =>
        modules.Items.Select(module => $"{module.Name,-24} {module.Instance,-20} {(module.IsEnabled ? "enabled " : "disabled")} {module.Description}".TrimEnd());

    private static IEnumerable<string> Text(Listing<TlsContextLine> contexts) =>
        contexts.Items.Select(context => string.Create(CultureInfo.InvariantCulture, $"{context.Files} age {context.AgeSeconds:0} s users {context.Users}"));
}
