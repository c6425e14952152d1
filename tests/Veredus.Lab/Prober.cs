using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;
using Veredus.Network;

namespace Veredus.Lab;

/// <summary>One try to be greeted on a virtual address.</summary>
/// <param name="At">When the connection was begun (<see cref="Stopwatch.GetTimestamp"/>).</param>
/// <param name="Node">Who greeted, e.g. <c>mta1.lab</c>; empty: nobody within the time limit.</param>
internal sealed record Sighting(IPAddress Vip, long At, string Node);

/// <summary>Connects to port 25 of every virtual address at a steady pace, from the client's host, whatever became of earlier tries, and tells who greets.</summary>
internal sealed class Prober : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(900);

    private readonly Channel<Sighting> _sightings = Channel.CreateUnbounded<Sighting>();
    private readonly ConcurrentDictionary<IPAddress, ConcurrentQueue<Sighting>> _all = new();
    private readonly ConcurrentDictionary<Task, bool> _open = new();
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _probing;

    public Prober(NetworkNamespace client, IEnumerable<IPAddress> vips, int periodMs = 50)
    {
        var targets = vips.Select(vip => new IPEndPoint(vip, 25)).ToArray();
        _probing = client.RunAsync(() =>
        {
            // One thread: only sockets that it opens are in the client's network.
            while (!_ending.IsCancellationRequested)
            {
                var begun = Stopwatch.GetTimestamp();
                foreach (var target in targets)
                {
                    var probe = ProbeAsync(new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp), target);
                    if (!probe.IsCompleted && _open.TryAdd(probe, true))
                        _ = probe.ContinueWith(done => _open.TryRemove(done, out _), TaskScheduler.Default);
                }
                Thread.Sleep(Math.Max(1, periodMs - (int)Stopwatch.GetElapsedTime(begun).TotalMilliseconds));
            }
            return 0;
        });
    }

    /// <summary>Reads on until every address satisfies <paramref name="isGood"/> once; returns those sightings.</summary>
    public async Task<Dictionary<IPAddress, Sighting>> UntilAllAsync(IEnumerable<IPAddress> vips, Func<Sighting, bool> isGood, Func<string> story)
    {
        var wanted = vips.ToHashSet();
        var found = new Dictionary<IPAddress, Sighting>();
        var last = new Dictionary<IPAddress, string>();
        using var timeout = new CancellationTokenSource(LabCluster.Limit);
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
            throw new TimeoutException($"Within {LabCluster.Limit.TotalSeconds} s only {found.Count} of {wanted.Count} addresses answered as wanted; last seen: {string.Join(", ", last)}\n{story()}");
        }
    }

    /// <summary>All addresses greet, from <paramref name="since"/> on, and none does as <paramref name="notBy"/>.</summary>
    public Task<Dictionary<IPAddress, Sighting>> UntilElsewhereAsync(IEnumerable<IPAddress> vips, long since, int notBy, Func<string> story) =>
        UntilAllAsync(vips, seen => seen.At > since && seen.Node.Length > 0 && seen.Node != $"mta{notBy}.lab", story);

    /// <summary>The longest time between two greetings of one address around a time when it did not greet, since <paramref name="since"/>; for each address in milliseconds, sorted.</summary>
    public double[] Outages(IEnumerable<IPAddress> vips, long since) => [.. vips.Select(vip =>
    {
        var (longest, failed) = (0L, -1L);
        foreach (var seen in (_all.GetValueOrDefault(vip) ?? []).Where(seen => seen.At >= since).OrderBy(seen => seen.At))
        {
            if (seen.Node.Length == 0)
                failed = failed < 0 ? seen.At : failed;
            else if (failed >= 0)
                (longest, failed) = (Math.Max(longest, seen.At - failed), -1);
        }
        return Stopwatch.GetElapsedTime(0, longest).TotalMilliseconds;
    }).Order()];

    private async Task ProbeAsync(Socket socket, IPEndPoint target)
    {
        var begun = Stopwatch.GetTimestamp();
        var node = "";
        using (socket)
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(_ending.Token);
            patience.CancelAfter(Patience);
            try
            {
                await socket.ConnectAsync(target, patience.Token);
                var buffer = new byte[512];
                var count = await socket.ReceiveAsync(buffer, patience.Token);
                node = Encoding.ASCII.GetString(buffer, 0, count).Split(' ', 3) is ["220", var name, ..] ? name : "";
                socket.LingerState = new(true, 0);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                // Not greeted: that is what the test wants to know.
            }
        }
        var sighting = new Sighting(target.Address, begun, node);
        _all.GetOrAdd(target.Address, _ => new()).Enqueue(sighting);
        _sightings.Writer.TryWrite(sighting);
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _probing;
        await Task.WhenAll(_open.Keys);
        _ending.Dispose();
    }
}
