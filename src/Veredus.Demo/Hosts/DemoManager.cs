using System.Globalization;
using Veredus.Control;

namespace Veredus.Demo;

/// <summary>One manager of the demo: a process on one of the hosts, beside its node, with a directory of its own.</summary>
/// <param name="number">Counted from 1; gives the name.</param>
/// <param name="host">Where it runs.</param>
/// <param name="parent">Directory of the demo.</param>
internal sealed class DemoManager(int number, DemoHost host, string parent) : IAsyncDisposable
{
    private DemoProcess? _process;

    public string Name { get; } = string.Create(CultureInfo.InvariantCulture, $"mgr{number}");

    public DemoHost Host => host;

    public string Directory => Path.Combine(parent, Name);

    public string ControlSocket => Path.Combine(Directory, "manager.sock");

    public string ConfigurationFile => Path.Combine(Directory, "eccluster.conf");

    public bool IsRunning => _process is { HasEnded: false };

    /// <summary>Starts it with the configuration that lies in its directory; returns when its console answers.</summary>
    public async Task StartAsync(CancellationToken cancellationToken) =>
        _process = await host.StartAsync(["manager", "run", "-c", ConfigurationFile], Directory, cancellationToken);

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        if (_process is not { } process)
            return;
        _process = null;
        await process.KillAsync();
        await process.DisposeAsync();
    }

    /// <summary>Gives its console a command.</summary>
    /// <exception cref="IOException">It does not answer.</exception>
    public async Task<ControlReply> AskAsync(string command, CancellationToken cancellationToken)
    {
        try
        {
            await using var client = await ControlClient.ConnectAsync(ControlEndpoint.Unix(ControlSocket), new(), cancellationToken);
            return await client.SendAsync(command, cancellationToken);
        }
        catch (ControlException e)
        {
            throw new IOException($"{Name} does not answer '{command}': {e.Message}", e);
        }
    }

    public async ValueTask DisposeAsync() => await KillAsync();
}
