using System.Collections.Immutable;
using System.Globalization;
using Veredus.Duravip;

namespace Veredus.Simulation;

/// <summary>What a simulated cluster serves, and with which options; several variants of each host's configuration.</summary>
public sealed class Setting
{
    public const int Variants = 5;
    public static readonly Placement Place = new("eth0", 32);

    private readonly Schedule _schedule;
    private readonly VipSet[,] _sets;

    public Setting(Schedule schedule)
    {
        _schedule = schedule;
        var random = new Random(schedule.Seed ^ 0x2545F49);
        var units = random.Next(1, 9);
        var followers = random.Next(3) == 0 ? random.Next(1, 3) : 0;
        Addresses = [.. Enumerable.Range(0, units + followers).Select(i => VipAddress.Parse(string.Create(CultureInfo.InvariantCulture, $"198.51.100.{i + 1}")))];
        var disjoint = random.Next(3) == 0;
        var preferring = random.Next(3);
        var preferences = Enumerable.Range(0, units).Select(_ => preferring > 0 && random.Next(3) < preferring ? Name(random.Next(schedule.Hosts)) : "").ToArray();
        Weights = [.. Enumerable.Range(0, schedule.Hosts).Select(_ => random.Next(6) == 0 ? 2 : 1)];
        BalanceSetSize = random.Next(1, 4);
        _sets = new VipSet[schedule.Hosts, Variants];
        for (var host = 0; host < schedule.Hosts; host++)
        {
            var takesPart = Enumerable.Range(0, units).Select(_ => !disjoint || random.Next(3) != 0).ToArray();
            for (var variant = 0; variant < Variants; variant++)
                _sets[host, variant] = Build(host, variant, units, followers, takesPart, preferences, random);
        }
    }

    public VipAddress[] Addresses { get; }
    public int[] Weights { get; }
    public int BalanceSetSize { get; }
    /// <summary>Claim guard and quorum: then no address may ever be on two hosts.</summary>
    public bool IsExclusive => _schedule.Profile is 1 or 2;
    public bool NeedsQuorum => _schedule.Profile is 0 or 1 or 2;

    public static string Name(int host) => string.Create(CultureInfo.InvariantCulture, $"mta{host + 1}");

    public VipSet SetOf(int host, int variant) => _sets[host, variant];

    public DuravipOptions OptionsOf(int host) => new()
    {
        BalanceSetSize = BalanceSetSize,
        Weight = Weights[host],
        ViewMatureMs = 2_000,
        ViewBalanceIntervalMs = 2_000,
        HeartbeatStartDelayMs = 3_000,
        IfCheckIntervalMs = 5_000,
        IfDownLimitMs = 2_000,
        BrokenGraceMs = 5_000,
        FailBackoffMs = 3_000,
        SmallestWave = 1 + (_schedule.Seed & 3),
        DrainMs = 500,
        BusDetectMs = World.DetectMs,
        ClaimGuard = IsExclusive,
        HeartbeatPeriodMs = IsExclusive ? 250 : 1_000,
        LeaseMs = IsExclusive ? 3_000 : 5_000,
        GatherTimeoutMs = 8_000,
        SuspectMs = 8_000,
        PartitionPolicy = NeedsQuorum ? PartitionPolicy.Quorum : PartitionPolicy.Component,
    };

    /// <summary>Variant 0 is the agreed one; 1 misses addresses, 2 disagrees about names, 3 about services and preferences, 4 about followers.</summary>
    private VipSet Build(int host, int variant, int units, int followers, bool[] takesPart, string[] preferences, Random random)
    {
        var vips = new List<LocalVip>();
        for (var i = 0; i < units; i++)
        {
            var here = takesPart[i] && !(variant == 1 && random.Next(2) == 0);
            if (!here)
                continue;
            var name = variant == 2 && random.Next(2) == 0 ? $"other-{i}" : $"cust-{i}";
            ImmutableArray<string> services = variant == 3 && random.Next(2) == 0 ? ["esmtp", "multivip"] : ["multivip"];
            var preference = variant == 3 && random.Next(2) == 0 ? Name(random.Next(_schedule.Hosts)) : preferences[i];
            vips.Add(new(new(Addresses[i], Addresses[i], services, [name], preference, Placeability.Placeable, "198.51.100.0/24"), Place));
        }
        for (var i = 0; i < followers; i++)
        {
            var target = Addresses[(i + (variant == 4 ? 1 : 0)) % units];
            if (vips.Exists(vip => vip.Address == target))
                vips.Add(new(new(Addresses[units + i], target, ["esmtp"], [], "", Placeability.Placeable, "198.51.100.0/24"), Place));
        }
        _ = host;
        return new(vips);
    }
}
