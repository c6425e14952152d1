using System.Diagnostics;
using System.Net;
using Veredus.Network;

namespace Veredus.Vipd;

/// <summary>One duplicate-address probe: asks twice, hears for the given time who has the addresses.</summary>
internal sealed class AddressSearch : IDisposable
{
    private readonly Dictionary<IPAddress, LinkInfo> _asked;
    private readonly Dictionary<IPAddress, MacAddress> _answers = [];
    private readonly List<PacketSocket> _hearing = [];
    private readonly PacketSocket _sender;
    private readonly long _start, _wait;
    private bool _askedAgain;

    public AddressSearch(uint id, IEnumerable<IPAddress> addresses, AddressKeeper keeper, PacketSocket sender, TimeSpan wait, long now)
    {
        (Id, _sender, _start, _wait) = (id, sender, now, (long)(wait.TotalSeconds * Stopwatch.Frequency));
        _asked = [];
        foreach (var address in addresses)
        {
            if (keeper.LinkFor(address) is not { HasCarrier: true } link || link.Mac == MacAddress.None)
                continue;
            _asked[address] = link;
            var (index, type) = (link.Index, NeighbourFrame.EtherTypeOf(address));
            if (!_hearing.Exists(socket => socket.Hears == (index, type)))
                _hearing.Add(PacketSocket.ForHearing(index, type));
        }
        Ask();
    }

    /// <summary>The request that this answers.</summary>
    public uint Id { get; }

    public IEnumerable<int> Fds => _hearing.Select(socket => socket.Fd);

    public IReadOnlyCollection<ProbeAnswer> Answers => [.. _answers.Select(pair => new ProbeAnswer(pair.Key, pair.Value))];

    public bool IsOver(long now) => now - _start >= _wait || _asked.Count == 0;

    public long UntilNext(long now) => IsOver(now) ? 0 : (_askedAgain ? _wait : _wait / 2) - (now - _start);

    public void Step(long now)
    {
        Span<byte> frame = stackalloc byte[256];
        foreach (var socket in _hearing)
            for (int length; (length = socket.Receive(frame)) >= 0;)
                if (NeighbourFrame.TryReadClaim(frame[..Math.Min(length, frame.Length)], out var address, out var by)
                    && _asked.TryGetValue(address, out var link) && by != link.Mac)
                    _answers[address] = by;
        if (!_askedAgain && now - _start >= _wait / 2)
        {
            _askedAgain = true;
            Ask();
        }
    }

    private void Ask()
    {
        Span<byte> frame = stackalloc byte[NeighbourFrame.MaxSize];
        foreach (var (address, link) in _asked)
            _sender.TrySend(link.Index, frame[..NeighbourFrame.WriteProbe(frame, address, link.Mac)]);
    }

    public void Dispose()
    {
        foreach (var socket in _hearing)
            socket.Dispose();
    }
}
