using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Veredus.Network;

namespace Veredus.Lab;

/// <summary>A message that arrived.</summary>
/// <param name="From">The address that it came from.</param>
internal sealed record Arrived(int Number, IPAddress From);

/// <summary>The receiving end of the lab: takes all mail on its host, port 25, and remembers the number and the source address of each message.</summary>
internal sealed class MailSink : IAsyncDisposable
{
    private readonly Socket _listening;
    private readonly CancellationTokenSource _ending = new();
    private readonly ConcurrentDictionary<Task, bool> _sessions = new();
    private readonly Lock _gate = new();
    private readonly List<Arrived> _arrived = [];
    private readonly Task _accepting;
    private TaskCompletionSource _news = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private MailSink(Socket listening)
    {
        _listening = listening;
        _accepting = AcceptAsync();
    }

    /// <summary>Answers every message with 451 while it is set: mail waits in the queues.</summary>
    public bool IsDeferring { get; set; }

    public static async Task<MailSink> StartAsync(NetworkNamespace host, IPAddress address) => new(await host.RunAsync(() =>
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(address, 25));
        socket.Listen(256);
        return socket;
    }));

    public Arrived[] Arrivals
    {
        get
        {
            lock (_gate)
                return [.. _arrived];
        }
    }

    /// <summary>Waits until so many messages have arrived.</summary>
    public async Task CountAsync(int count, TimeSpan limit, Func<string> story)
    {
        using var hang = new CancellationTokenSource(limit);
        while (true)
        {
            Task news;
            lock (_gate)
            {
                news = _news.Task;
                if (_arrived.Count >= count)
                    return;
            }
            try
            {
                await news.WaitAsync(hang.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"{count} messages never came\n{story()}");
            }
        }
    }

    /// <summary>Waits until each of these numbers has arrived.</summary>
    public async Task UntilAsync(IReadOnlyCollection<int> numbers, TimeSpan limit, Func<string> story)
    {
        using var hang = new CancellationTokenSource(limit);
        while (true)
        {
            Task news;
            int[] missing;
            lock (_gate)
            {
                news = _news.Task;
                missing = [.. numbers.Except(_arrived.Select(one => one.Number))];
            }
            if (missing.Length == 0)
                return;
            try
            {
                await news.WaitAsync(hang.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"{missing.Length} of {numbers.Count} messages never came, e.g. {string.Join(", ", missing.Take(10))}\n{story()}");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        _listening.Dispose();
        await _accepting;
        await Task.WhenAll(_sessions.Keys);
        _ending.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var session = ServeAsync(await _listening.AcceptAsync(_ending.Token));
                _sessions[session] = true;
                _ = session.ContinueWith(done => _sessions.TryRemove(done, out _), TaskScheduler.Default);
            }
        }
        catch (Exception ended) when (ended is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            var from = ((IPEndPoint)socket.RemoteEndPoint!).Address;
            await using var stream = new NetworkStream(socket, ownsSocket: true);
            using var reader = new StreamReader(stream, Encoding.Latin1);
            await SayAsync(stream, "220 sink");
            while (await reader.ReadLineAsync(_ending.Token) is { } line)
            {
                if (line.StartsWith("EHLO", StringComparison.OrdinalIgnoreCase))
                    await SayAsync(stream, "250 sink");
                else if (line.StartsWith("DATA", StringComparison.OrdinalIgnoreCase))
                    await TakeAsync(stream, reader, from);
                else if (line.StartsWith("QUIT", StringComparison.OrdinalIgnoreCase))
                    return;
                else if (IsDeferring && line.StartsWith("MAIL", StringComparison.OrdinalIgnoreCase))
                    await SayAsync(stream, "451 4.7.1 not now");
                else
                    await SayAsync(stream, "250 ok");
            }
        }
        catch (Exception ended) when (ended is IOException or OperationCanceledException or SocketException)
        {
            // The client is gone, or the test is over.
        }
    }

    private async Task TakeAsync(NetworkStream stream, StreamReader reader, IPAddress from)
    {
        await SayAsync(stream, "354 go on");
        var number = -1;
        while (await reader.ReadLineAsync(_ending.Token) is { } line && line != ".")
            if (line.StartsWith("X-Number: ", StringComparison.OrdinalIgnoreCase))
                number = int.Parse(line.AsSpan(10), System.Globalization.CultureInfo.InvariantCulture);
        lock (_gate)
        {
            _arrived.Add(new(number, from));
            _news.TrySetResult();
            _news = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        await SayAsync(stream, "250 taken");
    }

    private async Task SayAsync(NetworkStream stream, string line) => await stream.WriteAsync(Encoding.ASCII.GetBytes(line + "\r\n"), _ending.Token);
}
