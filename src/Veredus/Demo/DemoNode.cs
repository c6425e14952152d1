using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Veredus.CommandLine;

namespace Veredus.Demo;

/// <summary>A node of the demo: a real process of this program with a directory of its own. It can be killed and started again.</summary>
internal sealed partial class DemoNode : IAsyncDisposable
{
    private const int SigTerm = 15;
    private const int SigKill = 9;
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(20);

    private readonly string _directory;
    private readonly Queue<string> _output = [];
    private Process? _process;

    private DemoNode(string directory, int smtpPort) => (_directory, SmtpPort) = (directory, smtpPort);

    public int SmtpPort { get; }

    public string Directory => _directory;

    public string ControlSocket => Path.Combine(_directory, "control.sock");

    public int ProcessId => _process?.Id ?? 0;

    /// <summary>Makes the directory and the configuration; nothing runs yet.</summary>
    public static DemoNode Create(int sinkPort)
    {
        var directory = System.IO.Directory.CreateTempSubdirectory("veredus-demo-").FullName;
        var node = new DemoNode(directory, FreePort());
        System.IO.Directory.CreateDirectory(Path.Combine(directory, "spool"));
        File.WriteAllText(Path.Combine(directory, "veredus.conf"), string.Create(CultureInfo.InvariantCulture,
            $$"""
            # The demo's node: mail from this host goes to the demo's receiving server.
            hostname = "node.demo"
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
              relay_hosts = ( 127.0.0.0/8 )
              listen "127.0.0.1:{{node.SmtpPort}}" { }
            }
            control_listener { listen "{{node.ControlSocket}}" { } }
            gateway = "[127.0.0.1]"
            remote_smtp_port = {{sinkPort}}
            max_outbound_connections = 20
            retry_interval = 2
            max_retry_interval = 2
            """) + "\n");
        return node;
    }

    /// <summary>Starts the process and returns when it says that it is ready.</summary>
    /// <exception cref="CliException">It ended or did not get ready; the message carries its last words.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        // Where systemd would listen for READY=1.
        var notify = Path.Combine(_directory, "notify.sock");
        File.Delete(notify);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(notify));
        var program = Environment.ProcessPath ?? throw new CliException(ExitCodes.Failed, "This program does not know where it is.");
        var start = new ProcessStartInfo(program, ["node", "run", "-d", "-c", Path.Combine(_directory, "veredus.conf")])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
            WorkingDirectory = _directory,
        };
        start.Environment["NOTIFY_SOCKET"] = notify;
        start.Environment.Remove("JOURNAL_STREAM");
        var process = new Process { StartInfo = start, EnableRaisingEvents = true };
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.Start();
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        _process = process;
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(StartLimit);
        using var ended = new CancellationTokenSource();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, ended.Token);
        var exit = process.WaitForExitAsync(deadline.Token).ContinueWith(_ => ended.Cancel(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        try
        {
            var buffer = new byte[4096];
            while (true)
            {
                var count = await socket.ReceiveAsync(buffer, either.Token);
                if (Encoding.UTF8.GetString(buffer, 0, count).Split('\n').Contains("READY=1"))
                    break;
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CliException(ExitCodes.Failed, process.HasExited
                ? $"The node ended at its start, exit code {process.ExitCode}: {LastWords()}" : $"The node was not ready within {StartLimit.TotalSeconds:0} s: {LastWords()}");
        }
        finally
        {
            // Nobody waits for the end of the process any more; it must not cancel a disposed source.
            await deadline.CancelAsync();
            await exit;
        }
    }

    /// <summary>SIGKILL, as a crash would: nothing is written, nothing is said.</summary>
    public async Task KillAsync()
    {
        if (_process is not { } process)
            return;
        _ = Kill(process.Id, SigKill);
        await process.WaitForExitAsync();
        process.Dispose();
        _process = null;
    }

    /// <summary>Stops the process in good order, and removes what it left.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_process is { } process)
        {
            _ = Kill(process.Id, SigTerm);
            using var limit = new CancellationTokenSource(StopLimit);
            try
            {
                await process.WaitForExitAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                await KillAsync();
            }
            _process?.Dispose();
            _process = null;
        }
        System.IO.Directory.Delete(_directory, recursive: true);
    }

    private void Keep(string? line)
    {
        if (line is null)
            return;
        lock (_output)
        {
            _output.Enqueue(line);
            if (_output.Count > 20)
                _output.Dequeue();
        }
    }

    private string LastWords()
    {
        lock (_output)
            return _output.Count == 0 ? "it said nothing" : string.Join(" / ", _output);
    }

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int processId, int signal);
}
