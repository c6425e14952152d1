using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Veredus.Acceptance.Tests.Support;

/// <summary>A node as an operator has it: a process with its own directory and its own address of loopback.</summary>
internal sealed class NodeProcess : IAsyncDisposable
{
    public const int Port = 2525;

    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "veredus");
    private static int s_addresses = Random.Shared.Next(1 << 20);
    private readonly StringBuilder _said = new();
    private Process _process = null!;

    private NodeProcess(IPAddress address, string directory) => (Address, Directory) = (address, directory);

    public IPAddress Address { get; }

    public string Directory { get; }

    public string ConfigurationFile => Path.Combine(Directory, "veredus.conf");

    public string ControlSocket => Path.Combine(Directory, "control.sock");

    public IPEndPoint Smtp => new(Address, Port);

    /// <summary>What the process wrote to its standard streams so far.</summary>
    public string Said
    {
        get
        {
            lock (_said)
                return _said.ToString();
        }
    }

    /// <summary>Highest resident size so far, in MiB (VmHWM).</summary>
    public int PeakMiB => int.Parse(
        File.ReadLines($"/proc/{NodeId}/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) / 1024;

    /// <summary>The node's own process id, also where a wrapper started it.</summary>
    private string NodeId => File.ReadAllText(Path.Combine(Directory, "veredus.pid")).Trim();

    /// <summary>An address of loopback that nobody else uses in this run.</summary>
    public static IPAddress NextAddress()
    {
        var number = Interlocked.Increment(ref s_addresses);
        return new([127, (byte)(64 + (number / 64516 & 63)), (byte)(number / 254 % 254 + 1), (byte)(number % 254 + 1)]);
    }

    /// <summary>The configuration that every node here has.</summary>
    /// <param name="more">At top level, behind it.</param>
    /// <param name="listener">Inside the ESMTP listener.</param>
    public string Text(string more, string listener = "relay_hosts = ( 127.0.0.0/8 )") => $$"""
        hostname = "mta.example.org"
        spoolbase = "{{Directory}}/spool"
        pidfile = "{{Directory}}/veredus.pid"
        ec_logger { mainlog = "{{Directory}}/mainlog.ec" rejectlog = "{{Directory}}/rejectlog.ec" paniclog = "{{Directory}}/paniclog.ec" acctlog = "{{Directory}}/acctlog.ec" }
        bounce_logger { bouncelog = "{{Directory}}/bouncelog.ec" }
        esmtp_listener { {{listener}} listen "{{Address}}:{{Port}}" { } }
        control_listener { listen "{{ControlSocket}}" { } }
        retry_interval = 1
        max_retry_interval = 1
        host_failure_retry = 1
        {{more}}

        """;

    /// <summary>A directory with a configuration and no process yet.</summary>
    public static NodeProcess Prepare(Func<NodeProcess, string> configuration)
    {
        var node = new NodeProcess(NextAddress(), System.IO.Directory.CreateTempSubdirectory("veredus-").FullName);
        File.WriteAllText(node.ConfigurationFile, configuration(node));
        return node;
    }

    public static Task<NodeProcess> StartAsync(string more, string listener = "relay_hosts = ( 127.0.0.0/8 )") => StartAsync(node => node.Text(more, listener));

    public static async Task<NodeProcess> StartAsync(Func<NodeProcess, string> configuration, params string[] wrapper)
    {
        var node = Prepare(configuration);
        await node.RunAsync(wrapper);
        return node;
    }

    /// <summary>Starts the process and waits until it says READY.</summary>
    public async Task RunAsync(params string[] wrapper)
    {
        var notify = Path.Combine(Directory, "notify");
        File.Delete(notify);
        using var supervisor = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        supervisor.Bind(new UnixDomainSocketEndPoint(notify));
        string[] command = [.. wrapper, Program, "node", "run", "-c", ConfigurationFile];
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true, RedirectStandardOutput = true };
        start.Environment["NOTIFY_SOCKET"] = notify;
        _process = new() { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Note(line.Data);
        _process.ErrorDataReceived += (_, line) => Note(line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(90));
        var buffer = new byte[1024];
        var ready = supervisor.ReceiveAsync(buffer, SocketFlags.None, limit.Token).AsTask();
        await Task.WhenAny(ready, _process.WaitForExitAsync(limit.Token));
        Assert.True(ready.IsCompletedSuccessfully, $"The node did not start:\n{Said}");
    }

    /// <summary>Ends the process in order; its logs are complete then.</summary>
    public async Task StopAsync()
    {
        using (var kill = Process.Start("kill", ["-TERM", NodeId]))
            await kill.WaitForExitAsync();
        await _process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        Assert.True(_process.ExitCode == 0, $"exit {_process.ExitCode}:\n{Said}");
    }

    /// <summary>One command over the console of the executable.</summary>
    public Task<Outcome> ConsoleAsync(params string[] words) => VeredusAsync(["console", ControlSocket, .. words]);

    /// <summary>Calls <c>veredus</c>.</summary>
    public static Task<Outcome> VeredusAsync(params string[] arguments) => Outcome.RunAsync(Program, arguments);

    public string[] Log(string name) => File.ReadAllLines(Path.Combine(Directory, name));

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
        }

        _process?.Dispose();
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    private void Note(string? line)
    {
        lock (_said)
            _said.AppendLine(line);
    }
}
