using Veredus.Cluster;
using Veredus.Configuration;
using Veredus.Control;

namespace Veredus.Node;

/// <summary>
/// The node in its control group (with a <c>cluster</c> stanza): commands of managers and other nodes come in here and go out from here, and the ECCluster listener
/// serves what needs no order. Without the stanza it does nothing.
/// </summary>
/// <param name="version">In this node's introduction to the others.</param>
/// <param name="runner">Carries out commands; asked once the console is there.</param>
public sealed class ClusterNetwork(string version, Func<ControlRunner> runner) : INodeService
{
    private readonly List<IClusterService> _services = [];
    private readonly List<IClusterLinkListener> _listeners = [];
    private VeredusNode _node = null!;

    /// <summary>The control group; <see langword="null"/> for a node without a cluster.</summary>
    public ControlGroup? Group { get; private set; }

    /// <summary>Serves other members by the ECCluster listener; before or after the start.</summary>
    public void Offer(IClusterService service)
    {
        _services.Add(service);
        Group?.Listener?.Offer(service);
    }

    /// <summary>Adds someone who hears what the control group delivers; before the start.</summary>
    public void Listen(IClusterLinkListener listener) => _listeners.Add(listener);

    public ValueTask StartAsync(VeredusNode node, CancellationToken cancellationToken)
    {
        _node = node;
        var configuration = node.Configuration.Current;
        if (!configuration.Modules(ScopeKinds.Cluster).Any())
            return default;
        Group = ControlGroup.Join(configuration, MemberKind.Veredus, version, node.Logs, node.Time, executor: ExecuteAsync);
        foreach (var service in _services)
            Group.Listener?.Offer(service);
        foreach (var listener in _listeners)
            Group.Link.Add(listener);
        Group.Start();
        return default;
    }

    public ValueTask DisposeAsync() => Group?.DisposeAsync() ?? default;

    /// <summary>A command of another member, with its caller's identity (cluster.md 12).</summary>
    private async Task<CommandOutput> ExecuteAsync(DelegatedCommand command, CancellationToken cancellationToken)
    {
        var configuration = _node.Configuration.Current;
        var authorization = Authorization(configuration);
        await using var session = ControlSession.Delegated(command.Origin, command.Caller.User, [.. command.Caller.Roles, command.Caller.User], authorization is not null);
        var answer = await runner().RunAsync(session, authorization, command.Text, cancellationToken);
        return CommandOutput.Collect(answer.Code, answer.Text, answer.Lines, cancellationToken);
    }

    /// <summary>Checked again here by default where the node defines roles, else the manager is trusted (<c>delegated_authorization</c>).</summary>
    private static ControlAuthorization? Authorization(ConfigurationSnapshot configuration) =>
        configuration.Get(ScopeKinds.Cluster, Options.DelegatedAuthorizationMode) switch
        {
            DelegatedAuthorization.Trust => null,
            DelegatedAuthorization.Auto when configuration.Singleton(ScopeKinds.Authorization) is null => null,
            _ => new(Node.Control.ControlSockets.Roles(configuration), []),
        };
}
