using Veredus.Duravip;
using Xunit.Abstractions;

namespace Veredus.Simulation;

/// <summary>The protocol under every fault at once, and proof that its rules are needed.</summary>
public sealed class SimulationTests(ITestOutputHelper output)
{
    /// <summary>The same ones each time, so that a red test is the change's fault; <c>Program</c> looks at new ones for as long as it is let.</summary>
    private const int Schedules = 20_000;

    [Fact]
    public void Every_invariant_holds_whatever_fails()
    {
        var seed = Simulator.FirstSeed(usual: 1);
        var result = Simulator.Run(seed, Schedules);
        output.WriteLine($"VEREDUS_SEED={seed}: {result}");
        Assert.True(result.Failure is null, result.Failure is null ? "" : Simulator.Describe(result.Failure));
        Assert.Equal(Schedules, result.Schedules);
    }

    [Fact]
    public void The_same_seed_gives_the_same_run()
    {
        var (first, second) = (new List<string>(), new List<string>());
        Simulator.RunOne(Schedule.FromSeed(4242), out var steps, trace: first);
        Simulator.RunOne(Schedule.FromSeed(4242), out var again, trace: second);
        Assert.Equal(steps, again);
        Assert.Equal(first, second);
    }

    [Fact]
    public void A_cluster_without_release_before_acquire_is_caught() => IsCaught(Weaknesses.NoReleaseBeforeAcquire);

    [Fact]
    public void A_cluster_that_does_not_count_the_owner_as_holder_is_caught() => IsCaught(Weaknesses.OwnerIsNoHolder);

    [Fact]
    public void A_cluster_that_acts_before_its_queue_is_drained_is_caught() => IsCaught(Weaknesses.ActBeforeDrained);

    [Fact]
    public void A_cluster_without_quarantine_after_a_failure_is_caught() => IsCaught(Weaknesses.NoQuarantine);

    [Fact]
    public void A_cluster_that_suspects_before_the_lease_has_ended_is_caught() => IsCaught(Weaknesses.ShortSuspicion);

    private void IsCaught(Weaknesses weakness)
    {
        var seed = Simulator.FirstSeed(usual: 1);
        var result = Simulator.Run(seed, Schedules, limit: null, weakness);
        output.WriteLine($"VEREDUS_SEED={seed}: {result}: {result.Failure?.What}");
        Assert.NotNull(result.Failure);
        var small = Simulator.Shrink(result.Failure, weakness);
        output.WriteLine($"{small.What}\n{small.Schedule}");
        Assert.True(small.Schedule.Steps.Count <= result.Failure.Schedule.Steps.Count);
    }
}
