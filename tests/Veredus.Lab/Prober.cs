using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;
using Veredus.Network;

namespace Veredus.Lab;

/// <summary>A greeting on a virtual address.</summary>
/// <param name="At">When the connection was begun (<see cref="Stopwatch.GetTimestamp"/>): the address worked from then on.</param>
/// <param name="Node">Who greeted, e.g. <c>mta1.lab</c>; empty: nobody within the time limit.</param>
internal sealed record Sighting(IPAddress Vip, long At, string Node);

/// <summary>Connects to port 25 of every virtual address again and again, from the client's host, and tells who greets.</summary>
internal sealed class Prober : IAsyncDisposable
{
    private const int PauseMs = 20, LimitMs = 250;

    private readonly Channel<Sighting> _sightings = Channel.CreateUnbounded<Sighting>();
    private readonly CancellationTokenSource _ending = new();
    private readonly Task[] _probing;

    public Prober(NetworkNamespace client, IEnumerable<IPAddress> vips) =>
        _probing = [.. vips.Select(vip => client.RunAsync(() =>
        {
            // One thread for each address: only sockets opened by it are in the client's network.
            while (!_ending.IsCancellationRequested)
            {
                var begun = Stopwatch.GetTimestamp();
                _sightings.Writer.TryWrite(new(vip, begun, Greeting(vip)));
                Thread.Sleep(PauseMs);
            }
            return 0;
        }))];

    /// <summary>Reads on until every address satisfies <paramref name="isGood"/> once; returns those sightings.</summary>
    public async Task<Dictionary<IPAddress, Sighting>> UntilAllAsync(IEnumerable<IPAddress> vips, Func<Sighting, bool> isGood, TimeSpan limit, Func<string> story)
    {
        var wanted = vips.ToHashSet();
        var found = new Dictionary<IPAddress, Sighting>();
        var last = new Dictionary<IPAddress, string>();
        using var timeout = new CancellationTokenSource(limit);
        try
        {
            while (found.Count < wanted.Count)
            {
                var sighting = await _sightings.Reader.ReadAsync(timeout.Token);
                last[sighting.Vip] = sighting.Node;
                if (wanted.Contains(sighting.Vip) && isGood(sighting))
                    found.TryAdd(sighting.Vip, sighting);
            }
            return found;
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"Within {limit.TotalSeconds} s only {found.Count} of {wanted.Count} addresses answered as wanted; last seen: {string.Join(", ", last)}\n{story()}");
        }
    }

    private static string Greeting(IPAddress vip)
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = LimitMs, SendTimeout = LimitMs, Blocking = false };
            try
            {
                socket.Connect(new IPEndPoint(vip, 25));
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
            {
                if (!socket.Poll(LimitMs * 1000, SelectMode.SelectWrite))
                    return "";
            }
            if (!socket.Poll(LimitMs * 1000, SelectMode.SelectRead))
                return "";
            Span<byte> buffer = stackalloc byte[512];
            var count = socket.Receive(buffer);
            var words = Encoding.ASCII.GetString(buffer[..count]).Split(' ', 3);
            return words is ["220", var name, ..] ? name : "";
        }
        catch (SocketException)
        {
            return "";
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await Task.WhenAll(_probing);
        _ending.Dispose();
    }
}
