using System.Globalization;
using Veredus.Cluster;
using Veredus.Control;

namespace Veredus.Demo;

/// <summary>One manager of the demo: a process on one of the hosts, beside its node, with a directory of its own.</summary>
/// <param name="number">Counted from 1; gives the name.</param>
/// <param name="host">Where it runs.</param>
/// <param name="parent">Directory of the demo.</param>
internal sealed class DemoManager(int number, DemoHost host, string parent) : IAsyncDisposable
{
    private DemoProcess? _process;

    public string Name { get; } = NameOf(number);

    public DemoHost Host => host;

    public string Directory => Path.Combine(parent, Name);

    public string ControlSocket => Path.Combine(Directory, "manager.sock");

    public string ConfigurationFile => Path.Combine(Directory, "eccluster.conf");

    public bool IsRunning => _process is { HasEnded: false };

    public static string NameOf(int number) => string.Create(CultureInfo.InvariantCulture, $"mgr{number}");

    /// <summary>Makes its directory, with a certificate and its configuration, and starts it.</summary>
    /// <param name="nodes">The members of the bus.</param>
    public async Task CreateAsync(ClusterAuthority authority, IReadOnlyList<DemoHost> nodes, CancellationToken cancellationToken)
    {
        var files = new ClusterFiles(System.IO.Directory.CreateDirectory(Path.Combine(Directory, "cluster")).FullName);
        using var identity = authority.Issue(Name, TimeProvider.System);
        await File.WriteAllTextAsync(files.Identity, identity.ExportPem(), cancellationToken);
        await File.WriteAllTextAsync(files.AuthorityCertificate, identity.ExportAuthorityPem(), cancellationToken);
        await File.WriteAllTextAsync(ConfigurationFile, Configuration(files, nodes), cancellationToken);
        await StartAsync(cancellationToken);
    }

    /// <summary>Starts it with the configuration that lies in its directory; returns when its console answers.</summary>
    public async Task StartAsync(CancellationToken cancellationToken) =>
        _process = await host.StartAsync(["manager", "run", "-c", ConfigurationFile], Directory, cancellationToken);

    /// <summary>Where it gathers a node's mainlog.</summary>
    public string GatheredMainlog(DemoHost node) => Path.Combine(GatheredMainlogs, node.Name);

    /// <summary>The directory of all nodes' mainlogs.</summary>
    public string GatheredMainlogs => Path.Combine(Directory, "logs", "mainlog");

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

    private string Configuration(ClusterFiles files, IReadOnlyList<DemoHost> nodes) => $$"""
        # {{Name}} of the demo, on the host of {{host.Name}}.
        pidfile = "{{Directory}}/manager.pid"
        ec_logger {
          mainlog = "{{Directory}}/mainlog.ec"
          rejectlog = "{{Directory}}/rejectlog.ec"
          paniclog = "{{Directory}}/paniclog.ec"
          acctlog = "{{Directory}}/acctlog.ec"
          heartbeat = 0
        }
        control_listener { listen "{{ControlSocket}}" { } }
        msgc_server { peers = [ {{string.Join(' ', nodes.Select(peer => $"{peer.Name} = \"{peer.Address}\""))}} ] }
        cluster {
          nodename = "{{Name}}"
          nodeaddr = "{{host.Address}}"
          cluster_directory = "{{files.Directory}}"
        }
        logs { control_cache = "{{Directory}}/control_cache"  logfile = "{{Directory}}/logs/%{l}/%{n}" }

        """;
}
