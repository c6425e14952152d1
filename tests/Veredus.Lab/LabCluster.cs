using System.Diagnostics;
using System.Net;
using System.Text;
using Veredus.Cluster;
using Veredus.Network;

namespace Veredus.Lab;

/// <summary>
/// Three hosts on two segments, one for mail and one for the bus, each with a corosync and a <c>veredus node run</c>; and a client host on the mail segment that looks from outside.
/// </summary>
public sealed partial class LabCluster : IAsyncDisposable
{
    public const int Size = 3;
    /// <summary>Ends a hang; says nothing about how long anything may take.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);
    private static int s_count;

    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-lab-").FullName;
    private readonly string _id = $"vl{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}";
    private readonly LabPlan _plan;
    private readonly List<NetworkNamespace> _hosts = [];
    private readonly CorosyncDaemon?[] _daemons = new CorosyncDaemon?[Size];
    private readonly Process?[] _nodes = new Process?[Size];
    private readonly NodePlan[] _nodePlans = [.. Enumerable.Range(1, Size).Select(i => new NodePlan(i))];
    private readonly StringBuilder[] _said = [new(), new(), new()];
    private readonly byte[] _key = CorosyncConfiguration.NewKey();
    private NetworkNamespace _switch = null!;

    private LabCluster(LabPlan plan) => _plan = plan;

    public NetworkNamespace Client { get; private set; } = null!;

    public IReadOnlyList<IPAddress> Vips => _plan.Vips;

    public static IEnumerable<int> Hosts => Enumerable.Range(1, Size);

    /// <summary>The address that the node on a host listens on whatever the cluster does.</summary>
    public static IPAddress Static(int i) => IPAddress.Parse($"198.18.7.{i}");

    public static async Task<LabCluster> StartAsync(LabPlan plan)
    {
        var lab = new LabCluster(plan);
        try
        {
            await lab.BuildAsync();
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    private async Task BuildAsync()
    {
        _switch = await NetworkNamespace.CreateAsync($"{_id}-sw", CancellationToken.None);
        foreach (var bridge in (string[])["mail", "bus"])
        {
            await _switch.RunIpAsync($"link add {bridge} type bridge", CancellationToken.None);
            await _switch.RunIpAsync($"link set {bridge} up", CancellationToken.None);
        }
        foreach (var i in Hosts)
        {
            _hosts.Add(await ConnectAsync($"{_id}-{i}", i));
            await PlugAsync(_hosts[^1], "bus0", $"bus{i}", "bus", $"198.18.6.{i}/24");
        }
        Client = await ConnectAsync($"{_id}-c", 200);
        await Task.WhenAll(Hosts.Select(i => StartBusAsync(i)));
        await Task.WhenAll(Hosts.Select(StartNodeAsync));
    }

    /// <summary>A host on the mail segment; its virtual addresses are in the same networks.</summary>
    private async Task<NetworkNamespace> ConnectAsync(string name, int number)
    {
        var host = await NetworkNamespace.CreateAsync(name, CancellationToken.None);
        await PlugAsync(host, "eth0", $"mail{number}", "mail", $"198.18.7.{number}/16");
        await host.RunIpAsync($"addr add fd00:7::{number}/64 dev eth0 nodad", CancellationToken.None);
        return host;
    }

    private async Task PlugAsync(NetworkNamespace host, string name, string port, string bridge, string address)
    {
        await host.ConnectAsync(name, _switch, port, CancellationToken.None);
        await _switch.RunIpAsync($"link set {port} master {bridge}", CancellationToken.None);
        await host.RunIpAsync($"addr add {address} dev {name}", CancellationToken.None);
    }

    /// <summary>A host on the mail segment that belongs to nobody.</summary>
    public Task<NetworkNamespace> StrangerAsync() => ConnectAsync($"{_id}-x", 201);

    public async Task StartBusAsync(int i, byte[]? key = null)
    {
        var entries = Hosts.Select(host => KeyValuePair.Create($"mta{host}", $"198.18.6.{host}"));
        var configuration = new CorosyncConfiguration("lab", BusPeer.ParseAll(entries, out _)!, _plan.Timing, "", "", AccessGroup: null);
        _daemons[i - 1] = await CorosyncDaemon.StartAsync(
            _hosts[i - 1].ExecPrefix, Directory.CreateDirectory(Path.Combine(_directory, $"bus{i}")).FullName, configuration, key ?? _key, CancellationToken.None).WaitAsync(Limit);
    }

    public async Task KillBusAsync(int i)
    {
        await using var daemon = _daemons[i - 1]!;
        _daemons[i - 1] = null;
        await daemon.KillAsync();
    }

    /// <summary>The virtual addresses that the kernel of host <paramref name="i"/> has.</summary>
    public Task<IPAddress[]> AddressesOnAsync(int i) => _hosts[i - 1].RunAsync(() =>
    {
        using var netlink = new Rtnetlink();
        return netlink.GetAddresses().Select(info => info.Address).Where(address => address.ToString() is var text
            && (text.StartsWith("fd00:7::1:", StringComparison.Ordinal) || text.StartsWith("198.18.", StringComparison.Ordinal) && text.Split('.')[2] is not ("6" or "7"))).ToArray();
    });

    /// <summary>The link-layer address of a host's mail interface.</summary>
    public Task<MacAddress> MacAsync(int i) => _hosts[i - 1].RunAsync(() =>
    {
        using var netlink = new Rtnetlink();
        return netlink.GetLinks().Single(link => link.Name == "eth0").Mac;
    });

    /// <summary>For each address, the hosts that have it, counted from 1.</summary>
    public async Task<Dictionary<IPAddress, int[]>> HoldersAsync()
    {
        var hosts = new List<IPAddress[]>();
        foreach (var i in Hosts)
            hosts.Add(await AddressesOnAsync(i));
        return Vips.ToDictionary(vip => vip, vip => Hosts.Where(i => hosts[i - 1].Contains(vip)).ToArray());
    }

    /// <summary>A host that holds addresses, and those.</summary>
    public async Task<(int Host, IPAddress[] Vips)> SomeOwnerAsync()
    {
        foreach (var i in Hosts)
            if (await AddressesOnAsync(i) is { Length: > 0 } held)
                return (i, held);
        throw new InvalidOperationException("no host has any address");
    }

    /// <summary>Until each address is on exactly one host and every host of <paramref name="among"/> (default: all) has its share, twice in a row.</summary>
    public async Task SettledAsync(params int[] among)
    {
        var hosts = among.Length > 0 ? among : [.. Hosts];
        var (begun, good, last) = (Stopwatch.GetTimestamp(), 0, "");
        while (good < 2)
        {
            var holders = await HoldersAsync();
            last = string.Join("; ", holders.Select(pair => $"{pair.Key}: {string.Join(',', pair.Value)}"));
            good = holders.Values.All(on => on.Length == 1 && hosts.Contains(on[0])) && hosts.All(i => holders.Values.Any(on => on[0] == i)) ? good + 1 : 0;
            if (Stopwatch.GetElapsedTime(begun) > Limit)
                throw new TimeoutException($"Addresses did not settle on {string.Join(',', hosts)}: {last}\n{Story}");
            await Task.Delay(100);
        }
    }

    /// <summary>Until a host has all of these.</summary>
    public async Task UntilHeldAsync(int i, IEnumerable<IPAddress> vips)
    {
        for (var begun = Stopwatch.GetTimestamp(); vips.Except(await AddressesOnAsync(i)).ToArray() is { Length: > 0 } missing;)
        {
            if (Stopwatch.GetElapsedTime(begun) > Limit)
                throw new TimeoutException($"Host {i} does not have {string.Join(", ", missing.AsEnumerable())}.\n{Story}");
            await Task.Delay(100);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes.OfType<Process>())
        {
            if (!node.HasExited)
                node.Kill();
            await node.WaitForExitAsync();
        }
        foreach (var daemon in _daemons.OfType<CorosyncDaemon>())
            await daemon.DisposeAsync();
        foreach (var host in _hosts)
            await host.DisposeAsync();
        if (Client is not null)
            await Client.DisposeAsync();
        if (_switch is not null)
            await _switch.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }
}
