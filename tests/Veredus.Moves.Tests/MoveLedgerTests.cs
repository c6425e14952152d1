namespace Veredus.Moves.Tests;

public sealed class MoveLedgerTests
{
    private static readonly Guid s_mail = new("11111111-2222-3333-4444-555555555555");
    private readonly MoveLedger _ledger = new();

    [Fact]
    public void A_message_that_is_given_twice_is_taken_once()
    {
        Assert.Equal(Arrival.New, Arrive(1));
        _ledger.Stored(s_mail, 1, 7, 0);
        Assert.Equal(Arrival.Known, Arrive(1));
    }

    [Fact]
    public void While_it_arrives_it_cannot_arrive_again_and_what_was_not_stored_may_come_again()
    {
        Assert.Equal(Arrival.New, Arrive(1));
        Assert.Equal(Arrival.Busy, Arrive(1));
        _ledger.NotStored(s_mail);
        Assert.Equal(Arrival.New, Arrive(1));
    }

    [Fact]
    public void A_message_that_was_handed_over_comes_back_only_as_a_later_copy()
    {
        _ledger.Sending(s_mail, 0, 7, "mta2", 0);
        _ledger.Sent(s_mail, 1, 7, "mta2", 0);
        Assert.Equal(Arrival.Known, Arrive(1));
        Assert.Equal(Arrival.New, Arrive(2));
    }

    [Fact]
    public void Whoever_says_that_it_knows_a_later_copy_hands_its_own_over_with_a_later_one_still()
    {
        _ledger.Stored(s_mail, 1, 7, 0);
        Assert.Equal(Arrival.Known, Arrive(5));
        Assert.Equal(6u, _ledger.Sending(s_mail, 1, 7, "mta2", 0).Generation);
    }

    [Fact]
    public void An_unanswered_message_is_asked_for_with_the_same_generation_and_takes_no_later_copy_meanwhile()
    {
        Assert.Equal(3u, _ledger.Sending(s_mail, 2, 7, "mta2", 0).Generation);
        Assert.Equal(1, _ledger.InDoubt);
        Assert.Equal(3u, _ledger.Sending(s_mail, 2, 7, "mta2", 0).Generation);
        Assert.Equal(Arrival.Busy, Arrive(4));
        Assert.Equal(Arrival.Known, Arrive(2));
        _ledger.Refused(s_mail, 3, 7, 0);
        Assert.Equal(0, _ledger.InDoubt);
    }

    [Fact]
    public void What_the_spool_has_is_known_although_it_was_never_moved() =>
        Assert.Equal(Arrival.Known, _ledger.Arrive(s_mail, 1, localId: 7, 0, out _));

    [Fact]
    public void After_a_restart_the_noted_entries_give_the_same_answers()
    {
        var noted = new[] { _ledger.Sending(s_mail, 0, 7, "mta2", 5), _ledger.Sent(s_mail, 1, 7, "mta2", 6) };
        var again = new MoveLedger();
        foreach (var entry in noted)
        {
            Assert.True(LedgerLine.TryRead(LedgerLine.Write(entry).TrimEnd('\n'), out var read));
            Assert.Equal(entry, read);
            again.Apply(read);
        }
        Assert.True(again.HasLeft(s_mail, 0, 7));
        Assert.False(again.HasLeft(s_mail, 1, 7));
        Assert.Equal(Arrival.Known, again.Arrive(s_mail, 1, null, 0, out _));
    }

    [Theory]
    [InlineData("")]
    [InlineData("H 11111111222233334444555555555555 1 0000000000000007 5 - 00000000")]
    [InlineData("X 1 2")]
    public void A_torn_or_foreign_line_is_no_entry(string line) => Assert.False(LedgerLine.TryRead(line, out _));

    [Fact]
    public void Old_entries_go_but_not_those_whose_message_is_still_here()
    {
        _ledger.Stored(s_mail, 1, 7, 0);
        _ledger.Stored(Guid.NewGuid(), 1, 8, 0);
        Assert.Equal(0, _ledger.Expire(MoveLedger.MaxKeepMs - 1, _ => false));
        Assert.Equal(1, _ledger.Expire(MoveLedger.MaxKeepMs, id => id == 7));
        Assert.Equal(1, _ledger.Count);
        Assert.Equal(1, _ledger.Expire(2 * MoveLedger.MaxKeepMs, _ => false));
    }

    private Arrival Arrive(uint generation) => _ledger.Arrive(s_mail, generation, null, 0, out _);
}
