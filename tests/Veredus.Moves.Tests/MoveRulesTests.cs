namespace Veredus.Moves.Tests;

public sealed class MoveRulesTests
{
    [Theory]
    [InlineData(true, null, MoveStep.Deliver, "")]
    [InlineData(false, null, MoveStep.Wait, "")]
    [InlineData(false, "mta2", MoveStep.Send, "mta2")]
    [InlineData(false, "gone", MoveStep.Wait, "")]
    public void A_message_goes_to_the_owner_of_its_binding_and_waits_where_there_is_none(bool isHere, string? owner, MoveStep step, string target) =>
        Assert.Equal((step, target), Short(Decide(default, isHere, owner)));

    [Fact]
    public void Who_may_have_a_message_is_asked_again_whoever_owns_its_binding() =>
        Assert.Equal((MoveStep.Send, "mta3"), Short(Decide(new(0, 0, "mta3", 0), isHere: true, "mta2")));

    [Fact]
    public void Who_may_have_a_message_and_left_is_waited_for_but_not_for_ever()
    {
        var message = new MoveFacts(0, 0, "gone", 1000);
        Assert.Equal(MoveStep.Hold, Decide(message, true, null, 1000 + MoveRules.DoubtMs - 1).Step);
        var late = Decide(message, true, null, 1000 + MoveRules.DoubtMs);
        Assert.Equal((MoveStep.Deliver, true), (late.Step, late.GivesUpDoubt));
    }

    [Fact]
    public void A_message_that_goes_round_is_kept_for_a_while_and_then_starts_over()
    {
        Assert.True(MoveRules.MustHold(MoveRules.MaxHops + 1));
        Assert.Equal(MoveStep.Hold, Decide(new(5, 60_000, null, 0), false, "mta2", 1).Step);
        Assert.Equal(MoveStep.Send, Decide(new(5, 60_000, null, 0), false, "mta2", 60_000).Step);
        Assert.Equal(0, MoveRules.HopsOut(5));
        Assert.Equal(4, MoveRules.HopsOut(4));
    }

    [Fact]
    public void Pauses_grow_from_one_second_to_sixty() =>
        Assert.Equal([1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000], Enumerable.Range(1, 8).Select(MoveRules.BackOffMs));

    [Fact]
    public void A_migration_is_slower_where_processors_are_short() =>
        Assert.Equal([1000, 1000, 750, 500, 500], new[] { 0, 0.25, 0.5, 0.75, 1 }.Select(MoveRules.MigrationRate));

    private static (MoveStep, string) Short(MoveDecision decision) => (decision.Step, decision.Target);

    private static MoveDecision Decide(MoveFacts message, bool isHere, string? owner, long now = 0) =>
        MoveRules.Decide(message, isHere, owner, node => node != "gone", now);
}
