using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Veredus.Duravip;

/// <summary>Remembers score(x, n): the first 8 bytes of SHA-256(canonical address ‖ 0 ‖ node name). It only breaks ties, the same way on every node.</summary>
internal sealed class ScoreCache
{
    private const int MaxEntries = 1 << 18;
    private readonly Dictionary<(VipAddress, string), ulong> _scores = [];

    /// <summary>Makes room before an election needs it: to grow, the table is copied to the large object heap, in the middle of a takeover.</summary>
    public void Reserve(int addresses, int members) => _scores.EnsureCapacity((int)Math.Min(MaxEntries, (long)addresses * members));

    public ulong Of(VipAddress address, string node)
    {
        if (_scores.Count > MaxEntries)
            _scores.Clear();
        ref var score = ref CollectionsMarshal.GetValueRefOrAddDefault(_scores, (address, node), out var known);
        if (!known)
            score = Compute(address, node);
        return score;
    }

    private static ulong Compute(VipAddress address, string node)
    {
        Span<byte> input = stackalloc byte[16 + 1 + NodeName.MaxLength];
        var length = address.WriteTo(input);
        input[length++] = 0;
        length += Encoding.ASCII.GetBytes(node, input[length..]);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(input[..length], hash);
        return BinaryPrimitives.ReadUInt64BigEndian(hash);
    }
}

/// <summary>The members as the election sees them: by index, with name, weight and current load (owned units).</summary>
internal sealed class Electorate(IReadOnlyList<string> names, IReadOnlyList<int> weights, ScoreCache scores)
{
    public IReadOnlyList<string> Names { get; } = names;
    public IReadOnlyList<int> Weights { get; } = weights;
    public int[] Loads { get; } = new int[names.Count];
    public int Count => Names.Count;

    public ulong Score(VipAddress address, int member) => scores.Of(address, Names[member]);

    /// <summary>Sign of load[a]+extra over weight[a], compared with the same of b; no floating point.</summary>
    public int CompareLoad(int a, int aExtra, int b, int bExtra) =>
        ((long)(Loads[a] + aExtra) * Weights[b]).CompareTo((long)(Loads[b] + bExtra) * Weights[a]);

    /// <summary>Minimises ((load+1)/weight, −score, name) over <paramref name="candidates"/>, which is not empty.</summary>
    public int LeastLoaded(VipAddress address, MemberSet candidates)
    {
        var best = -1;
        foreach (var n in candidates)
        {
            if (best < 0)
            {
                best = n;
                continue;
            }
            var order = CompareLoad(n, 1, best, 1);
            if (order == 0)
                order = Score(address, best).CompareTo(Score(address, n));
            if (order == 0)
                order = string.CompareOrdinal(Names[n], Names[best]);
            if (order < 0)
                best = n;
        }
        return best;
    }
}
