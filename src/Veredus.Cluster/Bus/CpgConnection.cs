using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Veredus.Cluster;

/// <summary>How a turn of sending ended.</summary>
internal enum SendTurn
{
    Empty,
    /// <summary>The turn is over, not the queue.</summary>
    More,
    /// <summary>The daemon takes no more now.</summary>
    TryAgain,
}

/// <summary>One handle of libcpg, used by the one thread that opened it. Turns corosync's callbacks into events of the bus.</summary>
internal sealed unsafe class CpgConnection : IDisposable
{
    /// <summary>Parts sent in one turn before deliveries get theirs (<c>messages_per_iter</c>).</summary>
    private const int PartsPerTurn = 20;

    /// <summary>The connection whose dispatch runs on this thread: callbacks come only from inside it.</summary>
    [ThreadStatic]
    private static CpgConnection? t_dispatching;

    private readonly CorosyncBus _bus;
    private readonly PartAssembler _assembler = new();
    private GroupRoster _roster = new(default);
    private SendQueue? _outgoing;
    private ulong _handle;
    private bool _delivered, _isOut;

    private CpgConnection(CorosyncBus bus) => _bus = bus;

    public int Fd { get; private set; } = -1;

    public uint NodeId { get; private set; }

    private MemberId Self => new(NodeId, (uint)Environment.ProcessId);

    public static CpgConnection? TryOpen(CorosyncBus bus, out string failure)
    {
        var callbacks = new Cpg.Model
        {
            Version = Cpg.ModelV1, Deliver = &OnMessage, Membership = &OnMembership, Totem = &OnTotem, Flags = Cpg.DeliverInitialTotem,
        };
        failure = "";
        int error;
        ulong handle;
        try
        {
            error = Cpg.Initialize(out handle, Cpg.ModelV1, &callbacks, 0);
        }
        catch (DllNotFoundException)
        {
            failure = "libcpg.so.4 is not on this host; install Debian's libcpg4";
            return null;
        }
        if (error != Cpg.Ok)
        {
            failure = $"corosync does not answer: {Cpg.Describe(error)}; is it running, and may this user connect (uidgid)?";
            return null;
        }
        var connection = new CpgConnection(bus) { _handle = handle };
        if ((error = Cpg.GetFd(handle, out var fd)) == Cpg.Ok && (error = Cpg.GetLocalNode(handle, out var node)) == Cpg.Ok)
        {
            (connection.Fd, connection.NodeId) = (fd, node);
            connection._roster = new(connection.Self);
            return connection;
        }
        failure = $"corosync: {Cpg.Describe(error)}";
        connection.Dispose();
        return null;
    }

    /// <summary><see langword="true"/>: joined. <see langword="false"/> with no failure: try again later.</summary>
    public bool TryJoin(string group, out string failure)
    {
        var name = new Cpg.Name(group);
        var error = Cpg.Join(_handle, &name);
        failure = error is Cpg.Ok or Cpg.TryAgain or Cpg.Exists ? "" : $"joining {group}: {Cpg.Describe(error)}";
        return error == Cpg.Ok;
    }

    public void Leave(string group)
    {
        var name = new Cpg.Name(group);
        _ = Cpg.Leave(_handle, &name);  // closing the handle does it too, as the death of a process
    }

    /// <summary>Delivers everything that the daemon has for this process.</summary>
    public bool DispatchAll(out bool delivered, out string failure)
    {
        t_dispatching = this;
        _delivered = false;
        int error;
        do
            error = Cpg.Dispatch(_handle, Cpg.DispatchOneNonBlocking);
        while (error == Cpg.Ok);
        t_dispatching = null;
        delivered = _delivered;
        failure = error != Cpg.TryAgain ? $"connection to corosync lost: {Cpg.Describe(error)}"
            : _isOut ? "corosync no longer lists this process in the group" : "";
        return failure.Length == 0;
    }

    /// <summary>Sends what waits, as far as the daemon takes it and for one turn.</summary>
    public bool TrySend(SendQueue outgoing, out SendTurn turn, out string failure)
    {
        (_outgoing, turn, failure) = (outgoing, SendTurn.Empty, "");
        for (var sent = 0; outgoing.TryPeek(out var message, out var sequence, out var index); sent++)
        {
            if (sent == PartsPerTurn)
            {
                turn = SendTurn.More;
                return true;
            }
            var error = Send(message, sequence, index);
            if (error == Cpg.TryAgain)
            {
                turn = SendTurn.TryAgain;
                return true;
            }
            if (error != Cpg.Ok)
            {
                failure = $"sending: {Cpg.Describe(error)}";
                return false;
            }
            outgoing.Sent();
        }
        return true;
    }

    public void Dispose() => _ = Cpg.Finalize(_handle);

    private int Send(ReadOnlySpan<byte> message, uint sequence, int index)
    {
        var content = MessageParts.Content(message, index);
        var header = stackalloc byte[MessageParts.HeaderSize];
        MessageParts.WriteHeader(new(header, MessageParts.HeaderSize), sequence, index, MessageParts.Count(message.Length), content);
        fixed (byte* bytes = content)
        {
            var vectors = stackalloc Cpg.IoVector[]
            {
                new() { Base = header, Length = MessageParts.HeaderSize }, new() { Base = bytes, Length = (nuint)content.Length },
            };
            return Cpg.Multicast(_handle, Cpg.Agreed, vectors, 2);
        }
    }

    private void Deliver(MemberId sender, ReadOnlySpan<byte> part)
    {
        if (_assembler.Add(sender, part) is not { } message)
            return;
        if (sender == Self)
            _outgoing?.Delivered();
        else if (_bus.IsUseless(message))
            return;
        Publish(new GroupEvent.Message(sender, message));
    }

    private void Publish(GroupEvent happened)
    {
        _delivered = true;
        _bus.Publish(happened);
    }

    private void Show(GroupView? view)
    {
        if (view is null)
            return;
        if (_assembler.HasPartial(Self))
            _outgoing?.StartOver();
        _assembler.MembershipChanged();
        _isOut |= !view.Members.Contains(Self);
        if (!_isOut)
            Publish(new GroupEvent.View(view));
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnMessage(ulong handle, Cpg.Name* group, uint node, uint process, byte* message, nuint length) =>
        t_dispatching!.Deliver(new(node, process), new ReadOnlySpan<byte>(message, (int)length));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnMembership(
        ulong handle, Cpg.Name* group, Cpg.Address* members, nuint memberCount, Cpg.Address* left, nuint leftCount, Cpg.Address* joined, nuint joinedCount)
    {
        var departed = new Departed[(int)leftCount];
        for (var i = 0; i < departed.Length; i++)
            departed[i] = new(new(left[i].NodeId, left[i].ProcessId), left[i].Reason switch
            {
                2 => Departure.Leave,
                3 => Departure.NodeDown,
                _ => Departure.ProcessDown,
            });
        var connection = t_dispatching!;
        connection.Show(connection._roster.Apply(Members(members, memberCount), Members(joined, joinedCount), departed));
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnTotem(ulong handle, Cpg.RingId ring, uint count, uint* nodes)
    {
        var connection = t_dispatching!;
        var hosts = new ReadOnlySpan<uint>(nodes, (int)count).ToArray();
        connection.Show(connection._roster.CheckHosts(hosts));
        connection.Publish(new GroupEvent.Hosts(hosts));
    }

    private static MemberId[] Members(Cpg.Address* list, nuint count)
    {
        var members = new MemberId[(int)count];
        for (var i = 0; i < members.Length; i++)
            members[i] = new(list[i].NodeId, list[i].ProcessId);
        return members;
    }
}
