using Veredus.Duravip;
using Xunit.Abstractions;

namespace Veredus.Simulation;

/// <summary>The protocol under every fault at once, and proof that its rules are needed.</summary>
public sealed class SimulationTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Budget = TimeSpan.FromSeconds(50);

    [Fact]
    public void Every_invariant_holds_whatever_fails()
    {
        var seed = Simulator.FirstSeed();
        var result = Simulator.Run(seed, count: 20_000, Budget);
        output.WriteLine($"VEREDUS_SEED={seed}: {result}");
        Assert.True(result.Failure is null, result.Failure is null ? "" : Simulator.Describe(result.Failure));
        Assert.True(result.Schedules >= 100, $"only {result}: the machine is too busy to say anything");
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
        var seed = Simulator.FirstSeed();
        var result = Simulator.Run(seed, count: 20_000, Budget, weakness);
        output.WriteLine($"VEREDUS_SEED={seed}: {result}: {result.Failure?.What}");
        Assert.NotNull(result.Failure);
        var small = Simulator.Shrink(result.Failure, weakness);
        output.WriteLine($"{small.What}\n{small.Schedule}");
        Assert.True(small.Schedule.Steps.Count <= result.Failure.Schedule.Steps.Count);
    }
}
