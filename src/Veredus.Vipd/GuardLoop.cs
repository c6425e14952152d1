using System.Diagnostics;
using System.Net;
using System.Runtime.InteropServices;
using Veredus.Network;

namespace Veredus.Vipd;

/// <summary>The guard's one thread: waits for the node, the kernel, a probe or a deadline, and acts. Ends when the node does.</summary>
internal sealed class GuardLoop : IDisposable
{
    private readonly Rtnetlink _netlink = new();
    private readonly PacketSocket _sender = PacketSocket.ForSending();
    private readonly LeaseClock _lease = new();
    private readonly NodePipe _node = new();
    private readonly AddressKeeper _keeper;
    private readonly Announcer _announcer;
    private readonly Queue<Request> _requests = new();
    private readonly List<AddressSearch> _searches = [];

    public GuardLoop()
    {
        _keeper = new(_netlink);
        _announcer = new(_keeper, _netlink, _sender);
    }

    /// <summary>Runs until the node has ended; no address is held on return, and none on the way out of a failure.</summary>
    public void Run()
    {
        try
        {
            while (!_node.IsOver)
            {
                Wait();
                _node.Receive(Accept);
                if (!_node.IsOver)
                    Step(Stopwatch.GetTimestamp());
            }
        }
        finally
        {
            _keeper.RemoveAll();
        }
    }

    public void Dispose()
    {
        foreach (var search in _searches)
            search.Dispose();
        _keeper.Dispose();
        _sender.Dispose();
        _netlink.Dispose();
    }

    private void Step(long now)
    {
        Report(GuardVerb.Vanished, _keeper.Vanished());
        if (_keeper.Held.Count > 0 && _lease.IsOver(now))
            Report(GuardVerb.LeaseExpired, _keeper.RemoveAll());
        else if (_lease.IsRenewalDue(now))
        {
            if (_keeper.Held.Count > 0)
                Report(GuardVerb.Vanished, _keeper.Renew(_lease.KernelSeconds));
            _lease.Extended(now);
        }
        if (_requests.TryPeek(out var request) && request.Step(now) is { } answer)
        {
            _requests.Dequeue();
            _node.Send(answer);
        }
        StepSearches(now);
        _announcer.Step(now);
        _node.Flush();
    }

    private void StepSearches(long now)
    {
        foreach (var search in _searches)
            search.Step(now);
        foreach (var over in _searches.FindAll(search => search.IsOver(now)))
        {
            _node.Send(GuardWire.Frame(GuardVerb.ProbeResults, over.Id, writer => GuardWire.Write(writer, over.Answers)));
            _searches.Remove(over);
            over.Dispose();
        }
    }

    private void Report(GuardVerb verb, IReadOnlyCollection<IPAddress> addresses)
    {
        if (addresses.Count > 0)
            _node.Send(GuardWire.Frame(verb, 0, writer => GuardWire.Write(writer, addresses)));
    }

    private void Accept(GuardFrame frame)
    {
        var now = Stopwatch.GetTimestamp();
        using var reader = GuardWire.Reader(frame.Body);
        switch (frame.Verb)
        {
            case GuardVerb.Beat:
                _lease.Beat(reader.ReadInt64(), now);
                break;
            case GuardVerb.Configure:
                _requests.Enqueue(new ConfigureRequest(frame.Id, GuardWire.ReadSettings(reader), _keeper, _lease));
                break;
            case GuardVerb.Clean or GuardVerb.Add or GuardVerb.Remove:
                _requests.Enqueue(new AddressRequest(frame.Verb, frame.Id, GuardWire.ReadAddresses(reader), _keeper, _lease));
                break;
            case GuardVerb.Announce:
                var scope = (AnnounceScope)reader.ReadByte();
                _requests.Enqueue(new AnnounceRequest(frame.Id, scope, GuardWire.ReadAddresses(reader), GuardWire.ReadNeighbours(reader), _announcer));
                break;
            case GuardVerb.Probe:
                var wait = new TimeSpan(reader.ReadInt64());
                _keeper.ReadLinks();
                _searches.Add(new(frame.Id, GuardWire.ReadAddresses(reader), _keeper, _sender, wait, now));
                break;
            default:
                throw new InvalidDataException($"The node said {(byte)frame.Verb}, which no guard knows.");
        }
    }

    private unsafe void Wait()
    {
        List<LibC.PollFd> waits = [NodePipe.WaitForInput, _node.WaitForOutput, new() { Fd = _keeper.RemovalFd, Events = LibC.PollIn }];
        foreach (var fd in _searches.SelectMany(search => search.Fds))
            waits.Add(new() { Fd = fd, Events = LibC.PollIn });
        fixed (LibC.PollFd* fds = CollectionsMarshal.AsSpan(waits))
            if (LibC.Poll(fds, (nuint)waits.Count, MillisecondsToWait(Stopwatch.GetTimestamp())) < 0 && Marshal.GetLastPInvokeError() != LibC.EIntr)
                throw LibC.Failure("poll");
    }

    private int MillisecondsToWait(long now)
    {
        if (_requests.Count > 0)
            return 0;
        var ticks = _announcer.UntilNext(now);
        if (_keeper.Held.Count > 0)
            ticks = Math.Min(ticks, _lease.UntilNext(now));
        foreach (var search in _searches)
            ticks = Math.Min(ticks, search.UntilNext(now));
        // Rounded up: waking before the deadline would only spin.
        return ticks >= int.MaxValue / 1000L * Stopwatch.Frequency ? -1 : (int)((ticks * 1000 + Stopwatch.Frequency - 1) / Stopwatch.Frequency);
    }
}
