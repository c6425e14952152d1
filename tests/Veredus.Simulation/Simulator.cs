using System.Diagnostics;
using System.Globalization;
using Veredus.Duravip;

namespace Veredus.Simulation;

/// <summary>A schedule that broke an invariant.</summary>
public sealed record Failure(Schedule Schedule, string What);

/// <summary>What a batch of schedules came to.</summary>
public sealed record BatchResult(int Schedules, long Steps, TimeSpan Elapsed, Failure? Failure)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Schedules} schedules, {Steps} steps in {Elapsed.TotalSeconds:F1} s");
}

/// <summary>Runs schedules, many at once, and makes a failing one small.</summary>
public static class Simulator
{
    /// <summary>VEREDUS_SEED if set, else <paramref name="usual"/>, else a new one.</summary>
    public static int FirstSeed(int? usual = null) =>
        int.TryParse(Environment.GetEnvironmentVariable("VEREDUS_SEED"), CultureInfo.InvariantCulture, out var seed) ? seed : usual ?? Random.Shared.Next(1 << 30);

    /// <summary>Runs one schedule; <see langword="null"/> if all went well.</summary>
    internal static Failure? RunOne(Schedule schedule, out long steps, Weaknesses weaknesses = Weaknesses.None, List<string>? trace = null)
    {
        var world = new World(schedule, weaknesses, trace);
        try
        {
            world.Run();
            return null;
        }
        catch (InvariantException broken)
        {
            return new(schedule, broken.Message);
        }
        finally
        {
            steps = world.Steps;
        }
    }

    /// <summary>Runs schedules with seeds from <paramref name="firstSeed"/> on until <paramref name="count"/> are done, one fails, or the time given is up.</summary>
    internal static BatchResult Run(int firstSeed, int count, TimeSpan? limit = null, Weaknesses weaknesses = Weaknesses.None)
    {
        var clock = Stopwatch.StartNew();
        var (done, steps, next) = (0, 0L, -1);
        Failure? failure = null;
        var workers = Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new Thread(() =>
        {
            while (Volatile.Read(ref failure) is null && !(clock.Elapsed >= limit) && Interlocked.Increment(ref next) is var index && index < count)
            {
                if (RunOne(Schedule.FromSeed(unchecked(firstSeed + index)), out var taken, weaknesses) is { } broken)
                    Interlocked.CompareExchange(ref failure, broken, null);
                Interlocked.Increment(ref done);
                Interlocked.Add(ref steps, taken);
            }
        })).ToList();
        workers.ForEach(worker => worker.Start());
        workers.ForEach(worker => worker.Join());
        return new(done, steps, clock.Elapsed, failure);
    }

    /// <summary>Takes faults out of a failing schedule as long as it keeps failing.</summary>
    internal static Failure Shrink(Failure failure, Weaknesses weaknesses = Weaknesses.None)
    {
        for (var size = Math.Max(1, failure.Schedule.Steps.Count / 2); size >= 1; size = size == 1 ? 0 : size / 2)
        {
            for (var from = 0; from < failure.Schedule.Steps.Count;)
            {
                var steps = failure.Schedule.Steps;
                var fewer = failure.Schedule with { Steps = [.. steps.Take(from), .. steps.Skip(from + size)] };
                if (RunOne(fewer, out _, weaknesses) is { } still)
                    failure = still;
                else
                    from += size;
            }
        }
        return failure;
    }

    /// <summary>What to print of a failure: what broke, how to run it again, the smallest schedule found, and its last events.</summary>
    internal static string Describe(Failure failure, Weaknesses weaknesses = Weaknesses.None)
    {
        var small = Shrink(failure, weaknesses);
        var trace = new List<string>();
        RunOne(small.Schedule, out _, weaknesses, trace);
        return $"""
            {failure.What}
            again: VEREDUS_SEED={failure.Schedule.Seed} dotnet run -c Release --project tests/Veredus.Simulation -- replay
            smallest: {small.What}
            {small.Schedule}
            {string.Join('\n', trace.TakeLast(80))}
            """;
    }
}
