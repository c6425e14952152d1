using System.Globalization;
using System.Text;

namespace Veredus.Simulation;

/// <summary>What can be done to a cluster.</summary>
public enum Fault
{
    CrashHost, KillProcess, HangProcess, FreezeHost, KillBus, Partition, Heal, PlumbFailure, Slow, Reconfigure,
    Move, Evacuate, Unpin, Drain, Undrain, Reset, Announce, Stop, CarrierLoss, AddressVanishes, ForeignAddress, ListenerFails,
}

/// <summary>One fault.</summary>
/// <param name="AtMs">When.</param>
/// <param name="Kind">What.</param>
/// <param name="Host">On which host.</param>
/// <param name="DurationMs">How long, where that means something.</param>
/// <param name="Argument">Address number, other host, partition mask or configuration variant.</param>
public readonly record struct FaultStep(long AtMs, Fault Kind, int Host, long DurationMs, int Argument)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{AtMs,6} {Kind} host={Host} for={DurationMs} arg={Argument}");
}

/// <summary>One simulated run: cluster and faults, all from one seed; steps may have been taken out since.</summary>
public sealed record Schedule(int Seed, int Hosts, int Profile, IReadOnlyList<FaultStep> Steps)
{
    /// <summary>Faults happen in the first so many milliseconds after the start of the cluster.</summary>
    public const long FaultsFromMs = 6_000;
    public const long FaultsForMs = 34_000;

    public static Schedule FromSeed(int seed)
    {
        var random = new Random(seed);
        var hosts = random.Next(2, 8);
        if (hosts > 4 && random.Next(3) != 0)
            hosts = random.Next(2, 5);  // small clusters show the same faults faster
        var steps = new List<FaultStep>();
        var count = random.Next(3, 16);
        for (var i = 0; i < count; i++)
            steps.Add(NextStep(random, hosts));
        steps.Sort((a, b) => a.AtMs.CompareTo(b.AtMs));
        return new(seed, hosts, random.Next(10), steps);
    }

    private static FaultStep NextStep(Random random, int hosts)
    {
        // Faults come in bunches: two things at the same time are what breaks protocols.
        var at = FaultsFromMs + random.Next(8) * (FaultsForMs / 8) + (random.Next(2) == 0 ? random.Next(300) : random.Next((int)FaultsForMs / 8));
        var kind = random.Next(100) switch
        {
            < 9 => Fault.CrashHost,
            < 19 => Fault.KillProcess,
            < 29 => Fault.HangProcess,
            < 34 => Fault.FreezeHost,
            < 38 => Fault.KillBus,
            < 48 => Fault.Partition,
            < 54 => Fault.Heal,
            < 60 => Fault.PlumbFailure,
            < 66 => Fault.Slow,
            < 73 => Fault.Reconfigure,
            < 80 => Fault.Move,
            < 82 => Fault.Evacuate,
            < 83 => Fault.Unpin,
            < 87 => Fault.Drain,
            < 90 => Fault.Undrain,
            < 92 => Fault.Reset,
            < 93 => Fault.Announce,
            < 95 => Fault.Stop,
            < 96 => Fault.CarrierLoss,
            < 98 => Fault.AddressVanishes,
            < 99 => Fault.ForeignAddress,
            _ => Fault.ListenerFails,
        };
        var duration = random.Next(3) switch { 0 => random.Next(100, 1_500), 1 => random.Next(1_500, 6_000), _ => random.Next(6_000, 14_000) };
        return new(at, kind, random.Next(hosts), duration, random.Next(1 << 16));
    }

    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"seed {Seed}: {Hosts} hosts, profile {Profile}, {Steps.Count} faults\n");
        foreach (var step in Steps)
            text.Append("  ").Append(step).Append('\n');
        return text.ToString();
    }
}

/// <summary>An invariant did not hold.</summary>
public sealed class InvariantException(string invariant, long atMs, string what)
    : Exception(string.Create(CultureInfo.InvariantCulture, $"{invariant} at {atMs} ms: {what}"))
{
    public string Invariant { get; } = invariant;
}
