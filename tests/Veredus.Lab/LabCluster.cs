using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Veredus.Cluster;
using Veredus.Network;

namespace Veredus.Lab;

/// <summary>A test with real nodes, corosyncs and addresses in network namespaces. Skipped, with the reason, where that can't be.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class LabFactAttribute : FactAttribute
{
    /// <summary>Takes long or wants a machine that is not busy: runs only with <c>VEREDUS_LAB=1</c> in the environment.</summary>
    public bool OnlyWhenAsked
    {
        get => false;
        set => Skip ??= value && Environment.GetEnvironmentVariable("VEREDUS_LAB") != "1" ? "set VEREDUS_LAB=1 to run it" : null;
    }

    public LabFactAttribute() => Skip = NetworkNamespace.WhyNot() ?? (File.Exists("/usr/sbin/corosync") ? null : "corosync is not installed");
}

/// <summary>Three hosts on one segment, each with a corosync and a <c>veredus node run</c>, and a client host that looks from outside.</summary>
public sealed class LabCluster : IAsyncDisposable
{
    public const int Size = 3;
    private static int s_count;

    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-lab-").FullName;
    private readonly List<NetworkNamespace> _hosts = [];
    private readonly CorosyncDaemon?[] _daemons = new CorosyncDaemon?[Size];
    private readonly Process?[] _nodes = new Process?[Size];
    private NetworkNamespace _switch = null!;

    public NetworkNamespace Client { get; private set; } = null!;

    public static IReadOnlyList<IPAddress> Vips { get; } = [.. Enumerable.Range(1, 6).Select(i => IPAddress.Parse($"198.18.7.{100 + i}"))];

    public static async Task<LabCluster> StartAsync(BusTiming timing)
    {
        var lab = new LabCluster();
        try
        {
            await lab.BuildAsync(timing);
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    private async Task BuildAsync(BusTiming timing)
    {
        var id = $"vl{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}";
        _switch = await NetworkNamespace.CreateAsync($"{id}-sw", CancellationToken.None);
        await _switch.RunIpAsync("link add br0 type bridge", CancellationToken.None);
        await _switch.RunIpAsync("link set br0 up", CancellationToken.None);
        for (var i = 1; i <= Size; i++)
            _hosts.Add(await ConnectAsync($"{id}-{i}", $"port{i}", $"198.18.7.{i}"));
        Client = await ConnectAsync($"{id}-c", "client", "198.18.7.200");

        var entries = Enumerable.Range(1, Size).Select(i => KeyValuePair.Create($"mta{i}", $"198.18.7.{i}"));
        var configuration = new CorosyncConfiguration("lab", BusPeer.ParseAll(entries, out _)!, timing, "", "", AccessGroup: null);
        var key = CorosyncConfiguration.NewKey();
        await Task.WhenAll(Enumerable.Range(1, Size).Select(async i => _daemons[i - 1] = await CorosyncDaemon.StartAsync(
            _hosts[i - 1].ExecPrefix, Directory.CreateDirectory(Path.Combine(_directory, $"bus{i}")).FullName, configuration, key, CancellationToken.None)
            .WaitAsync(TimeSpan.FromSeconds(30))));
        await Task.WhenAll(Enumerable.Range(1, Size).Select(StartNodeAsync));
    }

    private async Task<NetworkNamespace> ConnectAsync(string name, string port, string address)
    {
        var host = await NetworkNamespace.CreateAsync(name, CancellationToken.None);
        await host.ConnectAsync("eth0", _switch, port, CancellationToken.None);
        await _switch.RunIpAsync($"link set {port} master br0", CancellationToken.None);
        await host.RunIpAsync($"addr add {address}/24 dev eth0", CancellationToken.None);
        return host;
    }

    /// <summary>Starts the node; returns when it says that it is ready.</summary>
    public async Task StartNodeAsync(int i)
    {
        var directory = Directory.CreateDirectory(Path.Combine(_directory, $"node{i}")).FullName;
        Directory.CreateDirectory(Path.Combine(directory, "spool"));
        await File.WriteAllTextAsync(Path.Combine(directory, "veredus.conf"), Configuration(i, directory));
        var notify = Path.Combine(directory, "notify.sock");
        File.Delete(notify);
        using var ready = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        ready.Bind(new UnixDomainSocketEndPoint(notify));
        string[] command = [.. _hosts[i - 1].ExecPrefix, Path.Combine(AppContext.BaseDirectory, "veredus"), "node", "run", "-d", "-c", Path.Combine(directory, "veredus.conf")];
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true, RedirectStandardOutput = true };
        start.Environment["NOTIFY_SOCKET"] = notify;
        start.Environment.Remove("JOURNAL_STREAM");
        var process = Process.Start(start)!;
        var said = new StringBuilder();
        process.ErrorDataReceived += (_, line) => Keep(said, line.Data);
        process.OutputDataReceived += (_, line) => Keep(said, line.Data);
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        _nodes[i - 1] = process;
        _said[i - 1] = said;
        var buffer = new byte[4096];
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!Encoding.UTF8.GetString(buffer, 0, await ready.ReceiveAsync(buffer, limit.Token)).Contains("READY=1", StringComparison.Ordinal))
        {
        }
    }

    private readonly StringBuilder[] _said = [new(), new(), new()];

    private static void Keep(StringBuilder said, string? line)
    {
        if (line is not null)
            lock (said)
                said.AppendLine(line);
    }

    /// <summary>What the nodes said, for a test that fails.</summary>
    public string Story => string.Join('\n', _said.Select((said, i) =>
    {
        lock (said)
            return $"--- mta{i + 1}\n{said}";
    }));

    private static string Configuration(int i, string directory) => $$"""
        hostname = "mta{{i}}.lab"
        spoolbase = "{{directory}}/spool"
        pidfile = "{{directory}}/veredus.pid"
        ec_logger {
          mainlog = "{{directory}}/mainlog.ec"
          rejectlog = "{{directory}}/rejectlog.ec"
          paniclog = "{{directory}}/paniclog.ec"
          acctlog = "{{directory}}/acctlog.ec"
        }
        bounce_logger { bouncelog = "{{directory}}/bouncelog.ec" }
        esmtp_listener {
          listen "198.18.7.{{i}}:25" { }
        {{string.Concat(Vips.Select(vip => $"  listen \"{vip}:25\" {{ enable_duravip = true }}\n"))}}
        }
        control_listener { listen "{{directory}}/control.sock" { } }
        msgc_server { peers = [ mta1 = "198.18.7.1" mta2 = "198.18.7.2" mta3 = "198.18.7.3" ] }
        cluster {
          nodename = "mta{{i}}"
          view_mature_time = 1
          view_balance_interval = 1
          duravip_balance_set_size = 10
          heartbeats_per_sec = 4
          heartbeat_start_delay = 1
          duravip_lease = 3
          duravip_suspect_time = 1
          topology "198.18.7.0/24" { interface = "eth0" }
        }
        """ + "\n";

    /// <summary>Runs the command line tool against a node's console and returns what it says.</summary>
    public async Task<string> ToolAsync(int i, params string[] words)
    {
        string[] arguments = ["--socket", Path.Combine(_directory, $"node{i}", "control.sock"), .. words];
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "veredus"), arguments)
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var error = process.StandardError.ReadToEndAsync();
        return await process.StandardOutput.ReadToEndAsync() + await error;
    }

    /// <summary>The node (not ip, which became it) gets a signal by its number.</summary>
    public async Task SignalAsync(int i, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", _nodes[i - 1]!.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }

    /// <summary>Waits for the end of a node's process and forgets it.</summary>
    public async Task EndedAsync(int i)
    {
        await _nodes[i - 1]!.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        _nodes[i - 1] = null;
    }

    public Task CutAsync(int i) => _switch.RunIpAsync(string.Create(CultureInfo.InvariantCulture, $"link set port{i} down"), CancellationToken.None);

    public Task HealAsync(int i) => _switch.RunIpAsync(string.Create(CultureInfo.InvariantCulture, $"link set port{i} up"), CancellationToken.None);

    /// <summary>The virtual addresses that the kernel of host <paramref name="i"/> has.</summary>
    public Task<IPAddress[]> AddressesOnAsync(int i) => _hosts[i - 1].RunAsync(() =>
    {
        using var netlink = new Rtnetlink();
        return netlink.GetAddresses().Select(info => info.Address).Where(Vips.Contains).ToArray();
    });

    /// <summary>For each address, the hosts that have it, counted from 1.</summary>
    public async Task<Dictionary<IPAddress, int[]>> HoldersAsync()
    {
        var hosts = new List<IPAddress[]>();
        for (var i = 1; i <= Size; i++)
            hosts.Add(await AddressesOnAsync(i));
        return Vips.ToDictionary(vip => vip, vip => Enumerable.Range(1, Size).Where(i => hosts[i - 1].Contains(vip)).ToArray());
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
