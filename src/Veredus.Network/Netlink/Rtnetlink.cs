using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Veredus.Network;

/// <summary>An address and where it goes.</summary>
public sealed record AddressPlacement(IPAddress Address, int PrefixLength, int LinkIndex);

/// <summary>The kernel's answer to one request; <paramref name="Errno"/> 0 is success.</summary>
/// <param name="Text">The kernel's own explanation, where it gives one.</param>
public readonly record struct KernelAnswer(int Errno, string? Text)
{
    /// <summary>Errno in words, with the kernel's explanation.</summary>
    public override string ToString() => Errno == 0 ? "ok"
        : Text is null ? Marshal.GetPInvokeErrorMessage(Errno) : $"{Marshal.GetPInvokeErrorMessage(Errno)}: {Text}";
}

/// <summary>
/// A conversation with the kernel about links, addresses and neighbours. Blocking (the kernel answers within the call), for one
/// thread at a time. Belongs to the network namespace of the thread that opened it. Changes need <c>CAP_NET_ADMIN</c>; reading needs nothing.
/// </summary>
public sealed class Rtnetlink : IDisposable
{
    /// <summary>Messages a send: large enough that the system call doesn't count, small enough that failures fit the receive buffer.</summary>
    private const int BatchSize = 256;
    private const int MaxDumpTries = 5;

    private readonly SafeSocketHandle _socket;
    private readonly NetlinkWriter _writer = new();
    private readonly byte[] _input = new byte[64 * 1024];
    private uint _sequence;

    /// <exception cref="System.ComponentModel.Win32Exception">The kernel gives no netlink socket.</exception>
    public unsafe Rtnetlink()
    {
        _socket = LibC.OpenSocket(LibC.AfNetlink, LibC.SockRaw, LibC.NetlinkRoute);
        var timeout = new LibC.TimeVal { Seconds = 10 };
        if (LibC.SetSockOpt(_socket, LibC.SolSocket, LibC.SoRcvTimeo, &timeout, sizeof(LibC.TimeVal)) != 0)
            throw LibC.Failure("setsockopt(SO_RCVTIMEO)");
        LibC.TrySetOption(_socket, LibC.SolSocket, LibC.SoRcvBuf, 1 << 20);
        LibC.TrySetOption(_socket, LibC.SolNetlink, LibC.NetlinkCapAck, 1);  // answers without a copy of the question
        LibC.TrySetOption(_socket, LibC.SolNetlink, LibC.NetlinkExtAck, 1);  // with the reason in words
    }

    public void Dispose() => _socket.Dispose();

    public IReadOnlyList<LinkInfo> GetLinks()
    {
        var links = new List<LinkInfo>();
        Dump(NetlinkConstants.GetLink, new InterfaceHeader(), links, static (in NetlinkMessage message, List<LinkInfo> found) =>
        {
            if (message.Type == NetlinkConstants.NewLink && NetlinkReader.ReadLink(message.Body) is { } link)
                found.Add(link);
        });
        return links;
    }

    /// <summary>Every address of this network namespace, both families.</summary>
    public IReadOnlyList<AddressInfo> GetAddresses()
    {
        var addresses = new List<AddressInfo>();
        Dump(NetlinkConstants.GetAddress, new AddressHeader(), addresses, static (in NetlinkMessage message, List<AddressInfo> found) =>
        {
            if (message.Type == NetlinkConstants.NewAddress && NetlinkReader.ReadAddress(message.Body) is { } address)
                found.Add(address);
        });
        return addresses;
    }

    /// <summary>The kernel's neighbour table: what it has resolved, both families.</summary>
    public IReadOnlyList<NeighbourInfo> GetNeighbours()
    {
        var neighbours = new List<NeighbourInfo>();
        Dump(NetlinkConstants.GetNeighbour, new NeighbourHeader(), neighbours, static (in NetlinkMessage message, List<NeighbourInfo> found) =>
        {
            if (message.Type == NetlinkConstants.NewNeighbour && NetlinkReader.ReadNeighbour(message.Body) is { } neighbour)
                found.Add(neighbour);
        });
        return neighbours;
    }

    /// <summary>Gateways of the default routes, with the interface each is on.</summary>
    public IReadOnlyList<(int LinkIndex, IPAddress Gateway)> GetDefaultGateways()
    {
        var gateways = new List<(int, IPAddress)>();
        Dump(NetlinkConstants.GetRoute, new RouteHeader(), gateways, static (in NetlinkMessage message, List<(int, IPAddress)> found) =>
        {
            if (message.Type == NetlinkConstants.NewRoute && NetlinkReader.ReadDefaultGateway(message.Body) is { } gateway)
                found.Add(gateway);
        });
        return gateways;
    }

    /// <summary>
    /// Adds addresses, or renews the lifetime of those that are there: tagged as Veredus', without a route to their network, without
    /// the kernel's own duplicate-address detection.
    /// </summary>
    /// <param name="lifetimeSeconds">The kernel removes the address after this time unless it is renewed; <see langword="null"/>: never.</param>
    /// <param name="renew">Take an address that exists; else such an address fails with EEXIST.</param>
    /// <param name="answers">One for each placement, in order.</param>
    public void Add(ReadOnlySpan<AddressPlacement> placements, uint? lifetimeSeconds, bool renew, Span<KernelAnswer> answers)
    {
        var flags = (ushort)(NetlinkConstants.Request | NetlinkConstants.Create | (renew ? NetlinkConstants.Replace : NetlinkConstants.Exclusive));
        Change(NetlinkConstants.NewAddress, flags, placements, lifetimeSeconds ?? NetlinkConstants.Forever, answers);
    }

    /// <summary>Removes addresses. One that is not there answers EADDRNOTAVAIL (99).</summary>
    public void Remove(ReadOnlySpan<AddressPlacement> placements, Span<KernelAnswer> answers) =>
        Change(NetlinkConstants.DelAddress, NetlinkConstants.Request, placements, lifetime: 0, answers);

    private void Change(ushort type, ushort flags, ReadOnlySpan<AddressPlacement> placements, uint lifetime, Span<KernelAnswer> answers)
    {
        answers[..placements.Length].Clear();
        for (var start = 0; start < placements.Length; start += BatchSize)
        {
            var batch = placements[start..Math.Min(start + BatchSize, placements.Length)];
            var first = _sequence + 1;
            _writer.Clear();
            foreach (var placement in batch)
                WriteAddress(type, flags, ++_sequence, placement, lifetime);
            // The kernel handles a batch in order and reports each failure by itself, so one acknowledgement ends it.
            _writer.AskForAck();
            Send();
            CollectAnswers(first, _sequence, answers[start..]);
        }
    }

    private void WriteAddress(ushort type, ushort flags, uint sequence, in AddressPlacement placement, uint lifetime)
    {
        Span<byte> address = stackalloc byte[16];
        placement.Address.TryWriteBytes(address, out var size);
        address = address[..size];
        var v6 = size == 16;
        _writer.Begin(type, flags, sequence, new AddressHeader
        {
            Family = v6 ? NetlinkConstants.Inet6 : NetlinkConstants.Inet,
            PrefixLength = (byte)placement.PrefixLength,
            LinkIndex = placement.LinkIndex,
        });
        _writer.Attribute(NetlinkConstants.IfaLocal, address);
        _writer.Attribute(NetlinkConstants.IfaAddress, address);
        if (type == NetlinkConstants.NewAddress)
        {
            Span<byte> lifetimes = stackalloc byte[16];
            lifetimes.Clear();
            // A deprecated IPv6 address works for those who bind to it and is never chosen as source for anything else of this host.
            BinaryPrimitives.WriteUInt32LittleEndian(lifetimes, v6 ? 0 : lifetime);
            BinaryPrimitives.WriteUInt32LittleEndian(lifetimes[4..], lifetime);
            _writer.Attribute(NetlinkConstants.IfaCacheInfo, lifetimes);
            _writer.Attribute(NetlinkConstants.IfaFlags, NetlinkConstants.FlagNoPrefixRoute | (v6 ? NetlinkConstants.FlagNoDad : 0));
            _writer.Attribute(NetlinkConstants.IfaProto, [AddressTag.Veredus]);  // kernels before 5.18 skip what they don't know
        }
        _writer.End();
    }

    private void CollectAnswers(uint first, uint last, Span<KernelAnswer> answers)
    {
        while (true)
        {
            var rest = Receive();
            while (NetlinkMessage.TryRead(ref rest, out var message))
            {
                if (message.Type != NetlinkConstants.Error || message.Sequence - first > last - first)
                    continue;
                answers[(int)(message.Sequence - first)] = NetlinkReader.ReadAnswer(message);
                if (message.Sequence == last)
                    return;
            }
        }
    }

    private delegate void Collect<T>(in NetlinkMessage message, List<T> found);

    private void Dump<THeader, T>(ushort type, in THeader header, List<T> found, Collect<T> collect) where THeader : unmanaged
    {
        for (var tries = 1; ; tries++)
        {
            found.Clear();
            _writer.Clear();
            _writer.Begin(type, NetlinkConstants.Request | NetlinkConstants.Dump, ++_sequence, header);
            _writer.End();
            Send();
            // The table changed while it was read: parts of it may be missing or doubled, so read it again.
            if (ReadDump(found, collect) || tries == MaxDumpTries)
                return;
        }
    }

    private bool ReadDump<T>(List<T> found, Collect<T> collect)
    {
        var consistent = true;
        while (true)
        {
            var rest = Receive();
            while (NetlinkMessage.TryRead(ref rest, out var message))
            {
                if (message.Sequence != _sequence)
                    continue;
                consistent &= (message.Flags & NetlinkConstants.DumpInterrupted) == 0;
                if (message.Type == NetlinkConstants.Done)
                    return consistent;
                if (message.Type == NetlinkConstants.Error)
                    throw new IOException($"Reading the kernel's tables failed: {NetlinkReader.ReadAnswer(message)}.");
                collect(message, found);
            }
        }
    }

    private unsafe void Send()
    {
        fixed (byte* bytes = _writer.Written)
            if (LibC.Send(_socket, bytes, _writer.Length, 0) != _writer.Length)
                throw LibC.Failure("netlink send");
    }

    private unsafe ReadOnlySpan<byte> Receive()
    {
        fixed (byte* bytes = _input)
        {
            while (true)
            {
                var length = LibC.Receive(_socket, bytes, _input.Length, 0);
                if (length >= 0)
                    return _input.AsSpan(0, (int)length);
                if (Marshal.GetLastPInvokeError() != LibC.EIntr)
                    throw LibC.Failure("netlink receive");
            }
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct AddressHeader
    {
        public byte Family, PrefixLength, Flags, Scope;
        public int LinkIndex;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct InterfaceHeader
    {
        public byte Family, Pad;
        public ushort Type;
        public int Index;
        public uint Flags, Change;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct NeighbourHeader
    {
        public byte Family, Pad1;
        public ushort Pad2;
        public int LinkIndex;
        public ushort State;
        public byte Flags, Type;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct RouteHeader
    {
        public byte Family, DestinationLength, SourceLength, Tos, Table, Protocol, Scope, Type;
        public uint Flags;
    }
}
