using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Veredus.Cluster;
using Veredus.Network;

namespace Veredus.Lab;

/// <summary>One host with a corosync, and on it three <c>veredus node run</c> and two <c>veredus manager run</c>: processes that can be killed and frozen.</summary>
public sealed class ManagerLab : IAsyncDisposable
{
    public static readonly string[] Nodes = ["mta1", "mta2", "mta3"], Managers = ["mgr1", "mgr2"];
    private static int s_count;

    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-manager-lab-").FullName;
    private readonly Dictionary<string, Process> _processes = [];
    private readonly StringBuilder _said = new();
    private NetworkNamespace _host = null!;
    private CorosyncDaemon? _bus;

    public static async Task<ManagerLab> StartAsync()
    {
        var lab = new ManagerLab();
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
        string[] command = [.. _host.ExecPrefix, Path.Combine(AppContext.BaseDirectory, "veredus"), Managers.Contains(member) ? "manager" : "node", "run", "-c", file];
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
        if (_bus is not null)
            await _bus.DisposeAsync();
        if (_host is not null)
            await _host.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private async Task BuildAsync()
    {
        _host = await NetworkNamespace.CreateAsync($"vm{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}", CancellationToken.None);
        await _host.RunIpAsync("link set lo up", CancellationToken.None);
        var peers = BusPeer.ParseAll([KeyValuePair.Create("host", "127.0.0.1")], out _)!;
        _bus = await CorosyncDaemon.StartAsync(_host.ExecPrefix, Directory.CreateDirectory(Path.Combine(_directory, "bus")).FullName,
            new CorosyncConfiguration("lab", peers, BusTiming.Default, "", "", AccessGroup: null, RealTime: false), CorosyncConfiguration.NewKey(), CancellationToken.None).WaitAsync(LabCluster.Limit);
        using var authority = ClusterAuthority.Create("lab", TimeProvider.System);
        foreach (var member in (string[])[.. Nodes, .. Managers])
        {
            var files = new ClusterFiles(Directory.CreateDirectory(Path.Combine(_directory, member, "cluster")).FullName);
            using var identity = authority.Issue(member, TimeProvider.System);
            await File.WriteAllTextAsync(files.Identity, identity.ExportPem());
            await File.WriteAllTextAsync(files.AuthorityCertificate, identity.ExportAuthorityPem());
        }
        await Task.WhenAll(Nodes.Concat(Managers).Select(StartAsync));
    }

    private static string Configuration(string member, string directory) => $$"""
        pidfile = "{{directory}}/pid"
        ec_logger { mainlog = "{{directory}}/mainlog.ec" rejectlog = "{{directory}}/rejectlog.ec" paniclog = "{{directory}}/paniclog.ec" acctlog = "{{directory}}/acctlog.ec" heartbeat = 0 }
        control_listener { listen "{{directory}}/control.sock" { } }
        msgc_server { peers = [ host = "127.0.0.1" ] }
        cluster { nodename = "{{member}}" nodeaddr = "{{(Managers.Contains(member) ? "127.0.0.1" : $"127.0.0.1{member[^1]}")}}" cluster_directory = "{{directory}}/cluster" }

        """ + (Managers.Contains(member) ? $$"""
        logs { control_cache = "{{directory}}/cache" }
        """ : $$"""
        hostname = "{{member}}.lab"
        spoolbase = "{{directory}}/spool"
        bounce_logger { bouncelog = "{{directory}}/bouncelog.ec" }
        esmtp_listener { listen "127.0.0.1{{member[^1]}}:25" { } }
        """) + "\n";

    private void Keep(string member, string? line)
    {
        if (line is not null)
            lock (_said)
                _said.Append(member).Append(": ").AppendLine(line);
    }
}
