using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Veredus.Demo;

/// <summary>What can be done to a host. The order is part of the schedule that a seed gives: new ones go to the end.</summary>
[JsonConverter(typeof(LowerCaseWords<FaultKind>))]
internal enum FaultKind
{
    /// <summary>SIGKILL to the node; it is started again at the end.</summary>
    Kill,
    /// <summary>SIGSTOP to the node, SIGCONT at the end.</summary>
    Freeze,
    /// <summary>The host is cut off: both ways, or one.</summary>
    Cut,
    /// <summary>The host's link takes only some kilobits a second.</summary>
    Slow,
    /// <summary>The host's link loses some percent of the frames, both ways.</summary>
    Loss,
    /// <summary>corosync is killed on the host and started again at the end.</summary>
    Bus,
    /// <summary>Frames take some milliseconds longer, both ways; needs a kernel with netem.</summary>
    Delay,
    /// <summary>The host and one other no longer hear each other; everybody else hears both. Silence while it lasts is not judged.</summary>
    Peer,
    /// <summary>SIGTERM to the node, which hands over what it has and ends; it is started again at the end.</summary>
    Restart,
    /// <summary>SIGKILL to a manager; it is started again at the end.</summary>
    Manager,
    /// <summary>SIGKILL to the node, and a part of a record is left at the end of its mainlog journal, as a power cut may do; at the end the journal is repaired and the node started again.</summary>
    Journal,
}

/// <summary>Which direction of a cable is cut.</summary>
[JsonConverter(typeof(LowerCaseWords<CutWay>))]
internal enum CutWay
{
    Both,
    /// <summary>What the host sends is lost.</summary>
    Out,
    /// <summary>What is sent to the host is lost.</summary>
    In,
}

/// <summary>Writes the words of an enumeration as JSON has them elsewhere.</summary>
internal sealed class LowerCaseWords<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.CamelCase) where T : struct, Enum;

/// <summary>One fault of a schedule.</summary>
/// <param name="AtMs">Begin, in milliseconds after the begin of the run.</param>
/// <param name="LengthMs">Until it is repaired.</param>
/// <param name="Host">Counted from 1; for <see cref="FaultKind.Manager"/> the manager's number.</param>
/// <param name="Amount">Kilobits a second, percent, milliseconds or octets, as the kind says; else 0.</param>
/// <param name="Other">For <see cref="FaultKind.Peer"/> the other host, counted from 1; else 0.</param>
internal sealed record ChaosFault(long AtMs, FaultKind Kind, int Host, long LengthMs, CutWay Way, int Amount, int Other = 0)
{
    [JsonIgnore]
    public long EndMs => AtMs + LengthMs;

    /// <summary>Who is damaged: a host's name, or a manager's.</summary>
    [JsonIgnore]
    public string Target => Kind == FaultKind.Manager ? DemoManager.NameOf(Host) : DemoHost.NameOf(Host);

    /// <summary><c>cut   mta01 both ways, 9.0 s</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Kind.ToString().ToLowerInvariant(),-6} {Target}{Detail}, {LengthMs / 1000.0:0.0} s");

    private string Detail => Kind switch
    {
        FaultKind.Cut => Way switch { CutWay.Both => " both ways", CutWay.Out => " what it sends", _ => " what it hears" },
        FaultKind.Slow => $" {Amount} kbit/s",
        FaultKind.Loss => $" {Amount} %",
        FaultKind.Delay => $" {Amount} ms",
        FaultKind.Journal => $" {Amount} octets",
        FaultKind.Peer => $" <-> {DemoHost.NameOf(Other)}",
        _ => "",
    };
}

/// <summary>What bounds a schedule.</summary>
/// <param name="LengthMs">Of the whole run.</param>
/// <param name="GapFromMs">The shortest time between a repair and the next fault.</param>
/// <param name="GapToMs">The longest.</param>
/// <param name="Managers">0: there are none, and a schedule with <see cref="FaultKind.Manager"/> can't be made.</param>
internal sealed record ChaosBounds(long LengthMs, long GapFromMs, long GapToMs, int MaxFaults, int Hosts, IReadOnlyList<FaultKind> Kinds, int Managers = 0);

/// <summary>
/// A schedule of faults: a pure function of seed and bounds. One host at a time is damaged, so that the others always have a majority; whether
/// the cluster has recovered before the next fault is its own affair.
/// </summary>
internal static class ChaosPlan
{
    private const long ShortestMs = 2000, LongestMs = 9000, QuietEndMs = 2000;

    public static IReadOnlyList<ChaosFault> Make(ulong seed, ChaosBounds bounds)
    {
        var (random, faults) = (new SeededNumbers(seed), new List<ChaosFault>());
        var at = random.Between(bounds.GapFromMs, bounds.GapToMs);
        while (faults.Count < bounds.MaxFaults)
        {
            // Always the same numbers are drawn, so that a longer run begins as the shorter one.
            var kind = bounds.Kinds[(int)random.Between(0, bounds.Kinds.Count - 1)];
            var host = (int)random.Between(1, bounds.Hosts);
            var length = random.Between(ShortestMs, LongestMs);
            var way = (CutWay)random.Between(0, 2);
            var amount = random.Between(0, 100);
            var gap = random.Between(bounds.GapFromMs, bounds.GapToMs);
            if (at + length + QuietEndMs > bounds.LengthMs)
                break;
            faults.Add(new(at, kind, kind == FaultKind.Manager ? 1 + (int)amount % bounds.Managers : host, length, kind == FaultKind.Cut ? way : CutWay.Both, kind switch
            {
                FaultKind.Slow => 128 + (int)amount * 4,
                FaultKind.Loss => 2 + (int)amount / 8,
                FaultKind.Delay => 5 + (int)amount,
                FaultKind.Journal => 1 + (int)amount,
                _ => 0,
            }, kind == FaultKind.Peer ? 1 + (host + (int)amount % (bounds.Hosts - 1)) % bounds.Hosts : 0));
            at += length + gap;
        }
        return faults;
    }

    /// <summary>SplitMix64: the same numbers for a seed on every version of the runtime.</summary>
    private struct SeededNumbers(ulong seed)
    {
        private ulong _state = seed;

        /// <summary>A number from <paramref name="first"/> to <paramref name="last"/>, both included.</summary>
        public long Between(long first, long last)
        {
            _state += 0x9E37_79B9_7F4A_7C15;
            var z = _state;
            z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9;
            z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB;
            z ^= z >> 31;
            return first + (long)(z % (ulong)(last - first + 1));
        }
    }
}
