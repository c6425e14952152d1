using System.Net.Sockets;
using System.Text;
using Veredus.Control;
using Veredus.Control.Commands;
using Veredus.Logging;

namespace Veredus.Cli.Tests;

/// <summary>A control socket with invented queues behind it, and a way to call the tool against it.</summary>
internal sealed class FakeNodeProcess : IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-cli-").FullName;
    private readonly ControlServer _server;
    private readonly MailLogs _logs = new(TimeProvider.System, stderr: new Quiet());

    public FakeNodeProcess(ControlAuthorization? authorization = null)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(Socket));
        socket.Listen();
        var process = new ProcessCommands(Node, _logs, () => authorization, () => new FakeConfig(Node.Deeds));
        _server = new(socket, new() { Name = Socket, HostName = "mta01", Version = "0.1.0", Authorization = authorization },
            new([.. new QueueCommands(Queues).Commands, .. new NodeCommands(Node).Commands, .. process.Commands, .. new SpoolCommands(Node).Commands, .. Invented()]), _logs, TimeProvider.System);
    }

    /// <summary>JSON answers to commands of the cluster, by name; one that is not here is not found.</summary>
    public Dictionary<string, string> Answers { get; } = [];

    private IEnumerable<ControlCommand> Invented() => ((string[])["cluster show logs", "show cluster membership", "delegate", "logs collection", "config status", "cluster nodes", "cluster duravip show", "cluster duravip whatif"]).Select(name =>
        new ControlCommand(name, "", "invented", (call, _) => new(Answers.TryGetValue(name == "delegate" && call.Rest.EndsWith("config status", StringComparison.Ordinal) ? "delegate config status" : name, out var json) ? ControlAnswer.Body(json) : ControlAnswer.NotFound("nothing"))) { HasJson = true });

    public FakeQueues Queues { get; } = new();

    public FakeNode Node { get; } = new();

    public MailLogs Logs => _logs;

    public string Socket => Path.Combine(_directory, "control.sock");

    /// <summary>Calls the tool.</summary>
    public Task<Outcome> RunAsync(params string[] arguments) => RunAsync(new CallSettings(), arguments);

    public async Task<Outcome> RunAsync(CallSettings settings, params string[] arguments)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var exitCode = await CommandLine.Cli.RunAsync(new()
        {
            Out = output,
            Error = error,
            In = new StringReader(settings.Input),
            IsOutTerminal = settings.IsOutTerminal,
            IsErrorTerminal = settings.IsErrorTerminal,
            IsInTerminal = settings.IsInTerminal,
            Width = 100,
            CalledAs = settings.CalledAs,
            Environment = name => settings.Environment.GetValueOrDefault(name) ?? (name == "VEREDUS_CONTROL" ? settings.Socket ?? Socket : name == "TERM" ? "xterm" : null),
        }, arguments, CancellationToken.None).WaitAsync(TimeSpan.FromMinutes(1));
        return new(exitCode, output.ToString(), error.ToString());
    }

    public async ValueTask DisposeAsync()
    {
        if (!Directory.Exists(_directory))
            return;
        await _server.DisposeAsync();
        await _logs.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private sealed class Quiet : ILogTarget
    {
        public string Name => "quiet";

        public void Write(ReadOnlySpan<byte> lines) => Encoding.UTF8.GetString(lines);

        public void Reopen()
        {
        }

        public void Dispose()
        {
        }
    }
}

internal sealed record CallSettings
{
    public string Input { get; init; } = "";
    public bool IsOutTerminal { get; init; }
    public bool IsErrorTerminal { get; init; }
    public bool IsInTerminal { get; init; }
    public string CalledAs { get; init; } = "veredus";
    public string? Socket { get; init; }
    public Dictionary<string, string> Environment { get; init; } = [];
}

internal sealed record Outcome(int ExitCode, string Out, string Error);
