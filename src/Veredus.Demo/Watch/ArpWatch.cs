using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using Veredus.Network;

namespace Veredus.Demo;

/// <summary>
/// Asks "who has it?" for every virtual address each round, as any host on the segment might, and hears who answers: the kernel of a host
/// answers while the address is on it, also when its node is dead or frozen.
/// </summary>
internal sealed class ArpWatch : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly IReadOnlyList<IPAddress> _addresses;
    private readonly TimeSpan _interval;
    private readonly DoubleDetector _detector;
    private readonly PacketSocket _socket;
    private readonly int _link;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _isEnding;

    private ArpWatch(IReadOnlyList<IPAddress> addresses, TimeSpan interval)
    {
        (_addresses, _interval, _detector) = (addresses, interval, new(interval));
        using (var netlink = new Rtnetlink())
            _link = netlink.GetLinks().First(link => link.Name == DemoNetwork.Bridge).Index;
        _socket = PacketSocket.ForHearing(_link, NeighbourFrame.EtherTypeArp);
    }

    /// <summary>Raised with the doubles that begin in one round, on the watcher's thread.</summary>
    public event Action<IReadOnlyList<DoubleAnswer>>? Doubled;

    public static ArpWatch Start(IReadOnlyList<IPAddress> addresses, TimeSpan interval)
    {
        var watch = new ArpWatch(addresses, interval);
        new Thread(watch.Run) { IsBackground = true, Name = "ARP watch" }.Start();
        return watch;
    }

    public IReadOnlyList<DoubleAnswer> Doubles
    {
        get
        {
            lock (_gate)
                return _detector.Found;
        }
    }

    private void Run()
    {
        try
        {
            var wanted = _addresses.ToHashSet();
            Span<byte> request = stackalloc byte[42];
            var frame = new byte[2048];
            while (!_isEnding)
            {
                foreach (var address in _addresses)
                {
                    WriteRequest(request, address);
                    _socket.TrySend(_link, request);
                }
                HearUntil(Stopwatch.GetTimestamp() + (long)(_interval.TotalSeconds * Stopwatch.Frequency), wanted, frame);
                IReadOnlyList<DoubleAnswer> began;
                lock (_gate)
                    began = _detector.EndRound(DateTimeOffset.UtcNow);
                if (began.Count > 0)
                    Doubled?.Invoke(began);
            }
            _ended.SetResult();
        }
        catch (Exception failure)
        {
            _ended.SetException(failure);
        }
    }

    private unsafe void HearUntil(long end, HashSet<IPAddress> wanted, byte[] frame)
    {
        while (Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), end).TotalMilliseconds is > 0 and var left)
        {
            var poll = new LibC.PollFd { Fd = _socket.Fd, Events = LibC.PollIn };
            if (LibC.Poll(&poll, 1, (int)Math.Ceiling(left)) <= 0)
                continue;
            while (_socket.Receive(frame) is > 0 and var length)
                if (NeighbourFrame.TryReadClaim(frame.AsSpan(0, length), out var address, out var by) && wanted.Contains(address) && !IsProbe(frame))
                    lock (_gate)
                        _detector.Answer(address, by);
        }
    }

    /// <summary>Who asks with the sender 0.0.0.0 does not have the address yet.</summary>
    private static bool IsProbe(ReadOnlySpan<byte> frame) => frame.Slice(14 + 14, 4).IndexOfAnyExcept((byte)0) < 0;

    /// <summary>RFC 826: an ordinary question of the client, broadcast.</summary>
    private static void WriteRequest(Span<byte> frame, IPAddress address)
    {
        frame.Clear();
        MacAddress.Broadcast.WriteTo(frame);
        DemoNetwork.ClientMac.WriteTo(frame[6..]);
        BinaryPrimitives.WriteUInt16BigEndian(frame[12..], NeighbourFrame.EtherTypeArp);
        BinaryPrimitives.WriteUInt64BigEndian(frame[14..], 0x0001_0800_0604_0001);
        DemoNetwork.ClientMac.WriteTo(frame[22..]);
        DemoNetwork.Client.TryWriteBytes(frame[28..], out _);
        address.TryWriteBytes(frame[38..], out _);
    }

    public async ValueTask DisposeAsync()
    {
        _isEnding = true;
        await _ended.Task;
        _socket.Dispose();
    }
}
