using System.Net;
using System.Text;
using Veredus.Configuration;

namespace Veredus.Node.Tests.Support;

/// <summary>A whole node in this process, with its own directory and ports.</summary>
internal sealed class TestNode : IAsyncDisposable
{
    private readonly bool _ownsDirectory;

    private TestNode(VeredusNode node, string directory, string file, bool ownsDirectory) =>
        (Node, Directory, File, _ownsDirectory) = (node, directory, file, ownsDirectory);

    public VeredusNode Node { get; private set; }

    public string Directory { get; }

    public string File { get; }

    /// <summary>The first SMTP socket.</summary>
    public EndPoint Smtp => Node.SmtpEndpoints.Values.First();

    /// <summary>Starts a node.</summary>
    /// <param name="configuration">Behind what every node has: spool, logs, host name, a socket on loopback that relays. <c>{DIR}</c> is the node's directory.</param>
    public static async Task<TestNode> StartAsync(
        string configuration, Func<NodeOptions, NodeOptions>? change = null, string? directory = null, string listener = DefaultListener)
    {
        var owns = directory is null;
        directory ??= System.IO.Directory.CreateTempSubdirectory("veredus-").FullName;
        var file = Path.Combine(directory, "veredus.conf");
        await System.IO.File.WriteAllTextAsync(file, Text(directory, listener, configuration));
        var options = new NodeOptions { Loader = new(new DiskFiles(), new([directory])), ConfigurationFile = file, LogToStderr = false, ShutdownGrace = TimeSpan.FromSeconds(5) };
        try
        {
            return new(await VeredusNode.StartAsync(change is null ? options : change(options)), directory, file, owns);
        }
        catch
        {
            if (owns)
                System.IO.Directory.Delete(directory, recursive: true);
            throw;
        }
    }

    public const string DefaultListener = "esmtp_listener { listen \"127.0.0.1:0\" { } }";

    public static string Text(string directory, string listener, string configuration) => $$"""
        hostname = "mta.example.org"
        spoolbase = "{{directory}}/spool"
        relay_hosts = ( 127.0.0.0/8 )
        {{listener}}
        ec_logger "main" { mainlog = "{{directory}}/mainlog.ec" rejectlog = "{{directory}}/rejectlog.ec" paniclog = "{{directory}}/paniclog.ec" acctlog = "{{directory}}/acctlog.ec" importlog = "{{directory}}/importlog.ec" heartbeat = 0 }
        bounce_logger "main" { bouncelog = "{{directory}}/bouncelog.ec" heartbeat = 0 }
        {{configuration.Replace("{DIR}", directory, StringComparison.Ordinal)}}
        """;

    /// <summary>Writes the configuration anew and reloads it.</summary>
    public async Task<ReconfigureResult> ReloadAsync(string configuration, string listener = DefaultListener)
    {
        await System.IO.File.WriteAllTextAsync(File, Text(Directory, listener, configuration));
        return await Node.ReloadAsync();
    }

    /// <summary>The lines of a log, written to now.</summary>
    public string[] Log(string name)
    {
        Node.Logs.Flush();
        var path = Path.Combine(Directory, name);
        return System.IO.File.Exists(path) ? System.IO.File.ReadAllLines(path, Encoding.UTF8) : [];
    }

    public async ValueTask DisposeAsync()
    {
        await Node.StopAsync(TimeSpan.FromSeconds(5));
        if (_ownsDirectory)
            System.IO.Directory.Delete(Directory, recursive: true);
    }
}
