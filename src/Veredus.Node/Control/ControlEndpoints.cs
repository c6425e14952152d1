using Veredus.Control;
using Veredus.Control.Commands;

namespace Veredus.Node.Control;

/// <summary>The console of a node.</summary>
/// <param name="version">In the greeting and in <c>version</c>.</param>
/// <param name="more">Commands of other parts of the node.</param>
public sealed class ControlEndpoints(string version, IEnumerable<ControlCommand>? more = null) : INodeService
{
    private ControlSockets? _sockets;
    private SpoolConsole? _spool;

    /// <summary>The sockets, by their names in the configuration, with the ports that the system chose.</summary>
    public IReadOnlyDictionary<string, System.Net.EndPoint> Endpoints => _sockets?.Endpoints ?? new Dictionary<string, System.Net.EndPoint>();

    /// <summary>Carries out commands that do not come from a console here.</summary>
    public ControlRunner Runner { get; private set; } = null!;

    /// <summary>Roles of users; <see langword="null"/> where no socket checks them.</summary>
    public ControlAuthorization? Authorization => _sockets?.Authorization;

    /// <summary>The spool's part of the console.</summary>
    internal SpoolConsole? Spool => _spool;

    public ValueTask StartAsync(VeredusNode node, CancellationToken cancellationToken)
    {
        _spool = new(node);
        var console = new NodeConsole(node, version);
        var commands = new ControlCommandTable([
            .. new QueueCommands(new QueueConsole(node)).Commands,
            .. new Doubts.DoubtConsole(node).Commands,
            .. new NodeCommands(console).Commands,
            .. new ProcessCommands(console, node.Logs, () => Authorization, () => new ConfigConsoleSession(node.Configuration, node.Logs)).Commands,
            .. new SpoolCommands(_spool).Commands,
            .. more ?? [],
        ]);
        Runner = new(commands, node.Logs, node.Time);
        _sockets = new(node, version, commands);
        _sockets.Start();
        return default;
    }

    public async ValueTask DisposeAsync()
    {
        if (_sockets is not null)
            await _sockets.DisposeAsync();
        if (_spool is not null)
            await _spool.DisposeAsync();
    }
}
