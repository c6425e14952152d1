using System.Globalization;
using Veredus.Network;

namespace Veredus.Cluster.Tests;

/// <summary>A test on real corosyncs, one in each of three network namespaces on a bridge. Skipped, with the reason, where that can't be.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class CorosyncFactAttribute : FactAttribute
{
    public CorosyncFactAttribute() => Skip = NetworkNamespace.WhyNot() ?? (File.Exists("/usr/sbin/corosync") ? null : "corosync is not installed");
}

public sealed class CorosyncCluster : IAsyncLifetime
{
    public const int Size = 3;
    private static int s_count;

    private readonly byte[] _key = CorosyncConfiguration.NewKey();
    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-bus-").FullName;
    private readonly List<NetworkNamespace> _hosts = [];
    private readonly CorosyncDaemon?[] _daemons = new CorosyncDaemon?[Size];
    private readonly List<CorosyncBus> _buses = [];
    private NetworkNamespace? _switch;
    private CorosyncConfiguration _configuration = null!;

    public async Task InitializeAsync()
    {
        if (new CorosyncFactAttribute().Skip is not null)
            return;
        var id = $"vb{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}";
        _switch = await NetworkNamespace.CreateAsync($"{id}-sw", CancellationToken.None);
        await _switch.RunIpAsync("link add br0 type bridge", CancellationToken.None);
        await _switch.RunIpAsync("link set br0 up", CancellationToken.None);
        var entries = Enumerable.Range(1, Size).Select(i => KeyValuePair.Create($"mta{i}", $"198.18.9.{i}"));
        _configuration = new("test", BusPeer.ParseAll(entries, out _)!, BusTiming.Fast, "", "", AccessGroup: null, RealTime: false);
        for (var i = 1; i <= Size; i++)
        {
            var host = await NetworkNamespace.CreateAsync($"{id}-{i}", CancellationToken.None);
            _hosts.Add(host);
            await host.ConnectAsync("eth0", _switch, $"port{i}", CancellationToken.None);
            await _switch.RunIpAsync(string.Create(CultureInfo.InvariantCulture, $"link set port{i} master br0"), CancellationToken.None);
            await host.RunIpAsync(string.Create(CultureInfo.InvariantCulture, $"addr add 198.18.9.{i}/24 dev eth0"), CancellationToken.None);
        }
        await Task.WhenAll(Enumerable.Range(1, Size).Select(StartAsync));
    }

    /// <summary>Starts the corosync of node <paramref name="i"/>, counted from 1.</summary>
    public async Task StartAsync(int i) => _daemons[i - 1] = await CorosyncDaemon.StartAsync(
        _hosts[i - 1].ExecPrefix, Directory.CreateDirectory(Path.Combine(_directory, $"{i}")).FullName, _configuration, _key, CancellationToken.None)
        .WaitAsync(TimeSpan.FromSeconds(30));

    /// <summary>Kills the corosync of node <paramref name="i"/>; returns the process id that it had.</summary>
    public async Task<int> KillAsync(int i)
    {
        var id = _daemons[i - 1]!.ProcessId;
        await _daemons[i - 1]!.KillAsync();
        return id;
    }

    public Task CutAsync(int i) => _switch!.RunIpAsync(string.Create(CultureInfo.InvariantCulture, $"link set port{i} down"), CancellationToken.None);

    public Task HealAsync(int i) => _switch!.RunIpAsync(string.Create(CultureInfo.InvariantCulture, $"link set port{i} up"), CancellationToken.None);

    /// <summary>A bus client on each node, all in one group and seeing each other.</summary>
    internal async Task<BusListener[]> JoinAsync(string group)
    {
        BusListener[] members = [.. Enumerable.Range(1, Size).Select(i => Connect(i, group))];
        foreach (var member in members)
            await member.HasMembers(1, 2, 3);
        return members;
    }

    internal CorosyncBus Open(int i, string group, MessagePredicate? isUseless = null) =>
        new(new CorosyncBusSettings(group) with { ReconnectInterval = TimeSpan.FromSeconds(0.2), IsUseless = isUseless }, _hosts[i - 1].Enter);

    private BusListener Connect(int i, string group)
    {
        var bus = Open(i, group);
        _buses.Add(bus);
        return new(bus);
    }

    public async Task DisposeAsync()
    {
        foreach (var bus in _buses)
            await bus.DisposeAsync();
        foreach (var daemon in _daemons.OfType<CorosyncDaemon>())
            await daemon.DisposeAsync();
        foreach (var host in _hosts)
            await host.DisposeAsync();
        if (_switch is not null)
            await _switch.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }
}
