using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;

namespace Veredus.Delivery.Tests.Connections;

/// <summary>A small SMTP server on loopback that says what a test tells it to.</summary>
internal sealed class SmtpSink : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;
    private readonly ConcurrentBag<Task> _sessions = [];
    private readonly Channel<Received> _received = Channel.CreateUnbounded<Received>();
    private int _connections;

    public SmtpSink()
    {
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public sealed record Received(int Connection, IPAddress From, string Helo, string Sender, IReadOnlyList<string> Recipients, string Content);

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;
    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Reply to a command line, or <see langword="null"/> for the usual one; "!" closes the connection.</summary>
    public Func<string, string?> Script { get; set; } = _ => null;

    /// <summary>The greeting.</summary>
    public string Banner { get; set; } = "220 sink ESMTP";
    public string Extensions { get; set; } = "250-sink\r\n250-PIPELINING\r\n250 SIZE 0\r\n";
    public bool IsLmtp { get; set; }

    /// <summary>The next message; a hang ends the test with a message.</summary>
    public async Task<Received> NextAsync()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        try
        {
            return await _received.Reader.ReadAsync(deadline.Token);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException("No message came to the sink.");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_sessions);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                _sessions.Add(ServeAsync(client, Interlocked.Increment(ref _connections)));
            }
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    private async Task ServeAsync(TcpClient client, int number)
    {
        try
        {
            using (client)
            {
                var from = ((IPEndPoint)client.Client.RemoteEndPoint!).Address;
                var stream = client.GetStream();
                using var reader = new StreamReader(stream, Encoding.Latin1);
                await SayAsync(Banner + "\r\n");
                var (helo, sender, recipients) = ("", "", new List<string>());
                while (await reader.ReadLineAsync(_stop.Token) is { } line)
                {
                    var verb = line.Split(' ', ':')[0].ToUpperInvariant();
                    if (Script(line) is { } scripted)
                    {
                        if (scripted == "!")
                            return;
                        await SayAsync(scripted + "\r\n");
                        if (scripted.StartsWith("421", StringComparison.Ordinal))
                            return;
                        continue;
                    }
                    switch (verb)
                    {
                        case "EHLO" or "LHLO" or "HELO":
                            helo = line[5..];
                            await SayAsync(Extensions);
                            break;
                        case "MAIL":
                            (sender, recipients) = (line, []);
                            await SayAsync("250 2.1.0 ok\r\n");
                            break;
                        case "RCPT":
                            recipients.Add(line);
                            await SayAsync("250 2.1.5 ok\r\n");
                            break;
                        case "DATA":
                            await SayAsync("354 go on\r\n");
                            var content = new StringBuilder();
                            while (await reader.ReadLineAsync(_stop.Token) is { } text && text != ".")
                                content.Append(text.StartsWith('.') ? text[1..] : text).Append("\r\n");
                            var end = Script("<end>");
                            if (end == "!")
                                return;
                            for (var i = 0; i < (IsLmtp ? recipients.Count : 1); i++)
                                await SayAsync((end ?? "250 2.0.0 taken") + "\r\n");
                            if (end is null)
                                _received.Writer.TryWrite(new(number, from, helo, sender, recipients, content.ToString()));
                            break;
                        case "QUIT":
                            await SayAsync("221 bye\r\n");
                            return;
                        default:
                            await SayAsync("250 ok\r\n");
                            break;
                    }
                }

                ValueTask SayAsync(string text) => stream.WriteAsync(Encoding.Latin1.GetBytes(text), _stop.Token);
            }
        }
        catch (Exception error) when (error is IOException or OperationCanceledException or SocketException)
        {
        }
    }
}
