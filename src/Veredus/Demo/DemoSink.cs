using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Veredus.Demo;

/// <summary>The receiving end of the demo: takes all mail on a loopback port, keeps nothing but which messages came, and how often.</summary>
internal sealed class DemoSink : IAsyncDisposable
{
    /// <summary>Header that carries the number of a demo message.</summary>
    public const string NumberHeader = "X-Demo-Number: ";

    private const int MaxConnections = 200;
    private const int MaxLine = 64 * 1024;

    private readonly Socket _listening = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<int, int> _received = new();
    private readonly ConcurrentDictionary<Task, bool> _sessions = new();
    private readonly SemaphoreSlim _room = new(MaxConnections);
    private readonly Task _accepting;
    private long _messages;

    public DemoSink()
    {
        _listening.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listening.Listen(128);
        Port = ((IPEndPoint)_listening.LocalEndPoint!).Port;
        _accepting = AcceptAsync();
    }

    public int Port { get; }

    /// <summary>Messages taken, repeated ones too.</summary>
    public long Messages => Interlocked.Read(ref _messages);

    /// <summary>Different messages taken.</summary>
    public int Different => _received.Count;

    /// <summary>Messages that came more than once.</summary>
    public int Repeated => _received.Values.Count(times => times > 1);

    public bool Has(int number) => _received.ContainsKey(number);

    /// <summary>Raised after each message, on the session's task.</summary>
    public event Action? Received;

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listening.Dispose();
        await _accepting;
        await Task.WhenAll(_sessions.Keys);
        _stopping.Dispose();
        _room.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                await _room.WaitAsync(_stopping.Token);
                var session = ServeAsync(await _listening.AcceptAsync(_stopping.Token));
                _sessions[session] = true;
                _ = session.ContinueWith(done => _sessions.TryRemove(done, out var _), TaskScheduler.Default);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The demo is over.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            await using var stream = new NetworkStream(socket, ownsSocket: true);
            using var reader = new StreamReader(stream, Encoding.Latin1, false, 16 * 1024);
            await SayAsync(stream, "220 sink.demo ESMTP");
            while (await reader.ReadLineAsync(_stopping.Token) is { Length: <= MaxLine } line)
            {
                switch (line.Split(' ', 2)[0].ToUpperInvariant())
                {
                    case "EHLO":
                        await SayAsync(stream, "250-sink.demo\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 10485760\r\n250 ENHANCEDSTATUSCODES");
                        break;
                    case "DATA":
                        await SayAsync(stream, "354 go on");
                        if (!await TakeAsync(reader))
                            return;
                        await SayAsync(stream, "250 2.0.0 taken");
                        break;
                    case "QUIT":
                        await SayAsync(stream, "221 2.0.0 bye");
                        return;
                    default:
                        await SayAsync(stream, "250 2.0.0 OK");
                        break;
                }
            }
        }
        catch (Exception exception) when (exception is IOException or SocketException or OperationCanceledException)
        {
            // The node left, perhaps because it was killed: that is what the demo is about.
        }
        finally
        {
            _room.Release();
        }
    }

    private async Task<bool> TakeAsync(StreamReader reader)
    {
        var number = -1;
        while (await reader.ReadLineAsync(_stopping.Token) is { Length: <= MaxLine } line)
        {
            if (line == ".")
            {
                Interlocked.Increment(ref _messages);
                if (number >= 0)
                    _received.AddOrUpdate(number, 1, (_, times) => times + 1);
                Received?.Invoke();
                return true;
            }
            if (number < 0 && line.StartsWith(NumberHeader, StringComparison.OrdinalIgnoreCase) && int.TryParse(line.AsSpan(NumberHeader.Length), out var found))
                number = found;
        }
        return false;
    }

    private async Task SayAsync(NetworkStream stream, string line) => await stream.WriteAsync(Encoding.Latin1.GetBytes(line + "\r\n"), _stopping.Token);
}
