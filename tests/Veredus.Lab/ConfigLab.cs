using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Veredus.Cluster;
using Veredus.Network;

namespace Veredus.Lab;

/// <summary>Some hosts on one segment, each with a corosync and a <c>veredus configd run</c>; nodes and eccfg where a test wants them.</summary>
public sealed class ConfigLab : IAsyncDisposable
{
    public const string Password = "correct horse";
    private static readonly TimeSpan s_hang = TimeSpan.FromSeconds(90);
    private static int s_count;

    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-cfglab-").FullName;
    private readonly List<NetworkNamespace> _hosts = [];
    private readonly Dictionary<string, Running> _running = [];
    private readonly CorosyncDaemon?[] _daemons;
    private readonly string _majority;
    private NetworkNamespace _switch = null!;

    private ConfigLab(int servers, string majority) => (_daemons, _majority) = (new CorosyncDaemon?[servers], majority);

    /// <param name="majority">For <c>--require-majority</c>.</param>
    public static async Task<ConfigLab> StartAsync(int servers, string majority)
    {
        var lab = new ConfigLab(servers, majority);
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

    public int Size => _daemons.Length;

    public static string AddressOf(int i) => $"198.18.9.{i}";

    /// <summary>The <c>ETC</c> of a working copy on host <paramref name="i"/>.</summary>
    public string Etc(int i) => Path.Combine(_directory, $"etc{i}");

    public string Conf(int i, string path) => Path.Combine(Etc(i), "conf", path);

    /// <summary>The directory of a server.</summary>
    public string Server(int i) => Path.Combine(_directory, $"server{i}");

    public string RepositoryOf(int i, string name) => Path.Combine(Server(i), "repo", name + ".git");

    private async Task BuildAsync()
    {
        var id = $"vc{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}";
        _switch = await NetworkNamespace.CreateAsync($"{id}-sw", CancellationToken.None);
        await _switch.RunIpAsync("link add br0 type bridge", CancellationToken.None);
        await _switch.RunIpAsync("link set br0 up", CancellationToken.None);
        for (var i = 1; i <= Size; i++)
        {
            var host = await NetworkNamespace.CreateAsync($"{id}-{i}", CancellationToken.None);
            _hosts.Add(host);
            await host.ConnectAsync("eth0", _switch, $"port{i}", CancellationToken.None);
            await _switch.RunIpAsync($"link set port{i} master br0", CancellationToken.None);
            await host.RunIpAsync($"addr add {AddressOf(i)}/24 dev eth0", CancellationToken.None);
        }
        var entries = Enumerable.Range(1, Size).Select(i => KeyValuePair.Create($"mgr{i}", AddressOf(i)));
        var configuration = new CorosyncConfiguration("cfglab", BusPeer.ParseAll(entries, out _)!, BusTiming.Default, "", "", AccessGroup: null, RealTime: false);
        var key = CorosyncConfiguration.NewKey();
        await Task.WhenAll(Enumerable.Range(1, Size).Select(async i => _daemons[i - 1] = await CorosyncDaemon.StartAsync(
            _hosts[i - 1].ExecPrefix, Directory.CreateDirectory(Path.Combine(_directory, $"bus{i}")).FullName, configuration, key, CancellationToken.None).WaitAsync(s_hang)));
        var first = Path.Combine(_directory, "server1");
        Assert.Equal(0, (await RunAsync(1, Password, "configd", "user", "admin", "--writes", "*", "--password-stdin", "--directory", first)).ExitCode);
        await StartServerAsync(1);
        for (var i = 2; i <= Size; i++)
        {
            var (exitCode, text) = await RunAsync(i, Password, "configd", "join", AddressOf(1), "--username", "admin", "--password-stdin", "--directory", Path.Combine(_directory, $"server{i}"));
            Assert.True(exitCode == 0, text);
            await StartServerAsync(i);
        }
        // Everybody knows everybody, and one of them takes commits.
        foreach (var i in Enumerable.Range(1, Size))
            await SaidAsync($"server{i}", $"configd: {Size} servers: ");
    }

    public async Task StartServerAsync(int i)
    {
        await StartAsync($"server{i}", i, [], "configd", "run", "--node", $"mgr{i}", "--host", AddressOf(i), "--directory", Path.Combine(_directory, $"server{i}"), "--require-majority", _majority);
    }

    /// <summary>A node that follows, on host <paramref name="i"/>; its working copy is <see cref="Etc"/>.</summary>
    public async Task StartNodeAsync(int i, string name)
    {
        var directory = Directory.CreateDirectory(Path.Combine(_directory, name)).FullName;
        Directory.CreateDirectory(Path.Combine(directory, "spool"));
        await StartAsync(name, i, [("VEREDUS_ETC", Etc(i))], "node", "run", "-d");
    }

    public string Socket(string node) => Path.Combine(_directory, node, "control.sock");

    /// <summary>What every node's files say about the places of its things.</summary>
    public string NodeFile(string node) => $$"""
        hostname = "{{node}}.lab"
        spoolbase = "{{_directory}}/{{node}}/spool"
        pidfile = "{{_directory}}/{{node}}/veredus.pid"
        ec_logger { mainlog = "{{_directory}}/{{node}}/mainlog.ec" rejectlog = "{{_directory}}/{{node}}/rejectlog.ec" paniclog = "{{_directory}}/{{node}}/paniclog.ec" acctlog = "{{_directory}}/{{node}}/acctlog.ec" }
        bounce_logger { bouncelog = "{{_directory}}/{{node}}/bouncelog.ec" }
        control_listener { listen "{{_directory}}/{{node}}/control.sock" { } }
        """ + "\n";

    /// <summary>The part that all nodes share.</summary>
    public string CommonFile => $"include \"node-local.conf\"\nmsgc_server {{ peers = [ {string.Concat(Enumerable.Range(1, Size).Select(i => $"mgr{i} = \"{AddressOf(i)}\" "))}] }}\nmax_outbound_connections = 10\n";

    private async Task StartAsync(string name, int i, (string Name, string Value)[] environment, params string[] words)
    {
        var notify = Path.Combine(_directory, $"{name}.notify");
        File.Delete(notify);
        using var ready = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        ready.Bind(new UnixDomainSocketEndPoint(notify));
        var start = Program(i, words);
        start.Environment["NOTIFY_SOCKET"] = notify;
        foreach (var (variable, value) in environment)
            start.Environment[variable] = value;
        var running = new Running(Process.Start(start)!);
        _running[name] = running;
        var buffer = new byte[4096];
        using var limit = new CancellationTokenSource(s_hang);
        while (!Encoding.UTF8.GetString(buffer, 0, await ready.ReceiveAsync(buffer, limit.Token)).Contains("READY=1", StringComparison.Ordinal))
        {
        }
    }

    private ProcessStartInfo Program(int i, string[] words)
    {
        string[] command = [.. _hosts[i - 1].ExecPrefix, Path.Combine(AppContext.BaseDirectory, "veredus"), .. words];
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true, RedirectStandardOutput = true, RedirectStandardInput = true };
        foreach (var variable in new[] { "NOTIFY_SOCKET", "JOURNAL_STREAM", "EC_NODE_NAME", "VEREDUS_NODE_NAME", "EC_SUB_CLUSTER", "VEREDUS_ETC" })
            start.Environment.Remove(variable);
        start.Environment["USER"] = "admin";
        start.Environment["ECCFG_PASSWORD"] = Password;
        return start;
    }

    /// <summary>Runs the tool on host <paramref name="i"/>; what it says on both streams.</summary>
    public async Task<(int ExitCode, string Text)> RunAsync(int i, string? input, params string[] words)
    {
        var start = Program(i, words);
        start.Environment["VEREDUS_ETC"] = Etc(i);
        using var process = Process.Start(start)!;
        if (input is not null)
            await process.StandardInput.WriteLineAsync(input);
        process.StandardInput.Close();
        var error = process.StandardError.ReadToEndAsync();
        var text = await process.StandardOutput.ReadToEndAsync() + await error;
        await process.WaitForExitAsync();
        return (process.ExitCode, text);
    }

    /// <summary>Runs eccfg on host <paramref name="i"/> and expects an exit code; done, but not on a slow server yet (6) counts as done.</summary>
    public async Task<string> EccfgAsync(int i, int expected, params string[] words)
    {
        var (exitCode, text) = await RunAsync(i, null, ["eccfg", .. words]);
        return exitCode == expected || (expected == 0 && exitCode == 6) ? text : throw new Xunit.Sdk.XunitException($"eccfg {string.Join(' ', words)} on host {i} ended with {exitCode}, not {expected}:\n{text}\n{Story}");
    }

    public void Write(int i, string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Conf(i, path))!);
        File.WriteAllText(Conf(i, path), text);
    }

    /// <summary>How many lines a process has said so far.</summary>
    public int Mark(string name) => _running[name].Count;

    /// <summary>The number of the last line with this text; 0 where there is none.</summary>
    public int LastOf(string name, string text) => _running[name].LastOf(text);

    /// <summary>Waits for a line that a process says, from a mark on.</summary>
    public async Task<string> SaidAsync(string name, string text, int mark = 0)
    {
        try
        {
            return await _running[name].SaidAsync(text, mark).WaitAsync(s_hang);
        }
        catch (TimeoutException)
        {
            throw new Xunit.Sdk.XunitException($"{name} has not said '{text}':\n{Story}");
        }
    }

    public string Story => string.Join('\n', _running.Select(entry => $"--- {entry.Key}\n{entry.Value.Story}"));

    public async Task KillAsync(string name)
    {
        if (_running.Remove(name, out var running))
            await running.DisposeAsync();
    }

    public Task CutAsync(int i) => _switch.RunIpAsync(string.Create(CultureInfo.InvariantCulture, $"link set port{i} down"), CancellationToken.None);

    public Task HealAsync(int i) => _switch.RunIpAsync(string.Create(CultureInfo.InvariantCulture, $"link set port{i} up"), CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        foreach (var running in _running.Values)
            await running.DisposeAsync();
        foreach (var daemon in _daemons.OfType<CorosyncDaemon>())
            await daemon.DisposeAsync();
        foreach (var host in _hosts)
            await host.DisposeAsync();
        if (_switch is not null)
            await _switch.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private sealed class Running : IAsyncDisposable
    {
        private readonly Process _process;
        private readonly Task _reading;
        private readonly List<string> _lines = [];
        private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Running(Process process)
        {
            _process = process;
            _process.StandardInput.Close();
            _reading = Task.WhenAll(ReadAsync(process.StandardError), ReadAsync(process.StandardOutput));
        }

        public int Count
        {
            get
            {
                lock (_lines)
                    return _lines.Count;
            }
        }

        public int LastOf(string text)
        {
            lock (_lines)
                return Math.Max(0, _lines.FindLastIndex(line => line.Contains(text, StringComparison.Ordinal)));
        }

        public string Story
        {
            get
            {
                lock (_lines)
                    return string.Join('\n', _lines);
            }
        }

        public async Task<string> SaidAsync(string text, int mark)
        {
            while (true)
            {
                Task more;
                lock (_lines)
                {
                    if (_lines.Skip(mark).FirstOrDefault(line => line.Contains(text, StringComparison.Ordinal)) is { } found)
                        return found;
                    more = _more.Task;
                }
                if (_reading.IsCompleted)
                    throw new Xunit.Sdk.XunitException($"it ended without saying '{text}':\n{Story}");
                await Task.WhenAny(more, _reading);
            }
        }

        private async Task ReadAsync(StreamReader reader)
        {
            while (await reader.ReadLineAsync() is { } line)
            {
                lock (_lines)
                {
                    _lines.Add(line);
                    _more.TrySetResult();
                    _more = new(TaskCreationOptions.RunContinuationsAsynchronously);
                }
            }
        }

        /// <summary>SIGKILL.</summary>
        public async ValueTask DisposeAsync()
        {
            if (!_process.HasExited)
                _process.Kill();
            await _process.WaitForExitAsync();
            await _reading;
            _process.Dispose();
        }
    }
}
