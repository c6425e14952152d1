using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Veredus.Cluster;
using Veredus.Network;

namespace Veredus.Lab;

/// <summary>From two empty hosts to a cluster that shares addresses, with nothing but the commands of the manual.</summary>
public sealed class JoinTests : IAsyncLifetime, IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);
    private static readonly IPAddress[] Vips = [IPAddress.Parse("198.18.7.101"), IPAddress.Parse("198.18.7.102")];

    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-join-").FullName;
    private readonly List<NetworkNamespace> _hosts = [];
    private readonly List<IAsyncDisposable> _daemons = [];
    private readonly List<Process> _processes = [];

    public async Task InitializeAsync()
    {
        if (NetworkNamespace.WhyNot() is not null)
            return;
        var id = $"vj{Environment.ProcessId}";
        var segment = await NetworkNamespace.CreateAsync($"{id}-sw", CancellationToken.None);
        _hosts.Add(segment);
        await segment.RunIpAsync("link add br0 type bridge", CancellationToken.None);
        await segment.RunIpAsync("link set br0 up", CancellationToken.None);
        for (var i = 1; i <= 3; i++)
        {
            var host = await NetworkNamespace.CreateAsync($"{id}-{i}", CancellationToken.None);
            _hosts.Add(host);
            await host.ConnectAsync("eth0", segment, $"port{i}", CancellationToken.None);
            await segment.RunIpAsync($"link set port{i} master br0", CancellationToken.None);
            await host.RunIpAsync($"addr add 198.18.7.{i}/24 dev eth0", CancellationToken.None);
        }
    }

    [LabFact]
    public async Task Two_hosts_become_a_cluster_by_setup_and_a_token_and_share_the_addresses()
    {
        await WriteMainFileAsync(1);
        await WriteMainFileAsync(2);
        var founded = await ToolAsync(1, "setup", "node", "--directory", Etc(1), "--cluster", "mail", "--name", "mta1", "--yes");
        Assert.True(founded.ExitCode == 0, founded.Said);

        using var offer = Start(1, "node", "token", "create", "-c", Main(1), "--port", "0");
        var token = await offer.StandardOutput.ReadLineAsync().WaitAsync(Limit);
        var joined = await ToolAsync(2, "node", "join", token!, "--directory", Etc(2), "--name", "mta2", "--yes");
        Assert.True(joined.ExitCode == 0, joined.Said);
        Assert.Equal("mta2 (198.18.7.2) joined", await offer.StandardOutput.ReadLineAsync().WaitAsync(Limit));
        await offer.WaitForExitAsync().WaitAsync(Limit);
        Assert.Equal(0, offer.ExitCode);
        Assert.Equal(1, (await ToolAsync(3, "node", "join", token!, "--directory", Etc(3), "--name", "mta3", "--yes")).ExitCode);
        Assert.False(Directory.Exists(Etc(3)));
        Assert.Equal(await File.ReadAllBytesAsync(Path.Combine(Etc(1), "cluster", "bus.key")), await File.ReadAllBytesAsync(Path.Combine(Etc(2), "cluster", "bus.key")));

        for (var i = 1; i <= 2; i++)
            _daemons.Add(await CorosyncDaemon.StartAsync(_hosts[i].ExecPrefix, Path.Combine(Etc(i), "cluster", "corosync.conf"), CancellationToken.None).WaitAsync(Limit));
        await Task.WhenAll(StartNodeAsync(1), StartNodeAsync(2));
        await using var prober = new Prober(_hosts[3], Vips);
        var seen = new Dictionary<IPAddress, string>();
        await prober.UntilAllAsync(Vips, sighting =>
        {
            seen[sighting.Vip] = sighting.Node;
            return sighting.Node.Length > 0 && seen.Values.Distinct().Count() == 2;
        }, () => "two nodes that joined do not share two addresses");
        var members = await ToolAsync(2, "--socket", Path.Combine(Etc(2), "control.sock"), "console", "cluster", "membership");
        Assert.Contains("Node Name: mta1", members.Said, StringComparison.Ordinal);
        await AddressesAreMovedLookedAtAndDrainedAsync(seen.First(pair => pair.Value == "mta1.lab").Key.ToString());
        await ManagersAreSetUpBesideTheNodesAsync();
    }

    /// <summary>One where the cluster was founded, one on the other host with a token. Both are there, and commands reach both nodes through the second.</summary>
    private async Task ManagersAreSetUpBesideTheNodesAsync()
    {
        var first = await ToolAsync(1, "setup", "manager", "--directory", Etc(1), "--name", "mgr1", "--yes");
        Assert.True(first.ExitCode == 0, first.Said);
        using var offer = Start(1, "node", "token", "create", "-c", Main(1), "--port", "0");
        var token = await offer.StandardOutput.ReadLineAsync().WaitAsync(Limit);
        var taken = await ToolAsync(2, "setup", "manager", "--join", token!, "--directory", Etc(2), "--name", "mta2", "--yes");
        Assert.Equal(2, taken.ExitCode);
        var second = await ToolAsync(2, "setup", "manager", "--join", token!, "--directory", Etc(2), "--name", "mgr2", "--yes");
        Assert.True(second.ExitCode == 0, second.Said);
        Assert.Equal("mgr2 joined, beside a node", await offer.StandardOutput.ReadLineAsync().WaitAsync(Limit));
        Assert.False(File.Exists(Path.Combine(Etc(2), "cluster", "authority.pem")));
        for (var i = 1; i <= 2; i++)
        {
            var started = await ToolAsync(i, Service(i, "start"));
            Assert.True(started.ExitCode == 0, started.Said);
        }
        try
        {
            var asked = await ToolAsync(2, "--manager", Socket(2), "run", "--on", "all", "--wait", "60", "version");
            Assert.True(asked.ExitCode == 0, asked.Said);
            Assert.StartsWith("2 nodes answered the same (mta1 mta2), ", asked.Said, StringComparison.Ordinal);
            using var limit = new CancellationTokenSource(Limit);
            while ((await ToolAsync(2, "--manager", Socket(2), "console", "show cluster membership")).Said.Split("Node Type: Manager").Length < 3)
                limit.Token.ThrowIfCancellationRequested();
        }
        finally
        {
            for (var i = 1; i <= 2; i++)
                Assert.Equal(0, (await ToolAsync(i, Service(i, "stop"))).ExitCode);
        }
    }

    private string Socket(int i) => Path.Combine(Etc(i), "manager.sock");

    private string[] Service(int i, string verb) =>
        ["service", verb, "manager", "-c", Path.Combine(Etc(i), "eccluster.conf"), "--pidfile", Path.Combine(Etc(i), "manager.pid"), "--manager", Socket(i), "--timeout", "90s"];

    /// <summary>All asked of the second node, whoever has to do it.</summary>
    private async Task AddressesAreMovedLookedAtAndDrainedAsync(string vip)
    {
        await MovedAsync("vip", "move", vip, "--to", "mta2", "--yes", "--wait", "settled", "--timeout", "120s", "--reason", "a trial");
        using var history = JsonDocument.Parse(await DoneAsync("vip", "history", vip, "--json"));
        var placed = history.RootElement.GetProperty("data").GetProperty("events").EnumerateArray().Last();
        Assert.Equal(("mta1", "mta2", "move", "a trial"), (Text(placed, "from"), Text(placed, "to"), Text(placed, "reason"), Text(placed, "why")));
        var steps = placed.GetProperty("steps").EnumerateArray().Select(step => Text(step, "text")).ToList();
        // Two clocks tell them, of the loop and of the guard's work: milliseconds decide their order.
        Assert.Superset(new HashSet<string> { "released by mta1", "address added on eth0", "neighbours told", "answers on mta2" }, steps.ToHashSet());
        Assert.Contains($"{vip} would go from mta2 to mta1", await DoneAsync("explain", "vip", vip, "--if-down", "mta2"), StringComparison.Ordinal);
        Assert.Contains("220 mta2.lab", await DoneAsync("vip", "test", vip), StringComparison.Ordinal);
        await DoneAsync("vip", "unpin", "all");
        await DoneAsync("node", "drain", "mta1", "--yes", "--wait", "--timeout", "120s");
        Assert.Contains("mta1 is drained: it owns no address", await DoneAsync("explain", "node", "mta1"), StringComparison.Ordinal);
        await DoneAsync("node", "undrain", "mta1");
        Assert.Contains("a trial", await DoneAsync("events", "--kind", "placement"), StringComparison.Ordinal);
    }

    /// <summary>Refused while another move is under way; then it is tried again.</summary>
    private async Task MovedAsync(params string[] words)
    {
        using var limit = new CancellationTokenSource(Limit);
        while (true)
        {
            var (exitCode, said) = await ToolAsync(2, ["--socket", Path.Combine(Etc(2), "control.sock"), .. words]);
            if (exitCode == 0)
                return;
            Assert.True(exitCode == 7 && !limit.IsCancellationRequested, $"exit {exitCode}: {said}");
        }
    }

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString() ?? "";

    private async Task<string> DoneAsync(params string[] words)
    {
        var (exitCode, said) = await ToolAsync(2, ["--socket", Path.Combine(Etc(2), "control.sock"), .. words]);
        Assert.True(exitCode == 0, $"veredus {string.Join(' ', words)}: exit {exitCode}: {said}");
        return said;
    }

    private string Etc(int i) => Path.Combine(_directory, string.Create(CultureInfo.InvariantCulture, $"host{i}"));

    private string Main(int i) => Path.Combine(Etc(i), "veredus.conf");

    private async Task WriteMainFileAsync(int i)
    {
        Directory.CreateDirectory(Path.Combine(Etc(i), "spool"));
        await File.WriteAllTextAsync(Main(i), $$"""
            hostname = "mta{{i}}.lab"
            spoolbase = "{{Etc(i)}}/spool"
            pidfile = "{{Etc(i)}}/veredus.pid"
            ec_logger {
              mainlog = "{{Etc(i)}}/mainlog.ec"
              rejectlog = "{{Etc(i)}}/rejectlog.ec"
              paniclog = "{{Etc(i)}}/paniclog.ec"
              acctlog = "{{Etc(i)}}/acctlog.ec"
            }
            bounce_logger { bouncelog = "{{Etc(i)}}/bouncelog.ec" }
            esmtp_listener {
              {{string.Concat(Vips.Select(vip => $"listen \"{vip}:25\" {{ enable_duravip = true }} "))}}
            }
            control_listener { listen "{{Etc(i)}}/control.sock" { } }

            """);
    }

    private Process Start(int i, params string[] words)
    {
        string[] command = [.. _hosts[i].ExecPrefix, Path.Combine(AppContext.BaseDirectory, "veredus"), .. words];
        var process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        _processes.Add(process);
        return process;
    }

    private async Task<(int ExitCode, string Said)> ToolAsync(int i, params string[] words)
    {
        var process = Start(i, words);
        var error = process.StandardError.ReadToEndAsync();
        var said = await process.StandardOutput.ReadToEndAsync().WaitAsync(Limit);
        var problem = await error.WaitAsync(Limit);
        await process.WaitForExitAsync().WaitAsync(Limit);
        return (process.ExitCode, process.ExitCode == 0 ? said : said + problem);
    }

    private async Task StartNodeAsync(int i)
    {
        var notify = Path.Combine(Etc(i), "notify.sock");
        using var ready = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        ready.Bind(new UnixDomainSocketEndPoint(notify));
        string[] command = [.. _hosts[i].ExecPrefix, Path.Combine(AppContext.BaseDirectory, "veredus"), "node", "run", "-d", "-c", Main(i)];
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true };
        start.Environment["NOTIFY_SOCKET"] = notify;
        var process = Process.Start(start)!;
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginErrorReadLine();
        _processes.Add(process);
        var buffer = new byte[4096];
        using var limit = new CancellationTokenSource(Limit);
        while (!Encoding.UTF8.GetString(buffer, 0, await ready.ReceiveAsync(buffer, limit.Token)).Contains("READY=1", StringComparison.Ordinal))
        {
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
        {
            try
            {
                process.Kill();
                await process.WaitForExitAsync();
            }
            catch (InvalidOperationException)
            {
                // Disposed by its test.
            }
            process.Dispose();
        }
        foreach (var daemon in _daemons)
            await daemon.DisposeAsync();
        foreach (var host in _hosts)
            await host.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();
}
