using Veredus.Cluster;
using Veredus.ConfigServer;
using Veredus.Configuration;
using Veredus.Control;
using Veredus.Logging;
using Veredus.Network;

namespace Veredus.Node;

/// <summary>
/// The node as one that follows the configuration servers (config-server.md 7.1): with a <c>cluster.boot</c> it keeps its working copy at their state and
/// loads what comes. A revision that does not load here changes nothing, and shows as a health code.
/// </summary>
/// <param name="etc">Holds <c>cluster.boot</c>, e.g. <c>/etc/veredus</c>.</param>
/// <param name="cluster">Knows this node's virtual addresses, for plans.</param>
/// <param name="loader">The node's; its search path finds the files of the working copy.</param>
public sealed class ConfigFollowing(string etc, ConfigurationLoader loader, ClusterService cluster) : INodeService
{
    private VeredusNode _node = null!;
    private string? _mainFile;

    /// <summary>Null on a host without <c>cluster.boot</c>.</summary>
    internal Follower? Follower { get; private set; }

    internal string Etc => etc;

    internal string Conf => Path.Combine(etc, "conf");

    internal VeredusNode Node => _node;

    /// <summary>The console's commands about it.</summary>
    public IEnumerable<ControlCommand> Commands => new FollowConsole(this).Commands;

    /// <summary>Brings the files up to date before a node reads them first, as far as servers answer in time; what is in the way is told, and the node starts with what lies there.</summary>
    public static async Task UpdateBeforeStartAsync(string etc, TimeSpan wait, TimeProvider time, Action<string> warn)
    {
        try
        {
            if (AutoPull.ReadBoot(etc) is not { } boot || boot.AutoUpdate == AutoUpdate.False || Marker.TryRead(Path.Combine(etc, "conf")) is null)
                return;
            using var limit = new CancellationTokenSource(wait, time);
            Task Check(string tree) => TreeValidator.CheckDirectory(etc, Path.Combine(etc, "conf"), tree, boot.NodeName) is { Count: > 0 } findings
                ? throw new NotLoadedException(string.Join('\n', findings)) : Task.CompletedTask;
            var pulled = await AutoPull.RunAsync(etc, Path.Combine(etc, "conf"), boot, Check, time, limit.Token);
            if (pulled.State.Code.Length > 0)
                warn($"{pulled.State.Code}: {pulled.State.Text}; starting with the files that are here (revision {pulled.State.Revision})");
        }
        catch (OperationCanceledException)
        {
            warn($"no configuration server has answered within {wait.TotalSeconds:0} s; starting with the files that are here");
        }
        catch (EccfgException exception)
        {
            warn(exception.Message);
        }
    }

    public ValueTask StartAsync(VeredusNode node, CancellationToken cancellationToken)
    {
        _node = node;
        _mainFile = node.Configuration.Current.MainFile;
        if (!File.Exists(Path.Combine(etc, ClusterBoot.FileName)))
            return default;
        var hasBus = ClusterConfiguration.Peers(node.Configuration.Current).Count > 0;
        Follower = new(new()
        {
            Etc = etc,
            Conf = Conf,
            Rehearse = async (tree, stop) => await RehearseAsync(tree, stop) is { Success: false } result ? result.Text : null,
            Plan = PlanAsync,
            Reload = async stop => await _node.ReloadAsync(cancellationToken: stop) is { Success: false } result ? result.Text : null,
            OpenBus = hasBus ? () => new CorosyncBus(new CorosyncBusSettings(ConfigServerHost.NodeGroup)) : null,
            Time = node.Time,
            Log = text => node.Logs.Panic(text.Contains("CONFIG_", StringComparison.Ordinal) ? PanicLevel.Warning : PanicLevel.Notice, PanicSubsystems.Start, "", text.ReplaceLineEndings(" ")),
        });
        return default;
    }

    /// <summary>What this node would do with files that lie in a directory, put in place of the working copy.</summary>
    internal Task<ReconfigureResult> RehearseAsync(string tree, CancellationToken cancellationToken) =>
        _node.Configuration.RehearseAsync(loader.With(TreeValidator.Moved(Conf, tree)), _mainFile, cancellationToken);

    /// <summary>The same, told to those who ask before they commit.</summary>
    private async Task<NodeEffect> PlanAsync(string tree, CancellationToken cancellationToken)
    {
        var boot = AutoPull.ReadBoot(etc)!;
        var moved = loader.With(TreeValidator.Moved(Conf, tree));
        var result = await RehearseAsync(tree, cancellationToken);
        // Another main file than the one in use: a node-specific one has appeared, or gone.
        string[] restart = moved.LocateNodeFile() is { } main && main != loader.LocateNodeFile() && _mainFile == loader.LocateNodeFile() ? [$"another main file ({main})"] : [];
        using var network = cluster.Host is null ? new HostNetwork() : null;
        return EffectReport.Of(boot.NodeName, boot.ClusterName, result, _node.Configuration.Current, cluster.Host ?? network!.Current, await cluster.OwnedAsync(cancellationToken), restart);
    }

    public async ValueTask DisposeAsync()
    {
        if (Follower is { } follower)
            await follower.DisposeAsync();
    }
}
