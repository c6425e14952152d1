using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Veredus.Cluster;
using Veredus.Network;

namespace Veredus.Lab;

/// <summary>
/// Some <c>veredus node run</c> and two <c>veredus manager run</c>, processes that can be killed and frozen: all on one host with one corosync, or each node on a host
/// of its own with a corosync of its own, and the managers beside the first.
/// </summary>
public sealed class ManagerLab : IAsyncDisposable
{
    public static readonly string[] Managers = ["mgr1", "mgr2"];
    private static int s_count;

    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-manager-lab-").FullName;
    private readonly Dictionary<string, Process> _processes = [];
    private readonly StringBuilder _said = new();
    private readonly string _id = $"vm{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}";
    private readonly List<NetworkNamespace> _hosts = [];
    private readonly List<CorosyncDaemon> _buses = [];
    private readonly bool _isSpread;
    private NetworkNamespace? _switch;

    private ManagerLab(int nodes, bool isSpread) => (Nodes, _isSpread) = ([.. Enumerable.Range(1, nodes).Select(i => $"mta{i}")], isSpread);

    public IReadOnlyList<string> Nodes { get; }

    /// <param name="isSpread">A host and a corosync for each node.</param>
    public static async Task<ManagerLab> StartAsync(int nodes = 3, bool isSpread = false)
    {
        var lab = new ManagerLab(nodes, isSpread);
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

    /// <summary>What the processes said, for a test that fails.</summary>
    public string Story
    {
        get
        {
            lock (_said)
                return _said.ToString();
        }
    }

    public string Socket(string member) => Path.Combine(_directory, member, "control.sock");

    /// <summary>Starts a member; returns when it says that it is ready.</summary>
    public async Task StartAsync(string member)
    {
        var directory = Directory.CreateDirectory(Path.Combine(_directory, member)).FullName;
        Directory.CreateDirectory(Path.Combine(directory, "spool"));
        var file = Path.Combine(directory, "member.conf");
        await File.WriteAllTextAsync(file, Configuration(member, directory));
        var notify = Path.Combine(directory, "notify.sock");
        File.Delete(notify);
        using var ready = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        ready.Bind(new UnixDomainSocketEndPoint(notify));
        string[] command = [.. HostOf(member).ExecPrefix, Path.Combine(AppContext.BaseDirectory, "veredus"), Managers.Contains(member) ? "manager" : "node", "run", "-c", file];
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true, RedirectStandardOutput = true };
        start.Environment["NOTIFY_SOCKET"] = notify;
        start.Environment.Remove("JOURNAL_STREAM");
        var process = Process.Start(start)!;
        process.ErrorDataReceived += (_, line) => Keep(member, line.Data);
        process.OutputDataReceived += (_, line) => Keep(member, line.Data);
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        _processes[member] = process;
        var buffer = new byte[4096];
        using var limit = new CancellationTokenSource(LabCluster.Limit);
        while (!Encoding.UTF8.GetString(buffer, 0, await ready.ReceiveAsync(buffer, limit.Token)).Contains("READY=1", StringComparison.Ordinal))
        {
        }
    }

    public async Task SignalAsync(string member, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", _processes[member].Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }

    public async Task KillAsync(string member)
    {
        await SignalAsync(member, "KILL");
        await _processes[member].WaitForExitAsync().WaitAsync(LabCluster.Limit);
    }

    /// <summary>Runs the command line tool against a member.</summary>
    public async Task<(int ExitCode, string Out, string Error)> ToolAsync(string member, params string[] words)
    {
        string[] arguments = [words[0], "--manager", Socket(member), .. words[1..]];
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "veredus"), arguments)
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync().WaitAsync(LabCluster.Limit);
        await process.WaitForExitAsync().WaitAsync(LabCluster.Limit);
        return (process.ExitCode, output, await error);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes.Values)
        {
            if (!process.HasExited)
                process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }
        foreach (var bus in _buses)
            await bus.DisposeAsync();
        foreach (var host in _hosts)
            await host.DisposeAsync();
        if (_switch is not null)
            await _switch.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private async Task BuildAsync()
    {
        if (_isSpread)
        {
            _switch = await NetworkNamespace.CreateAsync($"{_id}-sw", CancellationToken.None);
            await _switch.RunIpAsync("link add bus type bridge", CancellationToken.None);
            await _switch.RunIpAsync("link set bus up", CancellationToken.None);
        }
        foreach (var i in Enumerable.Range(1, _isSpread ? Nodes.Count : 1))
        {
            var host = await NetworkNamespace.CreateAsync($"{_id}-{i}", CancellationToken.None);
            _hosts.Add(host);
            await host.RunIpAsync("link set lo up", CancellationToken.None);
            if (_switch is null)
                continue;
            await host.ConnectAsync("eth0", _switch, $"port{i}", CancellationToken.None);
            await _switch.RunIpAsync($"link set port{i} master bus", CancellationToken.None);
            await host.RunIpAsync($"addr add 198.18.6.{i}/24 dev eth0", CancellationToken.None);
        }
        var (peers, key) = (BusPeer.ParseAll(Peers, out _)!, CorosyncConfiguration.NewKey());
        foreach (var (host, i) in _hosts.Select((host, i) => (host, i)))
        {
            // A loaded machine must not look like lost hosts.
            _buses.Add(await CorosyncDaemon.StartAsync(host.ExecPrefix, Directory.CreateDirectory(Path.Combine(_directory, $"bus{i}")).FullName,
                new CorosyncConfiguration("lab", peers, _isSpread ? new(5000, 50, null, 4) : BusTiming.Default, "", "", AccessGroup: null, RealTime: _isSpread), key, CancellationToken.None).WaitAsync(LabCluster.Limit));
        }
        using var authority = ClusterAuthority.Create("lab", TimeProvider.System);
        foreach (var member in (string[])[.. Nodes, .. Managers])
        {
            var files = new ClusterFiles(Directory.CreateDirectory(Path.Combine(_directory, member, "cluster")).FullName);
            using var identity = authority.Issue(member, TimeProvider.System);
            await File.WriteAllTextAsync(files.Identity, identity.ExportPem());
            await File.WriteAllTextAsync(files.AuthorityCertificate, identity.ExportAuthorityPem());
        }
        foreach (var some in Nodes.Concat(Managers).Chunk(5))
            await Task.WhenAll(some.Select(StartAsync));
    }

    private IEnumerable<KeyValuePair<string, string>> Peers => _isSpread ? Nodes.Select(node => KeyValuePair.Create(node, $"198.18.6.{Number(node)}")) : [KeyValuePair.Create("host", "127.0.0.1")];

    private static int Number(string node) => int.Parse(node.AsSpan(3), CultureInfo.InvariantCulture);

    private NetworkNamespace HostOf(string member) => _isSpread && !Managers.Contains(member) ? _hosts[Number(member) - 1] : _hosts[0];

    private string AddressOf(string member) => _isSpread ? $"198.18.6.{(Managers.Contains(member) ? 1 : Number(member))}" : Managers.Contains(member) ? "127.0.0.1" : $"127.0.1.{Number(member)}";

    private string Configuration(string member, string directory) => $$"""
        pidfile = "{{directory}}/pid"
        ec_logger { mainlog = "{{directory}}/mainlog.ec" rejectlog = "{{directory}}/rejectlog.ec" paniclog = "{{directory}}/paniclog.ec" acctlog = "{{directory}}/acctlog.ec" heartbeat = 0 }
        control_listener { listen "{{directory}}/control.sock" { } }
        msgc_server { peers = [ {{string.Join(' ', Peers.Select(peer => $"{peer.Key} = \"{peer.Value}\""))}} ] }
        cluster { nodename = "{{member}}" nodeaddr = "{{AddressOf(member)}}" cluster_directory = "{{directory}}/cluster" }

        """ + (Managers.Contains(member) ? $$"""
        logs { control_cache = "{{directory}}/cache" }
        """ : $$"""
        hostname = "{{member}}.lab"
        spoolbase = "{{directory}}/spool"
        bounce_logger { bouncelog = "{{directory}}/bouncelog.ec" }
        esmtp_listener { listen "{{AddressOf(member)}}:25" { } }
        """) + "\n";

    private void Keep(string member, string? line)
    {
        if (line is not null)
            lock (_said)
                _said.Append(member).Append(": ").AppendLine(line);
    }
}
