using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Veredus.Demo;

/// <summary>A receiving end of the demo: takes all mail, keeps nothing of it, and tells the ledger which message came.</summary>
internal sealed class DemoSink : IAsyncDisposable
{
    /// <summary>Header that carries the number of a demo message.</summary>
    public const string NumberHeader = "X-Demo-Number: ";

    private const int MaxConnections = 200;
    private const int MaxLine = 64 * 1024;

    private readonly Socket _listening = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly string _name;
    private readonly int _deferEvery;
    private readonly MailLedger _ledger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<Task, bool> _sessions = new();
    private readonly SemaphoreSlim _room = new(MaxConnections);
    private readonly Task _accepting;
    private readonly ConcurrentDictionary<int, bool> _deferred = new();
    private long _messages;

    /// <param name="name">What it greets with.</param>
    /// <param name="at">Where it listens; port 0: any free one.</param>
    /// <param name="deferEvery">Each n-th message gets 451 at its first try; 0: none.</param>
    public DemoSink(string name, IPEndPoint at, int deferEvery, MailLedger ledger)
    {
        (_name, _deferEvery, _ledger) = (name, deferEvery, ledger);
        _listening.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        _listening.Bind(at);
        _listening.Listen(128);
        Port = ((IPEndPoint)_listening.LocalEndPoint!).Port;
        _accepting = AcceptAsync();
    }

    public int Port { get; }

    /// <summary>Messages taken, repeated ones too.</summary>
    public long Messages => Interlocked.Read(ref _messages);

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
            await SayAsync(stream, $"220 {_name} ESMTP");
            while (await reader.ReadLineAsync(_stopping.Token) is { Length: <= MaxLine } line)
            {
                switch (line.Split(' ', 2)[0].ToUpperInvariant())
                {
                    case "EHLO":
                        await SayAsync(stream, $"250-{_name}\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 10485760\r\n250 ENHANCEDSTATUSCODES");
                        break;
                    case "DATA":
                        await SayAsync(stream, "354 go on");
                        switch (await TakeAsync(reader))
                        {
                            case null:
                                return;
                            case true:
                                await SayAsync(stream, "250 2.0.0 taken");
                                break;
                            default:
                                await SayAsync(stream, "451 4.7.1 try later");
                                break;
                        }
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

    /// <summary>Reads the data: <see langword="true"/> it is taken, <see langword="false"/> it shall come again, <see langword="null"/> it broke off.</summary>
    private async Task<bool?> TakeAsync(StreamReader reader)
    {
        var number = -1;
        while (await reader.ReadLineAsync(_stopping.Token) is { Length: <= MaxLine } line)
        {
            if (line == ".")
            {
                if (_deferEvery > 0 && number >= 0 && number / 2 % _deferEvery == 0 && _deferred.TryAdd(number, true))
                    return false;
                Interlocked.Increment(ref _messages);
                if (number >= 0)
                    _ledger.Take(number);
                return true;
            }
            if (number < 0 && line.StartsWith(NumberHeader, StringComparison.OrdinalIgnoreCase)
                && int.TryParse(line.AsSpan(NumberHeader.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var found))
                number = found;
        }
        return null;
    }

    private async Task SayAsync(NetworkStream stream, string line) => await stream.WriteAsync(Encoding.Latin1.GetBytes(line + "\r\n"), _stopping.Token);
}
