using System.Net;
using System.Net.Sockets;
using System.Text;
using Veredus.Logging;
using Veredus.Reception.Auth;

namespace Veredus.Control.Tests;

/// <summary>A control server on a Unix socket or a loopback port, with a few commands, and its accounting.</summary>
internal sealed class Bench : IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-control-").FullName;
    private readonly ControlServer _server;
    private readonly MailLogs _logs;
    private readonly MemoryLog _log = new();

    public static readonly ScramCredential Secret = ScramCredential.Derive("correct horse", new byte[16], 4096);

    public Bench(bool tcp = false, Func<ControlListenerOptions, ControlListenerOptions>? change = null)
    {
        _logs = new(Time, _ => _log, new MemoryLog());
        _logs.TryConfigure([new() { Logs = [new(LogKind.Account, "acct"), new(LogKind.Panic, "acct")] }], new(), out _);
        var socket = new Socket(tcp ? AddressFamily.InterNetwork : AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(tcp ? new IPEndPoint(IPAddress.Loopback, 0) : new UnixDomainSocketEndPoint(Path));
        socket.Listen();
        Port = (socket.LocalEndPoint as IPEndPoint)?.Port ?? 0;
        var options = new ControlListenerOptions { Name = tcp ? "*:2025" : Path, HostName = "mx1.example.org", Version = "0.1.0" };
        _server = new(socket, change?.Invoke(options) ?? options, new(Commands), _logs, Time);
    }

    public ManualTime Time { get; } = new();

    public int Port { get; }

    public string Path => System.IO.Path.Combine(_directory, "control.sock");

    public ControlEndpoint Endpoint => Port == 0 ? ControlEndpoint.Unix(Path)
        : ControlEndpoint.TryParse($"ann@127.0.0.1:{Port}", out var endpoint, out _) ? endpoint : throw new InvalidOperationException();

    /// <summary>A gate that the command <c>wait</c> passes.</summary>
    public TaskCompletionSource Waiting { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string Account
    {
        get
        {
            _logs.Flush();
            return _log.Text;
        }
    }

    private ControlCommand[] Commands =>
    [
        new("echo", "WORD...", "says the words", (call, _) => new(ControlAnswer.Body(call.Arguments.Select((word, index) => $"{index}:{word}")))),
        new("message details", "ID", "a message", (call, _) => new(call.Arguments is [] ? ControlAnswer.Usage(call.Command) : ControlAnswer.NotFound("no such message"))),
        new("message", "", "shorter name", (_, _) => new(ControlAnswer.Ok("short"))),
        new("dots", "", "lines that look like the end", (_, _) => new(ControlAnswer.Body([".", "..", ".a", "b\n.c"]))),
        new("many", "N", "N lines", (call, _) => new(ControlAnswer.Body(Enumerable.Range(0, int.Parse(call.Arguments[0])).Select(n => $"line {n}")))),
        new("fail", "", "throws", (_, _) => throw new InvalidOperationException("two\nlines")),
        new("number", "", "has JSON", (call, _) => new(ControlAnswer.Body(call.Json ? "{\"number\":1}" : "number 1"))) { HasJson = true },
        new("count", "", "state of the session", (call, _) => new(ControlAnswer.Ok($"{++call.Session.State(() => new Counter()).Value}"))),
        new("wait", "", "waits", async (_, cancellation) =>
        {
            Waiting.SetResult();
            await Task.Delay(Timeout.Infinite, cancellation);
            return ControlAnswer.Ok();
        }),
    ];

    public Task<ControlClient> ConnectAsync(string? password = null) =>
        ControlClient.ConnectAsync(Endpoint, new() { Password = _ => password }, CancellationToken.None);

    /// <summary>Says lines over a bare socket and gives what comes back until the server closes.</summary>
    public Task<string> TalkAsync(string lines, bool thenClose = true) => TalkAsync(Encoding.UTF8.GetBytes(lines), thenClose);

    public async Task<string> TalkAsync(byte[] lines, bool thenClose = true)
    {
        using var socket = new Socket(Port == 0 ? AddressFamily.Unix : AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(Port == 0 ? new UnixDomainSocketEndPoint(Path) : new IPEndPoint(IPAddress.Loopback, Port));
        using var stream = new NetworkStream(socket);
        await stream.WriteAsync(lines);
        if (thenClose)
            socket.Shutdown(SocketShutdown.Send);
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _logs.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private sealed class Counter
    {
        public int Value { get; set; }
    }

    private sealed class MemoryLog : ILogTarget
    {
        private readonly StringBuilder _text = new();

        public string Name => "memory";

        public string Text => _text.ToString();

        public void Write(ReadOnlySpan<byte> lines) => _text.Append(Encoding.UTF8.GetString(lines));

        public void Reopen()
        {
        }

        public void Dispose()
        {
        }
    }
}
