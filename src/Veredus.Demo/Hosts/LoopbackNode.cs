using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Veredus.Demo;

/// <summary>One node on loopback with a directory of its own, where there can be no namespaces. It can be killed and started again.</summary>
internal sealed class LoopbackNode : IAsyncDisposable
{
    private DemoProcess? _process;

    private LoopbackNode(string directory, int smtpPort) => (Directory, SmtpPort) = (directory, smtpPort);

    public int SmtpPort { get; }

    public string Directory { get; }

    public string ControlSocket => Path.Combine(Directory, "control.sock");

    public int ProcessId => _process?.ProcessId ?? 0;

    /// <summary>Makes the directory and the configuration; nothing runs yet.</summary>
    public static LoopbackNode Create(int sinkPort)
    {
        var directory = System.IO.Directory.CreateTempSubdirectory("veredus-demo-").FullName;
        var node = new LoopbackNode(directory, FreePort());
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
    /// <exception cref="IOException">It ended or did not get ready; the message carries its last words.</exception>
    public async Task StartAsync(CancellationToken cancellationToken) =>
        _process = await DemoProcess.StartAsync([], ["node", "run", "-d", "-c", Path.Combine(Directory, "veredus.conf")], Directory, cancellationToken);

    /// <summary>SIGKILL, as a crash would: nothing is written, nothing is said.</summary>
    public async Task KillAsync()
    {
        if (_process is not { } process)
            return;
        await process.KillAsync();
        await process.DisposeAsync();
        _process = null;
    }

    /// <summary>Stops the process in good order, and removes what it left.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_process is { } process)
            await process.DisposeAsync();
        _process = null;
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
