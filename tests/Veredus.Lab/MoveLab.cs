using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Veredus.Cluster;
using Veredus.Network;

namespace Veredus.Lab;

/// <summary>Three hosts with corosync and nodes whose bindings stand on virtual addresses, a client host that sends and receives, and certificates: mail that waits moves with its address.</summary>
internal sealed class MoveLab : IAsyncDisposable
{
    public const int Size = 3;
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(180);
    private static readonly IPAddress s_client = IPAddress.Parse("198.18.9.200");
    private static int s_count;

    private readonly List<NetworkNamespace> _hosts = [];
    private readonly CorosyncDaemon?[] _daemons = new CorosyncDaemon?[Size];
    private readonly Process?[] _nodes = new Process?[Size];
    private readonly StringBuilder[] _said = [new(), new(), new()];
    private NetworkNamespace _switch = null!;

    public string Root { get; } = Directory.CreateTempSubdirectory("veredus-moves-").FullName;

    public NetworkNamespace Client { get; private set; } = null!;

    /// <summary>Whether <see cref="Sink"/> takes the mail; if not, something of the test's does, at <see cref="ClientAddress"/>.</summary>
    public bool HasSink { get; set; } = true;

    public static IPAddress ClientAddress => s_client;

    public MailSink Sink { get; private set; } = null!;

    public MailSender Sender { get; private set; } = null!;

    /// <summary>The addresses of bindings b1 to b3; mail to dN.test belongs to bN.</summary>
    public static IReadOnlyList<IPAddress> Vips { get; } = [.. Enumerable.Range(1, 3).Select(i => IPAddress.Parse($"198.18.9.{100 + i}"))];

    public static IPAddress Host(int i) => IPAddress.Parse($"198.18.9.{i}");

    /// <summary>Lines added to a node's configuration.</summary>
    public Func<int, string> Further { get; set; } = _ => "";

    /// <summary>Bindings that a node's configuration leaves out.</summary>
    public Func<int, int, bool> HasBinding { get; set; } = (_, _) => true;

    public static async Task<MoveLab> StartAsync(Action<MoveLab>? prepare = null)
    {
        var lab = new MoveLab();
        prepare?.Invoke(lab);
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

    public string DirectoryOf(int i) => Path.Combine(Root, $"node{i}");

    /// <summary>Does something on a host's network, e.g. makes a socket, which then may be used anywhere.</summary>
    public Task<T> OnHostAsync<T>(int i, Func<T> work) => _hosts[i - 1].RunAsync(work);

    /// <summary>Runs a program on a host's network.</summary>
    public async Task RunOnHostAsync(int i, params string[] command)
    {
        using var process = Process.Start(_hosts[i - 1].ExecPrefix[0], [.. _hosts[i - 1].ExecPrefix.Skip(1), .. command]);
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }

    /// <summary>Starts the node; returns when it says that it is ready.</summary>
    public async Task StartNodeAsync(int i, params string[] further)
    {
        var directory = Directory.CreateDirectory(DirectoryOf(i)).FullName;
        Directory.CreateDirectory(Path.Combine(directory, "spool"));
        await File.WriteAllTextAsync(Path.Combine(directory, "veredus.conf"), Configuration(i, directory));
        var notify = Path.Combine(directory, "notify.sock");
        File.Delete(notify);
        using var ready = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        ready.Bind(new UnixDomainSocketEndPoint(notify));
        string[] command = [.. _hosts[i - 1].ExecPrefix, Path.Combine(AppContext.BaseDirectory, "veredus"), "node", "run", "-c", Path.Combine(directory, "veredus.conf"), .. further];
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true, RedirectStandardOutput = true };
        start.Environment["NOTIFY_SOCKET"] = notify;
        start.Environment.Remove("JOURNAL_STREAM");
        var process = Process.Start(start)!;
        var said = _said[i - 1];
        process.ErrorDataReceived += (_, line) => Keep(said, line.Data);
        process.OutputDataReceived += (_, line) => Keep(said, line.Data);
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        _nodes[i - 1] = process;
        var buffer = new byte[4096];
        using var limit = new CancellationTokenSource(Limit);
        var ended = process.WaitForExitAsync(limit.Token);
        for (var text = ""; !text.Contains("READY=1", StringComparison.Ordinal);)
        {
            var receiving = ready.ReceiveAsync(buffer, limit.Token).AsTask();
            if (await Task.WhenAny(receiving, ended) == ended)
                throw new InvalidOperationException($"mta{i} does not start\n{Story()}");
            text = Encoding.UTF8.GetString(buffer, 0, await receiving);
        }
    }

    /// <summary>For who watches a long run: a line in the file that <c>VEREDUS_PROGRESS</c> names.</summary>
    public static void Progress(string line)
    {
        if (Environment.GetEnvironmentVariable("VEREDUS_PROGRESS") is { Length: > 0 } file)
            File.AppendAllText(file, $"{DateTime.UtcNow:HH:mm:ss} {line}\n");
    }

    /// <summary>What the nodes said, for a test that fails.</summary>
    public string Story() => string.Join('\n', _said.Select((said, i) =>
    {
        lock (said)
            return $"--- mta{i + 1}\n{said}";
    }));

    /// <summary>Runs the command line tool against a node's console and returns what it says.</summary>
    public async Task<string> ToolAsync(int i, params string[] words) => (await ToolWithCodeAsync(i, words)).Said;

    public async Task<(int Code, string Said)> ToolWithCodeAsync(int i, params string[] words)
    {
        string[] arguments = ["--socket", Path.Combine(DirectoryOf(i), "control.sock"), .. words];
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "veredus"), arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        var said = await process.StandardOutput.ReadToEndAsync() + await error;
        await process.WaitForExitAsync();
        return (process.ExitCode, said);
    }

    /// <summary>Asks until the answer is right; each question takes a process of its own, so this does not spin.</summary>
    public async Task<string> AskUntilAsync(int i, Func<string, bool> isRight, params string[] words)
    {
        var begun = Stopwatch.GetTimestamp();
        while (true)
        {
            var said = await ToolAsync(i, words);
            if (isRight(said))
                return said;
            if (Stopwatch.GetElapsedTime(begun) > Limit)
                Assert.Fail($"{string.Join(' ', words)} on mta{i} never said what was wanted, last:\n{said}\n{Story()}");
        }
    }

    /// <summary>Asks a node's console without a process of its own, ten times a second, until the answer is right: does not disturb what is measured.</summary>
    public async Task<string> WatchAsync(int i, string command, Func<string, bool> isRight)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(DirectoryOf(i), "control.sock")));
        await using var stream = new NetworkStream(socket);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        Assert.StartsWith("+VEREDUS", await reader.ReadLineAsync(), StringComparison.Ordinal);
        var begun = Stopwatch.GetTimestamp();
        while (true)
        {
            await stream.WriteAsync(Encoding.UTF8.GetBytes(command + "\n"));
            var said = new StringBuilder();
            while (await reader.ReadLineAsync() is { } line && line != ".")
                said.AppendLine(line);
            if (isRight(said.ToString()))
                return said.ToString();
            if (Stopwatch.GetElapsedTime(begun) > TimeSpan.FromMinutes(10))
                Assert.Fail($"{command} on mta{i} never said what was wanted, last:\n{said}\n{Story()}");
            await Task.Delay(100);
        }
    }

    public async Task SignalAsync(int i, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", _nodes[i - 1]!.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }

    /// <summary>Waits for the end of a node's process and forgets it.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> EndedAsync(int i)
    {
        var node = _nodes[i - 1]!;
        await node.WaitForExitAsync().WaitAsync(Limit);
        _nodes[i - 1] = null;
        return node.ExitCode;
    }

    public async Task KillAsync(int i)
    {
        await SignalAsync(i, "KILL");
        await EndedAsync(i);
    }

    /// <summary>The node that has the address of a binding, from 1, once exactly one has it.</summary>
    public async Task<int> OwnerAsync(int binding)
    {
        var begun = Stopwatch.GetTimestamp();
        while (true)
        {
            var holders = new List<int>();
            for (var i = 1; i <= Size; i++)
                if (await HasAsync(i, Vips[binding - 1]))
                    holders.Add(i);
            if (holders is [var one])
                return one;
            if (Stopwatch.GetElapsedTime(begun) > Limit)
                Assert.Fail($"{Vips[binding - 1]} is on {holders.Count} nodes\n{Story()}");
            await Task.Delay(100);
        }
    }

    /// <summary>Waits until all nodes see each other and every binding has one node.</summary>
    public async Task SettledAsync()
    {
        for (var i = 1; i <= Size; i++)
            if (_nodes[i - 1] is not null)
                await AskUntilAsync(i, said => Enumerable.Range(1, Size).All(other => _nodes[other - 1] is null || other == i || said.Contains($"mta{other} ", StringComparison.Ordinal)), "console", "cluster", "moves");
        for (var binding = 1; binding <= Vips.Count; binding++)
            await OwnerAsync(binding);
    }

    /// <summary>Waits until some node's mainlog has such a line.</summary>
    public async Task UntilLoggedAsync(Func<string, bool> isWanted)
    {
        var begun = Stopwatch.GetTimestamp();
        while (!Enumerable.Range(1, Size).Select(i => Path.Combine(DirectoryOf(i), "mainlog.ec")).Where(File.Exists).SelectMany(File.ReadLines).Any(isWanted))
        {
            if (Stopwatch.GetElapsedTime(begun) > Limit)
                Assert.Fail($"no such line in the logs\n{Story()}");
            await Task.Delay(100);
        }
    }

    private Task<bool> HasAsync(int i, IPAddress address) => _hosts[i - 1].RunAsync(() =>
    {
        using var netlink = new Rtnetlink();
        return netlink.GetAddresses().Any(info => info.Address.Equals(address));
    });

    private async Task BuildAsync()
    {
        var id = $"vm{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}";
        _switch = await NetworkNamespace.CreateAsync($"{id}-sw", CancellationToken.None);
        await _switch.RunIpAsync("link add br0 type bridge", CancellationToken.None);
        await _switch.RunIpAsync("link set br0 up", CancellationToken.None);
        for (var i = 1; i <= Size; i++)
            _hosts.Add(await ConnectAsync($"{id}-{i}", $"port{i}", $"198.18.9.{i}"));
        Client = await ConnectAsync($"{id}-c", "client", $"{s_client}");
        using (var authority = ClusterAuthority.Create("lab", TimeProvider.System))
        {
            for (var i = 1; i <= Size; i++)
            {
                var files = new ClusterFiles(Directory.CreateDirectory(Path.Combine(DirectoryOf(i), "cluster")).FullName);
                using var identity = authority.Issue($"mta{i}", TimeProvider.System);
                await File.WriteAllTextAsync(files.Identity, identity.ExportPem());
                await File.WriteAllTextAsync(files.AuthorityCertificate, identity.ExportAuthorityPem());
            }
        }
        var entries = Enumerable.Range(1, Size).Select(i => KeyValuePair.Create($"mta{i}", $"198.18.9.{i}"));
        var configuration = new CorosyncConfiguration("lab", BusPeer.ParseAll(entries, out _)!, BusTiming.Default, "", "", AccessGroup: null, RealTime: false);
        var key = CorosyncConfiguration.NewKey();
        await Task.WhenAll(Enumerable.Range(1, Size).Select(async i => _daemons[i - 1] = await CorosyncDaemon.StartAsync(
            _hosts[i - 1].ExecPrefix, Directory.CreateDirectory(Path.Combine(Root, $"bus{i}")).FullName, configuration, key, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(60))));
        if (HasSink)
            Sink = await MailSink.StartAsync(Client, s_client);
        Sender = new(Client);
        await Task.WhenAll(Enumerable.Range(1, Size).Select(i => StartNodeAsync(i)));
        await SettledAsync();
    }

    private async Task<NetworkNamespace> ConnectAsync(string name, string port, string address)
    {
        var host = await NetworkNamespace.CreateAsync(name, CancellationToken.None);
        await host.ConnectAsync("eth0", _switch, port, CancellationToken.None);
        await _switch.RunIpAsync($"link set {port} master br0", CancellationToken.None);
        await host.RunIpAsync($"addr add {address}/24 dev eth0", CancellationToken.None);
        return host;
    }

    private string Configuration(int i, string directory) => $$"""
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
          relay_hosts = ( 198.18.9.0/24 )
          listen "198.18.9.{{i}}:25" { }
        {{string.Concat(Vips.Select(vip => $"  listen \"{vip}:25\" {{ enable_duravip = true }}\n"))}}
        }
        control_listener { listen "{{directory}}/control.sock" { } }
        eccluster_listener { listen "*:4802" { } }
        gateway = "[{{s_client}}]"
        {{string.Concat(Enumerable.Range(1, Vips.Count).Where(binding => HasBinding(i, binding)).Select(binding => $$"""
        binding "b{{binding}}" { bind_address = "{{Vips[binding - 1]}}" enable_duravip = true }
        binding_rule "r{{binding}}" { order = {{binding}} recipient_domain = ( "d{{binding}}.test" ) binding = "b{{binding}}" }

        """))}}
        retry_interval = 2
        max_retry_interval = 2
        msgc_server { peers = [ mta1 = "198.18.9.1" mta2 = "198.18.9.2" mta3 = "198.18.9.3" ] }
        cluster {
          nodename = "mta{{i}}"
          cluster_directory = "{{directory}}/cluster"
          view_mature_time = 1
          view_balance_interval = 1
          duravip_balance_set_size = 10
          heartbeats_per_sec = 4
          heartbeat_start_delay = 1
          duravip_lease = 3
          duravip_suspect_time = 1
          topology "198.18.9.0/24" { interface = "eth0" }
        }
        {{Further(i)}}
        """ + "\n";

    private static void Keep(StringBuilder said, string? line)
    {
        if (line is not null)
            lock (said)
                said.AppendLine(line);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes.OfType<Process>())
        {
            if (!node.HasExited)
                node.Kill();
            await node.WaitForExitAsync();
        }
        if (Sink is not null)
            await Sink.DisposeAsync();
        foreach (var daemon in _daemons.OfType<CorosyncDaemon>())
            await daemon.DisposeAsync();
        foreach (var host in _hosts)
            await host.DisposeAsync();
        if (Client is not null)
            await Client.DisposeAsync();
        if (_switch is not null)
            await _switch.DisposeAsync();
        Directory.Delete(Root, recursive: true);
    }
}
