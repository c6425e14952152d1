using System.Net;
using Veredus.Network;

namespace Veredus.Demo;

/// <summary>Two hosts that both said "I have it" for one address.</summary>
/// <param name="From">When it was seen first.</param>
/// <param name="Length">How long both went on.</param>
internal sealed record DoubleAnswer(IPAddress Address, MacAddress One, MacAddress Other, DateTimeOffset From, TimeSpan Length);

/// <summary>
/// Decides from answers to ARP requests whether two hosts have one address at a time. Asked once a round, everybody who has it answers. One
/// round with two answers may be a handover that fell between two answers; the same two in two rounds that follow each other is a double.
/// </summary>
internal sealed class DoubleDetector(TimeSpan roundLength)
{
    private readonly Dictionary<IPAddress, HashSet<MacAddress>> _now = [], _before = [];
    private readonly List<DoubleAnswer> _found = [];

    /// <summary>An answer in the current round.</summary>
    public void Answer(IPAddress address, MacAddress by)
    {
        if (!_now.TryGetValue(address, out var macs))
            _now[address] = macs = [];
        macs.Add(by);
    }

    /// <summary>Ends a round; gives the doubles that began with it.</summary>
    public IReadOnlyList<DoubleAnswer> EndRound(DateTimeOffset at)
    {
        var began = new List<DoubleAnswer>();
        foreach (var (address, macs) in _now)
        {
            if (macs.Count < 2 || !_before.TryGetValue(address, out var earlier) || macs.Where(earlier.Contains).Order(Comparer<MacAddress>.Create(
                (one, other) => string.CompareOrdinal(one.ToString(), other.ToString()))).ToArray() is not [var first, var second, ..])
                continue;
            var index = _found.FindLastIndex(known => known.Address.Equals(address) && known.One == first && known.Other == second && known.From + known.Length + 2 * roundLength >= at);
            if (index >= 0)
            {
                _found[index] = _found[index] with { Length = at - _found[index].From };
                continue;
            }
            var seen = new DoubleAnswer(address, first, second, at - roundLength, roundLength);
            _found.Add(seen);
            began.Add(seen);
        }
        _before.Clear();
        foreach (var (address, macs) in _now)
            _before[address] = macs;
        _now.Clear();
        return began;
    }

    /// <summary>All doubles so far, in the order of their begin.</summary>
    public IReadOnlyList<DoubleAnswer> Found => [.. _found];
}
