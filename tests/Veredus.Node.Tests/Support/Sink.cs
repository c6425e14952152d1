using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;

namespace Veredus.Node.Tests.Support;

/// <summary>What a sink got in one transaction.</summary>
internal sealed record SinkMessage(IPAddress Client, string Helo, string Sender, IReadOnlyList<string> Recipients, string Content);

/// <summary>A small SMTP server that keeps what it gets and answers as the test says.</summary>
internal sealed class Sink : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<SinkMessage> _messages = Channel.CreateUnbounded<SinkMessage>();
    private readonly Channel<bool> _ends = Channel.CreateUnbounded<bool>();
    private readonly ConcurrentBag<Task> _sessions = [];
    private readonly Task _accepting;
    private int _received;

    public Sink(IPAddress? address = null, int port = 0)
    {
        _listener = new(address ?? IPAddress.Loopback, port);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>The answer to a command line (verb and argument), or to the end of content (<c>.</c>); null: the usual.</summary>
    public Func<string, string?> Answer { get; set; } = _ => null;

    public int Received => Volatile.Read(ref _received);

    /// <summary>The next message that was accepted; fails after 20 s.</summary>
    public async Task<SinkMessage> NextAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        try
        {
            return await _messages.Reader.ReadAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException("No message reached the sink within 20 s.");
        }
    }

    /// <summary>The end of one more session.</summary>
    public async Task SessionEndAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        try
        {
            await _ends.Reader.ReadAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException("No session with the sink ended within 20 s.");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        await Task.WhenAll(_sessions);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _sessions.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        try
        {
            using (client)
                await ConverseAsync(client);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or SocketException)
        {
            // The client went away, or the test is over.
        }

        _ends.Writer.TryWrite(true);
    }

    private async Task ConverseAsync(TcpClient client)
    {
        var stream = client.GetStream();
        var input = new Input(stream, _stop.Token);
        var from = ((IPEndPoint)client.Client.RemoteEndPoint!).Address;
        var (helo, sender, recipients) = ("", "", new List<string>());
        await SayAsync(stream, Answer("CONNECT") ?? "220 sink");
        while (await input.LineAsync() is { } line)
        {
            var verb = line.Split(' ', ':')[0].ToUpperInvariant();
            var scripted = Answer(line);
            switch (verb)
            {
                case "EHLO" or "LHLO":
                    helo = line[5..];
                    await SayAsync(stream, scripted ?? "250-sink\r\n250-PIPELINING\r\n250-SIZE\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES");
                    break;
                case "MAIL":
                    (sender, recipients) = (Address(line), []);
                    await SayAsync(stream, scripted ?? "250 2.1.0 ok");
                    break;
                case "RCPT":
                    if (scripted is null || scripted.StartsWith('2'))
                        recipients.Add(Address(line));
                    await SayAsync(stream, scripted ?? "250 2.1.5 ok");
                    break;
                case "DATA":
                    await SayAsync(stream, scripted ?? (recipients.Count > 0 ? "354 go" : "554 no recipients"));
                    if (scripted?.StartsWith('3') == false || recipients.Count == 0)
                        break;
                    if (await ReadContentAsync(input) is not { } content)
                        return;
                    var reply = Answer(".") ?? "250 2.0.0 kept";
                    if (reply.StartsWith('2'))
                    {
                        Interlocked.Increment(ref _received);
                        _messages.Writer.TryWrite(new(from, helo, sender, recipients, content));
                    }

                    await SayAsync(stream, reply);
                    break;
                case "QUIT":
                    await SayAsync(stream, scripted ?? "221 bye");
                    return;
                default:
                    await SayAsync(stream, scripted ?? "250 ok");
                    break;
            }
        }
    }

    private static string Address(string line) => line[(line.IndexOf('<', StringComparison.Ordinal) + 1)..line.IndexOf('>', StringComparison.Ordinal)];

    private async Task SayAsync(Stream stream, string reply)
    {
        await stream.WriteAsync(Encoding.Latin1.GetBytes(reply + "\r\n"), _stop.Token);
        await stream.FlushAsync(_stop.Token);
    }

    /// <summary><see langword="null"/>: the client went away before the final dot, so this was no message.</summary>
    private static async Task<string?> ReadContentAsync(Input input)
    {
        var content = new StringBuilder();
        while (await input.LineAsync() is { } line)
        {
            if (line == ".")
                return content.ToString();
            content.Append(line.StartsWith('.') ? line[1..] : line).Append("\r\n");
        }
        return null;
    }

    /// <summary>Lines that end with LF; a CR before it is taken off.</summary>
    private sealed class Input(Stream stream, CancellationToken cancellationToken)
    {
        private readonly byte[] _buffer = new byte[65536];
        private int _at;
        private int _end;

        public async ValueTask<string?> LineAsync()
        {
            var line = new StringBuilder();
            while (true)
            {
                if (_at == _end)
                {
                    (_at, _end) = (0, await stream.ReadAsync(_buffer, cancellationToken));
                    if (_end == 0)
                        return null;
                }

                var length = _buffer.AsSpan(_at, _end - _at).IndexOf((byte)'\n');
                line.Append(Encoding.Latin1.GetString(_buffer, _at, length < 0 ? _end - _at : length));
                _at += length < 0 ? _end - _at : length + 1;
                if (length >= 0)
                    return line.Length > 0 && line[^1] == '\r' ? line.ToString(0, line.Length - 1) : line.ToString();
            }
        }
    }
}
