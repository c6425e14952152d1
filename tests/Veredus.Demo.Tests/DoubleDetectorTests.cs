using System.Net;
using Veredus.Network;

namespace Veredus.Demo.Tests;

public sealed class DoubleDetectorTests
{
    private static readonly IPAddress Address = IPAddress.Parse("198.18.7.10");
    private static readonly MacAddress One = DemoNetwork.Mac(1), Other = DemoNetwork.Mac(2);
    private static readonly TimeSpan Round = TimeSpan.FromMilliseconds(50);
    private readonly DoubleDetector _detector = new(Round);
    private DateTimeOffset _now = DateTimeOffset.UnixEpoch;

    [Fact]
    public void A_handover_in_the_middle_of_a_round_is_no_double()
    {
        Assert.Empty(Play([One]));
        Assert.Empty(Play([One, Other]));
        Assert.Empty(Play([Other]));
        Assert.Empty(_detector.Found);
    }

    [Fact]
    public void Two_that_both_go_on_answering_are_one_double_with_its_length()
    {
        Play([One]);
        Play([One, Other]);
        Assert.Single(Play([Other, One]));
        Assert.Empty(Play([One, Other]));
        Assert.Empty(Play([One]));
        var found = Assert.Single(_detector.Found);
        Assert.Equal((Address, One, Other, 2 * Round), (found.Address, found.One, found.Other, found.Length));
    }

    [Fact]
    public void A_double_that_comes_again_later_counts_again()
    {
        foreach (var _ in Enumerable.Range(0, 2))
        {
            Play([One, Other]);
            Play([One, Other]);
            foreach (var quiet in Enumerable.Range(0, 10))
                Play([One]);
        }
        Assert.Equal(2, _detector.Found.Count);
    }

    private IReadOnlyList<DoubleAnswer> Play(MacAddress[] answers)
    {
        foreach (var mac in answers)
            _detector.Answer(Address, mac);
        return _detector.EndRound(_now += Round);
    }
}
