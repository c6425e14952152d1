using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Text;

namespace Veredus.Smtp.Tests;

/// <summary>A server session with the test at the other end.</summary>
internal sealed class Dialogue : IDisposable
{
    /// <summary>Ends a hang, nothing else.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly PipePair _pipes;
    private readonly DeadlineClock _clock;

    public Dialogue(FakeHandler? handler = null, SmtpServerOptions? options = null, int threshold = 64 * 1024)
    {
        Handler = handler ?? new();
        _pipes = new(threshold);
        _clock = new(Time);
        Sessions = new(_clock);
        Session = new(
            _pipes.Server, IPEndPoint.Parse("192.0.2.7:41220"), IPEndPoint.Parse("192.0.2.1:25"), Handler, options ?? Options, Sessions);
    }

    public static SmtpServerOptions Options { get; } = new() { HostName = "mx.example.org" };

    public ManualTime Time { get; } = new();
    public FakeHandler Handler { get; }
    public SmtpSessions Sessions { get; }
    public SmtpServerSession Session { get; }
    public IDuplexPipe Client => _pipes.Client;
    public Task<SmtpSessionEnd> Run { get; private set; } = Task.FromResult(SmtpSessionEnd.Quit);

    /// <summary>Starts the session.</summary>
    public Dialogue Start(CancellationToken aborted = default)
    {
        Run = RunAndCloseAsync(aborted);
        return this;
    }

    private async Task<SmtpSessionEnd> RunAndCloseAsync(CancellationToken aborted)
    {
        var end = await Session.RunAsync(aborted);
        await _pipes.Server.Output.CompleteAsync();
        await _pipes.Server.Input.CompleteAsync();
        return end;
    }

    public async Task SendAsync(string text) => await SendAsync(Encoding.UTF8.GetBytes(text));

    public async Task SendAsync(ReadOnlyMemory<byte> octets) => await Client.Output.WriteAsync(octets);

    /// <summary>Reads one whole reply, CRLFs included.</summary>
    public async Task<string> ReadReplyAsync()
    {
        var reply = new StringBuilder();
        while (true)
        {
            var line = await ReadLineAsync();
            reply.Append(line);
            if (line.Length == 0 || line.Length < 4 || line[3] != '-')
                return reply.ToString();
        }
    }

    public async Task<string> AskAsync(string command)
    {
        await SendAsync(command + "\r\n");
        return await ReadReplyAsync();
    }

    private async Task<string> ReadLineAsync()
    {
        while (true)
        {
            var result = await Client.Input.ReadAsync().AsTask().WaitAsync(Patience);
            if (result.Buffer.PositionOf((byte)'\n') is { } end)
            {
                var line = result.Buffer.Slice(0, result.Buffer.GetPosition(1, end));
                var text = Encoding.UTF8.GetString(line);
                Client.Input.AdvanceTo(line.End);
                return text;
            }

            Client.Input.AdvanceTo(result.Buffer.Start, result.Buffer.End);
            if (result.IsCompleted)
                return "";
        }
    }

    public async Task<string> ReadToEndAsync()
    {
        while (true)
        {
            var result = await Client.Input.ReadAsync().AsTask().WaitAsync(Patience);
            if (result.IsCompleted)
                return Encoding.UTF8.GetString(result.Buffer);
            Client.Input.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        }
    }

    public Task<SmtpSessionEnd> EndAsync() => Run.WaitAsync(Patience);

    /// <summary>Sends everything, one piece a flush, closes, and returns all that the server said.</summary>
    public static async Task<(string Output, SmtpSessionEnd End, FakeHandler Handler)> PlayAsync(
        IEnumerable<ReadOnlyMemory<byte>> pieces, FakeHandler? handler = null, SmtpServerOptions? options = null)
    {
        using var dialogue = new Dialogue(handler, options).Start();
        await dialogue.ReadReplyAsync();
        var output = dialogue.ReadToEndAsync();
        foreach (var piece in pieces)
            await dialogue.SendAsync(piece);
        await dialogue.Client.Output.CompleteAsync();
        var end = await dialogue.EndAsync();
        return (await output, end, dialogue.Handler);
    }

    public static Task<(string Output, SmtpSessionEnd End, FakeHandler Handler)> PlayAsync(
        string input, FakeHandler? handler = null, SmtpServerOptions? options = null) =>
        PlayAsync([Encoding.UTF8.GetBytes(input)], handler, options);

    public void Dispose() => _clock.Dispose();
}
