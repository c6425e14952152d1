using System.Globalization;
using Veredus.Duravip;

namespace Veredus.Simulation;

/// <summary>Long runs and replays: <c>dotnet run -c Release --project tests/Veredus.Simulation -- run [MINUTES]</c>, <c>-- replay</c>, <c>-- view-change</c>.</summary>
public static class Program
{
    public static int Main(string[] arguments)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        var seed = Simulator.FirstSeed();
        switch (arguments)
        {
            case ["run"]:
                return Run(seed, minutes: 10);
            case ["run", var text] when double.TryParse(text, CultureInfo.InvariantCulture, out var minutes) && minutes > 0:
                return Run(seed, minutes);
            case ["view-change"]:
                ViewChangeCost.Print();
                return 0;
            case ["replay"]:
                return Replay(seed, Weaknesses.None);
            case ["replay", var text] when Enum.TryParse<Weaknesses>(text, out var weakness):
                return Replay(seed, weakness);
            default:
                Console.Error.WriteLine("usage: run [MINUTES] | replay | view-change    (seed from VEREDUS_SEED, else random)");
                return 2;
        }
    }

    private static int Run(int seed, double minutes)
    {
        Console.WriteLine($"VEREDUS_SEED={seed}");
        var result = Simulator.Run(seed, int.MaxValue, TimeSpan.FromMinutes(minutes));
        Console.WriteLine(result);
        if (result.Failure is null)
            return 0;
        Console.WriteLine(Simulator.Describe(result.Failure));
        return 1;
    }

    private static int Replay(int seed, Weaknesses weaknesses)
    {
        var trace = new List<string>();
        var failure = Simulator.RunOne(Schedule.FromSeed(seed), out var steps, weaknesses, trace);
        foreach (var line in trace)
            Console.WriteLine(line);
        Console.WriteLine(Schedule.FromSeed(seed));
        Console.WriteLine(failure is null ? $"held, {steps} steps" : failure.What);
        return failure is null ? 0 : 1;
    }
}
