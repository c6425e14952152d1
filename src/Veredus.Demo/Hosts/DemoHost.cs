using System.Globalization;
using System.Net;
using Veredus.Cluster;
using Veredus.Control;
using Veredus.Network;

namespace Veredus.Demo;

/// <summary>One host of the demo: a network namespace with a corosync and a node in it, and a directory.</summary>
internal sealed class DemoHost : IAsyncDisposable
{
    private static readonly TimeSpan ConsoleLimit = TimeSpan.FromSeconds(10);

    private readonly string _parent;
    private readonly CorosyncConfiguration _busConfiguration;
    private readonly byte[] _busKey;
    private NetworkNamespace _network = null!;

    /// <param name="number">Counted from 1; gives name and addresses.</param>
    /// <param name="parent">Directory of the demo.</param>
    public DemoHost(int number, string parent, CorosyncConfiguration busConfiguration, byte[] busKey) =>
        (Number, _parent, _busConfiguration, _busKey) = (number, parent, busConfiguration, busKey);

    public int Number { get; }

    public string Name => NameOf(Number);

    public IPAddress Address => DemoNetwork.Host(Number);

    public MacAddress Mac => DemoNetwork.Mac(Number);

    public string Directory => Path.Combine(_parent, Name);

    public string ControlSocket => Path.Combine(Directory, "control.sock");

    public string ConfigurationFile => Path.Combine(Directory, "veredus.conf");

    /// <summary>The journal that its node's mainlog also goes to, in a demo with managers.</summary>
    public string MainlogJournal => Path.Combine(Directory, "mainlog.cluster");

    public CorosyncDaemon? Bus { get; private set; }

    public DemoProcess? Node { get; private set; }

    public bool IsNodeRunning => Node is { HasEnded: false };

    public bool IsFrozen { get; private set; }

    /// <summary>Its node was asked to give its addresses away.</summary>
    public bool IsDrained { get; set; }

    public static string NameOf(int number) => string.Create(CultureInfo.InvariantCulture, $"mta{number:00}");

    /// <summary>Makes the host's network, and a directory with its certificate; nothing runs yet.</summary>
    public async Task CreateAsync(ClusterAuthority authority, CancellationToken cancellationToken)
    {
        var files = new ClusterFiles(System.IO.Directory.CreateDirectory(Path.Combine(Directory, "cluster")).FullName);
        using var identity = authority.Issue(Name, TimeProvider.System);
        await File.WriteAllTextAsync(files.Identity, identity.ExportPem(), cancellationToken);
        await File.WriteAllTextAsync(files.AuthorityCertificate, identity.ExportAuthorityPem(), cancellationToken);
        System.IO.Directory.CreateDirectory(Path.Combine(Directory, "spool"));
        _network = await DemoNetwork.AddHostAsync(Name, Number, cancellationToken);
    }

    public async Task StartBusAsync(CancellationToken cancellationToken) => Bus = await CorosyncDaemon.StartAsync(
        [.. _network.ExecPrefix, "setsid"], System.IO.Directory.CreateDirectory(Path.Combine(Directory, "bus")).FullName, _busConfiguration, _busKey, cancellationToken);

    /// <summary>As a crash of corosync would; the node loses its bus.</summary>
    public async Task KillBusAsync()
    {
        if (Bus is not { } bus)
            return;
        await bus.KillAsync();
        await bus.DisposeAsync();
        Bus = null;
    }

    /// <summary>Starts the node with the configuration that lies in its directory; returns when it is ready.</summary>
    public async Task StartNodeAsync(CancellationToken cancellationToken)
    {
        Node = await StartAsync(["node", "run", "-d", "-c", ConfigurationFile], Directory, cancellationToken);
        (IsFrozen, IsDrained) = (false, false);
    }

    /// <summary>Starts any daemon of this program on this host.</summary>
    public Task<DemoProcess> StartAsync(IReadOnlyList<string> words, string directory, CancellationToken cancellationToken) =>
        DemoProcess.StartAsync(_network.ExecPrefix, words, directory, cancellationToken);

    /// <summary>SIGKILL to the node; its guard takes its addresses off the host.</summary>
    public async Task KillNodeAsync()
    {
        if (Node is { } node)
            await node.KillAsync();
        IsFrozen = false;
    }

    /// <summary>SIGTERM to the node: it hands over what it has and ends.</summary>
    /// <returns>Whether it ended by itself.</returns>
    public async Task<bool> StopNodeAsync() => Node is not { } node || await node.StopAsync();

    /// <summary>SIGSTOP to the node: it hangs.</summary>
    public void Freeze()
    {
        Node?.Send(Signal.Stop);
        IsFrozen = true;
    }

    public void Thaw()
    {
        Node?.Send(Signal.Continue);
        IsFrozen = false;
    }

    /// <summary>Runs <c>ip</c> on this host, as somebody who interferes by hand would.</summary>
    public Task RunIpAsync(string arguments, CancellationToken cancellationToken) => _network.RunIpAsync(arguments, cancellationToken);

    /// <summary>The addresses that the host's kernel has.</summary>
    public Task<IPAddress[]> AddressesAsync() => _network.RunAsync(() =>
    {
        using var netlink = new Rtnetlink();
        return netlink.GetAddresses().Select(info => info.Address).ToArray();
    });

    /// <summary>Gives the node's console a command.</summary>
    /// <returns>The answer; <see langword="null"/> when the node does not answer (dead, frozen, starting).</returns>
    public async Task<ControlReply?> TryAskAsync(string command, CancellationToken cancellationToken)
    {
        if (!IsNodeRunning || IsFrozen)
            return null;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(ConsoleLimit);
        try
        {
            await using var client = await ControlClient.ConnectAsync(ControlEndpoint.Unix(ControlSocket), new(), limit.Token);
            return await client.SendAsync(command, limit.Token);
        }
        catch (ControlException)
        {
            return null;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <exception cref="IOException">The node does not answer, or refuses.</exception>
    public async Task<ControlReply> AskAsync(string command, CancellationToken cancellationToken) => await TryAskAsync(command, cancellationToken) switch
    {
        null => throw new IOException($"{Name} does not answer '{command}'"),
        { IsOk: false } reply => throw new IOException($"{Name} refuses '{command}': {reply.Text}"),
        var reply => reply,
    };

    /// <summary>Ends what runs. The network goes with the demo's namespaces.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Node is { } node)
        {
            // Who still looks at the host sees no node, rather than one that can't be asked.
            Node = null;
            // A frozen process would not hear SIGTERM.
            await node.KillAsync();
            await node.DisposeAsync();
        }
        if (Bus is not null)
            await KillBusAsync();
    }
}
