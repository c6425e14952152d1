using System.Net;
using Veredus.Cluster;
using Veredus.Network;

namespace Veredus.Demo;

/// <summary>How large a demo is, and how it behaves.</summary>
/// <param name="Nodes">2 to <see cref="MaxNodes"/>.</param>
/// <param name="Rate">Messages a second.</param>
/// <param name="PartitionPolicy"><c>component</c> or <c>quorum</c> (duravip.md 2.5).</param>
internal sealed record DemoOptions(int Nodes = 3, double Rate = 20, string PartitionPolicy = "component")
{
    public const int MaxNodes = 7, AddressesPerThree = 12, MaxRate = 200;
    public static readonly TimeSpan ProbeInterval = TimeSpan.FromMilliseconds(50);

    public int Addresses { get; init; } = AddressesPerThree;

    /// <summary>Managers, at most one for each node.</summary>
    public int Managers { get; init; }

    /// <summary>The nodes' journals keep every record, for <see cref="GatheredLogs"/>, also when the managers have it.</summary>
    public bool KeepsJournals { get; init; }

    /// <summary>An address is taken over only when its last holder must have let go (<c>duravip_claim_guard</c>).</summary>
    public bool ClaimGuard { get; init; }

    /// <summary>corosync takes real-time priority: load on this machine does not look like its death. As root only.</summary>
    public bool RealTime { get; init; }
}

/// <summary>
/// The cluster of the demo: hosts with real corosync and real nodes, a sender and two receiving servers, and two watchers that look from
/// outside. Has to run inside <see cref="Launcher"/>'s namespaces.
/// </summary>
internal sealed class DemoCluster : IAsyncDisposable
{
    private DemoCluster(string directory, DemoOptions options)
    {
        Options = options;
        Addresses = DemoNetwork.Virtual(options.Addresses);
        var peers = BusPeer.ParseAll(Enumerable.Range(1, options.Nodes).Select(number => KeyValuePair.Create(DemoHost.NameOf(number), $"{DemoNetwork.Host(number)}")), out var error)
            ?? throw new InvalidOperationException(error);
        var bus = new CorosyncConfiguration("demo", peers, BusTiming.Default, "", "", AccessGroup: null, RealTime: options.RealTime);
        var key = CorosyncConfiguration.NewKey();
        Hosts = [.. Enumerable.Range(1, options.Nodes).Select(number => new DemoHost(number, directory, bus, key))];
        Managers = [.. Enumerable.Range(1, Math.Min(options.Managers, options.Nodes)).Select(number => new DemoManager(number, Hosts[number - 1], directory))];
        Cables = new(Hosts);
    }

    public DemoOptions Options { get; }

    public IReadOnlyList<DemoHost> Hosts { get; }

    /// <summary>Managers, each on the host of its number.</summary>
    public IReadOnlyList<DemoManager> Managers { get; }

    /// <summary>The virtual addresses.</summary>
    public IReadOnlyList<IPAddress> Addresses { get; }

    /// <summary>The faults of the network.</summary>
    public NetworkFaults Cables { get; }

    public DemoSink SinkA { get; private set; } = null!;

    public DemoSink SinkB { get; private set; } = null!;

    public MailLedger Ledger { get; } = new();

    public MailLoad Load { get; private set; } = null!;

    /// <summary>Connects to every address again and again.</summary>
    public Prober Probe { get; private set; } = null!;

    /// <summary>Asks who has each address, and sees two who say "I".</summary>
    public ArpWatch Arp { get; private set; } = null!;

    /// <summary>Makes and starts everything but the mail; returns when the cluster has settled.</summary>
    public static async Task<DemoCluster> StartAsync(string directory, DemoOptions options, CancellationToken cancellationToken)
    {
        var cluster = new DemoCluster(directory, options);
        try
        {
            await DemoNetwork.CreateAsync(cancellationToken);
            using var authority = ClusterAuthority.Create("demo", TimeProvider.System);
            foreach (var host in cluster.Hosts)
                await host.CreateAsync(authority, cancellationToken);
            cluster.SinkA = new DemoSink("a.demo", new(DemoNetwork.SinkA, 25), deferEvery: 0, cluster.Ledger);
            cluster.SinkB = new DemoSink("b.demo", new(DemoNetwork.SinkB, 25), deferEvery: 10, cluster.Ledger);
            cluster.Load = new([.. cluster.Addresses.Select(address => new IPEndPoint(address, 25))], options.Rate, cluster.Ledger, "a.demo", "b.demo");
            await Task.WhenAll(cluster.Hosts.Select(host => host.StartBusAsync(cancellationToken)));
            foreach (var host in cluster.Hosts)
                cluster.Configure(host, NodeOverrides.None);
            await Task.WhenAll(cluster.Hosts.Select(host => host.StartNodeAsync(cancellationToken)));
            await Task.WhenAll(cluster.Managers.Select(manager => manager.CreateAsync(authority, cluster.Hosts, cancellationToken)));
            cluster.Arp = ArpWatch.Start(cluster.Addresses, DemoOptions.ProbeInterval);
            cluster.Probe = new(cluster.Addresses, DemoOptions.ProbeInterval);
            await cluster.SettledAsync(cancellationToken);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    private IReadOnlyList<string> Readers => [.. Managers.Select(manager => manager.Name), .. Options.KeepsJournals ? [NodeSettings.Keeper] : Array.Empty<string>()];

    /// <summary>Writes a node's configuration; it reads it at its start or its next reload.</summary>
    public void Configure(DemoHost host, NodeOverrides overrides) =>
        File.WriteAllText(host.ConfigurationFile, NodeSettings.Render(host, Hosts, Readers, Addresses, Options, overrides));

    /// <summary>The hosts whose nodes work, can be reached, and take part.</summary>
    public IEnumerable<DemoHost> Healthy => Hosts.Where(host => host is { IsNodeRunning: true, IsFrozen: false, IsDrained: false } && !Cables.IsCut(host));

    /// <summary>Whose network card it is; the card itself for a stranger's.</summary>
    public string NameOf(MacAddress mac) => Hosts.FirstOrDefault(host => host.Mac == mac)?.Name ?? mac.ToString();

    /// <summary>For each address the names of the hosts whose kernel has it.</summary>
    public async Task<Dictionary<IPAddress, string[]>> HoldersAsync()
    {
        var found = await Task.WhenAll(Hosts.Select(async host => (host.Name, Addresses: await host.AddressesAsync())));
        return Addresses.ToDictionary(address => address, address => found.Where(host => host.Addresses.Contains(address)).Select(host => host.Name).ToArray());
    }

    /// <summary>Mends all cables, wakes and starts nodes and managers, lets all take part again.</summary>
    public async Task RepairAsync(CancellationToken cancellationToken)
    {
        await Cables.HealAllAsync(cancellationToken);
        foreach (var host in Hosts)
        {
            if (host.IsFrozen)
                host.Thaw();
            if (host.Bus is null)
                await host.StartBusAsync(cancellationToken);
            if (!host.IsNodeRunning)
                await host.StartNodeAsync(cancellationToken);
            if (host.IsDrained)
                await host.AskAsync("cluster duravip undrain", cancellationToken);
            host.IsDrained = false;
        }
        foreach (var manager in Managers.Where(manager => !manager.IsRunning))
            await manager.StartAsync(cancellationToken);
    }

    /// <summary>Waits until every address answers, is on exactly one host, and the healthy hosts have equally many (give or take one).</summary>
    public async Task SettledAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await Probe.AllAnswerAsync(cancellationToken);
            var holders = await HoldersAsync();
            var counts = Healthy.Select(host => holders.Values.Count(hosts => hosts is [var only] && only == host.Name)).ToArray();
            if (counts.Sum() == Addresses.Count && counts.Max() - counts.Min() <= 1)
                return;
            await Probe.NextRoundAsync(cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Load is not null)
            await Load.DisposeAsync();
        if (Probe is not null)
            await Probe.DisposeAsync();
        if (Arp is not null)
            await Arp.DisposeAsync();
        await Task.WhenAll(Managers.Select(manager => manager.DisposeAsync().AsTask()));
        await Task.WhenAll(Hosts.Select(host => host.DisposeAsync().AsTask()));
        if (SinkA is not null)
            await SinkA.DisposeAsync();
        if (SinkB is not null)
            await SinkB.DisposeAsync();
    }
}
