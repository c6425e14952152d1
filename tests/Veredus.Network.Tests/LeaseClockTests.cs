using System.Diagnostics;
using Veredus.Vipd;

namespace Veredus.Network.Tests;

public sealed class LeaseClockTests
{
    private readonly LeaseClock _lease = new();

    public LeaseClockTests() => _lease.Configure(TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(2));

    [Fact]
    public void It_renews_each_quarter_while_beats_are_fresh()
    {
        _lease.Beat(At(0), At(0));
        _lease.Extended(At(0));

        Assert.False(_lease.IsRenewalDue(At(0.9)));
        Assert.True(_lease.IsRenewalDue(At(1)));
        Assert.Equal(At(0.5), _lease.UntilNext(At(0.5)));
        Assert.True(_lease.IsRenewalDue(At(2)));
        Assert.False(_lease.IsRenewalDue(At(2.1)));  // the last beat is older than the hold time
    }

    [Fact]
    public void Without_beats_it_is_over_a_lease_after_the_last_renewal()
    {
        _lease.Beat(At(0), At(0));
        _lease.Extended(At(2));

        Assert.False(_lease.IsFresh(At(2.5)));
        Assert.Equal(At(3.5), _lease.UntilNext(At(2.5)));
        Assert.False(_lease.IsOver(At(5.9)));
        Assert.True(_lease.IsOver(At(6)));
    }

    [Fact]
    public void A_beat_counts_from_when_it_was_given_and_never_from_the_future()
    {
        _lease.Beat(At(1), At(3));
        Assert.False(_lease.IsFresh(At(3.1)));

        _lease.Beat(At(900), At(4));
        Assert.False(_lease.IsFresh(At(6.1)));
    }

    [Theory]
    [InlineData(5, 5u)]
    [InlineData(2.5, 3u)]
    [InlineData(0.1, 1u)]
    public void The_kernel_gets_whole_seconds_never_fewer(double seconds, uint expected)
    {
        _lease.Configure(TimeSpan.FromSeconds(seconds), TimeSpan.FromSeconds(1));
        Assert.Equal(expected, _lease.KernelSeconds);
    }

    [Fact]
    public void A_lease_of_zero_never_ends_and_needs_no_beats()
    {
        _lease.Configure(TimeSpan.Zero, TimeSpan.FromSeconds(1));

        Assert.Null(_lease.KernelSeconds);
        Assert.True(_lease.IsFresh(At(1e6)));
        Assert.False(_lease.IsOver(At(1e6)) || _lease.IsRenewalDue(At(1e6)));
    }

    private static long At(double seconds) => (long)(seconds * Stopwatch.Frequency);
}
