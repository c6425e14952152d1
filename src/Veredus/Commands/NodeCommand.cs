using System.CommandLine;
using Veredus.CommandLine;
using Veredus.Node;
using Veredus.Node.Control;
using Veredus.Node.Hosting;
using Veredus.Node.Http;
using Veredus.Node.Logs;

namespace Veredus.Commands;

/// <summary>The MTA itself: <c>veredus node run</c>, classic <c>ecelerity</c>.</summary>
internal static class NodeCommand
{
    private static readonly Option<string?> File = new("-c", "--config") { Description = "Main configuration file", HelpName = "FILE" };
    private static readonly Option<bool> Foreground = new("-d", "--foreground") { Description = "Stay in the foreground and log to standard error (it always does)" };
    private static readonly Option<string?> Skip = new("-n", "--skip") { Description = "Leave a service out: queue (receive only) or esmtp (deliver what is there only)", HelpName = "SERVICE" };
    private static readonly Option<bool> TakeOver = new("--take-over") { Description = "Take a spool that another node's record names although nobody holds it" };

    public static Command Build(CliHost host)
    {
        Skip.AcceptOnlyFromAmong("queue", "esmtp", "ecstream");
        var command = new Command("node", "This machine's node, and the nodes of its cluster")
        {
            CommandTree.Leaf(host, "run", "Runs a node in the foreground; systemd's unit does this",
                ["veredus node run", "veredus node run -c /etc/veredus/veredus.conf -n queue"], RunAsync, File, Foreground, Skip, TakeOver),
            SetupCommand.BuildJoin(host),
            MembersCommand.BuildLeave(host),
            MembersCommand.BuildToken(host),
        };
        foreach (var more in NodesCommand.Build(host))
            command.Subcommands.Add(more);
        return command;
    }

    private static async Task<int> RunAsync(Call call, CancellationToken cancellationToken)
    {
        var skip = call.Parse.GetValue(Skip);
        var version = VersionCommand.Version.Split(' ')[0];
        var (etc, loader) = (ConfigCommand.Etc(call.Host), ConfigCommand.Loader(call.Host));
        ConfigCommand.ExportIdentity(call.Host);
        await ConfigFollowing.UpdateBeforeStartAsync(etc, TimeSpan.FromSeconds(15), call.Host.Time, text => call.Error.Line(text, Output.Tone.Warning));
        ControlEndpoints control = null!;
        var network = new ClusterNetwork(version, () => control.Runner);
        var cluster = new ClusterService(version, network);
        var delegating = new Delegating(() => network.Group?.Delegation, () => control.Authorization, call.Host.Time);
        var logs = new LogPublishing(network);
        var following = new ConfigFollowing(etc, loader, cluster);
        control = new(version, [.. cluster.Commands, delegating.Command, .. logs.Commands, .. following.Commands]);
        var options = new NodeOptions
        {
            Loader = loader,
            ConfigurationFile = ConfigCommand.MainFile(call, File),
            ReceiveOnly = skip == "queue",
            DrainOnly = skip == "esmtp",
            TakeOver = call.Parse.GetValue(TakeOver),
            Presence = cluster.Presence,
            Services = [control, new HttpEndpoint(), network, logs, cluster, following],
        };
        return (int)await NodeProcess.RunAsync(options, text => call.Error.Line(text, Output.Tone.Bad), text => call.Error.Line(text, Output.Tone.Warning));
    }
}
